"""Callbacks: code that runs at set points of a loop."""

from __future__ import annotations

from typing import Any

from slipstream.training.callbacks.averages import SwapEMAWeights
from slipstream.training.callbacks.backup import BackupAndRestore
from slipstream.training.callbacks.base import Callback, CallbackList
from slipstream.training.callbacks.csv_logger import CSVLogger
from slipstream.training.callbacks.early_stopping import EarlyStopping
from slipstream.training.callbacks.history import History
from slipstream.training.callbacks.lambda_callback import LambdaCallback
from slipstream.training.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from slipstream.training.callbacks.model_checkpoint import ModelCheckpoint
from slipstream.training.callbacks.monitor import MonitorCallback
from slipstream.training.callbacks.remote import RemoteMonitor
from slipstream.training.callbacks.tensorboard import TensorBoard
from slipstream.training.callbacks.terminate import TerminateOnNaN

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "MonitorCallback",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]


def __getattr__(name: str) -> Any:
    if name == "ProgbarLogger":  # its module imports this package
        from slipstream.training.progress import ProgbarLogger

        return ProgbarLogger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

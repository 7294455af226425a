"""Callbacks: code that runs at set points of a loop, under Keras' names."""

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
from slipstream.training.callbacks.orbax import OrbaxCheckpoint
from slipstream.training.callbacks.remote import RemoteMonitor
from slipstream.training.callbacks.tensorboard import TensorBoard
from slipstream.training.callbacks.terminate import TerminateOnNaN
from slipstream.training.callbacks.weight_averaging import StochasticWeightAveraging
from slipstream.training.progress import ProgbarLogger

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
    "OrbaxCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "StochasticWeightAveraging",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]

"""Optimizers: pure update rules under Keras' names, their schedules, and the way in for optax."""

from __future__ import annotations

from typing import Any

from slipstream.core import registry
from slipstream.optimizers import schedules
from slipstream.optimizers.adam import Adam, Adamax, AdamW, Lamb, Nadam
from slipstream.optimizers.adaptive import Adadelta, Adagrad, Ftrl, RMSprop
from slipstream.optimizers.base import Optimizer
from slipstream.optimizers.matrix import Adafactor, Muon
from slipstream.optimizers.multi import MultiOptimizer, OptimizerMap
from slipstream.optimizers.optax import OptaxOptimizer, is_transformation
from slipstream.optimizers.sam import SAM
from slipstream.optimizers.scaling import LossScaleOptimizer
from slipstream.optimizers.schedule_free import ScheduleFreeAdamW
from slipstream.optimizers.sgd import SGD, Lion
from slipstream.optimizers.transition import OptimizerState

__all__ = [
    "SAM",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "Muon",
    "Nadam",
    "OptaxOptimizer",
    "Optimizer",
    "OptimizerMap",
    "OptimizerState",
    "RMSprop",
    "ScheduleFreeAdamW",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]


def get(identifier: Any) -> Any:
    """An optimizer from its name in any case, its class, a configuration, an optimizer or an
    optax transformation.

    Raises:
        ValueError: if the name is unknown (the nearest known names are suggested) or nothing can
            be made of it.
    """
    if is_transformation(identifier):
        return OptaxOptimizer(identifier)
    if isinstance(identifier, str):
        try:
            return registry.resolve("optimizer", identifier)
        except ValueError:
            if identifier == identifier.lower():
                raise
            identifier = identifier.lower()
    return registry.resolve("optimizer", identifier)


def serialize(optimizer: Optimizer) -> Any:
    """The configuration of an optimizer."""
    return registry.serialize(optimizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The optimizer that a configuration describes."""
    return registry.deserialize(config, custom_objects, kind="optimizer")

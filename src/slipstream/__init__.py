"""Slipstream: Keras-shaped deep learning at the hardware's limit.

``from slipstream.models import Sequential`` in place of ``from tensorflow.keras.models import
Sequential``: the rest of a Keras script stays as it is.
"""

import importlib
import sys
from typing import Any

__version__ = "0.1.0"
JAX_CAME_FIRST = "jax" in sys.modules  # before any room of ours could import it

# Names that are here because Keras has them here: attribute -> module that defines it.
_TOP = {
    "DTypePolicy": "dtype_policies",
    "FloatDTypePolicy": "dtype_policies",
    "Function": "models.function",
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "KerasTensor": "core.symbol",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Operation": "core.custom_operation",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "RematScope": "core.rematerialization",
    "Sequential": "models",
    "StatelessScope": "core.stateless",
    "SymbolicScope": "core.stateless",
    "SymbolicTensor": "core.symbol",
    "Variable": "core.variable",
    "device": "core.contexts",
    "name_scope": "core.contexts",
    "remat": "core.rematerialization",
}
_MODULES = frozenset(
    [
        "activations",
        "backend",
        "callbacks",
        "config",
        "constraints",
        "datasets",
        "dtype_policies",
        "initializers",
        "layers",
        "legacy",
        "losses",
        "metrics",
        "mixed_precision",
        "models",
        "ops",
        "optimizers",
        "preprocessing",
        "random",
        "regularizers",
        "saving",
        "tree",
        "utils",
    ]
)


def version() -> str:
    """The version of Slipstream."""
    return __version__


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"slipstream.{name}")
    if name in _TOP:
        return getattr(importlib.import_module(f"slipstream.{_TOP[name]}"), name)
    raise AttributeError(f"module 'slipstream' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_TOP})

"""Slipstream: Keras-shaped deep learning at the hardware's limit.

``from slipstream.models import Sequential`` in place of ``from tensorflow.keras.models import
Sequential``: the rest of a Keras script stays as it is.
"""

import atexit
import gc
import importlib
import sys
from typing import Any

__version__ = "0.1.0"

# Names that are here because Keras has them here: attribute -> module that defines it.
_TOP = {
    "Input": "layers",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Optimizer": "optimizers",
    "Sequential": "models",
    "Variable": "core.variable",
    "DTypePolicy": "core.policy",
    "SymbolicTensor": "core.symbol",
}
_MODULES = frozenset(
    "activations callbacks config constraints datasets initializers layers losses metrics models "
    "ops optimizers random regularizers saving utils".split()
)


def _import_engine() -> None:
    """Import JAX without pauses of the garbage collector.

    Half a million objects are made, none of which dies: collecting among them again and again,
    and once more at exit, costs a short script a fifth of its time.
    """
    if "jax" in sys.modules or not gc.isenabled():
        return
    gc.disable()
    try:
        import jax.numpy  # noqa: F401
    finally:
        gc.freeze()
        gc.enable()
    atexit.register(gc.freeze)


_import_engine()


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"slipstream.{name}")
    if name in _TOP:
        return getattr(importlib.import_module(f"slipstream.{_TOP[name]}"), name)
    raise AttributeError(f"module 'slipstream' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_TOP})

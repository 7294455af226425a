"""`Initializer`: from a shape and a type to an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.core import config, registry
from slipstream.core.registry import register


@register("initializer")
class Initializer:
    """Gives a weight its first value. Subclasses define `__call__` and `get_config`."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """An array of `shape`; `dtype` is `floatx()` where it is None."""
        raise NotImplementedError(f"Initializer {type(self).__name__} does not define __call__().")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal initializer."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The initializer with these arguments."""
        return cls(**{key: registry.deserialize(value) for key, value in config.items()})

    def clone(self) -> Any:
        """An equal initializer that shares nothing with this one."""
        return type(self).from_config(self.get_config())


def numpy_dtype(dtype: Any) -> np.dtype:
    """The NumPy type of a name such as ``"bfloat16"``; `floatx()` for None."""
    return np.dtype(jnp.dtype(config.floatx() if dtype is None else dtype))

"""`Variable`: a named array that programs read and update."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core import budget, config, registry
from slipstream.core.names import auto_name
from slipstream.core.scope import current_scope, names_in_force


class Deferred:
    """A value that lives inside a running program's packed state until somebody asks for it."""

    __slots__ = ("fetch",)

    def __init__(self, fetch: Callable[[], Any]) -> None:
        self.fetch = fetch


class Variable:
    """A named array with an identity, kept across calls.

    Outside a program `value` is the array itself. While a program is traced, `value` is what
    the current scope binds to this variable, and `assign` changes it there; the program hands
    the new value back when it ends.

    Args:
        initializer: an array, or an initializer (string, object, ``(shape, dtype) -> array``).
        shape: shape of the array, needed unless `initializer` is an array.
        dtype: element type; `floatx()` for floats unless given.
        trainable: whether optimizers update it.
        autocast: whether a layer's compute type applies when it is read inside that layer.
        aggregation: kept for Keras' signature; one device holds one value.
        synchronization: kept for Keras' signature.
        name: name without slashes; automatic if not given.
        layout: kept for Keras' signature.
        path: the names of the layers around it and its own; found by itself if not given.

    Raises:
        ValueError: if the name has a slash, the shape is missing or not fully known, or the
            initial value has another shape.
    """

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str = "none",
        synchronization: str = "auto",
        name: str | None = None,
        layout: Any = None,
        path: str | None = None,
    ) -> None:
        self.name = name or auto_name("variable")
        if "/" in self.name:
            raise ValueError(f"A variable's name must not contain '/'; got {self.name!r}.")
        self.path = path or "/".join((*names_in_force.get(), self.name))
        self.trainable = bool(trainable)
        self.declared_trainable = self.trainable
        self.autocast = autocast
        self.aggregation = aggregation
        self.synchronization = synchronization
        self.regularizer: Any = None
        self.constraint: Any = None
        self.overwrite_with_gradient = False
        self.transient = False  # state of the moment: neither a weight nor saved
        value = self._initial_value(initializer, shape, dtype)
        self.shape: tuple[int, ...] = tuple(value.shape)
        self.dtype: str = jnp.dtype(value.dtype).name
        self._value: Any = value

    def _initial_value(self, initializer: Any, shape: Any, dtype: Any) -> Any:
        named = isinstance(initializer, (str, dict)) or callable(initializer)
        if not named:
            value: Any = jnp.asarray(initializer, dtype=dtype)
            if dtype is None and value.dtype == jnp.float64:
                value = value.astype(config.floatx())
        else:
            if shape is None:
                raise ValueError(
                    f"Variable {self.name!r} has the initializer {initializer!r} but no shape. "
                    "Pass shape=…, or an array as its initial value."
                )
            shape = tuple(shape)
            if any(size is None for size in shape):
                raise ValueError(
                    f"Variable {self.name!r} needs a fully known shape; got {shape}. "
                    "Give the input's size, as in Input(shape=(features,))."
                )
            dtype = dtype or config.floatx()
            what = f"Variable {self.path!r} of shape {shape}"
            budget.spend(prod(shape) * jnp.dtype(dtype).itemsize, what)
            fill = registry.resolve("initializer", initializer)
            with jax.ensure_compile_time_eval():  # initial values are never part of a trace
                value = fill(shape, dtype=dtype)
            # Drawn on the host and kept there until a program first needs it.
            if not isinstance(value, (np.ndarray, jax.Array)):
                value = np.asarray(value)
            if str(value.dtype) != str(dtype):
                value = value.astype(dtype)
        if shape is not None and tuple(value.shape) != tuple(shape):
            raise ValueError(
                f"Variable {self.name!r} was to have shape {tuple(shape)}, but its initial "
                f"value has shape {tuple(value.shape)}."
            )
        return value

    @property
    def value(self) -> Any:
        """The array: the traced one inside a program, the stored one outside."""
        scope = current_scope()
        if scope is not None:
            value = scope.values.get(id(self))
            if value is None:
                value = self.stored
            if scope.autocast and self.autocast and jnp.issubdtype(value.dtype, jnp.floating):
                return value.astype(scope.autocast)
            return value
        return self.stored

    @property
    def stored(self) -> Any:
        """The array outside of any program, fetched if a program's state still holds it."""
        value = self._value
        return value.fetch() if type(value) is Deferred else value

    def assign(self, value: Any) -> Any:
        """Replace the value, broadcasting to nothing: shapes must agree.

        Raises:
            ValueError: if the shape differs.
        """
        if isinstance(value, Variable):
            value = value.value
        scope = current_scope()
        bound = scope is not None and (scope.dry or id(self) in scope.values)
        if not isinstance(value, (np.ndarray, jax.Array)):
            value = jnp.asarray(value, dtype=self.dtype)
        if tuple(value.shape) != self.shape:
            raise ValueError(
                f"Variable {self.path!r} has shape {self.shape}; it cannot be assigned a value "
                f"of shape {tuple(value.shape)}."
            )
        if str(value.dtype) != self.dtype:
            value = value.astype(self.dtype)
        elif isinstance(value, np.ndarray):
            value = value.copy()  # the caller may go on writing into their own array
        if bound:
            assert scope is not None
            scope.values[id(self)] = value
        else:
            if isinstance(value, jax.core.Tracer):
                raise ValueError(
                    f"Variable {self.path!r} was assigned inside a compiled program that does not "
                    "carry it. Create it in __init__ or build, as self.<name>, so it is tracked."
                )
            self._value = value
        return value

    def assign_add(self, value: Any) -> Any:
        """Add `value` in place."""
        return self.assign(self.value + value)

    def assign_sub(self, value: Any) -> Any:
        """Subtract `value` in place."""
        return self.assign(self.value - value)

    def numpy(self) -> np.ndarray:
        """The value as a NumPy array on the host."""
        return np.asarray(self.value)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __jax_array__(self) -> Any:
        return jnp.asarray(self.value)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self.value, dtype=dtype)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_value": np.array(self.stored)}  # copies and pickles hold the array

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}>"

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: Any) -> Any:
        return jnp.asarray(self.value)[index]

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __getattr__(self, name: str) -> Any:
        # Methods of arrays (reshape, sum, astype, T …) work on the current value.
        if name.startswith("_") or not hasattr(jax.Array, name):
            raise AttributeError(f"'Variable' object has no attribute {name!r}")
        return getattr(jnp.asarray(self.value), name)


def _forward(name: str) -> Callable[..., Any]:
    def operator(self: Variable, *args: Any) -> Any:
        return getattr(jnp.asarray(self.value), name)(
            *(a.value if isinstance(a, Variable) else a for a in args)
        )

    operator.__name__ = name
    return operator


for _name in [
    "add",
    "radd",
    "sub",
    "rsub",
    "mul",
    "rmul",
    "truediv",
    "rtruediv",
    "floordiv",
    "rfloordiv",
    "mod",
    "rmod",
    "pow",
    "rpow",
    "matmul",
    "rmatmul",
    "neg",
    "pos",
    "abs",
    "invert",
    "and",
    "or",
    "xor",
    "lt",
    "le",
    "gt",
    "ge",
]:
    setattr(Variable, f"__{_name}__", _forward(f"__{_name}__"))

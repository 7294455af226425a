"""Symbolic tensors: shapes and types that flow through layers before there is any data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import config, registry, stand_ins
from slipstream.core.names import auto_name

# Two sizes stand in turn for an unknown one: what differs between the two results is unknown too.
_STAND_INS = (83, 89)


class Node:
    """One application of a layer or operation: its arguments and the symbols it gave.

    The layer or operation keeps its nodes in the order in which they were made.
    """

    def __init__(self, operation: Any, args: tuple, kwargs: dict, outputs: Any) -> None:
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.outputs = outputs
        operation._nodes.append(self)
        for output in symbols_in(outputs):
            output.node = self


class SymbolicTensor:
    """The shape and type of an array that is not there yet.

    Args:
        shape: sizes of the axes, None where unknown (the batch axis, usually).
        dtype: element type.
        sparse: must be False.
        ragged: must be False.
        record_history: accepted for Keras' signature.
        name: automatic if not given.

    Raises:
        ValueError: if it is to be sparse or ragged.
    """

    sparse = ragged = False

    def __init__(
        self,
        shape: Any,
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
    ) -> None:
        if sparse or ragged:
            raise ValueError("Sparse and ragged tensors are not supported. Use a dense one.")
        self.shape: tuple[int | None, ...] = tuple(
            None if size is None else int(size) for size in shape
        )
        # Text is only ever an input: layers on the host turn it into numbers.
        text = isinstance(dtype, str) and dtype == "string"
        self.dtype: str = "string" if text else jnp.dtype(dtype or config.floatx()).name
        self.name = name or auto_name("symbolic_tensor")
        self.node: Node | None = None

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<SymbolicTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise ValueError(
            f"{self!r} holds no values yet, so NumPy cannot work on it. Use slipstream.ops, or a "
            "layer, to build on symbolic tensors."
        )

    __jax_array__ = __array__

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} holds no values yet, so it is neither true nor false.")

    def __getitem__(self, index: Any) -> Any:
        return registry.operation("GetItem")(self, index)

    def reshape(self, newshape: Any) -> Any:
        """The same elements in another shape."""
        return registry.operation("Reshape")(self, newshape)

    def squeeze(self, axis: Any = None) -> Any:
        """Without axes of size 1."""
        return registry.operation("Squeeze")(self, axis)

    def astype(self, dtype: Any) -> Any:
        """The same values in another type."""
        return registry.operation("Cast")(self, dtype)


KerasTensor = SymbolicTensor


def _operator(name: str, swapped: bool = False) -> Callable:
    def method(self: SymbolicTensor, *others: Any) -> Any:
        if any(isinstance(other, (str, bytes)) or other is None for other in others):
            return NotImplemented
        args = (*others, self) if swapped else (self, *others)
        return registry.operation(name)(*args)

    return method


_OPERATORS = {
    "add": "Add",
    "sub": "Subtract",
    "mul": "Multiply",
    "truediv": "TrueDivide",
    "floordiv": "FloorDivide",
    "mod": "Mod",
    "pow": "Power",
    "matmul": "Matmul",
    "and": "LogicalAnd",
    "or": "LogicalOr",
    "xor": "LogicalXor",
}
for _name, _operation in _OPERATORS.items():
    setattr(SymbolicTensor, f"__{_name}__", _operator(_operation))
    setattr(SymbolicTensor, f"__r{_name}__", _operator(_operation, swapped=True))
_OTHERS = {
    "neg": "Negative",
    "abs": "Absolute",
    "invert": "LogicalNot",
    "lt": "Less",
    "le": "LessEqual",
    "gt": "Greater",
    "ge": "GreaterEqual",
    "ne": "NotEqual",
}
for _name, _operation in _OTHERS.items():
    setattr(SymbolicTensor, f"__{_name}__", _operator(_operation))


def is_symbolic(value: Any) -> bool:
    """Whether `value` is a symbolic tensor."""
    return isinstance(value, SymbolicTensor)


def symbols_in(tree: Any) -> list[SymbolicTensor]:
    """All symbolic tensors in a nested structure, in order."""
    return [leaf for leaf in jax.tree.leaves(tree) if isinstance(leaf, SymbolicTensor)]


def infer(function: Callable, *args: Any, **kwargs: Any) -> Any:
    """Symbolic results of `function`: traced on shapes alone, computing nothing."""
    return _infer(function, args, kwargs)


def infer_operation(function: Callable, args: tuple, kwargs: dict, options: Any) -> Any:
    """`infer` for a single operation, which may not take just any size; see `stand_ins`."""
    return _infer(function, args, kwargs, (options,))


def _infer(function: Callable, args: tuple, kwargs: dict, options: tuple = ()) -> Any:
    leaves, structure = jax.tree.flatten((args, kwargs))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, SymbolicTensor)]

    def run(values: list[Any]) -> Any:
        filled = list(leaves)
        for place, value in zip(places, values):
            filled[place] = value
        new_args, new_kwargs = jax.tree.unflatten(structure, filled)
        return function(*new_args, **new_kwargs)

    symbols = [leaves[i] for i in places]

    def trace(shapes: list[tuple[int, ...]]) -> Any:
        return jax.eval_shape(
            run, [jax.ShapeDtypeStruct(s, symbol.dtype) for s, symbol in zip(shapes, symbols)]
        )

    def filled(stand_in: int) -> list[tuple[int, ...]]:
        return [tuple(stand_in if size is None else size for size in s.shape) for s in symbols]

    unknown = any(None in symbol.shape for symbol in symbols)
    try:
        first = trace(filled(_STAND_INS[0]))
        others = [trace(filled(_STAND_INS[1]))] if unknown else []
    except (TypeError, ValueError, IndexError) as error:
        shapes = [symbol.shape for symbol in symbols]
        found = stand_ins.fit(shapes, options, trace) if options and unknown else None
        if found is None:
            if options:
                error.add_note(f"For symbolic tensors of shapes {shapes}, options {options[0]}.")
            raise
        first, others = found
    return jax.tree.map(
        lambda one, *varied: SymbolicTensor(
            [
                size if all(other.shape[i] == size for other in varied) else None
                for i, size in enumerate(one.shape)
            ],
            one.dtype,
        ),
        first,
        *others,
    )

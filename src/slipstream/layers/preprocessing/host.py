"""Layers that work on the host, in NumPy: text never reaches a device."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from slipstream.core.layer import Layer
from slipstream.core.symbol import Node, SymbolicTensor, symbols_in


class HostLayer(Layer):
    """Base of layers whose `call` takes NumPy arrays and gives NumPy arrays.

    Called on data they compute at once. In a model of symbolic tensors they stand at its entrance,
    and run before the compiled program.
    """

    on_host = True
    per_example = True

    @property
    def output_dtype(self) -> str:
        """Type of the output."""
        raise NotImplementedError

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Work on data, or extend a graph."""
        with self._named():
            if symbols_in(inputs):
                outputs = self.compute_output_spec(inputs, **kwargs)
                Node(self, (inputs,), kwargs, outputs)
                return outputs
            if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(inputs)):
                raise ValueError(
                    f"Layer {self.path!r} ({type(self).__name__}) works on the host and cannot be "
                    "part of a compiled program. Apply it to the data first, as in "
                    "layer(data) or dataset.map(lambda x, y: (layer(x), y))."
                )
            return self.call(inputs, **kwargs)

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Any:
        """Symbolic output for symbolic inputs."""
        shapes = jax.tree.map(lambda leaf: tuple(leaf.shape), inputs)
        if self.output_dtype == "string":
            raise ValueError(
                f"Layer {self.path!r} ({type(self).__name__}) gives text, which no layer of a "
                "model can take. Apply it to the model's predictions instead."
            )
        return SymbolicTensor(self.compute_output_shape(shapes), self.output_dtype)


def as_text(inputs: Any, layer: Layer, encoding: str = "utf-8") -> np.ndarray:
    """Text as an array of Python strings.

    Args:
        inputs: strings or bytes: one, an array, nested lists, or a pandas object.
        layer: named in errors.
        encoding: of bytes.

    Raises:
        ValueError: if an entry is no text, or its bytes do not have this encoding.
    """
    if not isinstance(inputs, np.ndarray):
        inputs = np.asarray(inputs)
    if inputs.dtype.kind in "UT":
        return inputs.astype(object)
    if inputs.dtype.kind not in "SO":
        raise ValueError(
            f"Layer {layer.path!r} ({type(layer).__name__}) works on text; got {inputs.dtype}. "
            "Convert it first, as in data.astype(str)."
        )
    texts = np.empty(inputs.shape, object)
    flat = texts.reshape(-1)
    for place, item in enumerate(inputs.ravel().tolist()):
        if isinstance(item, bytes):
            try:
                item = item.decode(encoding)
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"Layer {layer.path!r}: entry {place} is not {encoding} text: {error}."
                ) from None
        elif not isinstance(item, str):
            raise ValueError(
                f"Layer {layer.path!r} ({type(layer).__name__}) works on text; entry {place} is "
                f"{item!r} ({type(item).__name__}). Fill missing values and convert the rest first."
            )
        flat[place] = item
    return texts


def batches_of(data: Any) -> Iterable[Any]:
    """What `adapt` goes through: data in memory as one batch, or each batch's inputs."""
    if isinstance(data, (str, bytes, list, tuple)) or hasattr(data, "shape"):
        return [data]
    return (batch[0] if isinstance(batch, tuple) else batch for batch in data)


def one_of(layer: Layer, argument: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    """`value`, if it is among the allowed ones.

    Raises:
        ValueError: if it is not.
    """
    if value not in allowed:
        listed = ", ".join(map(repr, allowed))
        raise ValueError(
            f"{type(layer).__name__} layer {layer.name!r}: {argument} must be one of {listed}; "
            f"got {value!r}."
        )
    return value


def no_sparse(layer: Layer, sparse: Any, argument: str = "sparse") -> None:
    """Refuse the outputs that no JAX program takes.

    Raises:
        ValueError: if they are asked for.
    """
    if sparse:
        raise ValueError(
            f"{type(layer).__name__} layer {layer.name!r}: {argument}=True is not supported; "
            "outputs are dense arrays. Leave it out."
        )

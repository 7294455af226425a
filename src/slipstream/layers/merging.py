"""Layers that combine several inputs into one."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.kernels import joining
from slipstream.kernels.batched import batched_product


class Merge(Layer):
    """A layer that is called on a list of inputs."""

    keeps_dtype = True
    per_example = True
    supports_masking = True
    _least = 1
    _most: int | None = None

    def _check_shapes(self, input_shape: Any) -> list[tuple]:
        """The shapes of the inputs, if they are as many as the layer takes."""
        least, most = self._least, self._most
        several = isinstance(input_shape, (list, tuple)) and all(
            isinstance(shape, (list, tuple)) for shape in input_shape
        )
        if not several or len(input_shape) < least or (most and len(input_shape) > most):
            count = f"exactly {most}" if most else f"at least {least}"
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} is called on a list of {count} "
                f"input{'s' if (most or least) > 1 else ''}; got shape"
                f"{'s' if several else ''} {input_shape}."
            )
        return [tuple(shape) for shape in input_shape]

    def build(self, input_shape: Any) -> None:
        """Check the inputs' shapes."""
        self.compute_output_shape(input_shape)


class Elementwise(Merge):
    """A function of elements at the same place; sizes of 1 and missing axes are broadcast.

    An axis that an input lacks is one of those after the batch axis.
    """

    per_example = True

    def call(self, inputs: Any) -> Any:
        """Combine the inputs."""
        rank = max(array.ndim for array in inputs)
        return self._combine(
            [array.reshape(_aligned(array.shape, rank)) if array.ndim < rank else array
             for array in inputs]
        )  # fmt: skip

    def _combine(self, arrays: list[Any]) -> Any:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The broadcast shape."""
        shapes = self._check_shapes(input_shape)
        rank = max(map(len, shapes))
        aligned = [_aligned(shape, rank) for shape in shapes]
        output = []
        for axis, sizes in enumerate(zip(*aligned)):
            wanted = {size for size in sizes if size is not None and (size != 1 or not axis)}
            if len(wanted) > 1:
                raise ValueError(
                    f"{type(self).__name__} layer {self.path!r}: inputs of shapes {shapes} cannot "
                    f"be merged: axis {axis} has sizes {sorted(wanted)}. Sizes must agree, or be 1 "
                    "on an axis other than the batch axis."
                )
            output.append(wanted.pop() if wanted else (None if None in sizes else 1))
        return tuple(output)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Where any input is there; None if one of them has no mask."""
        if mask is None or any(one is None for one in mask):
            return None
        return functools.reduce(jnp.logical_or, mask)


@register("layer")
class Add(Elementwise):
    """Sum of the inputs."""

    def _combine(self, arrays: list[Any]) -> Any:
        return functools.reduce(jnp.add, arrays)


@register("layer")
class Subtract(Elementwise):
    """The first of two inputs less the second."""

    _least = _most = 2

    def _combine(self, arrays: list[Any]) -> Any:
        return arrays[0] - arrays[1]


@register("layer")
class Multiply(Elementwise):
    """Product of the inputs."""

    def _combine(self, arrays: list[Any]) -> Any:
        return functools.reduce(jnp.multiply, arrays)


@register("layer")
class Average(Elementwise):
    """Mean of the inputs."""

    def _combine(self, arrays: list[Any]) -> Any:
        return functools.reduce(jnp.add, arrays) / len(arrays)


@register("layer")
class Maximum(Elementwise):
    """The largest of the inputs, element by element."""

    def _combine(self, arrays: list[Any]) -> Any:
        return functools.reduce(jnp.maximum, arrays)


@register("layer")
class Minimum(Elementwise):
    """The smallest of the inputs, element by element."""

    def _combine(self, arrays: list[Any]) -> Any:
        return functools.reduce(jnp.minimum, arrays)


@register("layer")
class Concatenate(Merge):
    """The inputs one after the other along `axis`.

    Args:
        axis: the axis; the inputs' other sizes must agree.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.per_example = axis != 0

    def call(self, inputs: Any) -> Any:
        """Concatenate."""
        return joining.concatenate(inputs, self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The common shape with the sizes on `axis` added."""
        shapes = self._check_shapes(input_shape)
        rank = len(shapes[0])
        fits = all(len(shape) == rank for shape in shapes) and -rank <= self.axis < rank
        axis = self.axis % rank if fits else self.axis
        output = []
        for place, sizes in enumerate(zip(*shapes)):
            known = {size for size in sizes if size is not None}
            if place == axis:
                output.append(None if None in sizes else sum(sizes))
            else:
                fits = fits and len(known) <= 1
                output.append(known.pop() if known else None)
        if not fits:
            raise ValueError(
                f"Concatenate layer {self.path!r} joins inputs along axis {self.axis}; all other "
                f"sizes must agree. Got shapes {shapes}."
            )
        return tuple(output)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The masks joined, all True for an input without one; None if there are none.

        Joined along an axis that masks do not have, a place counts if it does in any input.
        """
        if mask is None or all(one is None for one in mask):
            return None
        whole = []
        for array, one in zip(inputs, mask):
            if one is None:
                one = jnp.ones(array.shape[:-1], bool)
            one = jnp.asarray(one, bool)
            whole.append(one[..., None] if one.ndim < array.ndim else one)
        return jnp.any(jnp.concatenate(whole, self.axis), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "axis": self.axis}


@register("layer")
class Dot(Merge):
    """Sum of products of two inputs along an axis of each, example by example.

    Args:
        axes: the axis, or the first input's and the second's; not the batch axis.
        normalize: whether to bring both to length 1 along their axes first, so that the result is
            the cosine of their angle.

    For inputs ``(batch, a…, n, …)`` and ``(batch, …, n, b…)`` the output has the batch axis, the
    other axes of the first and those of the second; ``(batch, 1)`` if there are none.

    Raises:
        ValueError: if `axes` is no such axis or pair, or the sizes differ.
        TypeError: if it is neither a number nor a pair.
    """

    per_example = True
    _least = _most = 2

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, int):
            if not isinstance(axes, (list, tuple)):
                raise TypeError(
                    f"Dot layer {self.name!r}: axes must be a whole number or a pair; got {axes!r}."
                )
            if len(axes) != 2 or not all(isinstance(axis, int) for axis in axes):
                raise ValueError(
                    f"Dot layer {self.name!r}: axes must be two whole numbers; got {axes!r}."
                )
        self.axes = axes
        self.normalize = normalize

    def _axes(self, first: tuple, second: tuple) -> tuple[int, int]:
        pair = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        places = []
        for axis, shape in zip(pair, (first, second)):
            rank = len(shape)
            if not -rank <= axis < rank or axis % rank == 0:
                raise ValueError(
                    f"Dot layer {self.path!r}: axes {self.axes} must be axes of both inputs other "
                    f"than the batch axis; got shapes {first} and {second}."
                )
            places.append(axis % rank)
        a, b = first[places[0]], second[places[1]]
        if None not in (a, b) and a != b:
            raise ValueError(
                f"Dot layer {self.path!r}: sizes along axes {self.axes} must agree; got {a} and "
                f"{b} in inputs of shapes {first} and {second}."
            )
        return places[0], places[1]

    def call(self, inputs: Any) -> Any:
        """Multiply and sum."""
        first, second = inputs
        axes = self._axes(first.shape, second.shape)
        if self.normalize:
            first, second = _unit(first, axes[0]), _unit(second, axes[1])
        if first.ndim == second.ndim == 3:
            return batched_product(first, second, axes[0] == 1, axes[1] == 2)
        first, second = (jnp.moveaxis(a, axis, -1) for a, axis in zip((first, second), axes))
        lead, trail = first.shape[1:-1], second.shape[1:-1]
        product = batched_product(
            first.reshape(first.shape[0], -1, first.shape[-1]),
            second.reshape(second.shape[0], -1, second.shape[-1]),
            right_turned=True,
        )
        return product.reshape(first.shape[0], *(lead + trail or (1,)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The batch axis and the axes that are not summed."""
        shapes = self._check_shapes(input_shape)
        axes = self._axes(*shapes)
        kept = [
            size
            for shape, axis in zip(shapes, axes)
            for place, size in enumerate(shape)
            if place not in (0, axis)
        ]
        return (shapes[0][0], *(kept or (1,)))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """None: the masked axes may be summed away."""
        return None

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def add(inputs: Any, **kwargs: Any) -> Any:
    """Sum of the inputs; see `Add`."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """The first of two inputs less the second; see `Subtract`."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """Product of the inputs; see `Multiply`."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """Mean of the inputs; see `Average`."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """The largest of the inputs, element by element; see `Maximum`."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """The smallest of the inputs, element by element; see `Minimum`."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """The inputs one after the other along `axis`; see `Concatenate`."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """Sum of products along axes; see `Dot`."""
    return Dot(axes=axes, **kwargs)(inputs)


def _aligned(shape: tuple, rank: int) -> tuple:
    """The shape with 1 for the axes it lacks, after the batch axis."""
    return (*shape[:1], *(1,) * (rank - len(shape)), *shape[1:])


def _unit(array: Any, axis: int) -> Any:
    """Scaled to length 1 along an axis; zeros stay zeros."""
    squares = jnp.sum(jnp.square(array), axis=axis, keepdims=True)
    return array * jax.lax.rsqrt(jnp.maximum(squares, 1e-12))

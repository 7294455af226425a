"""Layers that move elements and compute nothing."""

from __future__ import annotations

from math import prod
from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.input_spec import InputSpec
from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.kernels.resampling import repeat
from slipstream.kernels.transposing import transposed


@register("layer")
class Flatten(Layer):
    """``(batch, …)`` to ``(batch, features)``, rows kept in order.

    Args:
        data_format: with ``"channels_first"`` the channels are moved last before flattening, so
            that weights fit either format.
    """

    keeps_dtype = True
    per_example = True

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format or config.image_data_format()
        self.input_spec = InputSpec(min_ndim=1)

    def build(self, input_shape: Any) -> None:
        """Nothing to create; the shape goes into the configuration."""

    def call(self, inputs: Any) -> Any:
        """Flatten all axes but the first."""
        if self.data_format == "channels_first" and inputs.ndim > 1:
            inputs = jnp.moveaxis(inputs, 1, -1)
        return inputs.reshape(self.compute_output_shape(inputs.shape))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, features)``."""
        rest = input_shape[1:]
        return (input_shape[0], None if None in rest else prod(rest))

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "data_format": self.data_format}


@register("layer")
class Reshape(Layer):
    """Give each example a new shape with as many elements.

    Args:
        target_shape: without the batch axis; one size may be -1 and follows from the rest.

    Raises:
        ValueError: if the number of elements differs.
    """

    keeps_dtype = True
    per_example = True

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple([target_shape] if isinstance(target_shape, int) else target_shape)
        if sum(size == -1 for size in self.target_shape) > 1:
            raise ValueError(
                f"Reshape layer {self.name!r}: only one size may be -1; "
                f"got target_shape {self.target_shape}."
            )

    def call(self, inputs: Any) -> Any:
        """Reshape all axes but the first."""
        return inputs.reshape(self.compute_output_shape(inputs.shape))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, *target_shape)``."""
        rest, target = tuple(input_shape[1:]), self.target_shape
        if None in rest:
            return (input_shape[0], *(None if size == -1 else size for size in target))
        known = prod(size for size in target if size != -1)
        fits = prod(rest) % known == 0 if -1 in target and known else prod(rest) == known
        if not fits:
            raise ValueError(
                f"Reshape layer {self.path!r} cannot give an input of shape {tuple(input_shape)} "
                f"({prod(rest)} elements each) the shape {target} ({known} elements). "
                "Choose a target with as many elements, or put -1 for one size."
            )
        return (
            input_shape[0],
            *(prod(rest) // known if size == -1 else size for size in target),
        )

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "target_shape": self.target_shape}


@register("layer")
class Permute(Layer):
    """The axes of each example in another order.

    Args:
        dims: the old place of each new axis, counted from 1 without the batch axis: ``(2, 1)``
            swaps the axes of ``(batch, a, b)``.

    Raises:
        ValueError: if `dims` is no permutation of 1 to the number of axes.
    """

    keeps_dtype = True
    per_example = True

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"Permute layer {self.name!r}: dims must hold each number from 1 to the number of "
                f"axes once, the batch axis not counted; got {self.dims}."
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def build(self, input_shape: Any) -> None:
        """Nothing to create; the shape goes into the configuration."""

    def call(self, inputs: Any) -> Any:
        """Reorder the axes."""
        return transposed(inputs, (0, *self.dims))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The sizes in the new order."""
        return (input_shape[0], *(input_shape[axis] for axis in self.dims))

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "dims": self.dims}


@register("layer")
class RepeatVector(Layer):
    """``(batch, features)`` to ``(batch, n, features)``: each row `n` times.

    Args:
        n: how often, at least 1.

    Raises:
        TypeError: if `n` is no whole number.
        ValueError: if it is less than 1.
    """

    keeps_dtype = True
    per_example = True

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(n, int) or isinstance(n, bool):
            raise TypeError(
                f"RepeatVector layer {self.name!r}: n must be a whole number; got {n!r}."
            )
        if n < 1:
            raise ValueError(f"RepeatVector layer {self.name!r}: n must be at least 1; got {n}.")
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def build(self, input_shape: Any) -> None:
        """Nothing to create; the shape goes into the configuration."""

    def call(self, inputs: Any) -> Any:
        """Repeat."""
        return repeat(inputs[:, None], (self.n,), (1,))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, n, features)``."""
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "n": self.n}

"""Layers that bring raw numbers into a range that networks learn well from."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.core.input_spec import InputSpec
from slipstream.core.layer import Layer
from slipstream.core.registry import register


@register("layer")
class Rescaling(Layer):
    """``x * scale + offset``: ``Rescaling(1 / 255)`` brings bytes into 0 to 1.

    Args:
        scale: factor, a number or an array that broadcasts to the input.
        offset: added after scaling.
    """

    per_example = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset

    def call(self, inputs: Any) -> Any:
        """Scale and shift."""
        dtype = self.compute_dtype
        scale, offset = jnp.asarray(self.scale, dtype), jnp.asarray(self.offset, dtype)
        return inputs.astype(dtype) * scale + offset

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}


@register("layer")
class Normalization(Layer):
    """``(x - mean) / sqrt(variance)``, with the figures given or taken from data by `adapt`.

    Args:
        axis: axis or axes with a mean and variance for each position; None for one of each.
        mean, variance: given figures, in place of `adapt`.
        invert: undo a normalization instead.

    Raises:
        ValueError: if only one of mean and variance is given, or a kept axis has unknown size.
    """

    per_example = True

    def __init__(
        self,
        axis: Any = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (mean is None) != (variance is None):
            raise ValueError(
                f"Normalization layer {self.name!r}: give both mean and variance, or neither and "
                f"call adapt(data); got mean={mean}, variance={variance}."
            )
        if axis is None:
            axis = ()
        self.axis = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
        self.input_mean, self.input_variance = mean, variance
        self.invert = invert

    def build(self, input_shape: Any) -> None:
        """Fix the kept axes for inputs of this shape; create the figures that `adapt` sets."""
        ndim = len(input_shape)
        kept = sorted(axis % ndim for axis in self.axis)
        if any(input_shape[axis] is None for axis in kept):
            raise ValueError(
                f"Normalization layer {self.path!r} keeps axes {self.axis}, whose sizes must be "
                f"known; got shape {tuple(input_shape)}."
            )
        self._reduced = tuple(i for i in range(ndim) if i not in kept)
        self._broadcast = tuple(input_shape[i] if i in kept else 1 for i in range(ndim))
        shape = tuple(input_shape[axis] for axis in kept)
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(shape, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(shape, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", "int32", trainable=False, name="count")
        self.input_spec = InputSpec(ndim=ndim, axes={axis: input_shape[axis] for axis in kept})

    def adapt(self, data: Any) -> None:
        """Take mean and variance from data: an array, or an iterable of batches.

        Sums are kept in float64, so large data lose no precision.

        Raises:
            ValueError: if the figures were given, or there is no data.
        """
        if self.input_mean is not None:
            raise ValueError(
                f"Normalization layer {self.name!r} was given mean and variance, so there is "
                "nothing for adapt() to learn. Leave them out."
            )
        batches = [data] if hasattr(data, "shape") or isinstance(data, (list, tuple)) else data
        count, mean, spread = 0, 0.0, 0.0
        for item in batches:
            batch = np.asarray(item[0] if isinstance(item, tuple) else item)
            if batch.ndim == 1:
                batch = batch[:, None]
            self._maybe_build((batch[:0],), {})
            self._check((batch,))
            if not batch.size:
                continue
            new = batch.size // max(int(np.prod(self._broadcast)), 1)
            batch_mean = batch.mean(self._reduced, dtype=np.float64)
            batch_spread = batch.var(self._reduced, dtype=np.float64) * new
            # Chan, Golub, LeVeque (1983): combine the figures of two parts of the data.
            shift = batch_mean - mean
            total = count + new
            mean = mean + shift * new / total
            spread = spread + batch_spread + shift**2 * count * new / total
            count = total
        if not count:
            raise ValueError(f"Normalization layer {self.name!r}: adapt() got no data.")
        self.adapt_mean.assign(np.asarray(mean, "float32"))
        self.adapt_variance.assign(np.asarray(spread / count, "float32"))
        self.count.assign(np.asarray(min(count, 2**31 - 1), "int32"))

    def call(self, inputs: Any) -> Any:
        """Normalize, or undo it."""
        if self.input_mean is None:
            mean, variance = self.adapt_mean.value, self.adapt_variance.value
        else:
            mean, variance = self.input_mean, self.input_variance
        dtype = self.compute_dtype
        mean = jnp.broadcast_to(jnp.asarray(mean, dtype), _fit(mean, self._broadcast))
        variance = jnp.broadcast_to(jnp.asarray(variance, dtype), _fit(variance, self._broadcast))
        mean, variance = mean.reshape(self._broadcast), variance.reshape(self._broadcast)
        deviation = jnp.maximum(jnp.sqrt(variance), 1e-7)
        inputs = inputs.astype(dtype)
        if self.invert:
            return mean + inputs * deviation
        return (inputs - mean) / deviation

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "axis": self.axis,
            "invert": self.invert,
            "mean": _plain(self.input_mean),
            "variance": _plain(self.input_variance),
        }


def _fit(value: Any, shape: tuple) -> tuple:
    """The shape an array of figures is spread to before it is aligned with the input."""
    value = np.asarray(value) if not hasattr(value, "shape") else value
    return shape if value.size == 1 else value.shape


def _plain(value: Any) -> Any:
    return None if value is None else np.asarray(value).tolist()

"""Random initializers.

They draw on the host, in float32 unless float64 is asked for: a million weights take
milliseconds, and no program has to be compiled for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.core.names import nearest
from slipstream.core.random import host_generator
from slipstream.core.registry import register
from slipstream.initializers.base import Initializer, numpy_dtype

# Standard deviation of a standard normal truncated at plus and minus two.
_TRUNCATED_STDDEV = 0.87962566103423978


class RandomInitializer(Initializer):
    """Base of the random initializers.

    Args:
        seed: a whole number gives the same values at each call; None draws from the process'
            generator, which `set_random_seed` resets.

    Raises:
        ValueError: if the seed is neither, or a type is asked for that holds no fractions.
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and not isinstance(seed, (int, np.integer)):
            raise ValueError(f"seed must be a whole number or None; got {seed!r}.")
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        dtype = numpy_dtype(dtype)
        if not jnp.issubdtype(dtype, jnp.floating):
            raise ValueError(
                f"{type(self).__name__} draws fractions, so dtype must be a float type; got "
                f"{dtype.name!r}. Use Zeros, Ones or Constant for whole numbers."
            )
        seed = None if self.seed is None else int(self.seed) % 2**64
        drawn_as = np.dtype(np.float64 if dtype == np.float64 else np.float32)
        values = self._draw(host_generator(seed), tuple(shape), drawn_as)
        return np.asarray(values).astype(dtype, copy=False)

    def _draw(self, generator: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


def _normal(generator: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    return np.asarray(generator.standard_normal(shape, dtype=dtype))


def _truncated(generator: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Standard normal values within plus and minus two; the others are drawn again."""
    values = _normal(generator, (math.prod(shape),), dtype)
    outside = np.flatnonzero(np.abs(values) > 2)
    while outside.size:
        drawn = _normal(generator, (outside.size,), dtype)
        values[outside] = drawn
        outside = outside[np.abs(drawn) > 2]
    return values.reshape(shape)


def _uniform(generator: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    return np.asarray(generator.random(shape, dtype=dtype))


def _affine(values: np.ndarray, scale: float, offset: float) -> np.ndarray:
    values *= values.dtype.type(scale)
    if offset:
        values += values.dtype.type(offset)
    return values


@register("initializer", "normal")
class RandomNormal(RandomInitializer):
    """Normal values with the given mean and standard deviation."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def _draw(self, generator: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        return _affine(_normal(generator, shape, dtype), self.stddev, self.mean)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


@register("initializer")
class TruncatedNormal(RandomNormal):
    """Normal values no further than two standard deviations from the mean.

    `stddev` is that of the normal before truncation; what comes out has 0.88 times as much.
    """

    def _draw(self, generator: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        return _affine(_truncated(generator, shape, dtype), self.stddev, self.mean)


@register("initializer", "uniform")
class RandomUniform(RandomInitializer):
    """Values spread evenly from `minval` to `maxval`."""

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def _draw(self, generator: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        return _affine(_uniform(generator, shape, dtype), self.maxval - self.minval, self.minval)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")


@register("initializer")
class VarianceScaling(RandomInitializer):
    """Values of mean 0 and variance ``scale / fan``, `fan` from the weight's shape.

    A kernel of shape ``(..., inputs, outputs)`` has ``fan_in = receptive field * inputs`` and
    ``fan_out = receptive field * outputs``.

    Args:
        scale: above 0.
        mode: ``"fan_in"``, ``"fan_out"`` or ``"fan_avg"``, their mean.
        distribution: ``"truncated_normal"`` (``"normal"`` for short), ``"untruncated_normal"``
            or ``"uniform"``.
        seed: see `RandomInitializer`.
        input_axes, output_axes: the axes whose sizes multiply to the fans. Used where both are
            given, for kernels with another layout.

    Raises:
        ValueError: if `scale`, `mode` or `distribution` is none of these.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(seed)
        if not scale > 0:
            raise ValueError(f"scale must be above 0; got {scale!r}.")
        if mode not in _MODES:
            raise ValueError(f"mode must be one of {', '.join(_MODES)}; got {mode!r}.")
        if distribution == "normal":
            distribution = "truncated_normal"
        if distribution not in _DISTRIBUTIONS:
            raise ValueError(
                f"Unknown distribution {distribution!r}. "
                f"{nearest(distribution, (*_DISTRIBUTIONS, 'normal'))}"
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes

    def _draw(self, generator: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        fan_in, fan_out = self._fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return _affine(_uniform(generator, shape, dtype), 2 * limit, -limit)
        stddev = math.sqrt(variance)
        if self.distribution == "truncated_normal":
            return _affine(_truncated(generator, shape, dtype), stddev / _TRUNCATED_STDDEV, 0.0)
        return _affine(_normal(generator, shape, dtype), stddev, 0.0)

    def _fans(self, shape: tuple[int, ...]) -> tuple[int, int]:
        if self.input_axes is not None and self.output_axes is not None:
            return (
                math.prod(shape[axis] for axis in self.input_axes),
                math.prod(shape[axis] for axis in self.output_axes),
            )
        if len(shape) < 2:
            size = math.prod(shape)
            return size, size
        receptive_field = math.prod(shape[:-2])
        return receptive_field * shape[-2], receptive_field * shape[-1]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class _Scaled(VarianceScaling):
    """A `VarianceScaling` whose scale, mode and distribution the class fixes."""

    _rule: tuple[float, str, str]

    def __init__(
        self,
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self._rule, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "input_axes": self.input_axes, "output_axes": self.output_axes}


@register("initializer")
class GlorotUniform(_Scaled):
    """Uniform, variance ``2 / (fan_in + fan_out)`` (Glorot & Bengio 2010)."""

    _rule = (1.0, "fan_avg", "uniform")


@register("initializer")
class GlorotNormal(_Scaled):
    """Truncated normal, variance ``2 / (fan_in + fan_out)`` (Glorot & Bengio 2010)."""

    _rule = (1.0, "fan_avg", "truncated_normal")


@register("initializer")
class HeUniform(_Scaled):
    """Uniform, variance ``2 / fan_in`` (He et al. 2015)."""

    _rule = (2.0, "fan_in", "uniform")


@register("initializer")
class HeNormal(_Scaled):
    """Truncated normal, variance ``2 / fan_in`` (He et al. 2015)."""

    _rule = (2.0, "fan_in", "truncated_normal")


@register("initializer")
class LecunUniform(_Scaled):
    """Uniform, variance ``1 / fan_in`` (LeCun et al. 1998)."""

    _rule = (1.0, "fan_in", "uniform")


@register("initializer")
class LecunNormal(_Scaled):
    """Truncated normal, variance ``1 / fan_in`` (LeCun et al. 1998)."""

    _rule = (1.0, "fan_in", "truncated_normal")


@register("initializer", "OrthogonalInitializer", "orthogonal_initializer")
class Orthogonal(RandomInitializer):
    """`gain` times an orthogonal matrix, evenly distributed over all of them.

    Leading axes are flattened into one: the weight is a matrix ``(prod(shape[:-1]), shape[-1])``
    with orthonormal columns, or rows where those are fewer (Saxe et al. 2014).

    Raises:
        ValueError: when called for a shape of fewer than two axes.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def _draw(self, generator: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(
                f"Orthogonal fills weights of at least 2 axes; got shape={shape}. "
                "Use another initializer for vectors."
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        q, r = np.linalg.qr(_normal(generator, tall, dtype))
        # The signs make the distribution even (Mezzadri 2007).
        q *= np.where(np.diagonal(r) < 0, -1, 1).astype(dtype)
        if rows < columns:
            q = q.T
        return _affine(np.ascontiguousarray(q), self.gain, 0.0).reshape(shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain}

"""Sums and the like, along axes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.operation import Array, operation
from slipstream.ops.define import Function, as_axis, as_float

op = operation("numpy")


def _reduction(name: str, function: Function, doc: str, home: str = "numpy") -> Function:
    """The operation ``name(x, axis=None, keepdims=False)``."""

    def apply(x: Array, axis: Any = None, keepdims: bool = False) -> Any:
        return function(jnp.asarray(x), axis=as_axis(axis), keepdims=keepdims)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"{doc} along `axis`, one, several or all (None)."
    return operation(home)(apply)


def _of_floats(function: Function) -> Function:
    return lambda x, **kwargs: function(as_float(x), **kwargs)


def _median(x: Any, axis: Any, keepdims: bool) -> Any:
    return jnp.median(as_float(x), axis, keepdims=keepdims)


def _nanmedian(x: Any, axis: Any, keepdims: bool) -> Any:
    return jnp.nanmedian(as_float(x), axis, keepdims=keepdims)


def _variance(x: Any, axis: Any, keepdims: bool) -> Any:
    x = as_float(x)
    wide = jnp.promote_types(x.dtype, jnp.float32)
    return jnp.var(x.astype(wide), axis, keepdims=keepdims).astype(x.dtype)


def _deviation(x: Any, axis: Any, keepdims: bool) -> Any:
    return jnp.sqrt(_variance(x, axis, keepdims))


sum = _reduction("sum", jnp.sum, "Sum")
mean = _reduction("mean", _of_floats(jnp.mean), "Mean, a float,")
amax = _reduction("amax", jnp.max, "Largest element")
amin = _reduction("amin", jnp.min, "Smallest element")
ptp = _reduction("ptp", jnp.ptp, "Largest less smallest element")
any = _reduction("any", jnp.any, "Whether one element or more is true")
all = _reduction("all", jnp.all, "Whether every element is true")
var = _reduction("var", _variance, "Variance about the mean, a float,")
std = _reduction("std", _deviation, "Standard deviation, a float,")
median = _reduction("median", _median, "Median, a float,")
logsumexp = _reduction(
    "logsumexp", _of_floats(jax.scipy.special.logsumexp), "``log(sum(exp(x)))``", "math"
)
argmax = _reduction("argmax", jnp.argmax, "Place of the largest element")
argmin = _reduction("argmin", jnp.argmin, "Place of the smallest element")

nansum = _reduction("nansum", jnp.nansum, "Sum of what is not NaN")
nanprod = _reduction("nanprod", jnp.nanprod, "Product of what is not NaN")
nanmax = _reduction("nanmax", jnp.nanmax, "Largest element that is not NaN")
nanmin = _reduction("nanmin", jnp.nanmin, "Smallest element that is not NaN")
nanmean = _reduction("nanmean", _of_floats(jnp.nanmean), "Mean of what is not NaN")
nanvar = _reduction("nanvar", _of_floats(jnp.nanvar), "Variance of what is not NaN")
nanstd = _reduction("nanstd", _of_floats(jnp.nanstd), "Standard deviation of what is not NaN")
nanmedian = _reduction("nanmedian", _nanmedian, "Median of what is not NaN")
nanargmax = _reduction("nanargmax", jnp.nanargmax, "Place of the largest that is not NaN, or -1,")
nanargmin = _reduction("nanargmin", jnp.nanargmin, "Place of the smallest that is not NaN, or -1,")


@op
def max(x: Array, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """Largest element along `axis`, and at least `initial`."""
    return jnp.max(jnp.asarray(x), as_axis(axis), keepdims=keepdims, initial=initial)


@op
def min(x: Array, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """Smallest element along `axis`, and at most `initial`."""
    return jnp.min(jnp.asarray(x), as_axis(axis), keepdims=keepdims, initial=initial)


@op
def prod(x: Array, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """Product along `axis`."""
    return jnp.prod(jnp.asarray(x), as_axis(axis), dtype, keepdims=keepdims)


@op
def count_nonzero(x: Array, axis: Any = None) -> Any:
    """Number of elements that are not 0, int32."""
    return jnp.count_nonzero(x, as_axis(axis)).astype(jnp.int32)


@op
def average(x: Array, axis: Any = None, weights: Array | None = None) -> Any:
    """Mean along `axis`, with weights if given."""
    return jnp.average(as_float(x), as_axis(axis), weights)


@op
def cumsum(x: Array, axis: int | None = None, dtype: Any = None) -> Any:
    """Sums of all elements up to each, along `axis` or of the flat array."""
    return jnp.cumsum(jnp.asarray(x), axis, dtype)


@op
def cumprod(x: Array, axis: int | None = None, dtype: Any = None) -> Any:
    """Products of all elements up to each, along `axis` or of the flat array."""
    return jnp.cumprod(jnp.asarray(x), axis, dtype)


@op
def nancumsum(x: Array, axis: int | None = None, dtype: Any = None) -> Any:
    """`cumsum` with NaN counted as 0."""
    return jnp.nancumsum(jnp.asarray(x), axis, dtype)


@op
def nancumprod(x: Array, axis: int | None = None, dtype: Any = None) -> Any:
    """`cumprod` with NaN counted as 1."""
    return jnp.nancumprod(jnp.asarray(x), axis, dtype)


@op
def trapezoid(y: Array, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """Integral of `y` by the trapezoidal rule, at the points `x` or at distance `dx`."""
    return jnp.trapezoid(as_float(y), x, dx, axis)


def _quantile(name: str, function: Function, scale: str, least: bool) -> Function:
    def apply(
        x: Array, q: Array, axis: Any = None, method: str = "linear", keepdims: bool = False
    ) -> Any:
        x = as_float(x)
        return function(x, jnp.asarray(q, x.dtype), as_axis(axis), method=method, keepdims=keepdims)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = (
        f"What a share `q` of the elements lies below, {scale}{', NaN left out' if least else ''}."
        "\n\nWhere it falls between two elements `method` says which: ``linear``, ``lower``,\n"
        "``higher``, ``midpoint`` or ``nearest``."
    )
    return op(apply)


quantile = _quantile("quantile", jnp.quantile, "0 to 1", False)
nanquantile = _quantile("nanquantile", jnp.nanquantile, "0 to 1", True)
percentile = _quantile("percentile", jnp.percentile, "0 to 100", False)
nanpercentile = _quantile("nanpercentile", jnp.nanpercentile, "0 to 100", True)


@operation("nn")
def moments(x: Array, axes: Any, keepdims: bool = False, synchronized: bool = False) -> Any:
    """Mean and variance along `axes`, computed in float32 or wider.

    Args:
        synchronized: kept for Keras' signature; a program sees the whole batch.
    """
    x = as_float(x)
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean = jnp.mean(wide, as_axis(axes), keepdims=True)
    variance = jnp.mean(jnp.square(wide - mean), as_axis(axes), keepdims=True)
    if x.dtype == jnp.float16:
        limit = jnp.finfo(jnp.float16)
        mean, variance = jnp.clip(mean, limit.min, limit.max), jnp.clip(variance, 0, limit.max)
    if not keepdims:
        mean, variance = jnp.squeeze(mean, as_axis(axes)), jnp.squeeze(variance, as_axis(axes))
    return mean.astype(x.dtype), variance.astype(x.dtype)

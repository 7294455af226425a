"""Random arrays. Every function takes a `seed`; see `core.random.draw_key`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.random import draw_key
from slipstream.ops.define import as_float


def _float_type(name: str, dtype: Any) -> Any:
    dtype = jnp.dtype(dtype or config.floatx())
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"{name}: dtype must be a float type; got {dtype.name}.")
    return dtype


def uniform(
    shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Numbers spread evenly from `minval` to below `maxval`."""
    dtype = _float_type("uniform", dtype)
    return jax.random.uniform(draw_key(seed), tuple(shape), dtype, minval, maxval)


def normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Normal numbers."""
    dtype = _float_type("normal", dtype)
    draws = jax.random.normal(draw_key(seed), tuple(shape), dtype)
    return draws * jnp.asarray(stddev, dtype) + jnp.asarray(mean, dtype)


def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Normal numbers at most two standard deviations from the mean."""
    dtype = _float_type("truncated_normal", dtype)
    draws = jax.random.truncated_normal(draw_key(seed), -2.0, 2.0, tuple(shape), dtype)
    return draws * jnp.asarray(stddev, dtype) + jnp.asarray(mean, dtype)


def randint(shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> Any:
    """Whole numbers from `minval` to below `maxval`, all equally likely.

    Raises:
        ValueError: if `dtype` is no whole-number type.
    """
    dtype = jnp.dtype(dtype)
    if not jnp.issubdtype(dtype, jnp.integer):
        raise ValueError(f"randint: dtype must be a whole-number type; got {dtype.name}.")
    return jax.random.randint(draw_key(seed), tuple(shape), minval, maxval, dtype)


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Class numbers drawn with the probabilities ``softmax(logits)``.

    Args:
        logits: ``(batch, classes)``.

    Returns:
        ``(batch, num_samples)``.

    Raises:
        ValueError: if the logits have not two axes.
    """
    logits = as_float(logits)
    if logits.ndim != 2:
        raise ValueError(f"categorical: logits must be (batch, classes); got shape {logits.shape}.")
    shape = (num_samples, logits.shape[0])
    return jax.random.categorical(draw_key(seed), logits, shape=shape).T.astype(dtype)


def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers of the gamma distribution of shape `alpha` and scale 1."""
    dtype = _float_type("gamma", dtype)
    return jax.random.gamma(draw_key(seed), jnp.asarray(alpha, dtype), tuple(shape), dtype)


def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers of the beta distribution."""
    dtype = _float_type("beta", dtype)
    a, b = jnp.asarray(alpha, dtype), jnp.asarray(beta, dtype)
    return jax.random.beta(draw_key(seed), a, b, tuple(shape), dtype)


def binomial(
    shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None
) -> Any:
    """Numbers of successes in `counts` trials, each a success with `probabilities`."""
    dtype = _float_type("binomial", dtype)
    n, p = jnp.asarray(counts, dtype), jnp.asarray(probabilities, dtype)
    return jax.random.binomial(draw_key(seed), n, p, tuple(shape), dtype)


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """`inputs` with a random share `rate` set to 0, the rest divided by ``1 - rate``.

    Args:
        noise_shape: shape of the mask, None where it follows the input; a 1 makes one draw serve
            the whole axis.
    """
    inputs = as_float(inputs)
    if rate >= 1:
        return jnp.zeros_like(inputs)
    shape = inputs.shape
    if noise_shape is not None:
        shape = tuple(b if a is None else a for a, b in zip(noise_shape, shape, strict=True))
    keep = jax.random.bernoulli(draw_key(seed), 1 - rate, shape)
    return jnp.where(keep, inputs / (1 - rate), jnp.zeros((), inputs.dtype))


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """`x` with what lies along `axis` in random order."""
    return jax.random.permutation(draw_key(seed), jnp.asarray(x), axis)

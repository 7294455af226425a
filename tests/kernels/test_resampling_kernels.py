"""Linear interpolation against JAX's own, value and derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slipstream.kernels.resampling import resize_linear

SIZES = [(8, 16), (8, 11), (9, 4), (3, 7), (5, 1), (1, 4), (40, 2), (6, 6)]


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(("size", "wanted"), SIZES)
def test_values_and_gradients(size, wanted, antialias):
    x = np.random.default_rng(0).normal(size=(2, size, 4, 3)).astype("f")
    shape = (2, wanted, 5, 3)

    def theirs(x):
        return jax.image.resize(x, shape, "linear", antialias=antialias)

    def run(resize):
        y, back = jax.vjp(resize, x)
        return y, *back(np.random.default_rng(1).normal(size=shape).astype("f"))

    got = run(lambda x: resize_linear(x, shape, antialias))
    for mine, other in zip(got, run(theirs), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


def test_it_is_linear_in_forward_mode_in_rows_and_in_half_precision():
    x = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("f")
    shape = (2, 8, 3)

    def resize(x):
        return resize_linear(x, shape)

    np.testing.assert_allclose(jax.jvp(resize, (x,), (x,))[1], resize(x), rtol=1e-6)
    stacked = np.stack([x, 2 * x])
    np.testing.assert_allclose(jax.vmap(resize)(stacked)[1], 2 * resize(x), rtol=1e-6)
    slopes = jax.vmap(jax.grad(lambda x: jnp.sum(resize(x) ** 2)))(stacked)
    np.testing.assert_allclose(slopes[1], 2 * slopes[0], rtol=1e-6)
    half = resize(jnp.asarray(x, "bfloat16"))
    assert half.dtype == "bfloat16"
    np.testing.assert_allclose(np.asarray(half, "f"), resize(x), rtol=0.02, atol=0.02)

"""The compiled maximum over all positions against its reference, ties included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from native_cases import agree, name_of, needs_native, normal, others, passes_with, plain

from slipstream import layers
from slipstream.kernels.global_max import global_max

pytestmark = needs_native

SHAPES = [(2, 5, 7, 64), (3, 4, 19), (1, 2, 3, 2, 9), (2, 1, 1, 8), (5, 33, 130), (2, 40, 80)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", SHAPES)
def test_value_and_gradient(shape, dtype):
    agree(global_max, normal(*shape, dtype=dtype))
    agree(global_max, jnp.round(normal(*shape, dtype=dtype)))  # many equal ones
    agree(global_max, jnp.zeros(shape, dtype))


def test_the_layer_has_it():
    x = normal(2, 5, 7, 16)
    layer = layers.GlobalMaxPooling2D(keepdims=True)
    np.testing.assert_array_equal(layer(x), np.max(x, (1, 2), keepdims=True))
    assert "slipstream_global_max" in jax.jit(layer).lower(x).as_text()


def test_what_is_no_number_and_what_has_no_end():
    x = np.asarray(normal(2, 6, 16)).copy()
    x[0, 3, 2], x[0, 0, 3], x[1, 2, 4], x[1, :, 5] = np.nan, np.nan, np.inf, -np.inf
    y = np.asarray(jax.jit(global_max)(x))
    np.testing.assert_array_equal(y, x.max(1))
    assert np.isnan(y).sum() == 2


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((2, 4, 3), "float32"), ((0, 4, 16), "float32"), ((2, 4, 16), "int32"),
     ((2, 4, 16), "float16")],
)  # fmt: skip
def test_what_it_does_not_know_takes_the_reference(shape, dtype):
    x = jnp.arange(np.prod(shape)).reshape(shape).astype(dtype)
    assert "slipstream_" not in jax.jit(global_max).lower(x).as_text()
    np.testing.assert_array_equal(global_max(x), np.max(x, 1))


def test_batched_looped_and_differentiated_twice():
    x = normal(3, 2, 5, 16)
    wanted = np.max(x, 2)
    np.testing.assert_array_equal(jax.vmap(global_max)(x), wanted)
    looped = jax.lax.scan(lambda total, each: (total, global_max(each)), 0, x)[1]
    np.testing.assert_array_equal(looped, wanted)

    def curve(x):
        slope = jax.grad(lambda x: jnp.sum(global_max(x) ** 3))
        return jax.jvp(slope, (x,), (x,))[1]

    ours, theirs = (by(curve)(x[0]) for by in (jax.jit, plain))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries(library):
    passes_with(library, f"{name_of(__file__)}::test_value_and_gradient")

"""The compiled concatenation and its gradient, which are NumPy's to the bit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from native_cases import agree, name_of, needs_native, normal, others, passes_with

from slipstream import ops
from slipstream.kernels import native
from slipstream.kernels.joining import concatenate

pytestmark = needs_native

# Shapes, axis.
CASES = {
    "last": ([(2, 5, 7, 32), (2, 5, 7, 32)], -1),
    "unequal": ([(3, 4, 64), (3, 4, 16), (3, 4, 17)], -1),
    "odd": ([(7, 33), (7, 65), (7, 19), (7, 130)], 1),
    "middle": ([(2, 3, 5, 9), (2, 1, 5, 9), (2, 4, 5, 9)], 1),
    "first": ([(3, 16), (1, 16)], 0),
    "line": ([(16,), (40,)], 0),
    "many-rows": ([(4097, 48), (4097, 33)], -1),
}


def joined(axis):
    return lambda *arrays: concatenate(arrays, axis)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient(name, dtype):
    shapes, axis = CASES[name]
    arrays = [normal(*shape, seed=i, dtype=dtype) for i, shape in enumerate(shapes)]
    agree(joined(axis), *arrays)
    y, back = jax.vjp(jax.jit(joined(axis)), *arrays)
    np.testing.assert_array_equal(y, np.concatenate(arrays, axis))
    for part, array in zip(back(y), arrays, strict=True):
        np.testing.assert_array_equal(part, array)
    text = jax.jit(lambda *a: jax.vjp(joined(axis), *a)[1](y)).lower(*arrays).as_text()
    assert "slipstream_take_apart" in text
    assert "slipstream_join" in jax.jit(joined(axis)).lower(*arrays).as_text()


@pytest.mark.parametrize(
    ("shapes", "axis", "dtype"),
    [
        ([(5, 3), (5, 32)], -1, "float32"),  # short rows
        ([(5, 32), (5, 0)], -1, "float32"),
        ([(0, 32), (0, 32)], -1, "float32"),
        ([(5, 32), (5, 32)], -1, "int32"),
        ([(5, 32), (5, 32)], -1, "float16"),
        ([(5, 32)], -1, "float32"),
        ([(5, 16), (2, 16)], None, "float32"),
    ],
)
def test_what_it_does_not_know_takes_the_reference(shapes, axis, dtype):
    arrays = [jnp.arange(np.prod(shape)).reshape(shape).astype(dtype) for shape in shapes]
    assert "slipstream_" not in jax.jit(joined(axis)).lower(*arrays).as_text()
    np.testing.assert_array_equal(concatenate(arrays, axis), np.concatenate(arrays, axis))


def test_mixed_types_are_those_of_numpy():
    arrays = [jnp.ones((2, 32)), jnp.ones((2, 32), "bfloat16"), jnp.ones((2, 32), "int32")]
    assert ops.concatenate(arrays, -1).dtype == jnp.float32


@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_that_is_not_there(axis):
    with pytest.raises(ValueError, match="axis"):
        ops.concatenate([jnp.ones((2, 32))] * 2, axis)


def test_shapes_that_do_not_fit():
    with pytest.raises(TypeError, match="concatenate"):
        ops.concatenate([jnp.ones((2, 32)), jnp.ones((3, 32))], -1)


def test_what_floats_hold_is_kept_to_the_bit():
    strange = np.array([0x80000000, 0x7FC00123, 0x7F800000, 0x00000001] * 8, "uint32")
    strange = strange.view("float32").reshape(2, 16)
    found = np.asarray(jax.jit(joined(-1))(strange, strange))
    np.testing.assert_array_equal(
        found.view("uint32"), np.concatenate([strange, strange], -1).view("uint32")
    )


def test_batched_looped_and_differentiated_twice():
    x, z = normal(3, 5, 32), normal(3, 5, 17, seed=1)
    wanted = np.concatenate([x, z], -1)
    one = joined(-1)
    np.testing.assert_array_equal(jax.vmap(one)(x, z), wanted)
    np.testing.assert_array_equal(
        jax.vmap(one, (None, 0))(x[0], z), [np.concatenate([x[0], e], -1) for e in z]
    )
    looped = jax.lax.scan(lambda c, each: (c, one(*each)), 0, (x, z))[1]
    np.testing.assert_array_equal(looped, wanted)

    def cube(x):
        return jnp.sum(one(x, z) ** 3)

    curve = jax.jit(lambda x: jax.jvp(jax.grad(cube), (x,), (jnp.ones_like(x),))[1])(x)
    np.testing.assert_allclose(curve, 6 * x, rtol=1e-5)


def test_an_array_twice_and_one_that_is_constant():
    x = normal(4, 32)

    def total(x):
        return jnp.sum(concatenate([x, jnp.ones((4, 32)), x], -1) * jnp.arange(96.0))

    wanted = np.broadcast_to(np.arange(32) + np.arange(64, 96), (4, 32))
    np.testing.assert_array_equal(jax.jit(jax.grad(total))(x), wanted)


def test_a_switch_takes_the_reference():
    with native.kernels("reference"):
        text = jax.jit(joined(-1)).lower(jnp.ones((2, 32)), jnp.ones((2, 32))).as_text()
    assert "slipstream_" not in text


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries(library):
    passes_with(library, f"{name_of(__file__)}::test_value_and_gradient")

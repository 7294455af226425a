"""The compiled reading of pictures between their pixels against the reference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from native_cases import agree, name_of, needs_native, normal, others, passes_with, plain

from slipstream import layers
from slipstream.kernels.sampling import FILL_MODES, INTERPOLATIONS, sample, warp

pytestmark = needs_native

SHAPES = [(3, 7, 5, 3), (1, 4, 6, 1), (2, 8, 9, 4), (2, 3, 3, 7), (2, 1, 1, 2), (2, 5, 300, 3)]


def uniform(low, high, shape, seed=1):
    return jnp.asarray(np.random.default_rng(seed).uniform(low, high, shape), "float32")


def transforms(shape, seed=1):
    """Transforms that turn, move and tilt pictures, ``(batch, 8)``."""
    batch, height, width, _ = shape
    spread = np.array([0.5, 0.5, width / 2, 0.5, 0.5, height / 2, 0.1 / width, 0.1 / height], "f")
    return np.eye(3, dtype="f").ravel()[:8] + normal(batch, 8, seed=seed).clip(-1, 1) * spread


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize(("shape", "fill_mode"), list(zip(SHAPES, FILL_MODES + FILL_MODES[:2])))
def test_values(shape, interpolation, fill_mode):
    batch, height, width, _ = shape
    rows = uniform(-2 * height, 3 * height, (batch, 4, 33))
    columns = uniform(-2 * width, 3 * width, (batch, 4, 33), seed=2)
    how = (interpolation, fill_mode, 2.5)
    # Places far outside wrap around: both forms are 1e-4 away from what float64 gives.
    about = {"gradients": False, "tolerance": 1e-4 if fill_mode == "wrap" else None}
    agree(lambda *a: sample(*a, *how), normal(*shape), rows, columns, **about)
    # A place one rounding to the side gives other slopes where pixels meet.
    numbers = transforms(shape)
    agree(lambda x: warp(x, numbers, *how, projective=True), normal(*shape), **about)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("fill_mode", FILL_MODES)
def test_transforms_that_keep_parallels(fill_mode, interpolation):
    x, how = normal(*SHAPES[0]), (interpolation, fill_mode, 2.5)
    numbers = transforms(x.shape) * np.float32([1, 1, 1, 1, 1, 1, 0, 0])
    agree(lambda x: warp(x, numbers, *how), x, gradients=False)
    agree(lambda x: warp(x, numbers * _UPRIGHT, *how, upright=True), x, gradients=False)


def test_gradients_follow_the_reference():
    x, numbers = normal(*SHAPES[0]), transforms(SHAPES[0])
    rows, columns = (uniform(0, 4, (SHAPES[0][0], 3, 5), seed=i) for i in (1, 2))
    agree(lambda *a: sample(*a, "bilinear", "constant", 2.5), x, rows, columns, derived=True)
    agree(lambda x: warp(x, numbers, "nearest", "reflect", 0.0), x, derived=True)


_UPRIGHT = np.float32([1, 0, 1, 0, 1, 1, 0, 0])


@pytest.mark.parametrize("fill_mode", FILL_MODES)
def test_pixels_are_met_exactly(fill_mode):
    x = normal(2, 5, 4, 3)
    rows, columns = (jnp.broadcast_to(i, (2, 5, 4)).astype("f") for i in np.indices((5, 4)))
    np.testing.assert_array_equal(
        jax.jit(lambda *a: sample(*a, "bilinear", fill_mode))(x, rows, columns), x
    )
    still = jnp.tile(jnp.eye(3).ravel()[:8], (2, 1))
    for ways in ({}, {"projective": True}, {"upright": True}):
        found = jax.jit(lambda *a, ways=ways: warp(*a, "nearest", fill_mode, **ways))(x, still)
        np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_places_that_are_no_numbers_or_far_away(interpolation, fill_mode):
    x = normal(2, 6, 7, 3).at[1, 2, 2, 0].set(jnp.nan)
    strange = [jnp.nan, jnp.inf, -jnp.inf, 1e5, -3e5, 2.0, 6.0, -1.0]
    rows = jnp.tile(jnp.asarray(strange, "f"), (2, 8, 1))
    columns = jnp.swapaxes(rows, 1, 2)

    def found(x, rows, columns):
        return sample(x, rows, columns, interpolation, fill_mode, 9.0)

    ours, theirs = (np.asarray(by(found)(x, rows, columns)) for by in (jax.jit, plain))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    assert np.isnan(ours[1]).any()


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_many_lines_at_once_leave_each_other_alone(channels):
    x = normal(16, 64, 63, channels)
    numbers = transforms(x.shape)
    function = jax.jit(lambda x: warp(x, numbers, "bilinear", "wrap"))
    wanted = plain(lambda x: warp(x, numbers, "bilinear", "wrap"))(x)
    for _ in range(20):
        np.testing.assert_allclose(function(x), wanted, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (lambda: layers.RandomRotation(0.2), "warp"),
        (lambda: layers.RandomZoom(0.2), "warp"),
        (lambda: layers.RandomPerspective(), "warp"),
        (lambda: layers.RandomElasticTransform(), "sample"),
    ],
)
def test_layers_have_it(layer, name):
    layer = layer()
    text = jax.jit(lambda x: layer(x, training=True)).lower(normal(2, 8, 8, 3)).as_text()
    assert f"slipstream_{name}" in text


def test_what_it_does_not_know_takes_the_reference():
    x, rows = normal(2, 5, 4, 3, dtype="bfloat16"), uniform(0, 3, (2, 3, 3))
    assert "slipstream_" not in jax.jit(sample).lower(x, rows, rows).as_text()
    none = jax.jit(sample)(jnp.ones((0, 5, 4, 3)), rows[:0], rows[:0])
    assert none.shape == (0, 3, 3, 3)


def test_batched_and_repeated_bit_for_bit():
    x, numbers = normal(3, 2, 9, 8, 3), transforms((6, 9, 8, 3)).reshape(3, 2, 8)
    function = jax.jit(lambda *a: warp(*a, projective=True))
    whole = jnp.stack([function(*each) for each in zip(x, numbers)])
    np.testing.assert_array_equal(whole, [function(*each) for each in zip(x, numbers)])
    np.testing.assert_allclose(jax.vmap(function)(x, numbers), whole, rtol=1e-4, atol=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries(library):
    passes_with(library, f"{name_of(__file__)}::test_value_and_gradient")

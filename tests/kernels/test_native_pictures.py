"""The compiled forms of pictures' pointwise work and mixing against the references."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from native_cases import agree, name_of, needs_native, others, passes_with, plain

from slipstream import layers
from slipstream.kernels import native
from slipstream.kernels.histogram import equalize
from slipstream.kernels.mixing import blend, paste
from slipstream.kernels.pointwise import contrast, pale, posterize, scale, solarize, stretch

pytestmark = needs_native

SHAPES = [(3, 7, 5, 3), (1, 4, 6, 1), (2, 1, 1, 4), (5, 33, 17, 2), (2, 150, 130, 3)]
ENDS = [(0, 255), (-1, 1), (0.0, 1.0)]
STRANGE = [np.nan, np.inf, -np.inf, -0.0, 1e30, 300.0, -7.0]


def pictures(shape, ends=(0, 255), seed=0):
    """Pixels within the ends and a little beyond."""
    spread = 1.2 * (ends[1] - ends[0])
    numbers = np.random.default_rng(seed).uniform(-0.1, 0.9, shape)
    return jnp.asarray(ends[0] + spread * numbers, "float32")


def changes(batch, ends):
    """What is done to pictures, by its name."""
    shares = jnp.asarray(np.random.default_rng(1).uniform(0, 1, (2, batch)), "float32")
    steps = jnp.exp2(jnp.floor(8 * shares[0]))
    return {
        "contrast": lambda x: contrast(x, 2 * shares[0], ends),
        "posterize": lambda x: posterize(x, steps, ends),
        "solarize": lambda x: solarize(x, 60 * shares[0], 255 * shares[1], ends),
        "scale": lambda x: scale(x, 2 * shares[0] - 1, 60 * shares[1], ends),
    }


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("name", changes(1, ENDS[0]))
@pytest.mark.parametrize("shape", SHAPES)
def test_pixels(shape, name, ends):
    change = changes(shape[0], ends)[name]
    agree(change, pictures(shape, ends), gradients=False)
    assert f"slipstream_{name}" in jax.jit(change).lower(pictures(shape)).as_text()


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("name", changes(1, ENDS[0]))
def test_strange_pixels(name, ends):
    change = changes(3, ends)[name]
    x = pictures((3, 9, 7, 3), ends).at[1].set(jnp.resize(jnp.asarray(STRANGE), (9, 7, 3)))
    ours = np.asarray(jax.jit(change)(x))
    theirs = plain(change)(x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-4)
    assert np.isnan(ours[1]).any() and np.isfinite(ours[::2]).all()


@pytest.mark.parametrize("ends", [*ENDS, (-np.inf, np.inf)])
@pytest.mark.parametrize("shape", [(3, 7, 5, 3), (1, 1, 1, 3), (2, 1, 9, 3), (3, 64, 61, 3)])
def test_greys(shape, ends):
    shares = jnp.linspace(-1, 1, shape[0])
    x = pictures(shape, ends if np.isfinite(ends).all() else (0, 255))
    agree(lambda x: pale(x, shares, ends), x, gradients=False)
    strange = x.at[0, 0, 0, 1].set(jnp.nan)
    found = np.asarray(jax.jit(lambda x: pale(x, shares, ends))(strange))
    assert np.isnan(found[0, 0, 0]).all() and np.isfinite(found.ravel()[3:]).all()


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_stretching(shape, ends):
    x = pictures(shape, ends).at[0, ..., 0].set(ends[1] / 3)  # a channel of one value
    agree(lambda x: stretch(x, ends), x, gradients=False)
    strange = x.at[0, 0, 0].set(jnp.nan)
    found = np.asarray(jax.jit(lambda x: stretch(x, ends))(strange))
    np.testing.assert_array_equal(found[1:], jax.jit(lambda x: stretch(x, ends))(x)[1:])


@pytest.mark.parametrize(("ends", "bins"), list(zip(ENDS, (256, 7, 1))))
@pytest.mark.parametrize("shape", [*SHAPES, (2, 3, 5, 6)])
def test_equalizing(shape, ends, bins):
    x = pictures(shape, ends).at[0, ..., 0].set(ends[1] / 3)  # a channel of one value
    change = partial(equalize, bins=bins, ends=ends)
    program = jax.jit(change)
    np.testing.assert_allclose(program(x), plain(change)(x), rtol=1e-5, atol=1e-6)
    assert "slipstream_equalize" in program.lower(x).as_text()


@pytest.mark.parametrize("ends", ENDS)
def test_equalizing_strange_pixels(ends):
    x = pictures((3, 9, 7, 3), ends).at[1].set(jnp.resize(jnp.asarray(STRANGE), (9, 7, 3)))
    x = x.at[2, ..., 1].set(jnp.nan)
    change = partial(equalize, bins=256, ends=ends)
    found = np.asarray(jax.jit(change)(x))
    np.testing.assert_allclose(found, plain(change)(x), rtol=1e-5, atol=1e-6)
    assert np.isnan(found[2, ..., 1]).all() and np.isfinite(found[:2]).all()


def test_all_pass_where_there_are_no_ends():
    x = jnp.resize(jnp.asarray(STRANGE), (2, 5, 7, 3))
    found = jax.jit(lambda x: scale(x, -jnp.ones(2), jnp.full(2, 255.0), (-np.inf, np.inf)))(x)
    np.testing.assert_array_equal(found, 255 - np.asarray(x))


@pytest.mark.parametrize("ends", ENDS)
def test_whole_steps_are_met_exactly(ends):
    levels = np.arange(256, dtype="f").reshape(1, 16, 16, 1)
    x = ends[0] + levels * np.float32((ends[1] - ends[0]) / 255)
    found = jax.jit(lambda x: posterize(x, jnp.asarray([32.0]), ends))(x)
    wanted = plain(lambda x: posterize(x, jnp.asarray([32.0]), ends))(x)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_mixing(shape):
    batch, height, width, _ = shape
    numbers = np.random.default_rng(3)
    order = jnp.asarray(numbers.permutation(batch), "int32")
    weights = jnp.asarray(numbers.uniform(0, 1, batch), "float32")
    area = numbers.uniform(size=(batch, height)) < 0.6, numbers.uniform(size=(batch, width)) < 0.6
    x = pictures(shape)
    agree(lambda x, w: blend(x, w, order), x, weights, gradients=False)
    agree(lambda x: paste(x, order, area), x, gradients=False)
    strange = x.at[0].set(jnp.nan).at[-1, 0].set(-jnp.inf)
    mask = area[0][:, :, None, None] & area[1][:, None, :, None]
    np.testing.assert_array_equal(
        jax.jit(lambda x: paste(x, order, area))(strange), np.where(mask, strange[order], strange)
    )
    for text in (
        jax.jit(lambda x: blend(x, weights, order)).lower(x).as_text(),
        jax.jit(lambda x: paste(x, order, area)).lower(x).as_text(),
    ):
        assert "slipstream_blend" in text or "slipstream_paste" in text


@pytest.mark.parametrize("dtype", ["int32", "bfloat16", "bool"])
def test_other_types_are_pasted_by_the_reference(dtype):
    x = pictures((4, 5, 6, 3)).astype(dtype)
    order, chosen = jnp.asarray([1, 2, 3, 0]), (np.eye(4, 5) > 0, np.ones((4, 6)) > 0)
    mask = chosen[0][:, :, None, None] & chosen[1][:, None, :, None]
    function = jax.jit(lambda x: paste(x, order, chosen))
    np.testing.assert_array_equal(function(x), np.where(mask, x[order], x))
    assert "slipstream_" not in function.lower(x).as_text()


def test_what_they_do_not_know_takes_the_reference():
    for shape, dtype in [((0, 4, 4, 3), "float32"), ((2, 4, 4, 3), "bfloat16")]:
        x = jnp.ones(shape, dtype)
        for change in changes(shape[0], (0, 255)).values():
            assert "slipstream_" not in jax.jit(change).lower(x).as_text()
    many = jnp.ones((2, 4, 4, 5))
    agree(lambda x: contrast(x, jnp.ones(2), (0, 255)), many, derived=True)
    assert (
        "slipstream_"
        not in jax.jit(lambda x: contrast(x, jnp.ones(2), (0, 255))).lower(many).as_text()
    )


def test_gradients_follow_the_reference():
    x, order = pictures((2, 5, 4, 3)), jnp.asarray([1, 0], "int32")
    for change in changes(2, (0, 255)).values():
        agree(change, x, derived=True)
    agree(lambda x: pale(x, jnp.asarray([0.3, -0.7]), (0, 255)), x, derived=True)
    agree(lambda x: stretch(x, (0, 255)), x, derived=True)
    area = np.eye(2, 5) > 0, np.ones((2, 4)) > 0
    agree(lambda x, w: blend(x, w, order), x, jnp.asarray([0.2, 0.7]), derived=True)
    agree(lambda x: paste(x, order, area), x, derived=True)


def test_batched():
    x = pictures((3, 2, 5, 4, 3))
    for change in changes(2, (0, 255)).values():
        each = jnp.stack([change(one) for one in x])
        np.testing.assert_allclose(jax.vmap(change)(x), each, rtol=1e-5, atol=1e-4)
    order = jnp.asarray([1, 0])
    each = jnp.stack([blend(one, jnp.ones(2) / 3, order) for one in x])
    mixed = jax.vmap(lambda one: blend(one, jnp.ones(2) / 3, order))(x)
    np.testing.assert_allclose(mixed, each, rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (lambda: layers.RandomContrast(0.3, seed=1), "contrast"),
        (lambda: layers.RandomPosterization(4, seed=1), "posterize"),
        (lambda: layers.Solarization(0.2, 0.6, seed=1), "solarize"),
        (lambda: layers.MixUp(seed=1), "blend"),
        (lambda: layers.CutMix(seed=1), "paste"),
        (lambda: layers.Equalization(), "equalize"),
    ],
)
def test_layers_draw_the_same_with_both_forms(layer, name):
    x = pictures((6, 8, 8, 3))
    ours = layer()(x)
    assert f"slipstream_{name}" in jax.jit(lambda x: layer()(x)).lower(x).as_text()
    with native.kernels("reference"):
        np.testing.assert_allclose(ours, layer()(x), rtol=1e-5, atol=1e-3)


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries(library):
    passes_with(library, name_of(__file__))

"""What augmentation layers draw, and what they do with a draw, beside Keras."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from augmentation_cases import agree, pictures

from slipstream import layers
from slipstream.core.random import key_from
from slipstream.kernels.mixing import crossing, put
from slipstream.layers.augmentation.mixing import by_size
from slipstream.layers.augmentation.perspective import _to_quadrangles
from slipstream.layers.augmentation.warp import inverse


def rows(numbers):
    return jnp.asarray(numbers).reshape(-1)


def shear(t):
    x, y = np.asarray(t["shear_factor"]).T
    return np.stack([1 + 0 * x, x, 0 * x, y, 1 + 0 * x, 0 * x, 0 * x, 0 * x], -1)


# Settings of chance: how Keras' draw is told to our layer.
DRAWN = {
    "RandomRotation": ({"factor": 0.5}, lambda t: t["rotation_matrix"]),
    "RandomShear": ({"x_factor": 0.4, "y_factor": (0.1, 0.6)}, shear),
    "RandomContrast": ({"factor": (0.4, 0.9)}, lambda t: rows(t["contrast_factor"])),
    "RandomBrightness": ({"factor": 0.4}, lambda t: rows(t["rgb_delta"])),
    "RandomHue": ({"factor": 1.0}, lambda t: t["factor"]),
    "RandomColorDegeneration": ({"factor": 0.9}, lambda t: rows(t["factor"])),
    "RandomSharpness": ({"factor": 1.0}, lambda t: t["factor"]),
    "RandomPosterization": ({"factor": 8}, lambda t: 8 - t["shift_factor"].astype("float32")),
    "Solarization": (
        {"addition_factor": 0.4, "threshold_factor": 0.9},
        lambda t: (rows(t["additions"]), rows(t["thresholds"])),
    ),
    "RandomInvert": ({"factor": (0.5, 0.5)}, lambda t: t["apply_inversion"]),
    "RandomGrayscale": ({"factor": 0.5}, rows),
    "RandomFlip": ({}, lambda t: rows(t["flips"])),
    "MixUp": ({"alpha": 0.5}, lambda t: (t["mix_weight"], t["permutation_order"])),
    "CutMix": (
        {},
        lambda t: (rows(t["mix_weight"]), t["permutation_order"], sides(t["batch_masks"])),
    ),
    "RandomErasing": ({"factor": (1, 1)}, lambda t: (t["batch_masks"], t["fill_value"])),
}


def sides(masks):
    """Rows and columns that the rectangles of Keras' draw take."""
    return tuple(jnp.asarray(np.any(masks, (axis, 3))) for axis in (2, 1))


@pytest.mark.parametrize("name", DRAWN)
def test_a_draw_of_keras_gives_the_same_pictures(name):
    arguments, told = DRAWN[name]
    x = pictures(4, 7, 10, 3)
    ours, theirs = (getattr(m, name)(**arguments) for m in (layers, keras.layers))
    transformation = theirs.get_random_transformation(x, training=True)
    agree(
        ours._images(jnp.asarray(x), told(transformation)),
        theirs.transform_images(x, transformation, training=True),
    )
    if name in ("MixUp", "CutMix"):
        labels = np.eye(4, dtype="float32")
        agree(
            ours._labels(labels, told(transformation)),
            theirs.transform_labels(labels, transformation),
            1.0,
        )


def test_points_of_a_perspective():
    x = pictures(4, 7, 10, 3)
    theirs = keras.layers.RandomPerspective((1.0, 1.0), 0.8, fill_value=9.0)
    transformation = theirs.get_random_transformation(x, training=True)
    numbers = inverse(_to_quadrangles(jnp.asarray(transformation["end_points"]), 9.0, 6.0))
    ours = layers.RandomPerspective((1.0, 1.0), 0.8, fill_value=9.0)
    expected = np.asarray(theirs.transform_images(x, transformation, training=True))
    # Both solve for the transform in float32, so places differ by 1e-4 of a pixel.
    agree(ours._images(jnp.asarray(x), numbers), expected, tolerance=2e-3)


def gap(first, second):
    """Greatest difference of the distributions of two samples (Kolmogorov, Smirnov)."""
    first, second = (np.sort(np.asarray(v, "float64").ravel()).round(5) for v in (first, second))
    both = np.concatenate([first, second])
    shares = [np.searchsorted(v, both, side="right") / v.size for v in (first, second)]
    return np.abs(shares[0] - shares[1]).max()


def entry(*path):
    """A column of a draw."""

    def read(draw):
        for step in path:
            draw = draw[step]
        return draw

    return read


def itself(draw):
    return draw


SPREADS = {  # what of our draw, and of Keras', has to be spread alike
    "RandomRotation": (
        {"factor": (-0.1, 0.05)}, lambda d: d[:, 3], lambda t: t["rotation_matrix"][:, 3]
    ),
    "RandomZoom": (
        {"height_factor": 0.2, "width_factor": (0.1, 0.5)}, lambda d: d[:, 0], entry("width_zoom")
    ),
    "RandomTranslation": (
        {"height_factor": 0.2, "width_factor": (-0.1, 0.5)},
        lambda d: -d[:, 2],
        lambda t: t["translations"][:, 0],
    ),
    "RandomShear": (
        {"x_factor": (0.1, 0.3), "y_factor": 0.2},
        lambda d: d[:, 1],
        lambda t: t["shear_factor"][:, 0],
    ),
    "RandomContrast": ({"factor": (0.1, 0.6)}, itself, entry("contrast_factor")),
    "RandomBrightness": ({"factor": 0.2}, itself, entry("rgb_delta")),
    "RandomHue": ({"factor": (0.1, 0.3)}, itself, entry("factor")),
    "RandomSaturation": ({"factor": (0.2, 0.8)}, itself, entry("factor")),
    "RandomSharpness": ({"factor": 0.7}, itself, entry("factor")),
    "RandomPosterization": ({"factor": (2, 6)}, lambda d: 8 - d, entry("shift_factor")),
    "Solarization": ({"threshold_factor": 0.6}, entry(1), entry("thresholds")),
    "MixUp": ({"alpha": 0.3}, entry(0), entry("mix_weight")),
    "CutMix": ({"factor": (0.4, 0.4)}, entry(0), entry("mix_weight")),
}  # fmt: skip


@pytest.mark.parametrize("name", SPREADS)
def test_draws_are_spread_as_in_keras(name):
    arguments, mine, other = SPREADS[name]
    shape = (8000, 4, 6, 3)
    ours, theirs = (getattr(m, name)(**arguments, seed=5) for m in (layers, keras.layers))
    transformation = theirs.get_random_transformation(np.zeros(shape, "f"), True)
    assert gap(mine(ours._draw(key_from(3), shape)), other(transformation)) < 0.035


@pytest.mark.parametrize("count", [1, 2, 60, 300])
def test_places_by_size_are_those_of_a_stable_sort(count):
    numbers = np.random.default_rng(count).integers(0, 40, count).astype("float32") / 40
    found = jax.jit(by_size)(numbers)
    np.testing.assert_array_equal(found, np.argsort(numbers, stable=True))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32"])
def test_put_chooses_as_a_mask_does(dtype):
    old, new = pictures(2, 5, 7, 3).astype(dtype), pictures(2, 5, 7, 3, seed=1).astype(dtype)
    if dtype == "float32":
        old[0, 0, 0], new[0, 1, 1], new[1, 4, 4] = np.nan, np.inf, -0.0
    tall, wide = np.arange(5) % 4 > 1, np.arange(7) % 3 > 0
    area = (np.stack([tall, ~tall]), np.stack([wide, wide]))
    mask = area[0][:, :, None, None] & area[1][:, None, :, None]
    np.testing.assert_array_equal(jax.jit(put)(area, new, old), np.where(mask, new, old))
    if dtype == "float32":
        gradients = jax.grad(lambda n, o: put(area, n, o).sum(), (0, 1))(new, old)
        np.testing.assert_array_equal(gradients[0], np.broadcast_to(mask, old.shape))
        np.testing.assert_array_equal(gradients[1], np.broadcast_to(~mask, old.shape))


def areas(transformation):
    """Shares of pixels in the rectangles of Keras' draw."""
    masks = np.asarray(transformation["batch_masks"])[..., :1].mean((1, 2, 3))
    return masks * np.asarray(transformation.get("apply_erasing", 1))


SHARES = {
    "RandomInvert": ({"factor": (0.2, 0.6)}, itself, entry("apply_inversion")),
    "RandomFlip": ({}, itself, entry("flips")),
    "RandomGrayscale": ({"factor": 0.3}, itself, itself),
    "RandomGaussianBlur": ({"factor": 0.6}, entry(0), entry("should_apply_blur")),
    "RandomErasing": ({"factor": (0.5, 0.9), "fill_value": 1}, entry(0), areas),
    "CutMix": ({"factor": (0.5, 0.5)}, lambda d: crossing(d[2]), areas),
}


@pytest.mark.parametrize("name", SHARES)
def test_as_many_pixels_or_pictures_change_as_in_keras(name):
    arguments, mine, other = SHARES[name]
    shape = (3000, 12, 16, 1)
    ours, theirs = (getattr(m, name)(**arguments, seed=5) for m in (layers, keras.layers))
    found = np.mean(np.asarray(mine(ours._draw(key_from(3), shape))))
    expected = np.mean(np.asarray(other(theirs.get_random_transformation(np.zeros(shape), True))))
    assert abs(found - expected) < 0.03


@pytest.mark.long
def test_noise_of_erasing_is_spread_as_in_keras():
    for ends in ((0, 255), (-1, 1)):
        shape = (8, 16, 16, 3)
        ours = layers.RandomErasing(value_range=ends)._draw(key_from(0), shape)[1]
        theirs = keras.layers.RandomErasing(value_range=ends, seed=1)
        expected = theirs.get_random_transformation(np.zeros(shape, "f"), True)["fill_value"]
        assert gap(ours, expected) < 0.035


@pytest.mark.parametrize(
    "size", [(24, 60), pytest.param((60, 24), marks=pytest.mark.long)], ids=str
)
def test_elastic_distances_are_as_long_and_as_smooth_as_in_keras(size):
    ramp = np.stack(np.meshgrid(*map(np.arange, size[::-1])), -1)[None].astype("f").repeat(16, 0)

    def figures(library):
        layer = library.RandomElasticTransform((1, 1), (0.8, 0.8), value_range=(0, 1000), seed=3)
        moves = (np.asarray(layer(ramp)) - ramp)[:, 8:-8, 8:-8]
        alike = [(moves[:, :, :-k] * moves[:, :, k:]).mean() / moves.var() for k in (1, 2, 3)]
        return np.array([moves.std() / max(size) * 10, *alike])

    np.testing.assert_allclose(figures(layers), figures(keras.layers), atol=0.1)

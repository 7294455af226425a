"""`show`: the picture, read back from its file, holds what the data and the draws are."""

import numpy as np
import pytest

from slipstream import layers

Image = pytest.importorskip("PIL.Image")


def read_back(picture, tmp_path):
    """The pixels of a picture that was written and read."""
    picture.save(tmp_path / "draws.png")
    return np.asarray(Image.open(tmp_path / "draws.png"))


def panels(sheet, draws, rows):
    """The panels of a sheet, ``(rows, 1 + draws)`` arrays; 2 white pixels lie between them."""
    height, width = (
        (sheet.shape[axis] + 2) // count - 2 for axis, count in ((0, rows), (1, 1 + draws))
    )
    return [
        [sheet[i * (height + 2) :, j * (width + 2) :][:height, :width] for j in range(1 + draws)]
        for i in range(rows)
    ]


def middles(panel):
    """Height above the bottom of a curve, as a share, at each column of pixels."""
    ink = (panel != 245).any(-1)
    assert ink.any(0).all(), "a curve has a gap"
    rows = np.arange(len(ink))[:, None]
    return 1 - (ink * rows).sum(0) / ink.sum(0) / (len(ink) - 1)


def test_curves_follow_the_numbers_on_one_scale(tmp_path):
    ramp = np.tile(np.linspace(0, 1, 40, dtype="f"), (3, 1))
    sheet = read_back(layers.RandomScaling((0.5, 0.5)).show(ramp, draws=1, rows=2), tmp_path)
    for given, drawn in panels(sheet, 1, 2):
        expected = np.linspace(0, 1, given.shape[1])
        np.testing.assert_allclose(middles(given), expected, atol=0.04)
        np.testing.assert_allclose(middles(drawn), expected / 2, atol=0.04)


def test_long_sounds_are_shown_from_least_to_greatest(tmp_path):
    sound = np.zeros((1, 8000), "f")
    sound[:, 4000:] = np.where(np.arange(4000) % 2, 1, -1)
    (given, shifted), = panels(
        read_back(layers.RandomTimeShift((0.5, 0.5), "wrap").show(sound, draws=1), tmp_path), 1, 1
    )  # fmt: skip
    filled = (given != 245).any(-1).mean(0)
    half = given.shape[1] // 2
    assert (filled[: half - 2] < 0.1).all() and (filled[half + 2 :] > 0.95).all()
    moved = (shifted != 245).any(-1).mean(0)
    assert (moved[: half - 2] > 0.95).all() and (moved[half + 2 :] < 0.1).all()


def test_windows_are_as_long_as_they_are(tmp_path):
    sheet = read_back(layers.RandomWindow(20).show(np.ones((1, 40), "f"), draws=1), tmp_path)
    (given, cut), = panels(sheet, 1, 1)  # fmt: skip
    ground = (cut != 255).any(-1).any(0)
    assert ground[: given.shape[1] // 2].all() and not ground[given.shape[1] // 2 :].any()


def test_spectrograms_are_grey_with_low_frequencies_below(tmp_path):
    bands = np.tile(np.arange(32, dtype="f")[:, None], (1, 1, 10))
    mask = layers.SpecAugment(1, 1.0, 0, fill_value=0.0, seed=1)
    sheet = read_back(mask.show(bands[..., None], draws=8), tmp_path)
    (given, *drawn), = panels(sheet, 8, 1)  # fmt: skip
    assert given.shape == (64, 20, 3)  # small ones are enlarged
    np.testing.assert_array_equal(given[::2, 0, 0], np.round(np.arange(31, -1, -1) / 31 * 255))
    assert any((panel == 0).mean() > 0.2 for panel in drawn)
    for panel in drawn:
        assert ((panel == given) | (panel == 0)).all()


def test_equal_tokens_have_equal_colours_and_padding_is_white(tmp_path):
    words = np.array([[5, 9, 5, 7, 0, 0]])
    layer = layers.TokenMasking(20, 19, rate=1.0, mask_share=1.0, random_share=0.0)
    (given, masked), = panels(read_back(layer.show(words, draws=1), tmp_path), 1, 1)  # fmt: skip
    width = given.shape[1] // 6
    colours = [tuple(given[3, i * width + width // 2]) for i in range(6)]
    assert colours[0] == colours[2] and len(set(colours)) == 4
    assert colours[4] == colours[5] == (255, 255, 255)
    hidden = [tuple(masked[3, i * width + width // 2]) for i in range(6)]
    assert len(set(hidden[:4])) == 1 and hidden[0] not in colours
    named = layers.SpanCorruption(19).show({"inputs": words}, draws=1)  # gives a dictionary
    assert np.asarray(named).shape == (given.shape[0], 2 * given.shape[1] + 2, 3)


def test_a_pipeline_is_shown_as_its_layers_are(tmp_path):
    x = np.full((2, 4, 5, 3), 40.0, "f")
    chain = layers.Pipeline([layers.Rescaling(1.0), layers.RandomInvert((1, 1))])
    sheet = read_back(chain.show(x, draws=1, rows=1), tmp_path)
    assert sheet.shape == (4, 12, 3)
    assert (sheet[:, :5] == 40).all() and (sheet[:, 7:] == 215).all()
    with pytest.raises(ValueError, match="no layer that augments"):
        layers.Pipeline([layers.Rescaling(1.0)]).show(x)


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (layers.RandomGain(), np.zeros((0, 30), "f")),
        (layers.TokenSwap(), np.zeros((0, 3), "int32")),
        (layers.RandomFlip(), np.zeros((0, 4, 4, 3), "f")),
    ],
)
def test_nothing_to_show_is_an_error(layer, x):
    with pytest.raises(ValueError, match="at least one example"):
        layer.show(x)


def test_odd_numbers_are_shown():
    spoilt = np.array([[np.nan, 1, np.inf, 2], [np.nan] * 4], "f")
    assert np.asarray(layers.RandomGain().show(spoilt, draws=1)).shape[0] == 2 * 64 + 2
    assert layers.RandomGain().show(np.ones((1, 1), "f"), draws=1).size[1] == 64
    assert layers.RandomJitter(dtype="mixed_bfloat16").show(np.ones((2, 9, 5), "f")).size[1] == 130

"""What each layer does to sounds, series and texts, over many draws."""

import jax
import numpy as np
import pytest

from slipstream import layers
from slipstream.models import Model

RATE = 8000


def tone(frequency, samples=4000, rows=1):
    return np.tile(np.sin(2 * np.pi * frequency * np.arange(samples) / RATE), (rows, 1)).astype("f")


def pitch(sound):
    """Loudest frequency of the middle of a sound, in Hz, between bins by a parabola."""
    part = np.asarray(sound, "float64") * np.hanning(len(sound))
    power = np.log(np.abs(np.fft.rfft(part, 4 * len(part))) + 1e-12)
    k = int(power.argmax())
    low, top, high = power[k - 1 : k + 2]
    return (k + 0.5 * (low - high) / (low - 2 * top + high)) * RATE / (4 * len(part))


def even(values, low, high):
    """Whether a sample is spread evenly between two ends (Kolmogorov)."""
    places = (np.sort(values) - low) / (high - low)
    return np.abs(places - (np.arange(len(values)) + 0.5) / len(values)).max() < 1.6 / np.sqrt(
        len(values)
    )


# ---- sounds ----------------------------------------------------------------------------------


def test_gains_are_spread_evenly_in_decibels(rng):
    x = rng.normal(size=(2000, 5)).astype("f")
    factors = np.asarray(layers.RandomGain((-12, 6), seed=1)(x)) / x
    np.testing.assert_allclose(factors, np.repeat(factors[:, :1], 5, 1), rtol=1e-5)
    assert even(20 * np.log10(factors[:, 0]), -12, 6)


def test_noise_has_the_stated_ratio_whatever_the_level(rng):
    x = np.stack([tone(440, 4000)[0] * 10.0**level for level in (-3, 0, 2)] * 40).astype("f")
    noise = np.asarray(layers.RandomNoise((5, 25), seed=1)(x)) - x
    ratios = 10 * np.log10(np.square(x).mean(1) / np.square(noise).mean(1))
    assert even(ratios, 5, 25)
    white = noise[1] / noise[1].std()
    assert abs(np.corrcoef(white[1:], white[:-1])[0, 1]) < 0.06
    assert abs((np.abs(white) < 1).mean() - 0.683) < 0.03  # normal
    fixed = np.asarray(layers.RandomNoise(20, seed=1)(x)) - x
    ratios = 10 * np.log10(np.square(x).mean(1) / np.square(fixed).mean(1))
    np.testing.assert_allclose(ratios, 20, atol=0.5)


@pytest.mark.parametrize("fill", ["constant", "wrap"])
def test_shifts_move_whole_samples(fill):
    x = np.tile(np.arange(1, 41, dtype="f"), (500, 1))
    found = np.asarray(layers.RandomTimeShift((-0.25, 0.5), fill, seed=1)(x))
    shifts = []
    for row in found:
        shift = int(np.flatnonzero(row == 20)[0] - 19)
        expected = np.roll(x[0], shift)
        if fill == "constant":
            expected[: max(shift, 0)] = 0
            expected[len(expected) + min(shift, 0) :] = 0
        np.testing.assert_array_equal(row, expected)
        shifts.append(shift)
    assert min(shifts) == -10 and max(shifts) == 20 and abs(np.mean(shifts) - 5) < 1.5


@pytest.mark.parametrize("rate", [0.6, 1.0, 1.7])
def test_stretched_tones_keep_their_pitch_and_change_their_length(rate):
    x = tone(600)
    x[0, 2400:] = 0  # 0.3 seconds of sound
    found = np.asarray(layers.RandomTimeStretch(rate, fft_length=256)(x))[0]
    if rate == 1:
        np.testing.assert_allclose(found, x[0], atol=1e-4)
    loud = np.flatnonzero(np.abs(found) > 0.2)
    assert abs(loud[-1] - min(2400 / rate, 3999)) < 200
    assert abs(pitch(found[300 : int(2000 / rate)]) - 600) < 3
    assert np.sqrt(np.square(found[300 : int(2000 / rate)]).mean()) > 0.55


@pytest.mark.parametrize("semitones", [-12, -5, 3, 7])
def test_shifted_tones_have_the_stated_pitch_and_length(semitones):
    x = tone(600)
    x[0, 2400:] = 0
    found = np.asarray(layers.RandomPitchShift((semitones, semitones), fft_length=256)(x))[0]
    wanted = 600 * 2 ** (semitones / 12)
    assert abs(pitch(found[300:2100]) - wanted) < 0.01 * wanted
    assert abs(np.flatnonzero(np.abs(found) > 0.2)[-1] - 2400) < 200


def test_pitches_and_speeds_are_spread_over_the_range():
    x = tone(600, 1600, rows=60)
    found = np.asarray(layers.RandomPitchShift((-4, 4), fft_length=256, seed=1)(x))
    shifts = [12 * np.log2(pitch(row[200:1400]) / 600) for row in found]
    assert min(shifts) > -4.2 and max(shifts) < 4.2 and np.std(shifts) > 1.5


def test_what_would_be_too_high_is_left_out():
    found = np.asarray(layers.RandomPitchShift((12, 12), fft_length=256)(tone(3000)))
    assert np.square(found[0, 300:-300]).mean() < 0.01  # and is not heard at 2000 Hz


def test_masks_are_stretches_of_frequencies_and_times(rng):
    x = rng.normal(size=(800, 20, 30)).astype("f") + 3
    found = np.asarray(layers.SpecAugment(1, 0.5, 1, 0.2, fill_value=-9.0, seed=1)(x))
    masked = found == -9
    np.testing.assert_array_equal(found[~masked], x[~masked])
    bands, times = masked.all(2), masked.all(1)
    np.testing.assert_array_equal(masked, bands[:, :, None] | times[:, None])
    for area, most in ((bands, 10), (times, 6)):
        widths = area.sum(1)
        starts = np.diff(np.pad(area.astype(int), [(0, 0), (1, 0)]), axis=1) == 1
        assert starts.sum(1).max() == 1  # one stretch each
        counts = np.bincount(widths, minlength=most + 1)
        assert len(counts) == most + 1  # from 0 to the greatest, each as likely
        assert np.abs(counts / 800 - 1 / (most + 1)).max() < 0.05
        assert area[:, 0].any() and area[:, -1].any()
    mean = np.asarray(layers.SpecAugment(1, 0.5, 1, 0.2, seed=1)(x))
    filled = np.broadcast_to(x.mean((1, 2), keepdims=True), x.shape)
    np.testing.assert_allclose(mean[masked], filled[masked], rtol=1e-4)
    deep = layers.SpecAugment(2, 0.5, 2, 0.2, fill_value=-9.0)(x[:9, ..., None])
    assert deep.shape == (9, 20, 30, 1)
    np.testing.assert_array_equal(layers.SpecAugment(0, 0.5, 0)(x[:9]), x[:9])


# ---- series ----------------------------------------------------------------------------------


def test_jitter_is_a_share_of_each_channels_spread(rng):
    x = (rng.normal(size=(300, 2000, 2)) * [1, 50] + [0, 9]).astype("f")
    noise = np.asarray(layers.RandomJitter((0.1, 0.3), seed=1)(x)) - x
    shares = noise.std(1) / x.std(1)
    np.testing.assert_allclose(shares[:, 0], shares[:, 1], rtol=0.15)  # one draw an example
    assert even(shares[:, 0], 0.1, 0.3)
    assert layers.RandomJitter(0.2).factor == (0, 0.2)


def test_scales_are_drawn_for_each_channel(rng):
    x = rng.normal(size=(1000, 4, 2)).astype("f")
    factors = np.asarray(layers.RandomScaling(0.3, seed=1)(x)) / x
    np.testing.assert_allclose(factors, np.repeat(factors[:, :1], 4, 1), rtol=1e-4)
    assert even(factors[:, 0, 0], 0.7, 1.3) and even(factors[:, 0, 1], 0.7, 1.3)
    assert abs(np.corrcoef(factors[:, 0, 0], factors[:, 0, 1])[0, 1]) < 0.1


def test_warped_time_runs_forwards_between_the_ends():
    ramp = np.tile(np.arange(50, dtype="f")[:, None], (200, 1, 1))
    found = np.asarray(layers.RandomTimeWarp(0.7, knots=4, seed=1)(ramp))[..., 0]
    np.testing.assert_allclose(found[:, [0, -1]], ramp[:, [0, -1], 0], atol=1e-3)
    pace = np.diff(found, axis=1)
    assert pace.min() > np.exp(-1.4) and pace.max() < np.exp(1.4) * 1.01
    assert pace.std(1).mean() > 0.1 and abs(found[:, 25].mean() - 25) < 1
    still = layers.RandomTimeWarp(0.0)(ramp)
    np.testing.assert_allclose(still, ramp, atol=1e-3)


def test_windows_begin_anywhere(rng):
    x = np.tile(np.arange(12), (2000, 1))
    found = np.asarray(layers.RandomWindow(5, seed=1)(x))
    np.testing.assert_array_equal(found - found[:, :1], np.tile(np.arange(5), (2000, 1)))
    counts = np.bincount(found[:, 0])
    assert len(counts) == 8 and np.abs(counts / 2000 - 1 / 8).max() < 0.03
    np.testing.assert_array_equal(layers.RandomWindow(12)(x), x)


def test_labels_are_mixed_as_the_inputs_are(rng):
    x, labels = np.eye(64, dtype="f")[:, :, None], np.eye(64, dtype="int32")
    found = layers.SequenceMixUp(0.7, seed=1)({"inputs": x, "labels": labels})
    np.testing.assert_allclose(found["inputs"][..., 0], found["labels"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.sum(found["labels"], 1), 1, rtol=1e-5)
    assert (np.asarray(found["labels"]) > 0).sum(1).max() == 2
    off = layers.SequenceMixUp(0.7)({"inputs": x, "labels": labels}, training=False)
    np.testing.assert_array_equal(off["labels"], labels)
    assert off["labels"].dtype == found["labels"].dtype


# ---- texts -----------------------------------------------------------------------------------


def tokens(rng, rows=400, length=30, least=5):
    """Texts of different lengths, padded with 0, of words 1 to 89."""
    words = rng.integers(1, 90, (rows, length)).astype("int32")
    lengths = rng.integers(least, length + 1, rows)
    words[np.arange(length) >= lengths[:, None]] = 0
    return words, lengths


def test_masked_tokens_have_berts_shares(rng):
    words, _ = tokens(rng)
    layer = layers.TokenMasking(
        100, 99, rate=0.3, special_tokens=(0, 7), return_labels=True, seed=1
    )
    found = {k: np.asarray(v) for k, v in layer(words).items()}
    np.testing.assert_array_equal(found["labels"], words)
    chosen = found["sample_weight"] == 1
    usual = (words != 0) & (words != 7)
    assert not chosen[~usual].any() and abs(chosen[usual].mean() - 0.3) < 0.015
    after = found["inputs"]
    np.testing.assert_array_equal(after[~chosen], words[~chosen])
    masked, kept = after[chosen] == 99, after[chosen] == words[chosen]
    assert abs(masked.mean() - 0.8) < 0.03 and abs(kept.mean() - 0.101) < 0.02
    random = after[chosen][~masked & ~kept]
    assert set(random) <= set(range(1, 99)) - {7} and len(set(random)) > 70
    off = layer(words, training=False)
    np.testing.assert_array_equal(off["inputs"], words)
    assert not np.any(off["sample_weight"])
    plain = layers.TokenMasking(100, 99, 1.0, mask_share=1.0, random_share=0.0)(words)
    np.testing.assert_array_equal(plain, np.where(words == 0, 0, 99))


def test_dropped_tokens_leave_the_rest_in_order(rng):
    words, lengths = tokens(rng)
    found = np.asarray(layers.TokenDropout(0.3, seed=1)(words))
    left = (found != 0).sum(1)
    for before, after, count in zip(words, found, left):
        rest = iter(before)
        assert count and all(word in rest for word in after[:count])  # a subsequence
        assert not after[count:].any()
    assert abs(left.sum() / lengths.sum() - 0.7) < 0.015
    one = np.asarray(layers.TokenDropout(1.0)(words))
    assert ((one != 0).sum(1) == 1).all()
    np.testing.assert_array_equal(
        layers.TokenDropout()(np.zeros((3, 4), "int32")), np.zeros((3, 4))
    )


def test_swapped_tokens_stay_within_their_text(rng):
    words, lengths = tokens(rng)
    found = np.asarray(layers.TokenSwap(0.5, seed=1)(words))
    np.testing.assert_array_equal(np.sort(found, 1), np.sort(words, 1))
    np.testing.assert_array_equal(found == 0, words == 0)
    moved = (found != words).sum() / lengths.sum()
    assert 0.35 < moved < 0.5
    places = np.tile(np.arange(1, 9), (4000, 1))
    shuffled = np.asarray(layers.TokenSwap(1.0, seed=2)(places))
    shares = np.stack([(shuffled == word).mean(0) for word in range(1, 9)])
    assert np.abs(shares - 1 / 8).max() < 0.03  # any word anywhere
    np.testing.assert_array_equal(layers.TokenSwap(0.0)(words), words)


def filled_in(inputs, labels, first):
    """The text whose sentinels are replaced by what the labels say."""
    answers, sentinel = {}, None
    for token in labels[labels != 0]:
        if token > 89:
            sentinel = int(token)
            answers[sentinel] = []
        else:
            answers[sentinel].append(int(token))
    text = []
    for token in inputs[inputs != 0]:
        text += answers[int(token)] if token > 89 else [int(token)]
    used = [int(token) for token in inputs if token > 89]
    return text, used, answers


@pytest.mark.parametrize(("rate", "mean_length"), [(0.15, 3.0), (0.5, 1.0), (0.9, 4.0)])
def test_corrupted_texts_can_be_filled_in(rng, rate, mean_length):
    words, lengths = tokens(rng, least=2)
    layer = layers.SpanCorruption(199, rate, mean_length, seed=1)
    found = {k: np.asarray(v) for k, v in layer(words).items()}
    for before, length, inputs, labels in zip(
        words, lengths, *map(found.get, ("inputs", "labels"))
    ):
        text, used, answers = filled_in(inputs, labels, 199)
        np.testing.assert_array_equal(text, before[:length])
        taken = np.clip(round(length * rate), 1, length - 1)
        spans = np.clip(round(taken / mean_length), 1, min(taken, length - taken))
        assert sum(map(len, answers.values())) == taken
        assert used == list(range(199, 199 - spans, -1))
        assert list(answers) == [*used, 199 - spans] and answers[199 - spans] == []
        assert inputs[0] == before[0] and all(answers[s] for s in used)
    off = layer(words, training=False)
    np.testing.assert_array_equal(off["inputs"], words)


def test_spans_fall_anywhere_and_short_texts_stay(rng):
    words = np.tile(np.arange(1, 21, dtype="int32"), (4000, 1))
    inputs = np.asarray(layers.SpanCorruption(199, 0.3, 2.0, seed=1)(words)["inputs"])
    shares = np.array([(inputs != word).all(1).mean() for word in range(1, 21)])
    assert shares[0] == 0 and np.abs(shares[3:17] - 0.3).max() < 0.08
    assert abs(shares.sum() - 6) < 1e-6
    short = np.array([[5, 0, 0], [0, 0, 0], [5, 6, 0]], "int32")
    found = layers.SpanCorruption(199, label_length=4)(short)
    np.testing.assert_array_equal(np.asarray(found["inputs"])[:2], short[:2])
    expected = [[199, 0, 0, 0], [199, 0, 0, 0], [199, 6, 198, 0]]
    np.testing.assert_array_equal(found["labels"], expected)


# ---- in training -----------------------------------------------------------------------------


def test_fit_draws_anew_in_each_step_and_repeats_with_the_seed(rng):
    from slipstream.utils import set_random_seed

    x = tone(300, 512, rows=8)

    def losses():
        set_random_seed(3)
        end = layers.Input((512,))
        loud = layers.RandomNoise(0)(layers.RandomTimeShift(0.5)(end))
        model = Model(end, layers.Dense(1, kernel_initializer="ones")(loud))
        model.compile("sgd", "mse")
        model.optimizer.learning_rate = 0.0
        history = model.fit(x, np.zeros((8, 1)), epochs=3, batch_size=8, verbose=0)
        return history.history["loss"]

    first = losses()
    assert len(set(first)) == 3 and losses() == first
    assert jax.tree.leaves(first)

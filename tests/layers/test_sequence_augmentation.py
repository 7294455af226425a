"""Augmentation of sounds, series and texts: chance, modes and forms of all layers; see also
`test_sequence_augmentation_effects` for what each one does."""

import jax
import numpy as np
import pytest

from slipstream import layers
from slipstream.core import registry
from slipstream.core.random import key_from
from slipstream.core.scope import Scope
from slipstream.models import Model

RNG = np.random.default_rng(0)
SOUND = RNG.normal(size=(6, 400)).astype("float32")
SERIES = RNG.normal(size=(6, 20, 3)).astype("float32")
PICTURE = RNG.normal(size=(6, 12, 15)).astype("float32")
TOKENS = RNG.integers(1, 50, (6, 16)).astype("int32")
TOKENS[:, 12:] = 0

CASES = {
    "RandomGain": ({"decibels": (-6, 12)}, SOUND),
    "RandomNoise": ({"decibels": 10}, SOUND),
    "RandomTimeShift": ({"factor": 0.4, "fill_mode": "wrap"}, SOUND),
    "RandomTimeStretch": ({"rate": (0.5, 2), "fft_length": 64}, SOUND),
    "RandomPitchShift": ({"semitones": 4, "fft_length": 64}, SOUND),
    "SpecAugment": ({"frequency_width": 0.5, "fill_value": 0.0}, PICTURE),
    "RandomJitter": ({"factor": (0.2, 0.4)}, SERIES),
    "RandomScaling": ({"factor": 0.3}, SERIES),
    "RandomTimeWarp": ({"factor": 1.0, "knots": 5}, SERIES),
    "RandomWindow": ({"length": 7}, SERIES),
    "SequenceMixUp": ({"alpha": 1.0}, SERIES),
    "TokenMasking": ({"vocabulary_size": 50, "mask_token": 49, "rate": 0.4}, TOKENS),
    "TokenDropout": ({"rate": 0.4}, TOKENS),
    "TokenSwap": ({"rate": 0.6}, TOKENS),
    "SpanCorruption": ({"first_sentinel": 99, "rate": 0.4}, TOKENS),
}
LABELLED = {"SpanCorruption"}  # these give a dictionary for an array


def make(name, **more):
    return getattr(layers, name)(**{**CASES[name][0], **more})


def inputs_of(outputs):
    return np.asarray(outputs["inputs"] if isinstance(outputs, dict) else outputs)


def same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_every_layer_is_tested():
    from slipstream.layers.augmentation.sequence_base import SequenceDrawing

    found = {name for name in layers.__all__ if isinstance(getattr(layers, name), type)
             and issubclass(getattr(layers, name), SequenceDrawing)}  # fmt: skip
    assert found == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_draws_follow_from_seed_step_and_row(name):
    x = CASES[name][1]
    layer, again = make(name, seed=3), make(name, seed=3)
    first, second = layer(x), layer(x)
    same(again(x), first)
    same(again(x), second)
    assert not np.array_equal(inputs_of(first), inputs_of(second))

    @jax.jit
    def program(x, step):
        with Scope(training=True, key=jax.random.fold_in(key_from(0), step)).active():
            return make(name, seed=3)(x)

    def run(x, step=0):
        return inputs_of(program(x, np.uint32(step)))

    whole = run(x)
    assert np.array_equal(run(x), whole) and not np.array_equal(run(x, 1), whole)
    if make(name).per_example:
        copies = run(np.concatenate([x[:2], x[:1], x[:1], x[:1], x[:1]]))
        np.testing.assert_array_equal(copies[:2], whole[:2])
        assert any(not np.array_equal(copies[0], copies[i]) for i in (2, 3, 4, 5))


def test_seeds_differ_and_without_one_so_do_layers():
    others = [make("RandomGain", seed=seed)(SOUND) for seed in (3, 4, None, None)]
    for i, one in enumerate(others):
        assert not any(np.array_equal(one, other) for other in others[:i])


@pytest.mark.parametrize("name", CASES)
def test_off_at_prediction_and_on_in_training(name):
    x = CASES[name][1]
    end = layers.Input(x.shape[1:], dtype=x.dtype.name)
    outputs = make(name)(end)
    model = Model(end, outputs)
    found = model.predict(x, verbose=0)
    kept = x[:, 6:13] if name == "RandomWindow" else x
    np.testing.assert_array_equal(inputs_of(found), kept)
    np.testing.assert_array_equal(inputs_of(make(name)(x, training=False)), kept)
    if name in LABELLED:
        assert np.all(found["labels"] == 0)
    trained = model(x, training=True)
    assert not np.array_equal(inputs_of(trained), kept)
    for spec, leaf, plain in zip(
        jax.tree.leaves(outputs), jax.tree.leaves(trained), jax.tree.leaves(found), strict=True
    ):
        assert spec.shape == (None, *leaf.shape[1:]) and spec.dtype == str(leaf.dtype)
        assert plain.shape == leaf.shape and plain.dtype == leaf.dtype


@pytest.mark.parametrize("name", CASES)
def test_configurations_types_and_forms(name):
    x = CASES[name][1]
    layer = make(name, seed=3)
    saved = registry.serialize(layer)
    again = registry.deserialize(saved)
    assert again.get_config() == layer.get_config()
    first = layer(x)
    same(again(x), first)
    labels = np.eye(6, dtype="float32")
    named = make(name, seed=3)({"inputs": x, "other": labels})
    same(named["inputs"], inputs_of(first))
    same(named["other"], labels)
    low = make(name, seed=3, dtype="mixed_bfloat16")(x)
    floats = x.dtype == np.float32
    assert str(inputs_of(low).dtype) == ("bfloat16" if floats else "int32")
    empty = make(name)(x[:0])
    assert inputs_of(empty).shape == (0, *inputs_of(first).shape[1:])


@pytest.mark.parametrize(
    "name", [n for n in CASES if CASES[n][1] is SOUND or CASES[n][1] is SERIES]
)
def test_channels_and_odd_lengths(name):
    if name == "RandomWindow":
        return
    for shape in [(3, 1), (2, 33, 2)]:
        x = RNG.normal(size=shape).astype("float32")
        found = np.asarray(make(name, seed=1)(x))
        assert found.shape == shape and np.isfinite(found).all()
    flat, deep = SOUND[:, :200], SOUND[:, :200, None]
    np.testing.assert_allclose(
        make(name, seed=1)(flat), make(name, seed=1)(deep)[..., 0], rtol=1e-5, atol=1e-5
    )
    # Silence stays silence.
    assert not np.any(make(name)(np.zeros((2, 90), "float32")))


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: layers.RandomGain(200), "decibels.*200"),
        (lambda: layers.RandomNoise((1, 2, 3)), "decibels"),
        (lambda: layers.RandomTimeShift(2), "factor"),
        (lambda: layers.RandomTimeStretch(0), "rate"),
        (lambda: layers.RandomTimeStretch(fft_length=70), "multiple of 4"),
        (lambda: layers.RandomPitchShift(40), "semitones"),
        (lambda: layers.SpecAugment(time_masks=-1), "time_masks"),
        (lambda: layers.SpecAugment(frequency_width=2), "frequency_width"),
        (lambda: layers.RandomJitter(-1), "factor"),
        (lambda: layers.RandomScaling("a"), "factor"),
        (lambda: layers.RandomTimeWarp(knots=1), "knots"),
        (lambda: layers.RandomWindow(0), "length"),
        (lambda: layers.SequenceMixUp(-1), "alpha"),
        (lambda: layers.TokenMasking(9, 8, rate=2), "rate"),
        (lambda: layers.TokenMasking(9, 8, mask_share=0.8, random_share=0.3), "at most 1"),
        (lambda: layers.TokenMasking(2, 1, special_tokens=(0,)), "vocabulary_size"),
        (lambda: layers.TokenDropout(-0.1), "rate"),
        (lambda: layers.TokenSwap(0.1, pad_token=0.5), "pad_token"),
        (lambda: layers.SpanCorruption(9, mean_length=0.5), "mean_length"),
        (lambda: layers.RandomGain(seed=0.5), "seed"),
        (lambda: layers.RandomWindow(9, name="w")(np.ones((2, 5))), r"'w'.*\(2, 5\)"),
        (lambda: layers.RandomGain(name="w")(np.ones((2, 5, 3, 1))), r"'w'.*\(2, 5, 3, 1\)"),
        (lambda: layers.TokenSwap(name="w")(np.ones((2, 5))), "'w'.*whole numbers.*float32"),
        (lambda: layers.RandomGain(name="w")({"audio": np.ones((2, 5))}), "under 'inputs'.*audio"),
        (
            lambda: layers.SequenceMixUp()({"inputs": SOUND, "labels": np.arange(6)}),
            "one-hot labels",
        ),
    ],
)
def test_what_does_not_fit_is_named(build, said):
    with pytest.raises(ValueError, match=said):
        build()

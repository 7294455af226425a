"""Initializers beside Keras': distributions, supports, determinism, configurations."""

import inspect
import time

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slipstream.initializers as initializers
from slipstream.core.random import set_random_seed

SCALED = ["GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform"]
RANDOM = [
    ("RandomNormal", {"mean": 0.3, "stddev": 0.7}),
    ("TruncatedNormal", {"mean": -0.2, "stddev": 0.5}),
    ("RandomUniform", {"minval": -1.0, "maxval": 3.0}),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"}),
    ("VarianceScaling", {"scale": 0.5, "mode": "fan_avg", "distribution": "normal"}),
    ("VarianceScaling", {"mode": "fan_in", "distribution": "uniform"}),
    *[(name, {}) for name in SCALED],
]
FIXED = [
    ("Zeros", {}, (3, 4)),
    ("Ones", {}, (3, 4)),
    ("Constant", {"value": 2.5}, (2, 3)),
    ("Constant", {"value": np.arange(3.0)}, (2, 3)),
    ("Identity", {"gain": 2.0}, (3, 5)),
    ("STFT", {}, (6, 1, 4)),
    ("STFT", {"side": "imag", "window": "hamming", "scaling": "spectrum"}, (6, 1, 6)),
    ("STFT", {"window": "blackman", "scaling": None, "periodic": True}, (8, 1, 5)),
    ("STFT", {"window": np.hanning(6)}, (6, 1, 4)),
    ("STFT", {"side": "imag", "window": None}, (6, 1, 6)),
]


def make(name, arguments):
    return getattr(initializers, name)(**arguments)


@pytest.mark.parametrize(("name", "arguments", "shape"), FIXED, ids=str)
def test_values_without_chance_are_those_of_keras(name, arguments, shape):
    wanted = np.asarray(getattr(keras.initializers, name)(**arguments)(shape))
    value = make(name, arguments)(shape)
    assert isinstance(value, np.ndarray) and value.dtype == "float32"
    np.testing.assert_allclose(value, wanted, atol=2e-6)


@pytest.mark.parametrize(("name", "arguments"), RANDOM, ids=str)
@pytest.mark.parametrize("shape", [(300, 200), (3, 3, 40, 150)], ids=str)
def test_distributions_are_those_of_keras(name, arguments, shape):
    mine = make(name, {**arguments, "seed": 1})(shape).ravel().astype("float64")
    theirs = getattr(keras.initializers, name)(**arguments, seed=1)(shape)
    theirs = np.sort(np.asarray(theirs).ravel().astype("float64"))
    # Kolmogorov-Smirnov distance; above 1.95 times this scale once in a thousand draws.
    places = np.arange(1, mine.size + 1) / mine.size
    distance = np.abs(np.searchsorted(theirs, np.sort(mine)) / theirs.size - places).max()
    assert distance < 1.95 * np.sqrt(2 / mine.size)
    scale = theirs.std()
    assert abs(mine.std() / scale - 1) < 0.02
    assert abs(mine.mean() - theirs.mean()) < 0.03 * scale
    # The normal with tails is the one without a common bound.
    bounded = name != "RandomNormal" and arguments.get("distribution") != "untruncated_normal"
    if bounded:
        np.testing.assert_allclose(mine.min(), theirs[0], atol=0.01 * scale)
        np.testing.assert_allclose(mine.max(), theirs[-1], atol=0.01 * scale)
    else:
        assert np.abs(mine - mine.mean()).max() > 3.3 * scale


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((), {}),
        ((7,), {}),
        ((7, 5), {}),
        ((3, 7, 5), {}),
        ((2, 3, 7, 5), {}),
        ((3, 7, 5), {"input_axes": [0], "output_axes": [1, 2]}),
        ((3, 7, 5), {"input_axes": (0, 1), "output_axes": (-1,)}),
        ((3, 7, 5), {"input_axes": [0]}),
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
def test_fans_are_those_of_keras(shape, axes, mode):
    arguments = {"mode": mode, "distribution": "uniform", "seed": 2, **axes}

    def limits(module):
        unit = module.RandomUniform(-1, 1, seed=2)(shape)
        return np.asarray(module.VarianceScaling(**arguments)(shape)) / np.asarray(unit)

    np.testing.assert_allclose(limits(initializers), limits(keras.initializers), rtol=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    shape=st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple),
    gain=st.sampled_from([1.0, 0.5, 2.0]),
)
def test_orthogonal_weights_are_orthogonal(shape, gain):
    matrix = initializers.Orthogonal(gain, seed=3)(shape).reshape(-1, shape[-1])
    rows, columns = matrix.shape
    product = matrix.T @ matrix if rows >= columns else matrix @ matrix.T
    np.testing.assert_allclose(product, gain**2 * np.eye(min(rows, columns)), atol=1e-5)


def test_orthogonal_matrices_are_evenly_distributed():
    set_random_seed(4)
    drawn = np.stack([initializers.Orthogonal()((2, 2)) for _ in range(4000)])
    # Half are reflections, and the first column points everywhere alike.
    assert abs(np.mean(np.linalg.det(drawn) > 0) - 0.5) < 0.04
    angle = np.arctan2(drawn[:, 1, 0], drawn[:, 0, 0])
    counts, _ = np.histogram(angle, bins=8, range=(-np.pi, np.pi))
    assert np.abs(counts - 500).max() < 110


@pytest.mark.parametrize(("name", "arguments"), [*RANDOM, ("Orthogonal", {"gain": 2.0})], ids=str)
def test_a_seed_fixes_the_values_and_no_seed_follows_the_process(name, arguments):
    seeded = make(name, {**arguments, "seed": 5})
    np.testing.assert_array_equal(seeded((4, 3)), seeded((4, 3)))
    np.testing.assert_array_equal(seeded((4, 3)), seeded.clone()((4, 3)))
    other = make(name, {**arguments, "seed": 6})
    assert not np.array_equal(seeded((4, 3)), other((4, 3)))
    free = make(name, arguments)
    set_random_seed(7)
    first, second = free((4, 3)), free((4, 3))
    assert not np.array_equal(first, second)
    set_random_seed(7)
    np.testing.assert_array_equal(free((4, 3)), first)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("name", ["HeNormal", "GlorotUniform", "Orthogonal", "Ones", "Identity"])
def test_types_are_kept(name, dtype):
    value = getattr(initializers, name)()((5, 4), dtype=dtype)
    assert value.dtype.name == dtype and value.shape == (5, 4) and np.abs(value).max() > 0
    if dtype == "float64" and name in ("HeNormal", "GlorotUniform"):
        assert np.any(value != value.astype("float32"))


def test_whole_and_truth_types_hold_constants():
    assert initializers.Zeros()((2,), "int32").dtype == "int32"
    assert initializers.Ones()((2,), bool).all()


@pytest.mark.parametrize("name", ["GlorotUniform", "HeNormal", "RandomNormal"])
def test_a_million_weights_take_milliseconds(name):
    initializer = getattr(initializers, name)(seed=0)
    times = []
    for _ in range(3):
        start = time.process_time()
        initializer((1000, 1000))
        times.append(time.process_time() - start)
    assert min(times) < 0.2


@pytest.mark.parametrize(
    "name", [name for name in initializers.__all__ if name[0].isupper() and name != "Initializer"]
)
def test_signatures_and_configurations_are_those_of_keras(name):
    if name == "RandomInitializer":
        pytest.skip("a base class")
    mine, theirs = getattr(initializers, name), getattr(keras.initializers, name)

    def plain(target):
        parameters = inspect.signature(target).parameters.values()
        return [(parameter.name, parameter.default) for parameter in parameters]

    assert plain(mine) == plain(theirs)
    config = mine().get_config()
    # Keras forgets the gain of an identity.
    extra = {"gain": 1.0} if theirs is keras.initializers.Identity else {}
    assert config == {**theirs().get_config(), **extra}
    saved = initializers.serialize(mine())
    wanted = keras.initializers.serialize(theirs())
    assert {**saved, "config": None} == {**wanted, "config": None}
    assert type(initializers.deserialize(wanted)) is mine


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *[(name, arguments) for name, arguments, _ in FIXED],
        *[(name, {**arguments, "seed": 3}) for name, arguments in RANDOM],
        ("VarianceScaling", {"input_axes": (0,), "output_axes": [1, 2], "seed": 1}),
    ],
    ids=str,
)
def test_a_configuration_makes_an_equal_initializer(name, arguments):
    initializer = make(name, arguments)
    again = initializers.deserialize(initializers.serialize(initializer))
    shape = (6, 1, 6) if name == "STFT" else (3, 3)
    if name == "STFT" and isinstance(arguments.get("window"), np.ndarray):
        shape = (6, 1, 4)
    if name == "VarianceScaling" and "input_axes" in arguments:
        shape = (2, 3, 4)
    np.testing.assert_array_equal(initializer(shape), again(shape))


def test_no_name_of_keras_is_missing():
    public = {name for name in dir(keras.initializers) if not name.startswith("_")}
    assert public <= set(dir(initializers))


@pytest.mark.parametrize(
    ("identifier", "wanted"),
    [
        ("normal", "RandomNormal"),
        ("uniform", "RandomUniform"),
        ("zero", "Zeros"),
        ("one", "Ones"),
        ("glorot_uniform", "GlorotUniform"),
        ("he_normal", "HeNormal"),
        ("stft", "STFT"),
        ("HeUniform", "HeUniform"),
        (initializers.Ones, "Ones"),
        (np.ones(3), "Constant"),
    ],
    ids=str,
)
def test_names_classes_and_arrays_become_initializers(identifier, wanted):
    assert type(initializers.get(identifier)).__name__ == wanted


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: initializers.HeNormal(seed=0.5), ["seed", "0.5"]),
        (lambda: initializers.VarianceScaling(scale=0), ["scale", "above 0", "0"]),
        (lambda: initializers.VarianceScaling(mode="fan"), ["fan_in", "'fan'"]),
        (lambda: initializers.VarianceScaling(distribution="unifrom"), ["unifrom", "'uniform'"]),
        (lambda: initializers.HeNormal()((2,), "int32"), ["HeNormal", "int32", "Zeros"]),
        (lambda: initializers.Identity()((2, 3, 4)), ["(2, 3, 4)", "Orthogonal"]),
        (lambda: initializers.Orthogonal()((3,)), ["(3,)", "2 axes"]),
        (lambda: initializers.Constant([1.0, 2.0])((3,)), ["(2,)", "(3,)"]),
        (lambda: initializers.STFT(side="left"), ["side", "'left'"]),
        (lambda: initializers.STFT(scaling="loud"), ["scaling", "'loud'"]),
        (lambda: initializers.STFT(window="nowindow"), ["window", "'nowindow'", "hann"]),
        (lambda: initializers.STFT(window=[1.0, 1.0])((4, 1, 3)), ["(2,)", "(4,)"]),
        (lambda: initializers.STFT()((4, 3)), ["(frame_length, 1, bins)", "(4, 3)"]),
        (lambda: initializers.get("glorot_unifrom"), ["glorot_unifrom", "'glorot_uniform'"]),
        (lambda: initializers.Initializer()((2,)), ["__call__"]),
    ],
)
def test_errors_name_what_was_seen_and_what_to_do(act, words):
    with pytest.raises((ValueError, NotImplementedError)) as caught:
        act()
    for word in words:
        assert word in str(caught.value)

"""`fit(check=True)`: the data are looked through before the first step, findings are told."""

import time
import warnings

import numpy as np
import pandas as pd
import pytest

from slipstream import data, layers
from slipstream.models import Model, Sequential
from slipstream.training.inspection import Inspection
from slipstream.utils import PyDataset

ROWS = 200


@pytest.fixture
def clean(rng):
    return rng.normal(size=(ROWS, 4)).astype("f"), rng.integers(0, 3, ROWS)


def network(*first, shape=(4,), units=3, loss="sparse_categorical_crossentropy", dtype=None):
    last = layers.Dense(units, None if loss == "mse" else "softmax")
    model = Sequential([layers.Input(shape, dtype=dtype), *first, layers.Flatten(), last])
    model.compile("sgd", loss)
    return model


def fitted(model, *arguments, **options):
    """The history and what was warned of."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        history = model.fit(*arguments, verbose=0, check=True, **options)
    return history, [each for each in said if "Data check" in str(each.message)]


def kinds(history):
    return [each.kind for each in history.quality.findings]


class TestFindings:
    def test_each_is_told_once_with_its_remedy_where_fit_was_called(self, clean):
        x, y = clean
        x[:, 2], x[5], y[5] = 7, x[3], y[3]
        history, said = fitted(network(), x, y, validation_data=(x[:9], y[:9]), epochs=3)
        assert kinds(history) == ["leak", "constant", "duplicates"]
        for each, told in zip(history.quality.findings, said, strict=True):
            assert str(told.message).startswith(f"Data check: {each.text} Leave ")
        assert "(history.quality.of('leak').rows)" in str(said[0].message)
        assert all(each.filename == __file__ for each in said)
        assert history.quality.of("leak").rows.tolist() == list(range(9))

    def test_sound_data_pass_in_silence(self, clean):
        history, said = fitted(network(), *clean)
        assert history.quality.ok and history.quality.rows == ROWS and not said

    def test_it_is_off_unless_asked_for(self, clean):
        x, y = clean
        x[:, 2] = 7
        model = network()
        fitted(model, x, y)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            history = model.fit(x, y, verbose=0)
        assert history.quality is None

    def test_they_come_before_the_first_step(self, clean):
        """NaN are refused all the same; by then it was told what else is wrong."""
        x, y = clean
        x[:, 2], x[0, 1] = 7, np.nan
        model = network()
        before = model.get_weights()
        with (
            pytest.warns(UserWarning, match="1 value is missing: column 1"),
            pytest.warns(UserWarning, match="column 2"),
            pytest.raises(ValueError, match="x holds 1 values that are NaN"),
        ):
            model.fit(x, y, verbose=0, check=True)
        for value, now in zip(before, model.get_weights()):
            np.testing.assert_array_equal(value, now)

    @pytest.mark.parametrize("form", [np.asarray, pd.DataFrame, lambda x: {"input": x}])
    def test_rows_held_out_by_a_share_are_no_training_rows(self, clean, form):
        x, y = clean
        x[-1] = x[0]
        inputs = layers.Input((4,), name="input")
        model = Model(inputs, layers.Dense(3, "softmax")(inputs))
        model.compile("sgd", "sparse_categorical_crossentropy")
        history, _ = fitted(model, form(x), y, validation_split=0.1)
        assert kinds(history) == ["leak"] and history.quality.rows == 180
        assert history.quality.of("leak").rows.tolist() == [19]

    def test_columns_have_the_names_of_the_frame(self, clean):
        frame = pd.DataFrame(clean[0], columns=["age", "height", "weight", "id"])
        frame["id"] = clean[1].astype("f")
        history, _ = fitted(network(), frame, clean[1])
        assert history.quality.of("target leak").columns == ("id",)

    def test_several_inputs_are_looked_through_each(self, clean, rng):
        x, y = clean
        inputs = {name: layers.Input((4,), name=name) for name in ("a", "b")}
        joined = layers.Concatenate()([inputs["a"], inputs["b"]])
        model = Model(inputs, layers.Dense(3, "softmax")(joined))
        model.compile("sgd", "sparse_categorical_crossentropy")
        other = rng.normal(size=(ROWS, 4)).astype("f")
        other[:, 1] = 3
        history, _ = fitted(model, {"a": x, "b": other}, y)
        assert history.quality.of("constant").columns == ("b column 1",)
        assert kinds(history) == ["constant"]

    def test_texts_are_looked_through_as_they_were_given(self):
        texts, y = np.array([["good"], ["bad"]] * 40), np.array([1, 0] * 40)
        vectorize = layers.TextVectorization(output_mode="int", output_sequence_length=3)
        vectorize.adapt(texts)
        model = Sequential([vectorize, layers.Embedding(9, 4), layers.Flatten(), layers.Dense(2)])
        model.compile("sgd", "sparse_categorical_crossentropy")
        history, _ = fitted(model, texts, y)
        assert kinds(history) == ["target leak", "duplicates"]
        assert history.quality.cells == 80


class TestWhatIsNoMatter:
    def test_the_loss_says_what_targets_are(self, clean):
        x, _ = clean
        few = np.where(np.arange(ROWS) < 190, 1, 2).astype("f")
        assert "imbalance" in kinds(fitted(network(), x, few.astype(int))[0])
        assert kinds(fitted(network(units=1, loss="mse"), x, few)[0]) == []
        # Many classes with gaps between their numbers would be taken for values.
        many = np.concatenate([np.full(130, 90), 2 * np.arange(35), 2 * np.arange(35)])
        assert "imbalance" in kinds(fitted(network(units=91), x, many)[0])
        assert "imbalance" not in [each.kind for each in data.check(x, many).findings]

    @pytest.mark.parametrize(
        "given", [{"class_weight": {1: 0.1}}, {"sample_weight": np.ones(ROWS, "f")}], ids=str
    )
    def test_weights_are_the_remedy_of_imbalance(self, clean, given):
        y = np.where(np.arange(ROWS) < 190, 1, 2)
        assert kinds(fitted(network(), clean[0], y)[0]) == ["imbalance"]
        assert kinds(fitted(network(), clean[0], y, **given)[0]) == []

    @pytest.mark.parametrize(
        "first",
        [layers.Rescaling(1e-4), layers.BatchNormalization(), layers.LayerNormalization()],
        ids=lambda layer: layer.name,
    )
    def test_scales_that_a_layer_sees_to(self, clean, first):
        x, y = clean[0] * [1, 1, 1, 9000], clean[1]
        assert kinds(fitted(network(), x, y)[0]) == ["scale"]
        assert kinds(fitted(network(first), x, y)[0]) == []

    def test_numbers_of_words_have_no_scale_and_may_be_padded(self, rng):
        tokens = rng.integers(1, 1000, (ROWS, 6))
        tokens[:, -1] = 0
        model = network(layers.Embedding(1000, 4), shape=(6,), dtype="int32")
        assert kinds(fitted(model, tokens, rng.integers(0, 3, ROWS))[0]) == []


class Batches(PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return np.ones((4, 4), "f"), np.ones(4, int)


class TestBatches:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: iter([Batches()[0]]),
            Batches,
            lambda: data.read({"x": np.ones((8, 4)), "y": np.ones(8, int)}, target="y"),
        ],
        ids=["generator", "PyDataset", "stream"],
    )
    def test_they_are_refused_with_a_remedy(self, clean, make):
        with pytest.raises(ValueError, match=r"x must be an array.*np\.concatenate"):
            network().fit(make(), check=True)
        with pytest.raises(ValueError, match="validation_data must be an array"):
            network().fit(*clean, validation_data=make(), check=True)


@pytest.mark.filterwarnings("ignore:Data check")
@pytest.mark.parametrize("shape", [(10_000, 100), (1_000_000, 1)])
def test_a_million_cells_take_less_than_a_second(rng, shape):
    x, y = rng.normal(size=shape).astype("f"), rng.integers(0, 3, shape[0])
    inspection, model = Inspection(x, y, None), network(shape=shape[1:])
    times = []
    for _ in range(3):
        begin = time.process_time()
        found = inspection.look(model, len(x) * 9 // 10, weighted=False)
        times.append(time.process_time() - begin)
    assert found.cells == 1_000_000 and min(times) < 1

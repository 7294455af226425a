"""`cross_validate`: scores on unseen rows, nothing learned from them, an honest interval."""

import numpy as np
import pandas as pd
import pytest

from slipstream import data, layers
from slipstream.models import FeatureSpace, Sequential, cross_validate, ensemble
from slipstream.models.cross_validation import CrossValidation

ROWS = 60


@pytest.fixture
def rows(rng):
    x = rng.normal(size=(ROWS, 3)).astype("f") * 5 + 20
    return x, (x[:, 0] > 20).astype(int)


def network(*first):
    model = Sequential([*first, layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def test_a_layer_in_the_model_learns_from_the_training_rows_alone(rows):
    x, y = rows
    learned = []

    def build(train):
        scale = layers.Normalization()
        scale.adapt(train.x)
        learned.append(np.asarray(scale.adapt_mean.value))
        return network(scale)

    found = cross_validate(build, x, y, 3, epochs=1, batch_size=20, verbose=0)
    wanted = [train.x.mean(0) for train, _ in data.folds(x, y, 3)]
    np.testing.assert_allclose(learned, wanted, rtol=1e-5)
    assert len(found.scores) == 3 and set(found.mean) == {"loss", "accuracy"}
    assert found.train_rows.tolist() == [40] * 3 and found.held_rows.tolist() == [20] * 3


@pytest.mark.parametrize("form", ["layer", "function"])
def test_prepare_learns_from_the_training_rows_alone(rows, form):
    x, y = rows
    seen = []

    def prepare(part):
        mean = part.mean(0)
        return lambda values: (values - mean) / part.std(0)

    def build(train):
        seen.append(train)
        return network()

    chosen = layers.Normalization() if form == "layer" else prepare
    cross_validate(build, x, y, 3, prepare=chosen, epochs=1, batch_size=20, verbose=0)
    for part, (train, _) in zip(seen, data.folds(x, y, 3)):
        np.testing.assert_array_equal(part.rows, train.rows)
        np.testing.assert_allclose(part.x.mean(0), 0, atol=1e-4)
        np.testing.assert_allclose(part.x, prepare(train.x)(train.x), rtol=1e-3, atol=1e-3)
    if form == "layer":
        assert not chosen.built  # a copy learned, not the layer itself


def test_a_feature_space_is_learned_anew_in_each_fold(rng):
    cities = np.array([f"city {i % 12}" for i in range(48)])
    frame = pd.DataFrame({"size": rng.normal(size=48), "city": cities})
    groups = np.arange(48) % 12  # a city held out is unknown to its fold
    space = FeatureSpace({"size": "float_normalized", "city": "string_categorical"})
    widths = []

    def build(train):
        widths.append(train.x.shape[1])
        return network()

    cross_validate(
        build, frame, np.arange(48) // 12 % 2, 3, groups=groups, prepare=space, epochs=1, verbose=0
    )
    assert widths == [1 + 8 + 1] * 3  # the size, eight cities seen, and one place for others


def test_a_scaled_frame(rows):
    frame = pd.DataFrame(rows[0], columns=list("abc"))
    found = cross_validate(
        network, frame, rows[1], 2, prepare=layers.Normalization(), epochs=1, verbose=0
    )
    assert len(found.scores) == 2


def test_folds_are_those_of_an_ensemble(rows):
    done = ensemble(lambda: network(layers.Input((3,))), *rows, folds=3, epochs=1, verbose=0)
    for fold, (_, validation) in enumerate(data.folds(*rows, 3)):
        np.testing.assert_array_equal(np.flatnonzero(done.folds == fold), validation.rows)


def test_weights_go_with_their_rows(rows):
    x, _ = rows
    weight = np.arange(ROWS) % 2.0
    y = 3 * (1 - weight)  # wrong by 3 where nothing is weighed

    def build():
        model = Sequential([layers.Dense(1, kernel_initializer="zeros")])
        model.compile("sgd", "mse")
        return model

    fit = {"batch_size": 20, "epochs": 1, "verbose": 0}
    weighed = cross_validate(build, x, y, 3, sample_weight=weight, stratify=False, **fit)
    assert [each["loss"] for each in weighed.scores] == [0, 0, 0]
    assert min(each["loss"] for each in cross_validate(build, x, y, 3, **fit).scores) > 1


class TestInterval:
    def test_it_covers_the_truth_about_as_often_as_it_says(self, rng):
        """Scores of five folds vary together as shared training rows make them."""
        hits, trials = 0, 2000
        between = 0.25 / (1 + 0.25)  # correlation that the correction stands for
        for _ in range(trials):
            shared = rng.normal() * np.sqrt(between)
            scores = [{"loss": shared + rng.normal() * np.sqrt(1 - between)} for _ in range(5)]
            found = CrossValidation(scores, np.full(5, 80), np.full(5, 20))
            low, high = found.interval(0.9)["loss"]
            hits += low <= 0 <= high
        assert 0.87 < hits / trials < 0.93

    def test_printed(self):
        found = CrossValidation([{"loss": 1.0}, {"loss": 2.0}], np.full(2, 10), np.full(2, 10))
        assert found.mean == {"loss": 1.5}
        assert found.spread["loss"] == pytest.approx(0.5**0.5)
        assert "loss 1.5 ± 0.71 over the folds" in str(found)
        with pytest.raises(ValueError, match="between 0 and 1"):
            found.interval(95)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"k": 1}, ValueError, "k must lie"),
        ({"validation_split": 0.1}, ValueError, "leave validation_split out"),
        ({"build": lambda: None}, ValueError, "compiled model"),
        ({"prepare": lambda x: 3}, TypeError, "must give a function"),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else None,
)
def test_what_is_refused(rows, arguments, error, match):
    with pytest.raises(error, match=match):
        cross_validate(**{"build": network, "x": rows[0], "y": rows[1], "k": 3, **arguments})

"""`ensemble`: folds, predictions on unseen rows, and a mean that is one model."""

import numpy as np
import pandas as pd
import pytest

from slipstream import callbacks, layers, utils
from slipstream.models import Model, Sequential, ensemble, load_model

ROWS = 41


@pytest.fixture
def rows(rng):
    x = rng.normal(size=(ROWS, 3)).astype("f")
    return x, (x.sum(1) > 0).astype(int)


def classifier():
    model = Sequential(
        [layers.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(2, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_members_and_their_mean(rows, tmp_path):
    found = ensemble(classifier, *rows, folds=4, epochs=2, batch_size=16, verbose=0)
    x, y = rows
    assert len(found.members) == 4 and sorted(np.bincount(found.folds)) == [10, 10, 10, 11]
    for fold, member in enumerate(found.members):
        own = found.folds == fold
        np.testing.assert_allclose(
            found.out_of_fold[own], member.predict(x[own], verbose=0), rtol=1e-5
        )
        assert found.scores[fold] == member.evaluate(x[own], y[own], verbose=0, return_dict=True)
    hits = (found.out_of_fold.argmax(1) == y).mean()
    assert found.score["accuracy"] == pytest.approx(hits, abs=1e-6)
    mean = np.mean([member.predict(x, verbose=0) for member in found.members], 0)
    np.testing.assert_allclose(found.predict(x), mean, rtol=1e-5)
    assert set(found.evaluate(x, y, verbose=0, return_dict=True)) == {"loss", "accuracy"}
    assert str(found).startswith("Ensemble of 4 members.") and "accuracy" in str(found)
    found.save(tmp_path / "mean.keras")
    again = load_model(tmp_path / "mean.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0), mean, rtol=1e-5)
    assert len({tuple(m.get_weights()[0].ravel()) for m in found.members}) == 4


def test_each_class_is_in_every_fold(rows):
    x, _ = rows
    y = np.repeat([0, 1], [33, 8])
    places = ensemble(classifier, x, y, folds=4, epochs=1, verbose=0).folds
    assert [np.bincount(y[places == fold]).tolist()[1] for fold in range(4)] == [2, 2, 2, 2]
    again = ensemble(classifier, x, y, folds=4, epochs=1, verbose=0)
    np.testing.assert_array_equal(places, again.folds)
    other = ensemble(classifier, x, y, folds=4, epochs=1, verbose=0, seed=1)
    assert (places != other.folds).any()


def test_folds_of_the_users_own_weights_and_callbacks(rows):
    given = np.arange(ROWS) // 21
    seen = []

    def watch(fold):
        return [callbacks.LambdaCallback(on_train_end=lambda logs: seen.append((fold, set(logs))))]

    weight = np.ones(ROWS)
    weight[3] = 0.0  # whatever its label
    x, y = rows
    members = []
    for label in (0, 1):
        y[3] = label
        utils.set_random_seed(1)
        done = ensemble(
            classifier, x, y, folds=given, callbacks=watch, sample_weight=weight, epochs=1,
            batch_size=64, verbose=0,
        )  # fmt: skip
        members.append(done.members[1].get_weights())
    assert [fold for fold, _ in seen] == [0, 1, 0, 1]
    assert seen[0][1] == {"loss", "accuracy", "val_loss", "val_accuracy"}
    np.testing.assert_array_equal(done.folds, given)
    for a, b in zip(*members):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def several():
    a, b = layers.Input((2,), name="a"), layers.Input((1,), name="b")
    both = layers.Dense(3)(layers.Concatenate()([a, b]))
    model = Model({"a": a, "b": b}, {"up": layers.Dense(1)(both), "down": layers.Dense(2)(both)})
    model.compile("sgd", {"up": "mse", "down": "mae"})
    return model


def test_inputs_and_outputs_by_name(rows, tmp_path):
    x, _ = rows
    data = {"a": x[:, :2], "b": pd.DataFrame(x[:, 2:])}
    y = {"up": x[:, :1], "down": x[:, 1:]}
    found = ensemble(several, data, y, folds=3, epochs=1, verbose=0)
    outputs = found.predict(data)
    assert {name: value.shape for name, value in outputs.items()} == {
        "up": (41, 1),
        "down": (41, 2),
    }
    assert found.out_of_fold["down"].shape == (41, 2)
    for name in outputs:
        wanted = np.mean([m.predict(data, verbose=0)[name] for m in found.members], 0)
        np.testing.assert_allclose(outputs[name], wanted, rtol=1e-4, atol=1e-6)
    assert set(found.evaluate(data, y, verbose=0, return_dict=True)) >= {"loss"}
    found.save(tmp_path / "mean.keras")
    again = load_model(tmp_path / "mean.keras").predict(data, verbose=0)
    np.testing.assert_allclose(again["up"], outputs["up"], rtol=1e-5)


class Own(Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)


def test_members_with_a_call_of_their_own(rows):
    def build():
        model = Own()
        model.compile("sgd", "mse")
        return model

    x, _ = rows
    found = ensemble(build, x, x[:, :1], folds=2, epochs=1, verbose=0)
    wanted = np.mean([member.predict(x, verbose=0) for member in found.members], 0)
    np.testing.assert_allclose(found.predict(x), wanted, rtol=1e-5, atol=1e-6)


def test_names_repeat_and_go_on(rows):
    before = layers.Dense(1).name
    found = ensemble(classifier, *rows, folds=2, epochs=1, verbose=0)
    first, second = ([layer.name for layer in m.layers] for m in found.members)
    assert first == second and [m.name for m in found.members] == ["member_0", "member_1"]
    assert layers.Dense(1).name not in {before, *first}


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"folds": 1}, "folds must lie"),
        ({"folds": 42}, "folds must lie"),
        ({"folds": 2.5}, "folds must lie"),
        ({"folds": np.zeros(ROWS, int)}, "without a gap"),
        ({"folds": np.arange(ROWS) % 2 * 2}, "without a gap"),
        ({"folds": np.zeros(3, int)}, "one whole number for each"),
        ({"validation_split": 0.1}, "leave validation_split out"),
        ({"build": lambda: Sequential([layers.Dense(1)])}, "compiled model"),
        ({"build": lambda: None}, "compiled model"),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else None,
)
def test_what_is_refused(rows, arguments, match):
    with pytest.raises(ValueError, match=match):
        ensemble(**{"build": classifier, "x": rows[0], "y": rows[1], "folds": 3, **arguments})

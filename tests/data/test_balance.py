"""Balancing: classes count alike, nothing is made up, and only the seed decides."""

import numpy as np
import pandas as pd
import pytest

from slipstream import data, layers
from slipstream.models import Sequential

COUNTS = [70, 25, 5]


@pytest.fixture
def rows(rng):
    y = rng.permutation(np.repeat(np.arange(3), COUNTS))
    return np.arange(100.0)[:, None], y


@pytest.mark.parametrize("form", ["numbers", "column", "one-hot", "floats"])
def test_weights_make_classes_count_alike(rows, form):
    _, y = rows
    given = {"numbers": y, "column": y[:, None], "one-hot": np.eye(4)[y], "floats": y * 1.0}[form]
    found = data.class_weights(given)
    assert list(found) == [0, 1, 2]
    totals = [found[label] * count for label, count in enumerate(COUNTS)]
    assert totals == pytest.approx([100 / 3] * 3)


def test_fit_takes_the_weights(rows):
    """Of two classes 9 to 1, with weights neither is foretold rather than the other."""
    y = (np.arange(200) % 10 == 0).astype(int)
    model = Sequential([layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    x = np.zeros((200, 1))
    model.fit(x, y, epochs=2, verbose=0, class_weight=data.class_weights(y))
    assert model.predict(x[:1], verbose=0)[0, 0] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("how", "size"), [("over", 70), ("under", 5)])
def test_classes_have_as_many_rows(rows, how, size):
    x, y = rows
    found = data.balance(x, y, how)
    assert np.bincount(found.y).tolist() == [size] * 3 and found.sample_weight is None
    np.testing.assert_array_equal(found.x, x[found.rows])
    np.testing.assert_array_equal(found.y, y[found.rows])
    times = np.bincount(found.rows, minlength=100)
    if how == "under":
        assert times.max() == 1
    else:  # all of them, and of one class each as often or once more
        assert times.min() == 1
        for label in range(3):
            assert np.ptp(times[y == label]) <= 1
    assert len(set(found.y[:12].tolist())) > 1  # mixed


def test_weights_of_rows(rows):
    x, y = rows
    found = data.balance(x, y, "weights")
    assert found.rows.tolist() == list(range(100))
    assert found.sample_weight.mean() == pytest.approx(1)
    sums = np.bincount(y, found.sample_weight)
    assert sums == pytest.approx([100 / 3] * 3)


def test_the_seed_alone_decides(rows):
    one, again, other = (data.balance(*rows, "under", seed=seed).rows for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert sorted(one) != sorted(other)


def test_texts_and_frames_are_balanced_too(rows):
    frame = pd.DataFrame({"v": np.arange(100)})
    y = np.array(["common", "rare"])[(rows[1] == 2).astype(int)].tolist()
    found = data.balance(frame, y, "under")
    assert isinstance(found.x, pd.DataFrame) and sorted(found.y) == ["common"] * 5 + ["rare"] * 5


class TestBalanced:
    def test_batches_hold_each_class(self, rows):
        x, y = rows
        found = data.balanced(x, y, batch_size=12)
        batches = list(found.batches(seed=1, number=0))
        assert len(batches) == len(found) == 9 and sum(len(b[0]) for b in batches) == 100
        for part, labels in batches[:-1]:
            assert np.bincount(labels, minlength=3).tolist() == [4, 4, 4]
            np.testing.assert_array_equal(y[part[:, 0].astype(int)], labels)
        seen = np.bincount(np.concatenate([b[0][:, 0] for b in batches]).astype(int), minlength=100)
        for label in range(3):
            assert np.ptp(seen[y == label]) <= 1

    def test_order_follows_from_seed_and_pass(self, rows):
        found = data.balanced(*rows, batch_size=12)
        order = lambda *where: [b[0].tolist() for b in found.batches(*where)]  # noqa: E731
        assert order(1, 0) == order(1, 0) != order(1, 1) != order(2, 1)
        assert order(1, 1, 4) == order(1, 1)[4:]
        still = data.balanced(*rows, batch_size=12, shuffle=False)
        assert next(iter(still))[1].tolist() == [0, 1, 2] * 4

    def test_fit_takes_them(self, rows):
        x, y = rows
        model = Sequential([layers.Dense(3, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        history = model.fit(data.balanced(x / 100, y), epochs=2, verbose=0).history["loss"]
        assert len(history) == 2 and np.isfinite(history).all()


@pytest.mark.parametrize("function", [data.balance, data.balanced])
def test_values_have_no_classes(function):
    with pytest.raises(ValueError, match="no classes"):
        function(np.zeros((9, 1)), np.linspace(0, 1, 9))
    with pytest.raises(ValueError, match="y 3"):
        function(np.zeros((9, 1)), np.zeros(3))


def test_what_makes_no_sense_is_refused(rows):
    with pytest.raises(ValueError, match="how must be"):
        data.balance(*rows, "both")
    with pytest.raises(ValueError, match="Number the classes first"):
        data.class_weights(["a", "b", "a"])
    with pytest.raises(ValueError, match="no classes"):
        data.class_weights(np.linspace(0, 1, 9))

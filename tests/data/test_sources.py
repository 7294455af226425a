"""All data come in the same way, in a set order, and nothing is lost or invented."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.data.arrays import length, to_array, to_arrays
from slipstream.data.dataset import Place
from slipstream.data.parts.split import split_off
from slipstream.data.prefetch import prefetch
from slipstream.data.pydataset import PyDataset
from slipstream.data.sources import ArraySource, BatchSource, make_source, weigh_classes


@given(rows=st.integers(1, 60), batch=st.integers(1, 20), seed=st.integers(0, 5))
@settings(deadline=None, max_examples=60)
def test_every_row_is_in_an_epoch_once(rows, batch, seed):
    source = ArraySource(np.arange(rows), None, None, batch, shuffle=True)
    order = source.order(Place(seed))
    assert order.shape == (-(-rows // batch), batch)
    assert sorted(order[order >= 0].tolist()) == list(range(rows))
    assert (order.ravel()[rows:] == -1).all()
    assert source.partial == rows % batch


def test_order_follows_seed_and_step():
    source = ArraySource(np.arange(50), None, None, 8, shuffle=True)
    first = source.order(Place(1))
    np.testing.assert_array_equal(source.order(Place(1)), first)
    assert (source.order(Place(1, 1)) != first).any()
    assert (source.order(Place(2)) != first).any()
    shorter = ArraySource(np.arange(50), None, None, 8, shuffle=True, steps=3)
    place, parts = shorter.begin(1, 0), []
    for _ in range(6):
        parts.append(shorter.order(place))
        place = shorter.after(place)
    assert [len(part) for part in parts] == [3, 3, 1, 3, 3, 1] and place == (1, 2, 0)
    whole = [source.order(Place(1, number)) for number in (0, 1)]
    np.testing.assert_array_equal(np.concatenate(parts), np.concatenate(whole))
    plain = ArraySource(np.arange(50), None, None, 8).order(Place(1))
    np.testing.assert_array_equal(plain.ravel()[:50], np.arange(50))


def test_shuffling_whole_batches_keeps_them_together():
    order = ArraySource(np.arange(50), None, None, 8, shuffle="batch").order(Place(0))
    assert all((np.diff(row) == 1).all() for row in order[:-1])
    assert order[-1].tolist() == [48, 49, *[-1] * 6]


def test_types_become_those_of_a_network():
    assert to_array(np.ones(2), "x").dtype == np.float32
    assert to_array(np.ones(2, "int64"), "x").dtype == np.int32
    assert to_array(np.ones(2, "uint8"), "x").dtype == np.uint8
    assert to_array([[1, 2], [3, 4]], "x").shape == (2, 2)
    assert to_array(pd.Series([1.0, 2.0]), "x").shape == (2, 1)
    assert to_array(pd.DataFrame({"a": [1, 2], "b": [0.5, 1]}), "x").shape == (2, 2)
    mixed = np.array([[1, 2.5], [True, 4]], dtype=object)
    assert to_array(mixed, "x").dtype == np.float32


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: to_array(np.array(["a"]), "x"), TypeError, "x has the type"),
        (lambda: to_array(np.array([2**40]), "y"), ValueError, "y has whole numbers beyond 32"),
        (lambda: to_array([[1, 2], [3]], "x"), ValueError, "ragged"),
        (lambda: length({"a": np.ones(2), "b": np.ones(3)}), ValueError, r"\['a'\]: 2.*\['b'\]: 3"),
        (lambda: length(np.float32(1)), ValueError, "single number"),
        (lambda: make_source(None), ValueError, "x is None"),
        (lambda: make_source(np.ones((0, 3))), ValueError, r"no rows: its shape is \(0, 3\)"),
        (lambda: make_source(np.ones((2, 3)), batch_size=0), ValueError, "at least 1; got 0"),
        (lambda: make_source(iter([]), y=np.ones(2)), ValueError, "leave y=… out"),
        (lambda: make_source(iter([])).first(), ValueError, "gave no batch"),
        (lambda: make_source(iter([(1, 2, 3, 4)])).first(), ValueError, "4 parts"),
        (lambda: split_off(np.ones(4), None, None, 1.0), ValueError, "between 0 and 1; got 1.0"),
        (lambda: split_off(np.ones(1), None, None, 0.5), ValueError, "at least one"),
        (lambda: split_off(iter([]), None, None, 0.5), ValueError, "cannot be split"),
        (lambda: weigh_classes({"a": 1}, np.ones(2), None), ValueError, "got the key 'a'"),
        (lambda: weigh_classes({0: 1}, {"a": np.ones(2)}, None), ValueError, "one array y"),
    ],
)
def test_bad_data(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_class_weights_from_numbers_and_one_hot():
    weights = {0: 1.0, 2: 5.0}
    expected = [5.0, 1.0, 1.0]
    np.testing.assert_array_equal(weigh_classes(weights, np.array([2, 0, 1]), None), expected)
    np.testing.assert_array_equal(weigh_classes(weights, np.eye(3)[[2, 0, 1]], None), expected)
    given_weights = weigh_classes(weights, np.array([[2], [0], [1]]), np.array([2.0, 1, 1]))
    np.testing.assert_array_equal(given_weights, [10.0, 1.0, 1.0])


def test_a_generator_goes_on_where_the_last_epoch_ended_and_loses_no_batch():
    def endless():
        number = 0
        while True:
            yield np.full((1, 1), number)
            number += 1

    source = BatchSource(endless(), steps=3)
    assert source.first()[0][0, 0] == 0
    seen = [[int(x[0, 0]) for x, _, _ in source.epoch(Place(0))] for _ in range(2)]
    assert seen == [[0, 1, 2], [3, 4, 5]]


def test_a_pydataset_is_shuffled_by_seed_and_told_of_epochs():
    told = []

    class Data(PyDataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            return np.full((1, 1), index), np.zeros(1)

        def on_epoch_end(self):
            told.append("end")

    source = make_source(Data(), shuffle=True)
    assert source.steps == 6
    one = [int(x[0, 0]) for x, _, _ in source.epoch(Place(0))]
    other = [int(x[0, 0]) for x, _, _ in source.epoch(Place(0, 1))]
    assert sorted(one) == sorted(other) == list(range(6))
    assert one != other
    assert told == ["end", "end"]


def test_structures_keep_their_names():
    tree = to_arrays({"a": [1.0, 2.0], "b": (np.ones(2), np.ones((2, 1)))}, "x")
    assert tree["a"].dtype == np.float32
    assert tree["b"][1].shape == (2, 1)


def test_prefetch_keeps_order_raises_in_place_and_stops_early():
    assert list(prefetch(iter(range(20)))) == list(range(20))
    made = []

    def failing():
        yield 1
        raise KeyError("here")

    found = prefetch(failing())
    assert next(found) == 1
    with pytest.raises(KeyError, match="here"):
        next(found)

    def counting():
        for number in range(1000):
            made.append(number)
            yield number

    for item in prefetch(counting(), depth=2):
        if item == 3:
            break
    assert len(made) < 20

"""Datasets: passes, orders, and datasets made from datasets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream import layers, models, utils
from slipstream.data.dataset import Dataset, IndexedDataset, in_order
from slipstream.data.sources import make_source


def numbers(count=7):
    return Dataset.from_iterable(list(range(count)))


@given(st.integers(0, 9), st.integers(1, 4), st.integers(-1, 5), st.integers(0, 5))
def test_lengths_are_those_of_a_pass(count, size, taken, skipped):
    base = numbers(count)
    for dataset in (
        base.batch(size),
        base.batch(size, drop_remainder=True),
        base.take(taken),
        base.skip(skipped),
        base.repeat(3),
        base.shuffle(size),
        base.map(lambda x: x + 1),
        base.prefetch(2),
        base.cache(),
    ):
        assert len(dataset) == len(list(dataset)) == len(list(dataset)) == dataset.cardinality()
        assert dataset


def test_elements_of_derived_datasets():
    assert list(numbers().map(lambda x: x * 2)) == [0, 2, 4, 6, 8, 10, 12]
    pairs = numbers(3).map(lambda x: (x, -x)).map(lambda a, b: a + 10 * b, num_parallel_calls=-1)
    assert list(pairs) == [0, -9, -18]
    assert [b.tolist() for b in numbers(5).batch(2)] == [[0, 1], [2, 3], [4]]
    assert list(numbers(5).batch(2).unbatch()) == [0, 1, 2, 3, 4]
    assert list(numbers(2).repeat(2).skip(1).take(2).prefetch(1)) == [1, 0]
    parts = numbers(2).map(lambda x: ({"a": np.ones(2) * x}, "text")).batch(2)
    (first,) = list(parts)
    assert first[0]["a"].shape == (2, 2) and first[1].tolist() == ["text", "text"]
    with pytest.raises(TypeError, match="not known"):
        len(numbers(4).batch(2).unbatch())


def test_shuffling_differs_between_passes_and_repeats_with_a_seed():
    passes = [list(d) for d in [numbers(50).shuffle(50, seed=3)] for _ in range(2)]
    assert passes[0] != passes[1] and sorted(passes[0]) == sorted(passes[1]) == list(range(50))
    again = numbers(50).shuffle(50, seed=3)
    assert [list(again), list(again)] == passes
    near = list(numbers(50).shuffle(2, seed=0))
    assert max(place - value for place, value in enumerate(near)) < 50 and sorted(near)[-1] == 49
    assert all(value <= place + 1 for place, value in enumerate(near))


def test_a_cache_is_filled_once():
    made = []
    cached = numbers(3).map(lambda x: made.append(x) or x).cache()
    assert [list(cached) for _ in range(3)] == [[0, 1, 2]] * 3
    assert made == [0, 1, 2]


def test_threads_keep_the_order_pass_errors_on_and_stop_early():
    assert list(in_order(lambda x: x * x, range(30), 4)) == [x * x for x in range(30)]
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda x: 1 / (x - 5), range(30), 4))
    seen = []
    items = in_order(lambda x: seen.append(x) or x, range(1000), 2)
    assert next(items) == 0
    items.close()
    assert len(seen) < 20


def test_shuffled_examples_come_in_batches_of_their_own_in_each_pass():
    dataset = IndexedDataset(5, lambda i: (np.full(2, i), i), 2, shuffle=True, seed=1)
    one, two = [[(x[:, 0].tolist(), y.tolist()) for x, y in dataset] for _ in range(2)]
    assert [len(y) for _, y in one] == [2, 2, 1] and one != two
    assert all(x == y for x, y in one + two)
    assert sorted(row for _, y in one for row in y) == [0, 1, 2, 3, 4]


def test_split_dataset_gives_two_parts_of_anything():
    def lists(parts):
        return [list(part) for part in parts]

    assert lists(utils.split_dataset(np.arange(5), 0.6)) == [[0, 1, 2], [3, 4]]
    assert lists(utils.split_dataset([1, 2, 3, 4], right_size=1)) == [[1, 2, 3], [4]]
    left, right = utils.split_dataset((np.arange(4), {"b": np.arange(4) * 2}), 3, 1)
    assert [x for x, _ in left] == [0, 1, 2] and list(right) == [(3, {"b": 6})]
    left, right = utils.split_dataset(numbers(10), 4, 2, shuffle=True, seed=0)
    assert len(left) == 4 and len(right) == 2 and not set(left) & set(right)
    for arguments, message in (
        ({}, "left_size or right_size"),
        ({"left_size": 1.5}, "between 0 and 1"),
        ({"left_size": 5}, "from 1 to 4"),
        ({"left_size": 4, "right_size": 2}, "cannot be split into 4 and 2"),
    ):
        with pytest.raises(ValueError, match=message):
            utils.split_dataset(np.arange(5), **arguments)


def test_fit_takes_a_dataset(rng):
    x = rng.normal(size=(20, 3)).astype("f")
    y = x.sum(1, keepdims=True)
    dataset = Dataset.from_iterable(list(zip(x, y))).shuffle(20, seed=0).batch(8)
    source = make_source(dataset)
    assert source.steps == 3 and [len(b[0]) for b in source.epoch(source.begin(0, 0))] == [8, 8, 4]
    model = models.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(dataset, epochs=3, validation_data=dataset, verbose=0)
    assert history.history["loss"][2] < history.history["loss"][0]


WINDOWS = [
    ({"sequence_length": 3}, 20, 18, [0, 1, 2], [17, 18, 19]),
    ({"sequence_length": 3}, 10, 10, [0, 1, 2], [9, 10, 11]),
    ({"sequence_length": 3, "sequence_stride": 2}, 20, 9, [0, 1, 2], [16, 17, 18]),
    ({"sequence_length": 3, "sequence_stride": 2}, 10, 5, [0, 1, 2], [8, 9, 10]),
    ({"sequence_length": 3, "sampling_rate": 2}, 20, 16, [0, 2, 4], [15, 17, 19]),
    ({"sequence_length": 3, "start_index": 5}, 20, 13, [5, 6, 7], [17, 18, 19]),
    ({"sequence_length": 3, "start_index": 5, "end_index": 12}, 20, 5, [5, 6, 7], [9, 10, 11]),
    ({"sequence_length": 4, "sampling_rate": 2, "sequence_stride": 3}, 20, 5, [0, 2, 4, 6],
     [12, 14, 16, 18]),
    ({"sequence_length": 4, "sampling_rate": 2, "sequence_stride": 3}, 10, 4, [0, 2, 4, 6],
     [9, 11, 13, 15]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "goals", "count", "first", "last"), WINDOWS)
def test_windows_are_those_of_keras(arguments, goals, count, first, last):
    data, targets = np.arange(20.0), np.arange(goals) * 10
    (batch,) = utils.timeseries_dataset_from_array(data, targets, **arguments)
    assert batch[0].shape == (count, len(first))
    assert (batch[0][0].tolist(), batch[0][-1].tolist()) == (first, last)
    np.testing.assert_array_equal(batch[1], batch[0][:, 0] * 10)


def test_windows_of_vectors_in_batches_shuffled_and_alone():
    data = np.arange(24.0).reshape(12, 2)
    dataset = utils.timeseries_dataset_from_array(data, None, 3, batch_size=4)
    assert [b.shape for b in dataset] == [(4, 3, 2), (4, 3, 2), (2, 3, 2)] and len(dataset) == 3
    single = list(utils.timeseries_dataset_from_array(data, None, 3, batch_size=None))
    assert len(single) == 10 and single[4].tolist() == data[4:7].tolist()
    mixed = utils.timeseries_dataset_from_array(data, None, 3, shuffle=True, seed=2, batch_size=99)
    one, two = next(iter(mixed)), next(iter(mixed))
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(one[one[:, 0, 0].argsort()], np.stack(single))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sequence_length": 30}, "only 20 steps"),
        ({"sequence_length": 0}, "sequence_length must be"),
        ({"sequence_length": 3, "sequence_stride": 0}, "sequence_stride must be"),
        ({"sequence_length": 3, "start_index": 25}, "from 0 to 19; got 25"),
        ({"sequence_length": 3, "start_index": 5, "end_index": 5}, "from 6 to 20; got 5"),
        ({"sequence_length": 10, "sampling_rate": 5}, "No window fits: 20 steps"),
    ],
)
def test_windows_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        utils.timeseries_dataset_from_array(np.arange(20.0), None, **arguments)

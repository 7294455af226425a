"""Hugging Face's `IterableDataset`: examples one after the other, in batches, resumed in place."""

import numpy as np
import pytest

from slipstream.callbacks import BackupAndRestore, LambdaCallback
from slipstream.core.random import set_random_seed
from slipstream.data import read
from slipstream.layers import Dense, Input
from slipstream.models import Sequential

library = pytest.importorskip("datasets")
if not hasattr(library, "IterableDataset"):
    pytest.skip("Hugging Face datasets are not installed", allow_module_level=True)

ROWS = 11


def examples(**columns):
    numbers = range(ROWS)
    columns = columns or {
        "a": list(numbers),
        "b": [number / 2 for number in numbers],
        "y": [number % 2 for number in numbers],
    }
    return library.Dataset.from_dict(columns).to_iterable_dataset(num_shards=2)


def test_batches_are_those_of_the_dataset_that_knows_its_rows():
    known = library.Dataset.from_dict({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "t": ["x", "y", "z"]})
    for options in ({"columns": ["b"], "target": "a"}, {"target": "b"}, {"columns": "t"}):
        wanted = list(read(known, batch_size=2, **options))
        found = list(read(known.to_iterable_dataset(), batch_size=2, **options))
        assert len(wanted) == len(found) == 2
        for one, other in zip(wanted, found):
            np.testing.assert_equal(other, one)


def test_passes_are_shuffled_apart_and_begin_anywhere():
    stream = read(examples(), columns="a", batch_size=4, shuffle=8)
    passes = [[batch.tolist() for batch in stream.batches(3, number)] for number in (0, 1, 0)]
    assert passes[0] == passes[2] != passes[1]
    for each in passes:
        assert sorted(row for batch in each for row in batch) == list(range(ROWS))
    assert [b.tolist() for b in stream.batches(3, 1, skip=2)] == passes[1][2:]
    assert list(stream.batches(3, 1, skip=9)) == []
    own = read(examples().shuffle(seed=1, buffer_size=8), columns="a", batch_size=ROWS)
    (one,), (two,) = own.batches(0, 0), own.batches(0, 1)
    assert one.tolist() != two.tolist()


def test_columns_without_types_and_with_gaps():
    def made():
        for number in range(5):
            yield {"q": None if number == 3 else number, "v": [1.0, 2.0]}

    (one, two, three) = read(library.IterableDataset.from_generator(made), batch_size=2)
    assert one["v"].shape == (2, 2) and three["q"].tolist() == [4]
    np.testing.assert_array_equal(two["q"], [2, np.nan])


def test_what_cannot_be_read():
    with pytest.raises(ValueError, match="no examples"):
        read(examples().filter(lambda row: False))
    with pytest.raises(ValueError, match="no column 'z'"):
        read(examples(), target="z")
    with pytest.raises(ValueError, match="workers=2"):
        read(examples(), workers=2)
    with pytest.raises(ValueError, match="to_parquet"):
        read(examples()).cached("cache")
    with pytest.raises(TypeError, match="not known"):
        len(read(examples()))


def test_hosts_share_the_rows():
    shards = [read(examples(), columns="a", shard=(index, 2)) for index in (0, 1)]
    rows = [sorted(row for batch in shard for row in batch.tolist()) for shard in shards]
    assert not set(rows[0]) & set(rows[1]) and sorted(rows[0] + rows[1]) == list(range(ROWS))


class Killed(Exception):
    """Stands for a kill."""


def train(folder, seed, kill=None, **options):
    set_random_seed(seed)
    seen, taken = [], []

    def see(x, y):
        seen.append(x[:, 0].tolist())
        return x, y

    def count(batch, logs):
        taken.append(batch)
        if len(taken) == kill:
            raise Killed

    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse")
    stream = read(examples(), target="y", batch_size=3, shuffle=6).map(see)
    keep = [LambdaCallback(on_train_batch_end=count), BackupAndRestore(folder, save_freq=1)]
    try:
        model.fit(stream, epochs=3, verbose=0, callbacks=keep, **options)
    except Killed:
        return None
    return seen[1:], [v.numpy() for v in model.variables]  # the first one built the model


@pytest.mark.filterwarnings("ignore:The data ended after")
@pytest.mark.parametrize("options", [{}, {"steps_per_epoch": 3}])
def test_a_resumed_run_sees_the_next_example(options, tmp_path):
    seen, weights = train(tmp_path / "whole", 1, **options)
    assert len(seen) == (7 if options else 12)  # epochs of 3, 1 and 3 batches, or of 4
    assert train(tmp_path / "killed", 1, kill=6, **options) is None
    rest, found = train(tmp_path / "killed", 2, **options)
    assert rest[5 - len(seen) :] == seen[5:]  # the last step before the kill was not saved
    for one, other in zip(found, weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_fit_cuts_examples_into_batches():
    model = Sequential([Input((3,)), Dense(1)])
    model.compile("sgd", "mse")
    found = model.predict(examples(), batch_size=4, verbose=0)
    numbers = np.arange(ROWS, dtype="float32")
    x = np.stack([numbers, numbers / 2, numbers % 2], 1)
    np.testing.assert_allclose(found, model.predict(x, verbose=0), rtol=1e-5)

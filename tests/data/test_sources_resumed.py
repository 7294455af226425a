"""A killed run goes on with the next example of whatever kind of batches it was given."""

import numpy as np
import pytest

from slipstream import utils
from slipstream.callbacks import BackupAndRestore, LambdaCallback
from slipstream.core.random import set_random_seed
from slipstream.data.dataset import Dataset, IndexedDataset, Place
from slipstream.data.sources import BatchSource
from slipstream.layers import Dense, Input
from slipstream.models import Sequential
from slipstream.optimizers import SGD

EPOCHS, STEPS, ROWS, SIZE = 3, 5, 18, 4


class Killed(Exception):
    """Stands for a kill."""


class Seen(list):
    """The batches that were made, told from the rows in them."""

    def __call__(self, x, y):
        self.append(np.ravel(x).astype(int).tolist())
        return x, y


def example(number):
    return np.float32([number]), np.float32([np.sin(number)])


def batches(skip=0):
    for at in range(skip * SIZE, ROWS, SIZE):
        x = np.arange(at, min(at + SIZE, ROWS), dtype="float32")[:, None]
        yield x, np.sin(x)


class Reiterable:
    """What a DataLoader and a tf.data pipeline are: gone through from the first batch only."""

    def __init__(self, seen, known):
        self.seen = seen
        if known:
            self.num_batches = STEPS

    def __iter__(self):
        return (self.seen(*batch) for batch in batches())


class Own(utils.PyDataset):
    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def __len__(self):
        return STEPS

    def __getitem__(self, index):
        return self.seen(*next(batches(index)))


def endless(seen):
    number = 0
    while True:
        x = np.arange(number, number + SIZE, dtype="float32")[:, None]
        yield seen(x, np.sin(x))
        number += SIZE


def files(seen, tmp_path):
    for number in range(ROWS):
        folder = tmp_path / "files" / str(number % 2)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_text(str(number))
    dataset = utils.text_dataset_from_directory(tmp_path / "files", batch_size=SIZE, verbose=False)

    def numbers(x, y):
        x = np.array([[float(text)] for text in x], "float32")
        return x, np.sin(x)

    return dataset.map(numbers).prefetch(2).map(seen)


def data_loader():
    data = pytest.importorskip("torch").utils.data
    return data.DataLoader([example(number) for number in range(ROWS)], batch_size=SIZE)


def tf_data():
    tf = pytest.importorskip("tensorflow")
    x = np.arange(ROWS, dtype="float32")[:, None]
    return tf.data.Dataset.from_tensor_slices((x, np.sin(x))).batch(SIZE)


SERIES = np.arange(ROWS + 2, dtype="float32")
# What `fit` is given, and which arguments go with it.
KINDS = {
    "reiterable": lambda seen, path: (Reiterable(seen, True), {}),
    "reiterable of unknown length": lambda seen, path: (Reiterable(seen, False), {}),
    "generator": lambda seen, path: (endless(seen), {"steps_per_epoch": STEPS}),
    "DataLoader": lambda seen, path: (data_loader(), {}),
    "tf.data": lambda seen, path: (tf_data(), {}),
    "PyDataset": lambda seen, path: (Own(seen), {}),
    "files": lambda seen, path: (files(seen, path), {}),
    "shuffled": lambda seen, path: (
        IndexedDataset(ROWS, example, None).shuffle(7).batch(SIZE).map(seen), {}
    ),
    "shuffled, repeated": lambda seen, path: (
        IndexedDataset(ROWS, example, None).shuffle(7).repeat().batch(SIZE).map(seen),
        {"steps_per_epoch": STEPS},
    ),
    "of unknown length": lambda seen, path: (
        IndexedDataset(ROWS, example, SIZE, shuffle=True).unbatch().batch(SIZE).map(seen), {}
    ),
    "windows": lambda seen, path: (
        utils.timeseries_dataset_from_array(
            SERIES[:, None], np.sin(SERIES), 1, batch_size=SIZE, shuffle=True
        ).map(lambda x, y: seen(x[:, 0], y[:, None])),
        {"steps_per_epoch": 3},
    ),
}  # fmt: skip
pytestmark = pytest.mark.filterwarnings("ignore:The data ended after")
EACH_KIND = pytest.mark.parametrize("kind", KINDS)


def run(kind, path, backups, seed, kill=None):
    """Batches that were trained on, and the final state; None for it if the run was killed."""
    set_random_seed(seed)
    seen, taken = Seen(), []
    data, arguments = KINDS[kind](seen, path)
    model = Sequential([Input((1,)), Dense(1)])
    model.compile(SGD(0.001, momentum=0.9), "mse")

    def count(batch, logs):
        taken.append(batch)
        if len(taken) == kill:
            raise Killed

    keep = [LambdaCallback(on_train_batch_end=count), BackupAndRestore(backups, save_freq=1)]
    try:
        model.fit(data, epochs=EPOCHS, verbose=0, callbacks=keep, **arguments)
    except Killed:
        return seen, len(taken), None
    values = [v.numpy() for v in (*model.variables, *model.optimizer.variables)]
    return seen, len(taken), values


@EACH_KIND
@pytest.mark.parametrize(
    "at", [STEPS + 2, *(pytest.param(at, marks=pytest.mark.long) for at in (3, STEPS))]
)
def test_a_resumed_run_ends_as_an_uninterrupted_one(kind, at, tmp_path):
    _, steps, wanted = run(kind, tmp_path, tmp_path / "whole", 1)
    run(kind, tmp_path, tmp_path / "killed", 1, kill=at + 1)  # the last step is not saved
    _, left, found = run(kind, tmp_path, tmp_path / "killed", 2)
    assert left == steps - at
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_orders_of_a_folder_are_those_of_the_run(tmp_path):
    """The very batches, in each pass another order, and nothing read that is left out."""
    seen, _, _ = run("files", tmp_path, tmp_path / "whole", 1)
    whole = seen[-EPOCHS * STEPS :]
    passes = [whole[at : at + STEPS] for at in range(0, len(whole), STEPS)]
    for each in passes:
        assert sorted(row for batch in each for row in batch) == list(range(ROWS))
    assert passes[0] != passes[1] != passes[2]
    run("files", tmp_path, tmp_path / "killed", 1, kill=STEPS + 3)
    resumed, _, _ = run("files", tmp_path, tmp_path / "killed", 2)
    assert resumed[-(EPOCHS * STEPS - STEPS - 2) :] == whole[STEPS + 2 :]
    assert len(resumed) <= EPOCHS * STEPS - STEPS - 2 + 4  # what building the model looked at


def test_a_generator_that_stands_where_it_was_left_is_not_gone_through_again():
    seen = Seen()
    source = BatchSource(endless(seen), 2)
    first = [x[0, 0] for x, _, _ in source.epoch(Place(0))]
    again = BatchSource(source.batches, 2)
    second = [x[0, 0] for x, _, _ in again.epoch(Place(0, 0, 1), skip=1)]
    assert (first, second) == ([0, SIZE], [2 * SIZE, 3 * SIZE])
    fresh = BatchSource(endless(seen), 2)
    assert fresh.first()[0][0, 0] == 0  # building the model takes one, which is not lost
    assert [x[0, 0] for x, _, _ in fresh.epoch(Place(0, 0, 2))] == [2 * SIZE, 3 * SIZE]


def epochs(source, place, skip=0, count=7):
    """Where so many epochs begin, and the batches of each."""
    found = []
    for _ in range(count):
        given = [np.ravel(x).tolist() for x, _, _ in source.epoch(place, skip)]
        found.append((source.begun or place, given))  # it may begin with the next pass
        place, skip = source.after(place if source.begun is None else source.begun), 0
    return found


ANY_BEGIN = ("reiterable", "reiterable of unknown length", "PyDataset", "shuffled",
             "of unknown length", "windows", "generator")  # fmt: skip


@pytest.mark.parametrize("steps", [1, 2, 3, STEPS, STEPS + 2])
@pytest.mark.parametrize("kind", ANY_BEGIN)
def test_epochs_of_any_length_begin_anywhere_as_if_they_had_come_there(kind, steps, tmp_path):
    whole = epochs(BatchSource(KINDS[kind](Seen(), tmp_path)[0], steps), Place(5))
    lengths = [len(given) for _, given in whole]
    if kind == "generator":
        assert lengths == [steps] * 7
    else:
        passes = -(-STEPS // steps)  # each in so many epochs
        assert lengths == (([steps] * (passes - 1) + [STEPS - steps * (passes - 1)]) * 7)[:7]
        rows = [row for _, given in whole[:passes] for batch in given for row in batch]
        assert len(set(rows)) == len(rows) >= ROWS
    for number, (place, given) in enumerate(whole):
        for skip in range(len(given) + 1):
            source = BatchSource(KINDS[kind](Seen(), tmp_path)[0], steps)
            found = [batch for _, batch in epochs(source, place, skip, 7 - number)]
            assert found == [given[skip:], *(each for _, each in whole[number + 1 :])]


def test_a_dataset_shorter_than_it_says_ends():
    source = BatchSource(Dataset(lambda: iter([np.zeros((2, 1))] * 2), 5))
    assert len(list(source.epoch(Place(0)))) == 2
    assert source.after(Place(0)) == Place(0, 1)


numbers = IndexedDataset(11, lambda i: i, None, shuffle=True)
DERIVED = {
    "itself": numbers,
    "batches": IndexedDataset(11, lambda i: i, 3, shuffle=True),
    "map": numbers.map(lambda x: x + 1),
    "map in threads": numbers.map(lambda x: x + 1, num_parallel_calls=2),
    "prefetch": numbers.prefetch(1),
    "cache": numbers.cache(),
    "take": numbers.take(6),
    "skip": numbers.skip(4),
    "repeat": numbers.repeat(3),
    "repeat of unknown length": numbers.batch(2).unbatch().repeat(2),
    "shuffle": numbers.shuffle(4),
    "batch": numbers.batch(3, drop_remainder=True),
    "unbatch": numbers.batch(2).unbatch(),
}


@pytest.mark.parametrize("kind", DERIVED)
def test_a_dataset_begins_anywhere_as_if_it_had_come_there(kind):
    dataset = DERIVED[kind]

    def plain(place):
        return [np.asarray(element).tolist() for element in dataset.at(place)]

    for number in (0, 3):
        whole = plain(Place(5, number))
        for skip in (0, 1, 3, len(whole), len(whole) + 1):
            assert plain(Place(5, number, skip)) == whole[skip:]
    same = kind == "cache"
    assert (plain(Place(5, 0)) == plain(Place(5, 1))) == same
    if not same:
        assert plain(Place(5, 0)) != plain(Place(6, 0))

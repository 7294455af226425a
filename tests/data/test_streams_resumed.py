"""A killed run goes on with the next rows of its stream, and ends in the same weights."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slipstream.callbacks import BackupAndRestore, LambdaCallback
from slipstream.core.random import set_random_seed
from slipstream.data import read
from slipstream.layers import Dense, Dropout, Input
from slipstream.models import Sequential

EPOCHS, STEPS = 4, 7  # 100 rows in batches of 16


class Killed(Exception):
    """Stands for a kill."""


class Run:
    """A training on a stream of a Parquet file, with the rows that each step took."""

    def __init__(self, path, backups, seed, kill=None, save_freq="epoch", steps=None):
        set_random_seed(seed)
        self.taken = 0
        stream = read(path, target="y", shuffle=True, batch_size=16)
        self.model = Sequential([Input((1,)), Dense(8, activation="relu"), Dropout(0.5), Dense(1)])
        self.model.compile("adam", "mse")
        self.batches = []
        watch = LambdaCallback(on_train_batch_end=self.step(kill))
        keep = BackupAndRestore(backups, save_freq=save_freq)
        stream = stream.map(self.see)
        try:
            history = self.model.fit(
                stream, epochs=EPOCHS, steps_per_epoch=steps, verbose=0, callbacks=[watch, keep]
            )
            self.epochs = history.epoch
        except Killed:
            pass
        self.seen = self.batches[1:]  # the first one built the model

    def see(self, x, y):
        self.batches.append(x[:, 0].astype(int).tolist())
        return x, y

    def step(self, kill):
        def count(batch, logs):
            self.taken += 1
            if self.taken == kill:
                raise Killed

        return count

    def weights(self):
        return [v.numpy() for v in (*self.model.variables, *self.model.optimizer.variables)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    place = tmp_path_factory.mktemp("data") / "t.parquet"
    x = np.arange(100)
    pq.write_table(pa.table({"x": x, "y": np.sin(x)}), place, row_group_size=13)
    return place


@pytest.fixture(scope="module")
def whole(path, tmp_path_factory):
    run = Run(path, tmp_path_factory.mktemp("whole"), 1)
    assert len(run.seen) == EPOCHS * STEPS
    assert all(
        sorted(row for batch in run.seen[at : at + STEPS] for row in batch) == list(range(100))
        for at in range(0, EPOCHS * STEPS, STEPS)
    )
    return run


@pytest.mark.parametrize(
    ("kill", "save_freq", "begin"),
    [
        (2 * STEPS, "epoch", STEPS),  # at the last step of an epoch that was not saved
        (2 * STEPS + 1, "epoch", 2 * STEPS),
        (2 * STEPS + 4, "epoch", 2 * STEPS),
        (2 * STEPS + 4, 1, 2 * STEPS + 3),
        (2 * STEPS + 5, 3, 2 * STEPS + 4),
        (2 * STEPS + 1, 7, 2 * STEPS),  # saved at the last batch of an epoch
    ],
)
def test_a_resumed_run_sees_the_next_rows(kill, save_freq, begin, path, whole, tmp_path):
    Run(path, tmp_path, 1, kill, save_freq)
    resumed = Run(path, tmp_path, 2, save_freq=save_freq)
    assert resumed.seen == whole.seen[begin:]
    assert resumed.epochs[0] == begin // STEPS
    for left, right in zip(resumed.weights(), whole.weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_run_killed_twice_in_one_epoch(path, whole, tmp_path):
    Run(path, tmp_path, 1, STEPS + 3, 1)
    Run(path, tmp_path, 2, 3, 1)
    resumed = Run(path, tmp_path, 3, save_freq=1)
    assert resumed.seen == whole.seen[STEPS + 4 :]
    for left, right in zip(resumed.weights(), whole.weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.filterwarnings("ignore:The data ended after")
def test_epochs_that_are_no_passes_go_on_too(path, tmp_path):
    steps = 5
    first = Run(path, tmp_path / "a", 1, steps=steps)
    assert len(first.seen) == 2 * STEPS  # 5, 2, 5 and 2
    Run(path, tmp_path / "b", 1, 2 * steps + 2, 1, steps=steps)
    resumed = Run(path, tmp_path / "b", 2, save_freq=1, steps=steps)
    assert resumed.seen == first.seen[2 * steps + 1 :]
    for left, right in zip(resumed.weights(), first.weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("kind", ["arrays", "batches"])
def test_arrays_and_batches_go_on_within_an_epoch_too(kind, tmp_path):
    x = np.arange(100, dtype=np.float32)[:, None]
    y = np.sin(x)

    def train(seed, kill=None, folder="backups"):
        set_random_seed(seed)
        model = Sequential([Input((1,)), Dense(4, activation="relu"), Dropout(0.5), Dense(1)])
        model.compile("adam", "mse")
        taken = []

        def count(batch, logs):
            taken.append(batch)
            if len(taken) == kill:
                raise Killed

        keep = [
            LambdaCallback(on_train_batch_end=count),
            BackupAndRestore(tmp_path / folder, save_freq=2),
        ]
        data = [x, y] if kind == "arrays" else [[(x[i : i + 16], y[i : i + 16]) for i in STARTS]]
        if kind == "batches":
            data = [Batches(data[0])]
        try:
            model.fit(*data, epochs=3, batch_size=16, verbose=0, callbacks=keep)
        except Killed:
            return None
        return [v.numpy() for v in (*model.variables, *model.optimizer.variables)], len(taken)

    wanted, _ = train(1, folder="other")
    train(1, kill=12)
    found, taken = train(2)
    assert taken == 3 * STEPS - 10
    for left, right in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(left, right)


STARTS = range(0, 100, 16)


class Batches:
    """Batches that can be gone through again."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)

    def __len__(self):
        return len(self.batches)

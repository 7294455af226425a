"""A killed run passes over what could not be read before, and names it as a whole run does."""

import contextlib
import warnings
from itertools import islice

import numpy as np
import pytest

from slipstream.callbacks import BackupAndRestore, LambdaCallback
from slipstream.core.random import set_random_seed
from slipstream.data import read
from slipstream.data.dataset import Place
from slipstream.layers import Dense, Input
from slipstream.models import Sequential
from slipstream.optimizers import SGD

EPOCHS, FILES, BAD = 2, 12, (2, 3, 8)
GOOD = FILES - len(BAD)


class Killed(Exception):
    """Stands for a kill."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("texts")
    for number in range(FILES):
        text = b"\xff\xfe damaged" if number in BAD else str(number).encode()
        (place / f"{number:02}.txt").write_bytes(text)
    return place


def numbers(texts):
    x = np.array([[float(text)] for text in texts], "float32")
    return x, np.sin(x)


# What is trained on, and the arguments that go with it; each file is a batch.
KINDS = {
    "in order": lambda stream: (stream(False), {}),
    "shuffled": lambda stream: (stream(True), {}),
    "prefetch": lambda stream: (stream(True).prefetch(2), {}),
    "map in threads": lambda stream: (
        stream(True).prefetch(2).map(lambda x, y: (x, y), num_parallel_calls=2), {}
    ),
    "repeat": lambda stream: (stream(True).repeat(), {"steps_per_epoch": 5}),
    "take": lambda stream: (stream(True).skip(1).take(9), {}),
    "shuffle": lambda stream: (stream(False).shuffle(4), {}),
    "of unknown length": lambda stream: (stream(True).unbatch().batch(2), {}),
    "cut into epochs": lambda stream: (stream(True), {"steps_per_epoch": 7}),
}  # fmt: skip


class Run:
    """A training with the rows of each step, what was found to be bad, and what was told."""

    def __init__(self, kind, folder, backups, seed, kill=None):
        set_random_seed(seed)
        made = []

        def stream(shuffle):
            return read(folder, batch_size=1, shuffle=shuffle).map(numbers)

        data, arguments = KINDS[kind](stream)
        data = data.map(lambda x, y: made.append(x[:, 0].astype(int).tolist()) or (x, y))
        self.model = Sequential([Input((1,)), Dense(1)])
        self.model.compile(SGD(0.001, momentum=0.9), "mse")
        self.steps = []

        def count(batch, logs):
            self.steps.append(batch)
            if len(self.steps) == kill:
                raise Killed

        watch = [LambdaCallback(on_train_batch_end=count), BackupAndRestore(backups, save_freq=1)]
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            with contextlib.suppress(Killed):
                self.model.fit(data, epochs=EPOCHS, verbose=0, callbacks=watch, **arguments)
        self.bad = sorted(data.bad)
        self.said = [str(each.message) for each in said]
        self.told = [text for text in self.said if "could not be read" in text]
        self.made = made

    def weights(self):
        return [v.numpy() for v in (*self.model.variables, *self.model.optimizer.variables)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_ends_as_an_uninterrupted_one(kind, folder, tmp_path):
    whole = Run(kind, folder, tmp_path / "whole", 1)
    assert len(whole.steps) > 6
    for at in range(1, len(whole.steps), 3):
        backups = tmp_path / str(at)
        Run(kind, folder, backups, 1, kill=at + 1)  # the last step is not saved
        resumed = Run(kind, folder, backups, 2)
        assert len(resumed.steps) == len(whole.steps) - at
        assert resumed.made[-len(resumed.steps) :] == whole.made[-len(resumed.steps) :]
        for one, other in zip(resumed.weights(), whole.weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_run_killed_twice_in_one_epoch(folder, tmp_path):
    whole = Run("shuffled", folder, tmp_path / "whole", 1)
    Run("shuffled", folder, tmp_path / "killed", 1, kill=GOOD - 4)
    Run("shuffled", folder, tmp_path / "killed", 2, kill=3)
    resumed = Run("shuffled", folder, tmp_path / "killed", 3)
    assert len(resumed.steps) == len(whole.steps) - GOOD + 3
    for one, other in zip(resumed.weights(), whole.weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_was_bad_before_is_named_at_the_end_of_the_epoch(folder, tmp_path):
    """The resumed run reads none of the files before its place, and knows them all the same."""
    whole = Run("in order", folder, tmp_path / "whole", 1)
    Run("in order", folder, tmp_path / "killed", 1, kill=EPOCHS * GOOD - 1)
    resumed = Run("in order", folder, tmp_path / "killed", 2)
    assert len(resumed.steps) == 2
    assert resumed.bad == whole.bad and len(whole.bad) == len(BAD)
    assert resumed.told == whole.told[:1]
    assert all(f"{number:02}.txt" in whole.told[0] for number in BAD)


def test_lost_batches_are_no_batches_that_are_missing(folder, tmp_path):
    """An epoch of 7 places, the next of 5: the data end there, and only that is told."""
    whole = Run("cut into epochs", folder, tmp_path / "whole", 1)
    Run("cut into epochs", folder, tmp_path / "killed", 1, kill=GOOD - 1)
    resumed = Run("cut into epochs", folder, tmp_path / "killed", 2)
    ended = [text for text in whole.said if "The data ended" in text]
    assert ended == ["The data ended after 5 of an epoch's 7 batches" + ended[0][46:]]
    assert [text for text in resumed.said if "The data ended" in text] == ended


def test_a_backup_of_before_has_no_list_of_files(folder, tmp_path):
    """Such a backup counts steps in the place of places, and is read as it was then."""
    Run("in order", folder, tmp_path, 1, kill=6)
    path = tmp_path / "latest.npz"
    with np.load(path) as backup:
        members = {name: backup[name] for name in backup.files if name != "bad"}
        assert "bad" in backup.files
    np.savez(path, **members)
    resumed = Run("in order", folder, tmp_path, 2)
    assert len(resumed.steps) == EPOCHS * GOOD - 5
    assert len(resumed.bad) == 3  # those of the next epoch


@pytest.mark.parametrize("bad", [b"{", b"[1]", b'[["a"]]'], ids=["no JSON", "no list", "no pair"])
def test_a_damaged_list_of_files_is_a_damaged_backup(bad, folder, tmp_path):
    Run("in order", folder, tmp_path, 1, kill=6)
    path = tmp_path / "latest.npz"
    with np.load(path) as backup:
        members = {name: backup[name] for name in backup.files}
    np.savez(path, **{**members, "bad": np.frombuffer(bad, np.uint8)})
    with pytest.raises(ValueError, match=r"latest\.npz' is damaged"):
        Run("in order", folder, tmp_path, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_datasets_keep_the_places_of_what_is_lost(kind, folder):
    data, _ = KINDS[kind](lambda shuffle: read(folder, batch_size=1, shuffle=shuffle).map(numbers))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = list(islice(data.places(0, 1), FILES))
        given = [x[0] for x, _ in islice(data.at(Place(0, 1)), 5)]
        assert given == [each[0][0] for each in whole if each is not None][:5]
        for skip in range(len(whole)):
            found = list(islice(data.places(0, 1, skip), FILES - skip))
            assert [each is None for each in found] == [each is None for each in whole[skip:]]
    assert len(data.bad) >= sum(each is None for each in whole) > 0 or kind == "of unknown length"

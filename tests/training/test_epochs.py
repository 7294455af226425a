"""Epochs of fewer or more batches than the data have: those of Keras, whatever the data come in."""

import os
import warnings

import keras
import numpy as np
import pytest

import slipstream
from slipstream.callbacks import BackupAndRestore
from slipstream.data import read
from slipstream.data.dataset import Dataset

BATCHES, SIZE = 5, 2  # all rows of a batch hold its number
X = np.repeat(np.arange(BATCHES, dtype="float32"), SIZE)[:, None]
Y = np.zeros_like(X)


def batches():
    return ((X[at : at + SIZE], Y[at : at + SIZE]) for at in range(0, len(X), SIZE))


class Again:
    """Can be gone through again, and does not tell how long it is."""

    def __iter__(self):
        return batches()


class Counted(Again):
    """Tells how long it is, as a DataLoader does."""

    def __len__(self):
        return BATCHES


def own(lib):
    class Own(lib.utils.PyDataset):
        def __len__(self):
            return BATCHES

        def __getitem__(self, index):
            return X[index * SIZE : (index + 1) * SIZE], Y[index * SIZE : (index + 1) * SIZE]

    return Own()


def endless():
    number = 0
    while True:
        yield np.full((SIZE, 1), number, "float32"), Y[:SIZE]
        number += 1


def loader():
    data = pytest.importorskip("torch").utils.data
    return data.DataLoader(list(zip(X, Y)), batch_size=SIZE)


def tf_data(lib, *, known=True, repeat=False):
    tf = pytest.importorskip("tensorflow")
    made = tf.data.Dataset.from_tensor_slices((X, Y)).batch(SIZE)
    if not known:
        made = made.filter(lambda x, y: True)
    return made.repeat() if repeat else made


# What Keras takes as well.
SHARED = {
    "arrays": lambda lib: X,
    "PyDataset": own,
    "endless": lambda lib: endless(),
    "DataLoader": lambda lib: loader(),
    "tf.data": tf_data,
    "tf.data of unknown length": lambda lib: tf_data(lib, known=False),
    "tf.data, repeated": lambda lib: tf_data(lib, repeat=True),
}
# What only we take: as Keras does with a PyDataset.
OURS = {
    "iterable": lambda: Counted(),
    "iterable of unknown length": lambda: Again(),
    "Dataset": lambda: Dataset(batches, BATCHES),
    "Dataset of unknown length": lambda: Dataset(batches),
    "Stream": lambda: read({"x": X[:, 0], "y": Y[:, 0]}, target="y", batch_size=SIZE),
}


def model_of(lib):
    model = lib.Sequential(
        [lib.Input((1,)), lib.layers.Dense(1, use_bias=False, kernel_initializer="ones")]
    )
    model.compile(lib.optimizers.SGD(0.0), "mae")
    return model


@pytest.fixture(scope="module")
def models():
    """A model of each library, for all tests: whatever it was trained on before must not count."""
    return {lib: model_of(lib) for lib in (keras, slipstream)}


def seen_by(lib):
    class Seen(lib.callbacks.Callback):
        """The numbers of the batches of each epoch, told from the means of the loss."""

        def __init__(self):
            super().__init__()
            self.epochs = []

        def on_epoch_begin(self, epoch, logs=None):
            self.epochs.append([])

        def on_train_batch_end(self, batch, logs=None):
            before = sum(self.epochs[-1])
            self.epochs[-1].append(round(logs["loss"] * (batch + 1)) - before)

    return Seen()


def given(model, lib, data, steps=None, epochs=4):
    """Batches of each epoch, and what was warned of."""
    seen = seen_by(lib)
    arguments = {"y": Y, "batch_size": SIZE} if isinstance(data, np.ndarray) else {}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.fit(
            data, epochs=epochs, steps_per_epoch=steps, verbose=0, callbacks=[seen],
            shuffle=False, **arguments,
        )  # fmt: skip
    return seen.epochs, [str(each.message) for each in said if "data" in str(each.message)]


EACH_LENGTH = pytest.mark.parametrize("steps", [3, BATCHES, 7])


@EACH_LENGTH
@pytest.mark.parametrize("kind", SHARED)
def test_epochs_hold_the_batches_that_keras_gives_them(kind, steps, models):
    theirs, they_said = given(models[keras], keras, SHARED[kind](keras), steps)
    ours, said = given(models[slipstream], slipstream, SHARED[kind](slipstream), steps)
    if kind == "tf.data of unknown length" and steps == BATCHES:
        # Keras only finds out that the data have ended in an epoch without any batch.
        assert theirs == [[*range(BATCHES)], []] * 2 and not said
        theirs, they_said = [[*range(BATCHES)]] * 4, []
    assert ours == theirs
    assert bool(said) == bool(they_said) and len(said) <= 1


@EACH_LENGTH
@pytest.mark.parametrize("kind", OURS)
def test_what_only_we_take_is_given_in_the_same_way(kind, steps, models):
    theirs, they_said = given(models[keras], keras, own(keras), steps)
    ours, said = given(models[slipstream], slipstream, OURS[kind](), steps)
    assert ours == theirs
    assert bool(said) == bool(they_said)


def test_an_epoch_that_is_cut_short_is_told_once_with_a_remedy(models):
    _, said = given(models[slipstream], slipstream, Again(), 3, epochs=8)
    assert len(said) == 1
    assert "ended after 2 of an epoch's 3 batches" in said[0] and ".repeat()" in said[0]
    _, said = given(models[slipstream], slipstream, X, 7)
    assert len(said) == 1 and "ended after 5 of an epoch's 7" in said[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["arrays", "PyDataset"])
@pytest.mark.parametrize("steps", [3, 7])
def test_tests_and_predictions_begin_anew_and_end_with_the_data(kind, steps, models):
    def run(lib):
        model, data = models[lib], SHARED[kind](lib)
        arguments = {"y": Y, "batch_size": SIZE} if kind == "arrays" else {}
        held = (data, Y) if kind == "arrays" else data
        history = model.fit(
            X, Y, epochs=2, verbose=0, validation_data=held, validation_steps=steps,
            validation_batch_size=SIZE if kind == "arrays" else None,
        ).history["val_loss"]  # fmt: skip
        losses = [model.evaluate(data, steps=steps, verbose=0, **arguments) for _ in range(2)]
        arguments.pop("y", None)
        outputs = model.predict(data, steps=steps, verbose=0, **arguments)
        return history, losses, outputs[:, 0].tolist()

    assert run(slipstream) == run(keras)


@pytest.mark.parametrize("kind", ["arrays", "Dataset", "iterable"])
def test_a_second_training_begins_with_the_first_batch_of_its_own_data(kind, models):
    """Seven steps on other data before it do not lead into the middle of a pass."""
    model = model_of(slipstream)
    other = np.ones((7 * SIZE, 1), "float32")
    model.fit(other, other, batch_size=SIZE, verbose=0)
    data = X if kind == "arrays" else OURS[kind]()
    epochs, _ = given(model, slipstream, data)
    assert epochs == [[*range(BATCHES)]] * 4


def test_each_row_comes_once_an_epoch_and_in_another_order_in_the_next_training():
    model = model_of(slipstream)
    other = np.ones((7, 1), "float32")
    model.fit(other, other, batch_size=1, verbose=0)
    orders = []
    for _ in range(2):
        seen = seen_by(slipstream)
        rows = np.arange(8, dtype="float32")[:, None]
        model.fit(rows, 0 * rows, batch_size=1, epochs=2, verbose=0, callbacks=[seen])
        orders += seen.epochs
    assert all(sorted(order) == [*range(8)] for order in orders)
    assert len({tuple(order) for order in orders}) == 4


class Killed(Exception):
    """Stands for a kill."""


RESUMED = {**OURS, "arrays": lambda: X, "PyDataset": lambda: own(slipstream), "endless": endless}


@pytest.mark.filterwarnings("ignore:The data ended")
@pytest.mark.parametrize("steps, done", [(3, 4), (3, 5), (BATCHES, 2 * BATCHES)])
@pytest.mark.parametrize("kind", RESUMED)
def test_a_killed_run_goes_on_within_the_pass(kind, steps, done, tmp_path):
    """Also where the last batch of a pass, or of an epoch, was the last that was saved."""
    model = model_of(slipstream)

    def run(kill=None, keep=()):
        seen, taken = seen_by(slipstream), []

        def count(batch, logs):
            taken.append(batch)
            if len(taken) == kill:
                raise Killed

        watch = slipstream.callbacks.LambdaCallback(on_train_batch_end=count)
        arguments = {"y": Y, "batch_size": SIZE} if kind == "arrays" else {}
        model.fit(
            RESUMED[kind](), epochs=4, steps_per_epoch=steps, verbose=0, shuffle=False,
            callbacks=[seen, watch, *keep], **arguments,
        )  # fmt: skip
        return [number for epoch in seen.epochs for number in epoch]

    whole = run()
    keep = [BackupAndRestore(tmp_path, save_freq=1)]
    with pytest.raises(Killed):
        run(done + 1, keep)
    assert os.listdir(tmp_path)
    assert run(None, [BackupAndRestore(tmp_path, save_freq=1)]) == whole[done:]

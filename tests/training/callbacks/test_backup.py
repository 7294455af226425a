"""A killed run goes on as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from slipstream import callbacks
from slipstream.core.random import set_random_seed
from slipstream.core.variable import Variable
from slipstream.layers import Dense, Dropout, Input
from slipstream.models import Sequential
from slipstream.training.callbacks.backup import _plain, _plain_type

EPOCHS, STEPS = 5, 4


def make(units=6, optimizer="adam"):
    model = Sequential([Input((3,)), Dense(units, activation="relu"), Dropout(0.5), Dense(1)])
    model.compile(optimizer, "mse")
    return model


def train(directory, seed, *others, model=None, epochs=EPOCHS, **arguments):
    set_random_seed(seed)
    model = model or make()
    generator = np.random.default_rng(0)
    x = generator.normal(size=(30, 3)).astype(np.float32)
    keep = [callbacks.BackupAndRestore(directory, **arguments), *others]
    history = model.fit(x, x.sum(1), batch_size=8, epochs=epochs, verbose=0, callbacks=keep)
    return model, history


def state(model):
    return [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(state(first), state(second), strict=True))


class Killed(Exception):
    """Stands for a kill."""


def kill_at(epoch, batch=None):
    def kill(at, logs):
        if batch is None:
            if at == epoch:
                raise Killed
        elif at == batch and hook.epoch == epoch:
            raise Killed

    def note(at, logs):
        hook.epoch = at

    if batch is None:
        return callbacks.LambdaCallback(on_epoch_begin=kill)
    hook = callbacks.LambdaCallback(on_epoch_begin=note, on_train_batch_end=kill)
    return hook


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tmp_path_factory.mktemp("whole"), 1)


@pytest.mark.parametrize("kill", [kill_at(3), kill_at(2, batch=1)], ids=["between", "within"])
def test_a_resumed_run_ends_with_the_weights_of_a_whole_one(kill, whole, tmp_path):
    with pytest.raises(Killed):
        train(tmp_path, 1, kill)
    resumed, history = train(tmp_path, 2)
    assert history.epoch == ([3, 4] if kill.on_epoch_begin.__name__ == "kill" else [2, 3, 4])
    assert equal(whole[0], resumed)
    for name, values in history.history.items():
        assert values == whole[1].history[name][-len(values) :]


def test_another_seed_gives_other_weights(whole, tmp_path):
    assert not equal(whole[0], train(tmp_path, 2)[0])


def test_backups_go_when_the_training_is_done(tmp_path):
    directory = tmp_path / "backup"
    train(directory, 1, epochs=1)
    assert not directory.exists()
    directory.mkdir()
    (directory / "mine.txt").write_text("keep")
    train(directory, 1, epochs=1, double_checkpoint=True)
    assert os.listdir(directory) == ["mine.txt"]


def test_a_kept_backup_of_a_finished_run_leaves_nothing_to_do(tmp_path):
    first, _ = train(tmp_path, 1, epochs=2, delete_checkpoint=False)
    again, history = train(tmp_path, 2, epochs=2, delete_checkpoint=False)
    assert history.epoch == [] and equal(first, again)
    _, history = train(tmp_path, 2, epochs=3)
    assert history.epoch == [2]


def test_ctrl_c_within_an_epoch_keeps_the_backup_of_its_beginning(whole, tmp_path):
    def press(batch, logs):
        if batch == 1 and len(pressed.epochs) == 3:
            signal.raise_signal(signal.SIGINT)

    pressed = callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: pressed.epochs.append(epoch), on_train_batch_end=press
    )
    pressed.epochs = []
    model, history = train(tmp_path, 1, pressed)
    assert model.interrupted and history.epoch == [0, 1, 2]
    resumed, history = train(tmp_path, 2)
    assert not resumed.interrupted and history.epoch == [2, 3, 4]
    assert equal(whole[0], resumed)
    assert not tmp_path.exists()


def test_an_interrupted_run_does_not_keep_the_next_from_its_backups(tmp_path):
    def press(epoch, logs):
        if epoch == 0:
            signal.raise_signal(signal.SIGINT)

    model, _ = train(tmp_path, 1, callbacks.LambdaCallback(on_epoch_begin=press))
    assert model.interrupted
    with pytest.raises(Killed):
        train(tmp_path, 1, kill_at(2), model=model)
    assert train(tmp_path, 1)[1].epoch == [2, 3, 4]


def test_batchwise_backups_bring_back_the_weights_of_the_batch(tmp_path):
    seen = []
    killer = kill_at(1, batch=2)
    spy = callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(killer.model.get_weights())
    )
    with pytest.raises(Killed):
        train(tmp_path, 1, spy, killer, save_freq=STEPS + 2)
    restored = []
    first = callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: restored.append(first.model.get_weights())
    )
    _, history = train(tmp_path, 2, first, save_freq=100)
    assert history.epoch == [1, 2, 3, 4]
    for value, wanted in zip(restored[0], seen[STEPS + 1], strict=True):
        np.testing.assert_array_equal(value, wanted)


# ---- files that are wrong ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    directory = tmp_path_factory.mktemp("kept")
    train(directory, 1, epochs=2, delete_checkpoint=False, double_checkpoint=True)
    assert sorted(os.listdir(directory)) == ["latest.npz", "previous.npz"]
    return directory


@pytest.fixture
def backup(kept, tmp_path):
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    return tmp_path


def damage(path, how):
    content = path.read_bytes()
    place = content.index(b"NUMPY", content.index(b"0.npy")) + 124  # among the first weights
    flipped = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    half = content[: len(content) // 2]
    path.write_bytes({"empty": b"", "text": b"nothing", "cut": half, "flipped": flipped}[how])


@pytest.mark.parametrize("how", ["empty", "text", "cut", "flipped"])
def test_a_damaged_backup_says_so_or_gives_way_to_the_one_before(how, backup):
    damage(backup / "latest.npz", how)
    with pytest.warns(UserWarning, match=r"latest\.npz' is damaged.*The backup before it is used"):
        _, history = train(backup, 2, epochs=2, delete_checkpoint=False)
    assert history.epoch == [1]
    damage(backup / "latest.npz", how)
    (backup / "previous.npz").unlink()
    with pytest.raises(ValueError, match=r"latest\.npz' is damaged: .*Delete it to start"):
        train(backup, 2)


def test_a_kill_between_the_two_renames_loses_one_epoch_only(backup):
    (backup / "latest.npz").unlink()
    assert train(backup, 2, epochs=2)[1].epoch == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 7}, r"has shape \(3, 7\) and type float32, the backup \(3, 6\)"),
        ({"optimizer": "sgd"}, "it holds 14 variables, the model"),
    ],
)
def test_the_backup_of_another_model_is_refused_and_nothing_changes(arguments, message, backup):
    model = make(**arguments)
    before = model.get_weights()
    with pytest.raises(ValueError, match=rf"belongs to another model: .*{message}"):
        train(backup, 2, model=model)
    for value, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, wanted)


def test_a_member_that_claims_too_much_is_not_read(backup):
    content = dict(np.load(backup / "latest.npz"))
    content["0"] = np.zeros(10**6, np.float32)
    np.savez(backup / "latest.npz", **content)
    (backup / "previous.npz").unlink()
    with pytest.raises(ValueError, match="'0' declares 4,000,128 bytes"):
        train(backup, 2)


def test_pickled_members_are_not_run(backup):
    content = dict(np.load(backup / "latest.npz"))
    content["0"] = np.array([print], dtype=object)
    np.savez(backup / "latest.npz", **content)
    (backup / "previous.npz").unlink()
    with pytest.raises(ValueError, match="is damaged"):
        train(backup, 2)


def test_another_format_is_refused(backup):
    content = dict(np.load(backup / "latest.npz"))
    header = {**json.loads(content["header"].tobytes()), "format": 99}
    content["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(backup / "latest.npz", **content)
    (backup / "previous.npz").unlink()
    with pytest.raises(ValueError, match="it has format 99, not 2"):
        train(backup, 2)


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float32", "bool"])
def test_any_type_comes_back_bit_for_bit(dtype, tmp_path):
    value = Variable(np.array([0.0, 1.0, -1.5]), dtype=dtype).numpy()
    np.savez(tmp_path / "a.npz", value=_plain(value))
    back = np.load(tmp_path / "a.npz", allow_pickle=False)["value"]
    assert back.dtype == _plain_type(value.dtype)
    np.testing.assert_array_equal(back.view(value.dtype), value)


# ---- a real kill ---------------------------------------------------------------------------------

SCRIPT = """
import sys, time
sys.path.insert(0, {folder!r})
import test_backup
from slipstream import callbacks

slow = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: time.sleep(0.02))
test_backup.train(sys.argv[1], 1, slow, epochs=1000)
"""


@pytest.mark.long
def test_sigkill_at_any_moment_leaves_a_whole_backup(tmp_path, whole):
    folder = os.path.dirname(__file__)
    latest = tmp_path / "latest.npz"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT.format(folder=folder), str(tmp_path)])
    while not latest.exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.05)
    process.kill()
    process.wait()
    epoch = json.loads(np.load(latest)["header"].tobytes())["epoch"]
    assert 1 <= epoch < EPOCHS
    resumed, history = train(tmp_path, 2)
    assert history.epoch[0] == epoch
    assert equal(whole[0], resumed)

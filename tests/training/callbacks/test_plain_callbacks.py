"""Loggers, schedules and functions as callbacks."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import keras
import numpy as np
import pytest
from callback_fakes import Model, drive

from slipstream import callbacks
from slipstream.training.callbacks.base import CallbackList

BOTH = (callbacks, keras.callbacks)

COURSES = {
    "training alone": [{"loss": 0.5, "acc": 1}, {"loss": 0.25, "acc": 2}],
    "validation": [{"loss": 0.5, "val_loss": 0.1}, {"loss": 0.25}],
    "arrays and text": [{"loss": np.float32(0.1), "f1": np.array([0.5, 1.0]), "note": "a,b"}],
    "a scalar array": [{"loss": np.array(0.5)}],
    "new name later": [{"loss": 0.5}, {"loss": 0.5, "late": 1.0}],
    "no figures": [{}],
}


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("course", COURSES)
def test_csv_files_are_those_of_keras(course, separator, tmp_path):
    texts = []
    for library in BOTH:
        path = tmp_path / library.__name__
        for append in (False, False, True):
            drive(library.CSVLogger(str(path), separator, append), COURSES[course])
        texts.append(path.read_bytes())
    assert texts[0] == texts[1]
    assert texts[0].count(b"epoch") == 1  # the second run replaced the first, the third has no head


def test_csv_lines_are_on_disk_at_once(tmp_path):
    logger = callbacks.CSVLogger(tmp_path / "log.csv")
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 1.5})
    assert (tmp_path / "log.csv").read_text().split() == ["epoch,loss,val_loss", "0,1.5,NA"]
    logger.on_train_end()


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch, rate: rate * 0.5,
        lambda epoch: 0.1 / (1 + epoch),
        lambda epoch, rate: np.float32(rate) / 2,
    ],
)
def test_schedulers_set_the_rates_that_keras_sets(schedule):
    ours, theirs = (
        [
            logs["learning_rate"]
            for logs in drive(library.LearningRateScheduler(schedule), [{"loss": 1.0}] * 3)[1]
        ]
        for library in BOTH
    )
    assert ours == pytest.approx(theirs, rel=1e-12)
    assert len(set(ours)) == 3


@pytest.mark.parametrize("value", ["fast", None, True, [0.1], 1j])
def test_a_schedule_has_to_give_a_number(value):
    with pytest.raises(ValueError, match="must give one number for epoch 0"):
        drive(callbacks.LearningRateScheduler(lambda epoch, rate: value), [{}])


def test_errors_inside_a_schedule_come_through():
    def schedule(epoch, rate):
        raise TypeError("inner")

    with pytest.raises(TypeError, match="inner"):
        drive(callbacks.LearningRateScheduler(schedule), [{}])


def test_an_optimizer_without_rate_is_named():
    model = Model()
    del model.optimizer.learning_rate
    with pytest.raises(ValueError, match=r"no learning rate.*inject_hyperparams"):
        drive(callbacks.LearningRateScheduler(lambda epoch: 0.1), [{}], model=model)


def hooks_called(library):
    seen = []
    callback = library.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append(("epoch begins", epoch, logs)),
        on_epoch_end=lambda epoch, logs: seen.append(("epoch ends", epoch, logs)),
        on_train_begin=lambda logs: seen.append(("begin", logs)),
        on_train_batch_end=lambda batch, logs: seen.append(("batch", batch, logs)),
        on_train_end=lambda logs: seen.append(("end", logs)),
        on_test_begin=lambda logs: seen.append(("test", logs)),
    )
    listed = library.CallbackList([callback], model=Model())
    listed.on_train_begin()
    listed.on_epoch_begin(0)
    listed.on_train_batch_begin(3)
    listed.on_train_batch_end(3, {"loss": 2.0})
    listed.on_test_begin()
    listed.on_epoch_end(0, logs={"loss": 1.0})
    listed.on_train_end()
    return seen


def test_lambda_hooks_and_lists_call_as_in_keras():
    ours = hooks_called(callbacks)
    assert ours == hooks_called(keras.callbacks)
    assert len(ours) == 6


def test_the_loops_calls_always_come_with_logs():
    seen = []
    callback = callbacks.LambdaCallback(
        on_train_begin=lambda logs: seen.append(logs),
        on_epoch_begin=lambda epoch, logs: seen.append((epoch, logs)),
        on_batch_begin=lambda batch, logs: seen.append((batch, logs)),
    )
    listed = CallbackList([callback])
    listed.call("on_train_begin")
    listed.call("on_epoch_begin", 5)
    listed.batch("train", "begin", 6)
    assert seen == [{}, (5, {}), (6, {})]


def test_a_misspelt_hook_is_found_out():
    with pytest.raises(TypeError, match=r"no method 'on_epoch_ends'. Did you mean 'on_epoch_end'"):
        callbacks.LambdaCallback(on_epoch_ends=print)


@pytest.mark.parametrize(
    ("callback", "batches"),
    [
        (callbacks.LambdaCallback(on_epoch_end=print), False),
        (callbacks.LambdaCallback(on_train_batch_end=print), True),
        (callbacks.LambdaCallback(on_batch_end=print), True),
        (callbacks.ModelCheckpoint("a.keras"), False),
        (callbacks.ModelCheckpoint("a.keras", save_freq=5), True),
        (callbacks.BackupAndRestore("a"), False),
        (callbacks.BackupAndRestore("a", save_freq=5), True),
        (callbacks.TensorBoard("a"), False),
        (callbacks.TensorBoard("a", update_freq="batch"), True),
        (callbacks.TensorBoard("a", profile_batch=2), True),
        (callbacks.EarlyStopping(), False),
        (callbacks.ReduceLROnPlateau(), False),
        (callbacks.LearningRateScheduler(abs), False),
        (callbacks.CSVLogger("a"), False),
        (callbacks.TerminateOnNaN(), False),
        (callbacks.SwapEMAWeights(), False),
        (callbacks.RemoteMonitor(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_callbacks_that_need_batches_listen_to_them(callback, batches):
    assert CallbackList([callback]).sees_batches("train") == batches


def test_a_subclass_keeps_its_own_batch_hook_beside_the_saving():
    class Chatty(callbacks.ModelCheckpoint):
        seen = 0

        def on_train_batch_end(self, batch, logs=None):
            self.seen += 1

    callback = Chatty("{batch}.keras", save_freq=2)
    model, _ = drive(callback, [{}], batches=4)
    assert callback.seen == 4 and len(model.saved) == 2


def test_a_subclass_of_a_watching_callback_may_look_at_weights():
    class Curious(callbacks.History):
        pass

    assert CallbackList([callbacks.History(), callbacks.CSVLogger("a")]).watches_only
    assert not CallbackList([Curious()]).watches_only


def test_a_list_sets_up_its_callbacks():
    inner = callbacks.History()
    both = callbacks.CallbackList(
        [inner], model="model", add_history=True, add_progbar=True, epochs=3, verbose=0
    )
    assert [type(c).__name__ for c in both.callbacks] == ["History", "ProgbarLogger"]
    assert inner.model == "model" and inner.params == {"epochs": 3, "verbose": 0}


class Bar:
    """An attribute of the user's that happens to be called `progress`."""


def test_an_attribute_named_progress_is_the_users_own():
    callback = callbacks.LambdaCallback()
    callback.progress = Bar()
    CallbackList([callback]).progress("train", 1, {})
    seen = []
    callbacks_seen = type(
        "Watching", (callbacks.Callback,), {"progress": lambda *a: seen.append(a)}
    )
    CallbackList([callbacks_seen()]).batch("train", "end", 4, {"loss": 1.0})
    assert [arguments[1:] for arguments in seen] == [("train", 5, {"loss": 1.0})]


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["progress", "epoch"])
def test_nan_ends_the_training(loss, where, capsys):
    model = Model()
    callback = callbacks.TerminateOnNaN()
    callback.set_model(model)
    callback.on_train_begin()
    callback.progress("train", 1, {"loss": 0.5})
    callback.progress("test", 1, {"loss": loss})
    assert not model.stop_training
    if where == "progress":
        callback.progress("train", 3, {"loss": loss})
    else:
        callback.on_epoch_end(3, {"loss": loss})
    callback.on_epoch_end(3, {"loss": loss})
    assert model.stop_training
    assert capsys.readouterr().out.count(f"The loss is {loss}") == 1
    with pytest.raises(RuntimeError, match=f"The loss is {loss}"):
        drive(callbacks.TerminateOnNaN(raise_error=True), [{"loss": loss}])


class Server(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    received: list = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.received.append((self.path, self.headers["Content-Type"], self.headers["Key"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("as_json", [False, True])
def test_epochs_reach_a_server(as_json):
    Server.received.clear()
    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        root = f"http://127.0.0.1:{server.server_port}"
        monitor = callbacks.RemoteMonitor(root, headers={"Key": "k"}, send_as_json=as_json)
        drive(monitor, [{"loss": np.float32(0.5), "f1": np.ones(2)}])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    [(path, kind, key, body)] = Server.received
    assert path == "/publish/epoch/end/" and key == "k"
    assert kind == ("application/json" if as_json else "application/x-www-form-urlencoded")
    text = body if as_json else parse_qs(body)["data"][0]
    assert json.loads(text) == {"epoch": 0, "loss": 0.5, "f1": [1.0, 1.0]}


def test_a_server_that_is_away_only_warns():
    with pytest.warns(UserWarning, match="could not reach http://127.0.0.1:9/"):
        drive(callbacks.RemoteMonitor("http://127.0.0.1:9"), [{"loss": 1.0}])

"""The loops behind `fit`, `evaluate` and `predict`."""

from __future__ import annotations

import time
from typing import Any

from slipstream.core import config
from slipstream.data.parts.split import split_off
from slipstream.data.sources import ArraySource, BatchSource, make_source
from slipstream.speed import ceilings
from slipstream.speed.split import MEASURE_AFTER, sentence
from slipstream.training.callbacks.base import Callback, CallbackList
from slipstream.training.callbacks.history import History
from slipstream.training.checks import check_finite, check_targets
from slipstream.training.clock import Clock
from slipstream.training.feed import Feed
from slipstream.training.inspection import Inspection
from slipstream.training.interrupt import Interrupt
from slipstream.training.passes import Logs, Pass
from slipstream.training.progress import tell
from slipstream.training.session import Session, open_session, outputs_of

Source = ArraySource | BatchSource


def _callbacks(
    callbacks: Any, model: Any, verbose: Any, history: bool, **params: Any
) -> CallbackList:
    """The user's callbacks with a progress bar and a history where there is none yet."""
    if isinstance(callbacks, CallbackList):
        callbacks = callbacks.callbacks
    chosen: list[Callback] = list(
        callbacks if isinstance(callbacks, (list, tuple)) else [callbacks] if callbacks else []
    )
    for callback in chosen:
        if not hasattr(callback, "on_epoch_end"):
            raise TypeError(
                f"callbacks holds {callback!r}, which is no callback. Derive its class from "
                "slipstream.callbacks.Callback, and pass an instance."
            )
    return CallbackList(
        chosen,
        model=model,
        add_history=history,
        add_progbar=bool(verbose),
        verbose=verbose,
        **params,
    )


def _verbosity(verbose: Any) -> int:
    return 1 if verbose == "auto" else int(verbose)


def _prepare(model: Any, source: Source, clock: Clock, what: str) -> Session:
    """Build and check: the model on the first batch, the data against the model."""
    with clock.part("build"):
        batch = source.first()
        x, y, sample_weight = source.data if isinstance(source, ArraySource) else batch
        model.check_input(x)
        session = open_session(model, batch, compiled=True)
        assert session.objective is not None
        check_targets(session.objective, y, outputs_of(model, batch[0]))
        if config.check_data():
            named = {"x": x, "y": y, "sample_weight": sample_weight}
            check_finite({what + k: v for k, v in named.items() if v is not None})
    return session


def fit(
    model: Any,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool | str = True,
    class_weight: dict[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: Any = 1,
    clock: Clock | None = None,
    inspection: Inspection | None = None,
) -> History:
    """Train a model; `Model.fit` documents the arguments. The clock may be running already."""
    clock = clock or Clock()
    verbose = _verbosity(verbose)
    epochs = config.cap_epochs(epochs)
    with clock.part("build"):
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = split_off(
                *_plain(x, y, sample_weight), validation_split
            )
        source = make_source(
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            steps=steps_per_epoch,
            shuffle=shuffle,
            class_weight=class_weight,
        )
        _check_endless(source, "steps_per_epoch")
        quality = None
        if inspection is not None and isinstance(source, ArraySource):
            weighted = class_weight is not None or sample_weight is not None
            quality = inspection.look(model, source.size, weighted)
    session = _prepare(model, source, clock, "")
    live = session.live
    listeners = _callbacks(
        callbacks,
        model,
        verbose,
        True,
        epochs=epochs,
        steps=source.steps,
        samples=source.size if isinstance(source, ArraySource) and not steps_per_epoch else None,
    )
    epochs_to_run = max(epochs - initial_epoch, 0)
    planned = epochs_to_run * (source.steps or 1000)
    run = Pass("train", session, Feed(source, session.fills), listeners, clock, planned)
    listeners.set_feed(run.feed)
    validation = None
    if validation_data is not None:
        validation = _validation(
            model,
            validation_data,
            validation_batch_size or batch_size,
            validation_steps,
            listeners,
            clock,
            epochs_to_run,
        )
    model.stop_training = model.interrupted = False
    logs: Logs = {}
    with Interrupt() as interrupt:
        with clock.part("callbacks"):
            listeners.call("on_train_begin")
        if model._resume_epoch is not None:
            initial_epoch, model._resume_epoch = model._resume_epoch, None
        room = run.at_once(epochs - initial_epoch) if validation is None else 1
        epoch = initial_epoch
        while epoch < epochs and not (model.stop_training or interrupt.asked):
            state = live.current()
            with clock.part("data"):
                step = int(state.optimizer.iterations)
            if room > 1:
                count = min(room, epochs - epoch)
                begin = time.perf_counter()
                _, found = run.run_several(state, step, count, room)
                listeners.params["epoch_seconds"] = (time.perf_counter() - begin) / count
                with clock.part("callbacks"):
                    for logs in found:
                        listeners.call("on_epoch_begin", epoch)
                        listeners.call("on_epoch_end", epoch, logs)
                        epoch += 1
                continue
            with clock.part("callbacks"):
                listeners.call("on_epoch_begin", epoch)
            state = live.current()._replace(metrics=session.zeros())
            state, logs = run.run(state, (), step, interrupt)
            live.publish(state)
            model.interrupted = interrupt.asked
            if validation is not None and not interrupt.asked and _due(validation_freq, epoch):
                logs = {**logs, **_validate(validation, session, listeners, clock, interrupt)}
            with clock.part("callbacks"):
                listeners.call("on_epoch_end", epoch, logs)
            epoch += 1
        if epochs_to_run:
            _finalize(session)
        model.interrupted = interrupt.asked
        with clock.part("callbacks"):
            listeners.call("on_train_end", logs)
    history = next(c for c in listeners.callbacks if isinstance(c, History))
    model.history = history
    history.quality = quality
    model.last_run = clock.split()
    told, model._forecast = model._forecast, None
    alike = told is not None and told.steps == source.steps
    history.ran(model.last_run, clock.work, told.seconds_for(len(history.epoch)) if alike else None)
    if verbose and epochs_to_run:
        _conclude(history, clock.total)
    return history


def _conclude(history: History, seconds: float) -> None:
    """Say how fast the run was; a long one is worth measuring the machine for."""
    if seconds > MEASURE_AFTER and ceilings.kept() is None:
        ceilings.measure()
    tell(sentence(history.speed))


def _plain(x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Arrays of the user's as arrays, so that rows can be cut off; batches as they are."""
    from slipstream.data.arrays import to_arrays
    from slipstream.data.sources import is_batches

    if is_batches(x):
        return x, y, sample_weight
    return to_arrays(x, "x"), to_arrays(y, "y"), to_arrays(sample_weight, "sample_weight")


def _check_endless(source: Source, argument: str) -> None:
    if isinstance(source, BatchSource) and source.steps is None and source.endless:
        # A finite generator may end by itself; nothing can be known about it before.
        return
    if source.steps is not None and source.steps < 1:
        raise ValueError(f"{argument} must be at least 1; got {source.steps}.")


def _validation(
    model: Any,
    data: Any,
    batch_size: int | None,
    steps: int | None,
    listeners: CallbackList,
    clock: Clock,
    runs: int,
) -> Pass:
    parts = data if isinstance(data, tuple) else (data,)
    source = make_source(*parts, batch_size=batch_size, steps=steps)
    session = _prepare(model, source, clock, "validation_data: ")
    planned = runs * (source.steps or 1000)
    return Pass("test", session, Feed(source, session.fills), listeners, clock, planned)


def _validate(
    validation: Pass, session: Session, listeners: CallbackList, clock: Clock, interrupt: Interrupt
) -> Logs:
    """Results on the validation data, their names with ``val_`` before them."""
    with clock.part("callbacks"):
        listeners.call("on_test_begin")
    live = session.live
    start = session.test_state(session.zeros(), live.seed, live.step)
    _, found = validation.run(start, session.frozen(), 0, interrupt)
    with clock.part("callbacks"):
        listeners.call("on_test_end", found)
    return {f"val_{name}": value for name, value in found.items()}


def _due(frequency: Any, epoch: int) -> bool:
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


def _finalize(session: Session) -> None:
    """Let the optimizer put averaged weights in place, if it keeps any."""
    optimizer = session.optimizer
    if optimizer is not None and optimizer.use_ema:
        optimizer.finalize_variable_values(session.live.trainable)


def evaluate(
    model: Any,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    verbose: Any = "auto",
    sample_weight: Any = None,
    steps: int | None = None,
    callbacks: Any = None,
    return_dict: bool = False,
) -> Any:
    """Loss and metrics on data; `Model.evaluate` documents the arguments."""
    clock = Clock()
    verbose = _verbosity(verbose)
    source = make_source(x, y, sample_weight, batch_size=batch_size, steps=steps)
    session = _prepare(model, source, clock, "")
    listeners = _callbacks(callbacks, model, verbose, False, epochs=1, steps=source.steps)
    run = Pass("test", session, Feed(source, session.fills), listeners, clock, source.steps or 1000)
    with Interrupt() as interrupt:
        listeners.call("on_test_begin")
        start = session.test_state(session.zeros())
        tested, found = run.run(start, session.frozen(), 0, interrupt)
        session.live.publish_states(tested.states)
        listeners.call("on_test_end", found)
        if interrupt.asked:
            raise KeyboardInterrupt
    assert session.objective is not None
    model.last_run = clock.split()
    return in_order(session, found, return_dict)


def in_order(session: Session, logs: Logs, return_dict: bool) -> Any:
    """Results as a dictionary, or as a list (one number alone by itself), loss first."""
    if return_dict:
        return logs
    names = dict.fromkeys([*session.metric_names, *logs])
    values = [logs[name] for name in names if name in logs]
    return values[0] if len(values) == 1 else values

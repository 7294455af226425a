"""Training, judging and using a model."""

from __future__ import annotations

from typing import Any

from slipstream.models.steps import Steps
from slipstream.training import loop, predict
from slipstream.training.callbacks.history import History
from slipstream.training.clock import Clock
from slipstream.training.inspection import Inspection


class Running(Steps):
    """The part of `Model` that runs it over data."""

    _forecast: Any = None  # what was said about the next `fit`

    def fit(
        self,
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
        *,
        check: bool = False,
    ) -> History:
        """Train the model.

        Args:
            x: inputs ``(examples, …)``: an array, pandas or torch object, or a list or dictionary
                of them; or batches of ``(x, y)`` or ``(x, y, sample_weight)`` from a generator,
                `PyDataset`, DataLoader, tf.data or any other iterable.
            y: targets ``(examples, …)``; ``(n,)`` and ``(n, 1)`` mean the same.
            batch_size: examples a step, 32 if not given. The last, smaller batch counts as it is.
            epochs: epoch at which to stop; with `initial_epoch` 2 and `epochs` 5 three are run.
            verbose: 0 silent, 1 or ``"auto"`` a bar, 2 one line an epoch.
            callbacks: `Callback`s, called in order.
            validation_split: share of the last rows held out for validation, before shuffling.
            validation_data: ``(x, y)``, ``(x, y, sample_weight)`` or batches.
            shuffle: whether each epoch has an order of its own; ``"batch"`` shuffles whole batches.
            class_weight: weight of each class number.
            sample_weight: weight of each example, ``(examples,)``.
            initial_epoch: number of the first epoch, to go on with an earlier run.
            steps_per_epoch: batches of an epoch; the next one goes on where it ended.
            validation_steps: batches of a validation.
            validation_batch_size: `batch_size` if not given.
            validation_freq: validate every so many epochs, or after the epochs in a list.
            check: whether to look through the data first, as `slipstream.data.check` does: each
                finding is a warning with its remedy, and all are in ``history.quality``. Beyond
                Keras; for data in arrays and frames.

        Returns:
            The `History`: ``history.history["loss"]`` and so on, one number an epoch.

        Raises:
            ValueError: if the model is not compiled, data and model do not fit together, or
                batches are to be checked.
        """
        clock = Clock()
        inspection = Inspection(x, y, validation_data) if check else None
        with clock.part("data"):
            if self._entrance is not None and isinstance(validation_data, tuple):
                validation_data = (self._enter(validation_data[0]), *validation_data[1:])
            elif validation_data is not None:
                validation_data = self._enter(validation_data)
            x = self._enter(x)
        return loop.fit(
            self, x, y, batch_size, epochs, verbose, callbacks, validation_split,
            validation_data, shuffle, class_weight, sample_weight, initial_epoch,
            steps_per_epoch, validation_steps, validation_batch_size, validation_freq, clock,
            inspection,
        )  # fmt: skip

    def forecast(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_data: Any = None,
        shuffle: bool | str = True,
        sample_weight: Any = None,
        steps_per_epoch: int | None = None,
    ) -> Any:
        """Say how long `fit` with these arguments will take, and how much memory.

        What `fit` would run is compiled, so that it finds it compiled, and some steps are timed
        on a copy of the state: weights, optimizer and seeds stay as they are. The line after the
        next `fit` shows the time predicted against the time taken.

        Args:
            x, y, batch_size, epochs, validation_data, shuffle, sample_weight, steps_per_epoch:
                as in `fit`.
            verbose: 0 prints nothing.
            callbacks: those that `fit` is going to get. None of their hooks is called, and their
                time is not foreseen; but whether they see each batch decides what runs.

        Returns:
            A `Forecast` with `seconds`, `memory` in bytes on the device, and more.

        Raises:
            ValueError: if the data are an iterator that gives its batches only once, or do not
                say how many there are.
        """
        from slipstream.training.forecast import forecast

        if self._entrance is not None and isinstance(validation_data, tuple):
            validation_data = (self._enter(validation_data[0]), *validation_data[1:])
        elif validation_data is not None:
            validation_data = self._enter(validation_data)
        return forecast(
            self, self._enter(x), y, batch_size, epochs, verbose, callbacks, validation_data,
            shuffle, sample_weight, steps_per_epoch,
        )  # fmt: skip

    def speed(self, x: Any, y: Any = None, batch_size: int = 32) -> Any:
        """How close the model comes to this machine's limit, layer by layer.

        Each layer is run by itself, forward and in training, then the whole model and, for a
        compiled model with `y`, a whole training step. The model stays as it is. The machine is
        measured too, for about a second; ``docs/speed.md`` explains the figures.

        Args:
            x: inputs ``(examples, …)`` as in `fit`, one batch at least.
            y: targets.
            batch_size: examples of a batch; fewer if `x` has fewer.

        Returns:
            A `Speed`: print it, or call its `to_json()` or `picture(path)`.

        Raises:
            ValueError: if data and model do not fit together.
        """
        from slipstream.training.measure import speed

        return speed(self, self._enter(x), y, batch_size)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on data, taken as `fit` takes them.

        Returns:
            The loss alone, a list with the metrics after it, or a dictionary.
        """
        return loop.evaluate(
            self,
            self._enter(x),
            y,
            batch_size,
            verbose,
            sample_weight,
            steps,
            callbacks,
            return_dict,
        )

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Outputs for all examples as NumPy arrays.

        Args:
            x: inputs, or batches, as in `fit`.
            batch_size: examples computed together; 32 if not given. Where examples cannot
                influence each other it is a hint: as many are taken at a time as suit the model.
            verbose: 1 prints a line with the speed.
            steps: batches to stop after.
            callbacks: `Callback`s.
        """
        return predict.predict(self, self._enter(x), batch_size, verbose, steps, callbacks)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One training step on one batch; gives loss and metrics, streamed since the last reset."""
        return predict.train_on_batch(
            self, self._enter(x), y, sample_weight, class_weight, return_dict
        )

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch, streamed since the last reset."""
        return predict.test_on_batch(self, self._enter(x), y, sample_weight, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Outputs for one batch as NumPy arrays."""
        return predict.predict_on_batch(self, self._enter(x))

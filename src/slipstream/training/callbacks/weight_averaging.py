"""`StochasticWeightAveraging`: the mean of the weights of the last epochs."""

from __future__ import annotations

import warnings
from typing import Any

import jax.numpy as jnp

from slipstream.core.variable import Variable
from slipstream.training.batch_statistics import reestimate
from slipstream.training.callbacks.base import Callback
from slipstream.training.feed import Feed


class StochasticWeightAveraging(Callback):
    """Ends training with the mean of the weights of its last epochs (Izmailov et al., 2018).

    While training goes on its weights are left alone, so the figures of the epochs are theirs.
    At the end the mean takes their place, and the moving statistics of batch normalization are
    taken anew in one more pass over the training data. After Ctrl-C the weights stay as they are.

    A run that is resumed goes on with the mean: with this same callback, or from a
    `BackupAndRestore`, which holds it too.

    Args:
        start: first epoch whose weights count, from 0; or a share of all epochs, below 1.
        every: epochs from one set of weights that counts to the next.
        learning_rate: learning rate from `start` on; a constant, rather high one is usual.

    Raises:
        ValueError: if an argument is out of range.
    """

    def __init__(
        self, start: int | float = 0.75, every: int = 1, learning_rate: float | None = None
    ) -> None:
        super().__init__()
        whole = isinstance(start, int) and not isinstance(start, bool) and start >= 0
        if not whole and not (isinstance(start, float) and 0 <= start < 1):
            raise ValueError(
                "start must be a number of epochs, or a share of them from 0.0 to below 1; got "
                f"{start!r}."
            )
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every must be a number of epochs, at least 1; got {every!r}.")
        if learning_rate is not None and not 0 <= learning_rate < float("inf"):
            raise ValueError(f"learning_rate must be a number of at least 0; got {learning_rate}.")
        self.start, self.every, self.learning_rate = start, every, learning_rate
        self._weights: list[Variable] = []
        self._means: list[Variable] = []
        self._feed: Feed | None = None
        self._count = Variable("zeros", shape=(), dtype="int32", name="count")
        # Number of the epoch whose weights were the last to count, from 1; 0 for none.
        self._last = Variable("zeros", shape=(), dtype="int32", name="last")

    def set_model(self, model: Any) -> None:
        """Make room for the means, where a backup finds them."""
        super().set_model(model)
        weights = list(model.trainable_variables)
        if [id(v) for v in weights] != [id(v) for v in self._weights]:
            self._weights = weights
            self._means = [
                Variable("zeros", shape=v.shape, dtype=str(jnp.promote_types(v.dtype, "float32")))
                for v in weights
            ]
            self._count.assign(0)
            self._last.assign(0)
        model._companions = [self._count, self._last, *self._means]

    def set_feed(self, feed: Feed) -> None:
        """Called with the training data before training begins."""
        self._feed = feed

    @property
    def averaged(self) -> int:
        """How many sets of weights the mean is of."""
        return int(self._count)

    def _first(self) -> int:
        if isinstance(self.start, int):
            return self.start
        return int(self.start * self.params["epochs"])

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start anew in a new run; take the weights of the epoch before if a backup has not."""
        first = self._first()
        if epoch <= first:
            self._count.assign(0)
            self._last.assign(0)
        self._take(epoch - 1)
        if self.learning_rate is not None and epoch >= first:
            self.model.optimizer.learning_rate = self.learning_rate

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the epoch's weights into the mean; not those of an epoch that was cut short."""
        if not getattr(self.model, "interrupted", False):
            self._take(epoch)

    def _take(self, epoch: int) -> None:
        past = epoch - self._first()
        if past < 0 or past % self.every or int(self._last) > epoch:
            return
        count = int(self._count) + 1
        for weight, mean in zip(self._weights, self._means):
            before, now = mean.numpy(), weight.numpy().astype(mean.dtype)
            mean.assign(before + (now - before) / count if count > 1 else now)
        self._count.assign(count)
        self._last.assign(epoch + 1)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Put the mean in place, with statistics of its own."""
        feed, self._feed = self._feed, None
        self.model._companions = ()
        if getattr(self.model, "interrupted", False):
            return
        if not self.averaged:
            warnings.warn(
                f"No epoch came to be averaged: start is {self.start}, and training ended before. "
                "The weights are those of the last epoch.",
                stacklevel=2,
            )
            return
        for weight, mean in zip(self._weights, self._means):
            weight.assign(mean.numpy().astype(jnp.dtype(weight.dtype)))
        if feed is not None and not reestimate(self.model, self.model._session, feed):
            warnings.warn(
                "The training data gave no batch after training, so batch normalization keeps the "
                "statistics of the weights before averaging. Pass data that can be read again.",
                stacklevel=2,
            )

"""`PyDataset`: data that a user's class makes batch by batch."""

from __future__ import annotations

from typing import Any


class PyDataset:
    """Base of a user's own data: `__getitem__` gives one batch, `__len__` their number.

    Args:
        workers: threads that make batches ahead of the training.
        use_multiprocessing: accepted for Keras' signature; batches are made in threads.
        max_queue_size: batches kept ready.
    """

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Batch `index`: ``x``, ``(x, y)`` or ``(x, y, sample_weight)``."""
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__().")

    def __len__(self) -> int:
        """Number of batches of an epoch."""
        return self.num_batches

    @property
    def num_batches(self) -> int:
        """Number of batches of an epoch, where `__len__` is not defined."""
        raise NotImplementedError(f"{type(self).__name__} does not define __len__().")

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch."""

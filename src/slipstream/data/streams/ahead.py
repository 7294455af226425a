"""Work done ahead by threads, or by processes where a user's Python is the work."""

from __future__ import annotations

import os
import pickle
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

AHEAD_BYTES = 64 * 2**20  # of data that are made and not yet used
THREADS = max(2, min(4, os.cpu_count() or 1))

_work: Any = None  # what a worker process does


class Workers:
    """Threads or processes that do one kind of work ahead, kept from pass to pass.

    Args:
        work: a function of one item. For processes it is sent to each once.
        processes: how many; 0 for threads.

    Raises:
        ValueError: if the work cannot be sent to processes.
    """

    def __init__(self, work: Callable[[Any], Any], processes: int) -> None:
        self.work = work
        self.processes = processes
        self._pool: Executor | None = None
        if processes:
            try:
                self._sent = pickle.dumps(work)
            except Exception as error:  # pickle raises many kinds of errors
                raise ValueError(
                    f"workers={processes}: the transformation cannot be sent to another process "
                    f"({error}). Define it with def at the top of a module, or use workers=0."
                ) from error

    def __call__(self, items: Iterable[Any], size: Callable[[Any], int]) -> Iterator[Any]:
        """The results in the order of the items.

        Args:
            items: what to work on.
            size: bytes of an item's result, about; they bound how much is ahead.
        """
        pool = self._open()
        waiting: deque[tuple[Future[Any], int]] = deque()
        most = 2 * (self.processes or THREADS)
        held = 0
        try:
            for item in items:
                bytes_ = size(item)
                # One is always made ahead, however large.
                while len(waiting) >= most or (len(waiting) > 1 and held + bytes_ > AHEAD_BYTES):
                    future, freed = waiting.popleft()
                    held -= freed
                    yield self._result(future)
                waiting.append((self._submit(pool, item), bytes_))
                held += bytes_
            while waiting:
                yield self._result(waiting.popleft()[0])
        finally:
            for future, _ in waiting:
                future.cancel()

    def _submit(self, pool: Executor, item: Any) -> Future[Any]:
        return pool.submit(_do, item) if self.processes else pool.submit(self.work, item)

    def _result(self, future: Future[Any]) -> Any:
        try:
            return future.result()
        except BrokenProcessPool as error:
            self._pool = None
            raise RuntimeError(
                f"A worker process (workers={self.processes}) died; perhaps memory ran out. Use "
                "fewer workers, or workers=0 to see the error."
            ) from error

    def _open(self) -> Executor:
        if self._pool is None:
            if self.processes:
                import multiprocessing

                self._pool = ProcessPoolExecutor(
                    self.processes,
                    multiprocessing.get_context("spawn"),
                    initializer=_begin,
                    initargs=(self._sent,),
                )
            else:
                self._pool = ThreadPoolExecutor(THREADS, "slipstream-read")
            weakref.finalize(self, self._pool.shutdown, wait=False, cancel_futures=True)
        return self._pool


def _begin(sent: bytes) -> None:
    global _work
    _work = pickle.loads(sent)


def _do(item: Any) -> Any:
    return _work(item)

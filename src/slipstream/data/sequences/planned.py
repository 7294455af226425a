"""`Planned`: batches of rows in memory, chosen anew for each pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from slipstream.data.streams.stream import Options, Stream


class Planned(Stream):
    """Batches of rows that a plan chooses; `fit` takes it as it is.

    The plan of a pass follows from the seed and the number of the pass alone, so that a resumed
    run goes on with the next batch.

    Args:
        rows: rows of a pass.
        steps: batches of a pass.
        options: how rows are given.
        plan: row numbers of each batch of a pass, drawn from a generator; None for rising order.
        make: the batch of some rows.
        what: what the data are called in errors.
    """

    def __init__(
        self,
        rows: int,
        steps: int,
        options: Options,
        plan: Callable[[np.random.Generator | None], list[np.ndarray]],
        make: Callable[[np.ndarray], Any],
        what: str,
    ) -> None:
        super().__init__(rows, options, [], what)
        self._length = steps
        self._plan, self._batch_of = plan, make

    def _batches(self, seed: int, number: int, skip: int) -> Iterator[Any]:
        generator = np.random.default_rng([seed, number]) if self._options.shuffle else None
        for rows in self._plan(generator)[skip:]:
            yield self._batch_of(rows)

    def _first(self) -> Any:
        return self._batch_of(self._plan(None)[0])

    def _in_order(self) -> Iterator[Any]:
        return map(self._batch_of, self._plan(None))

    def _content(self) -> list[Any]:
        raise ValueError(f"{self._what} is in memory already; leave cached() out.")

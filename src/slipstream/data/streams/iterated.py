"""Streams of a Hugging Face `IterableDataset`, whose examples come one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from slipstream.data.streams.columns import Columns, arrow, from_arrow, kind_of, make_shape
from slipstream.data.streams.stream import Options, Stream, transformed

BUFFER_ROWS = 1000  # that are shuffled together, where nobody says how many
_WHAT = "the Hugging Face dataset"


def is_iterated(value: Any) -> bool:
    """Whether it is an `IterableDataset` of Hugging Face."""
    bases = [f"{kind.__module__}.{kind.__name__}" for kind in type(value).__mro__]
    return "datasets.iterable_dataset.IterableDataset" in bases


class IteratedStream(Stream):
    """Batches of examples that can only be gone through from the first one.

    How many there are is not known. A resumed run goes through those that were taken and leaves
    them out.

    Args:
        dataset: what is read.
        options: how rows are given; `shuffle` draws from a buffer of rows.
        target, columns, as_dict: as of `read`.
        shard: number of this host, and how many there are.

    Raises:
        ValueError: if there are no examples, a column is unknown or `workers` are asked for.
    """

    def __init__(
        self,
        dataset: Any,
        options: Options,
        target: str | Sequence[str] | None,
        columns: str | Sequence[str] | None,
        as_dict: bool | None,
        shard: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(None, options, [], _WHAT)
        if options.workers:
            raise ValueError(
                f"workers={options.workers} is for data that can be read from any position, and "
                "an IterableDataset cannot. Leave workers out."
            )
        if shard is not None:
            from datasets.distributed import split_dataset_by_node

            dataset = split_dataset_by_node(dataset, *shard)
        self._typed = dataset.features is not None
        self._dataset = self._own(dataset)
        first = next(self._tables(self._dataset), None)
        if first is None:
            raise ValueError(f"{_WHAT} has no examples. Pass one with at least one example.")
        kinds = {field.name: kind_of(field.type) for field in first.schema}
        self._shape = make_shape(kinds, target, columns, as_dict, True)
        self._start = self._made(first)

    def _own(self, dataset: Any) -> Any:
        """The dataset as an object of ours, whose epoch may be set."""
        return dataset.with_format("arrow" if self._typed else None)

    def _tables(self, dataset: Any) -> Iterator[Any]:
        batches = dataset.iter(self.batch_size)
        # Where the columns have no types yet, pyarrow finds those of each batch.
        return iter(batches) if self._typed else map(arrow().Table.from_pydict, batches)

    def _made(self, table: Any) -> Any:
        """A table of pyarrow as ``x`` or ``(x, y)``."""
        names = self._shape.names
        columns: Columns = {name: from_arrow(table[name], name) for name in names}
        return transformed(self._options.transform, self._shape(columns), _WHAT)

    def _batches(self, seed: int, number: int, skip: int) -> Iterator[Any]:
        dataset, shuffle = self._dataset, self._options.shuffle
        if shuffle:
            rows = BUFFER_ROWS if shuffle is True else int(shuffle)
            dataset = dataset.shuffle(seed=seed, buffer_size=rows)
        dataset = self._own(dataset)
        dataset.set_epoch(number)
        yield from map(self._made, islice(self._tables(dataset), skip, None))

    def _first(self) -> Any:
        return self._start

    def _in_order(self) -> Iterator[Any]:
        return map(self._made, self._tables(self._dataset))

    def _content(self) -> list[Any]:
        raise ValueError(
            f"A cache is for files, and nothing tells when {_WHAT} changes. Write it to Parquet "
            "files first, with its to_parquet."
        )

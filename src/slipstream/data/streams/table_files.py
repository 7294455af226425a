"""Tables on disk and in memory that are read part by part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slipstream.data.streams.columns import Columns, arrow, from_arrow, kind_of

PART_ROWS = 65_536  # of tables that have no parts of their own


class TableFile:
    """A table in parts; see `PartedFile`.

    Attributes:
        path: what it is called in errors.
        schema: names and types of the columns.
        sizes: rows and bytes of each part.

    Raises:
        ValueError: if columns have the same name.
    """

    def __init__(self, path: str, schema: Any, sizes: list[tuple[int, int]]) -> None:
        self.path, self.schema, self.sizes = path, schema, sizes
        names = schema.names
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(
                f"several columns are called {twice!r}. Rename them; if the first line of a CSV "
                "file names no columns, pass header=None"
            )

    @property
    def kinds(self) -> dict[str, str]:
        """The columns, see `kind_of`."""
        return {field.name: kind_of(field.type) for field in self.schema}

    def narrow(self, names: Sequence[str]) -> None:
        """Say which columns will be read.

        Raises:
            ValueError: if there is none of such a name.
        """
        missing = [name for name in names if name not in self.schema.names]
        if missing:
            raise ValueError(f"it has no column {missing[0]!r}")
        share = len(names) / max(len(self.schema.names), 1)
        self.sizes = [(rows, int(size * share)) for rows, size in self.sizes]

    def read(self, part: int, names: Sequence[str]) -> Columns:
        """Some columns of a part."""
        table = self._table(part, list(names))
        return {name: from_arrow(table[name], name) for name in names}

    def _table(self, part: int, names: list[str]) -> Any:
        raise NotImplementedError

    def missing(self, names: Sequence[str]) -> set[str]:
        """Those of the columns in which values are missing; reads them if it must."""
        found: set[str] = set()
        for part in range(len(self.sizes)):
            left = [name for name in names if name not in found]
            if not left:
                break
            table = self._table(part, left)
            found |= {name for name in left if table[name].null_count}
        return found


class ParquetTable(TableFile):
    """A Parquet file; its parts are the row groups."""

    def __init__(self, path: str) -> None:
        arrow()
        import pyarrow.parquet as pq

        self._metadata = pq.read_metadata(path)
        groups = [self._metadata.row_group(i) for i in range(self._metadata.num_row_groups)]
        super().__init__(
            path,
            self._metadata.schema.to_arrow_schema(),
            [(group.num_rows, group.total_byte_size) for group in groups],
        )

    def _chunks(self, part: int, names: Sequence[str]) -> list[Any]:
        group = self._metadata.row_group(part)
        chunks = [group.column(i) for i in range(group.num_columns)]
        return [chunk for chunk in chunks if chunk.path_in_schema.split(".")[0] in names]

    def narrow(self, names: Sequence[str]) -> None:
        """Say which columns will be read."""
        super().narrow(names)
        self.sizes = [
            # Values that repeat are stored once, and take their room when they are read.
            (rows, sum(max(c.total_uncompressed_size, 8 * rows) for c in self._chunks(part, names)))
            for part, (rows, _) in enumerate(self.sizes)
        ]

    def missing(self, names: Sequence[str]) -> set[str]:
        """Those of the columns in which values are missing, as the statistics say."""
        found, unknown = set(), set()
        for part in range(len(self.sizes)):
            for chunk in self._chunks(part, names):
                name, known = chunk.path_in_schema.split(".")[0], chunk.statistics
                if known is None or not known.has_null_count:
                    unknown.add(name)
                elif known.null_count:
                    found.add(name)
        return found | super().missing(sorted(unknown - found))

    def _table(self, part: int, names: list[str]) -> Any:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path, metadata=self._metadata) as file:
            return file.read_row_group(part, columns=names, use_threads=False)


class ArrowTable(TableFile):
    """An Arrow or Feather file, memory-mapped; its parts are the record batches.

    Args:
        path: the file.
        name: what it is called in errors, if not by its path.
    """

    def __init__(self, path: str, name: str | None = None) -> None:
        pa = arrow()
        self._file = path
        with pa.memory_map(path) as source, pa.ipc.open_file(source) as file:
            batches = (file.get_batch(i) for i in range(file.num_record_batches))
            sizes = [(batch.num_rows, batch.nbytes) for batch in batches]
            super().__init__(name or path, file.schema, sizes)

    def _table(self, part: int, names: list[str]) -> Any:
        pa = arrow()
        with pa.memory_map(self._file) as source:
            options = pa.ipc.IpcReadOptions(
                included_fields=sorted(map(self.schema.get_field_index, names)), use_threads=False
            )
            return pa.ipc.open_file(source, options=options).get_batch(part)


class TableInMemory(TableFile):
    """A table in memory, or a memory-mapped one; its parts are equal runs of rows."""

    def __init__(self, path: str, table: Any) -> None:
        self._whole = table
        super().__init__(path, table.schema, _sizes(table.num_rows, table.nbytes))

    def _table(self, part: int, names: list[str]) -> Any:
        return self._whole.select(names).slice(part * PART_ROWS, PART_ROWS)


class ArrowStreamTable(TableInMemory):
    """A file in Arrow's format for streams, memory-mapped."""

    def __init__(self, path: str) -> None:
        super().__init__(path, _mapped(path))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_whole": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._whole = _mapped(self.path)


def _mapped(path: str) -> Any:
    pa = arrow()
    return pa.ipc.open_stream(pa.memory_map(path)).read_all()


def open_arrow(path: str) -> TableFile:
    """An Arrow file of either format."""
    with open(path, "rb") as file:
        start = file.read(6)
    return ArrowTable(path) if start == b"ARROW1" else ArrowStreamTable(path)


class FragmentTable(TableFile):
    """A file of a `pyarrow.dataset.Dataset`; its parts are row groups, or the whole file."""

    def __init__(self, fragment: Any, schema: Any, path: str) -> None:
        split = getattr(fragment, "split_by_row_group", None)
        self._parts = split() if split else [fragment]
        sizes = []
        for part in self._parts:
            groups = getattr(part, "row_groups", None)
            rows = sum(group.num_rows for group in groups) if groups else part.count_rows()
            sizes.append((rows, 8 * rows * len(schema)))
        super().__init__(path, schema, sizes)

    def _table(self, part: int, names: list[str]) -> Any:
        return self._parts[part].to_table(schema=self.schema, columns=names)


class HuggingFaceTable(TableFile):
    """A `datasets.Dataset` of Hugging Face; its parts are equal runs of rows."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset.with_format("arrow")
        size = int(dataset.data.nbytes * len(dataset) / max(len(dataset.data), 1))
        super().__init__(
            "the Hugging Face dataset", dataset.features.arrow_schema, _sizes(len(dataset), size)
        )

    def _table(self, part: int, names: list[str]) -> Any:
        last = min((part + 1) * PART_ROWS, len(self._dataset))
        return self._dataset.select_columns(names)[part * PART_ROWS : last]


def _sizes(rows: int, size: int) -> list[tuple[int, int]]:
    starts = range(0, rows, PART_ROWS)
    return [(n, size * n // rows) for n in (min(PART_ROWS, rows - start) for start in starts)]

"""A stream's rows in a file of our own, read and transformed once."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from slipstream.core import config
from slipstream.core.files import atomic
from slipstream.data.streams.bounded import in_use, trim
from slipstream.data.streams.code import code_of
from slipstream.data.streams.columns import Columns, arrow
from slipstream.data.streams.parted import PieceStream, Reading
from slipstream.data.streams.stream import Stream, rows_of
from slipstream.data.streams.table_files import ArrowTable

PART_BYTES = 4 * 2**20
_FORMAT = 1
_TELL_SECONDS = 1.0


@dataclass(frozen=True)
class Packed:
    """How a structure of arrays is laid out in the columns of a table.

    Attributes:
        structure: the structure with the number of a column in place of each array.
        shapes, types: of a row, and of its values, for each column.
    """

    structure: Any
    shapes: list[list[int]]
    types: list[str]

    @classmethod
    def of(cls, data: Any) -> Packed:
        """The layout of some rows."""
        leaves, definition = jax.tree.flatten(data)
        return cls(
            jax.tree.unflatten(definition, list(range(len(leaves)))),
            [list(leaf.shape[1:]) for leaf in leaves],
            [str(leaf.dtype) for leaf in leaves],
        )

    def table(self, data: Any) -> Any:
        """Rows as a record batch."""
        pa = arrow()
        columns = []
        for leaf, shape in zip(jax.tree.leaves(data), self.shapes):
            values = pa.array(np.ascontiguousarray(leaf).reshape(-1))
            if shape:
                values = pa.FixedSizeListArray.from_arrays(values, int(np.prod(shape)))
            columns.append(values)
        return pa.record_batch(columns, [str(i) for i in range(len(columns))])

    def __call__(self, columns: Columns) -> Any:
        """Columns as rows."""

        def pick(number: int) -> np.ndarray:
            column = columns[str(number)].astype(self.types[number], copy=False)
            return column.reshape(len(column), *self.shapes[number])

        return jax.tree.map(pick, self.structure)


def kept(stream: Stream, folder: Any) -> Stream:
    """The stream that reads the cache; see `Stream.cached`."""
    transform = stream._options.transform
    content = [_FORMAT, stream._content(), None if transform is None else code_of(transform)]
    key = hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()[:32]
    place = Path(folder).expanduser() if folder else config.cache_dir() / "streams"
    path = place / f"{key}.arrow"
    if not path.exists():
        _write(stream, path)
        if not folder:
            trim(path)
    table = ArrowTable(str(path))
    if not folder:
        in_use(path, table)
    header = json.loads(table.schema.metadata[b"slipstream"])
    packed = Packed(_decoded(header["structure"]), header["shapes"], header["types"])
    names = table.schema.names
    found = PieceStream(
        Reading([table], names, packed, None),
        stream._options._replace(transform=None, workers=0, errors="raise"),
        _bad(path),
        f"the cache of {stream._what}",
    )
    found._mapped = stream._mapped
    return found


def _write(stream: Stream, path: Path) -> None:
    pa = arrow()
    packed: Packed | None = None
    writer: Any = None
    with atomic(path) as temporary, pa.OSFile(str(temporary), "wb") as sink:
        for part in _even(_told(stream)):
            packed = packed or Packed.of(part)
            if Packed.of(part) != packed:
                raise ValueError(
                    f"The rows of {stream._what} differ in shape or type: {Packed.of(part)} and "
                    f"{packed}. A cache wants them alike; for sounds give sequence_length."
                )
            batch = packed.table(part)
            if writer is None:
                header = {**vars(packed), "structure": _encoded(packed.structure)}
                schema = batch.schema.with_metadata({"slipstream": json.dumps(header)})
                writer = pa.ipc.new_file(sink, schema)
            writer.write_batch(batch.replace_schema_metadata(schema.metadata))
        if writer is None:
            raise ValueError(f"Nothing in {stream._what} could be read: {stream.bad[:3]}.")
        # Known at the end only: which files were bad, in a last batch without rows.
        writer.write_batch(
            pa.RecordBatch.from_pylist([], schema=schema),
            custom_metadata={"bad": json.dumps(stream.bad)},
        )
        writer.close()


def _bad(path: Path) -> list[tuple[str, str]]:
    """The files that were bad when a cache was written."""
    pa = arrow()
    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as file:
        last = file.get_batch_with_custom_metadata(file.num_record_batches - 1)
        return [(bad, reason) for bad, reason in json.loads(last.custom_metadata[b"bad"])]


def _even(parts: Iterator[Any]) -> Iterator[Any]:
    """The same rows in parts of about `PART_BYTES`."""
    held: list[Any] = []
    size = 0
    for part in parts:
        rows, width = rows_of(part), max(_bytes(part) // max(rows_of(part), 1), 1)
        step = max(PART_BYTES // width, 1)
        for at in range(0, rows, step):
            rows_here = slice(at, at + step)
            piece = jax.tree.map(lambda leaf, chosen=rows_here: leaf[chosen], part)
            if held and (
                size + _bytes(piece) > PART_BYTES or Packed.of(piece) != Packed.of(held[0])
            ):
                yield _joined(held)
                held, size = [], 0
            held.append(piece)
            size += _bytes(piece)
    if held:
        yield _joined(held)


def _joined(parts: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


def _bytes(data: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(data))


def _told(stream: Stream) -> Iterator[Any]:
    """The stream's rows, with a line on the terminal that says how far it is."""
    shown = config.interactive() and sys.stdout.isatty()
    begun = told = time.perf_counter()
    done = 0
    for part in stream._in_order():
        yield part
        done += rows_of(part)
        now = time.perf_counter()
        if shown and now - told > _TELL_SECONDS:
            told = now
            left = (now - begun) / done * max((stream.rows or 0) - done, 0)
            print(
                f"\r\x1b[2KPreparing {stream._what}: {done:,} of {stream.rows:,} rows · "
                f"{left:.0f} s left",
                end="",
                flush=True,
            )
    if told > begun:
        print("\r\x1b[2K", end="", flush=True)


def _encoded(structure: Any) -> Any:
    """A structure as JSON, which does not know tuples."""
    if isinstance(structure, dict):
        return {"dict": [[key, _encoded(value)] for key, value in structure.items()]}
    if isinstance(structure, (tuple, list)):
        kind = "tuple" if isinstance(structure, tuple) else "list"
        return {kind: [_encoded(value) for value in structure]}
    return structure


def _decoded(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    ((kind, parts),) = found.items()
    if kind == "dict":
        return {key: _decoded(value) for key, value in parts}
    made = [_decoded(value) for value in parts]
    return tuple(made) if kind == "tuple" else made

"""CSV, JSON lines and lines of text: parsed once, as nothing tells where their rows begin."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from slipstream.core import config
from slipstream.core.files import atomic
from slipstream.data.streams.bounded import in_use, trim
from slipstream.data.streams.columns import arrow
from slipstream.data.streams.table_files import ArrowTable, TableFile, TableInMemory

KEPT_BYTES = 256 * 2**20  # a parsed table beyond this goes to a file in the cache
_BLOCK_BYTES = 8 * 2**20
_FORMAT = 1


class Naming(NamedTuple):
    """Where the columns of a CSV file have their names from.

    Attributes:
        header: whether the first line holds no data.
        names: names in place of those in it; numbers as text if there are neither.
    """

    header: bool = True
    names: tuple[str, ...] | None = None

    @classmethod
    def of(cls, header: Any, names: Any) -> Naming:
        """What the arguments of `read` say.

        Raises:
            ValueError: if they make no sense.
        """
        if header not in ("infer", 0, None) or isinstance(header, bool):
            raise ValueError(
                f"header must be 0 if the first line names the columns, else None; got {header!r}."
            )
        if names is None:
            return cls(header is not None)
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"names must be a list of texts, one for each column; got {names!r}.")
        if len(set(names)) < len(names):
            raise ValueError(f"names has an entry twice: {list(names)}. Columns need names apart.")
        return cls(header == 0, tuple(names))


FIRST_LINE = Naming()


def parsed(path: str, naming: Naming = FIRST_LINE) -> TableFile:
    """A text file as a table: in memory, or if it is large as an Arrow file in the cache.

    Args:
        path: ends in ``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson`` or ``.txt``, and ``.gz`` if
            compressed. Of a ``.txt`` file the rows are the lines, in a column ``text``.
        naming: where the columns of a CSV file have their names from.

    Raises:
        Exception: pyarrow's or the decoder's, if the file is damaged.
    """
    arrow()
    place = _place(path, naming)
    if place.exists():
        return _opened(place, path)
    types: dict[str, Any] = {}
    while True:  # until the types fit all rows; each round widens one
        try:
            return _collect(path, place, types, naming)
        except _Wider as error:
            if types.get(error.column) == error.type or len(types) > 10_000:
                raise ValueError(error.reason) from error
            types[error.column] = error.type


class _Wider(Exception):
    """A column needs another type than its first rows had."""

    def __init__(self, column: str, type_: Any, reason: str) -> None:
        super().__init__(reason)
        self.column, self.type, self.reason = column, type_, reason


def _place(path: str, naming: Naming) -> Path:
    found = os.stat(path)
    content = [_FORMAT, os.path.abspath(path), found.st_size, found.st_mtime_ns]
    key = json.dumps(content if naming == FIRST_LINE else [*content, naming])
    name = hashlib.sha256(key.encode()).hexdigest()[:24]
    return config.cache_dir() / "tables" / f"{name}.arrow"


def _collect(path: str, place: Path, types: dict[str, Any], naming: Naming) -> TableFile:
    """All blocks of a file: in memory as long as they are small."""
    pa = arrow()
    kept: list[Any] = []
    size = 0
    blocks = _blocks(path, types, naming)
    for block in blocks:
        kept.append(block)
        size += block.nbytes
        if size > KEPT_BYTES:
            break
    else:
        if not kept:
            raise ValueError("it is empty")
        return TableInMemory(path, pa.Table.from_batches(kept))
    with (
        atomic(place) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, kept[0].schema) as writer,
    ):
        while kept:
            writer.write(kept.pop(0))
        for block in blocks:
            writer.write(block)
    trim(place)
    return _opened(place, path)


def _opened(place: Path, path: str) -> TableFile:
    table = ArrowTable(str(place), path)
    in_use(place, table)
    return table


def _blocks(path: str, types: dict[str, Any], naming: Naming) -> Iterator[Any]:
    name = path.removesuffix(".gz").lower()
    if name.endswith((".csv", ".tsv")):
        return _csv(path, "\t" if name.endswith(".tsv") else ",", types, naming)
    return _lines(path, types, name.endswith(".txt"))


def _csv(path: str, delimiter: str, types: dict[str, Any], naming: Naming) -> Iterator[Any]:
    pa = arrow()
    from pyarrow import csv

    parsing = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    names = naming.names
    if names is None and not naming.header:
        plain = csv.ReadOptions(block_size=_BLOCK_BYTES, autogenerate_column_names=True)
        with csv.open_csv(path, read_options=plain, parse_options=parsing) as first:
            names = tuple(str(number) for number in range(len(first.schema)))
    reader = csv.open_csv(
        path,  # decompressed by its name
        read_options=csv.ReadOptions(
            block_size=_BLOCK_BYTES,
            column_names=names,
            skip_rows=int(naming.header and names is not None),
        ),
        parse_options=parsing,
        convert_options=csv.ConvertOptions(column_types=types, strings_can_be_null=True),
    )
    schema = reader.schema
    for field in schema:  # nothing in the first rows: numbers are likelier than text
        if pa.types.is_null(field.type):
            raise _Wider(field.name, pa.float64(), f"{field.name!r} is empty")
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except pa.ArrowInvalid as error:
            column = re.search(r"CSV column #(\d+)", str(error))
            if column is None:
                raise
            field = schema.field(int(column[1]))
            whole = pa.types.is_integer(field.type)
            wider = pa.float64() if whole else pa.string()
            raise _Wider(field.name, wider, str(error)) from error
        yield batch


def _lines(path: str, types: dict[str, Any], plain: bool) -> Iterator[Any]:
    """Blocks of whole lines: JSON objects, or text in a column of its own."""
    pa = arrow()
    from pyarrow import json as arrow_json

    schema = None
    opener: Any = gzip.open if path.lower().endswith(".gz") else open
    with opener(path, "rb") as file:
        while lines := file.readlines(_BLOCK_BYTES):
            if plain:
                text = [line.decode("utf-8").rstrip("\r\n") for line in lines]
                yield pa.record_batch({"text": pa.array(text, pa.string())})
                continue
            content = b"".join(lines)
            if not content.strip():
                continue
            wanted = pa.schema([*types.items()]) if types else None
            table = arrow_json.read_json(
                io.BytesIO(content),
                read_options=arrow_json.ReadOptions(block_size=len(content) + 1),
                parse_options=arrow_json.ParseOptions(explicit_schema=wanted),
            )
            schema = schema or table.schema
            _compare(schema, table.schema)
            for field in schema:
                if field.name not in table.schema.names:
                    table = table.append_column(field, pa.nulls(table.num_rows, field.type))
            yield from table.select(schema.names).combine_chunks().to_batches()


def _compare(known: Any, new: Any) -> None:
    """Ask for wider types where a block's are not those of the first one."""
    pa = arrow()
    for field in new:
        index = known.get_field_index(field.name)
        if index < 0:
            raise _Wider(field.name, field.type, f"{field.name!r} comes late")
        if known.field(index).type != field.type:
            both = pa.unify_schemas(
                [pa.schema([known.field(index)]), pa.schema([field])],
                promote_options="permissive",
            )
            raise _Wider(field.name, both.field(0).type, f"{field.name!r} changes its type")

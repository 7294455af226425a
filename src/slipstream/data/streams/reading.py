"""`read`: whatever holds data, as a stream of batches."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from slipstream.data.folders import images
from slipstream.data.streams import examples
from slipstream.data.streams.array_files import ArraysInMemory, HDF5File, NumPyFile
from slipstream.data.streams.columns import arrow, make_shape
from slipstream.data.streams.examples_stream import RowStream
from slipstream.data.streams.iterated import IteratedStream, is_iterated
from slipstream.data.streams.parted import PieceStream, Reading
from slipstream.data.streams.stream import Failure, Options, Stream, unreadable, why
from slipstream.data.streams.table_files import (
    FragmentTable,
    HuggingFaceTable,
    ParquetTable,
    TableInMemory,
    open_arrow,
)
from slipstream.data.streams.text_tables import FIRST_LINE, Naming, parsed

_TABLES_OF_TEXT = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
# How a file is opened, by the ending of its name.
_OPENERS: dict[tuple[str, ...], Callable[[str], Any]] = {
    (".parquet", ".pq"): ParquetTable,
    (".arrow", ".arrows", ".feather", ".ipc"): open_arrow,
    _TABLES_OF_TEXT: parsed,
    (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"): parsed,
    (".npy", ".npz"): NumPyFile,
    (".h5", ".hdf5"): HDF5File,
    (".txt", ".txt.gz"): parsed,
}
_FOLDERS = (images.EXTENSIONS, examples.SOUNDS, examples.TEXTS)
_KINDS = (*_FOLDERS, *_OPENERS)


def read(
    source: Any,
    *,
    target: str | Sequence[str] | None = None,
    columns: str | Sequence[str] | None = None,
    batch_size: int = 32,
    shuffle: bool | int = False,
    seed: int | None = None,
    as_dict: bool | None = None,
    transform: Callable[..., Any] | None = None,
    workers: int = 0,
    errors: str = "skip",
    shard: tuple[int, int] | None = None,
    image_size: Any = (256, 256),
    color_mode: str = "rgb",
    sampling_rate: int | None = None,
    sequence_length: int | None = None,
    header: int | str | None = "infer",
    names: Sequence[str] | None = None,
) -> Stream:
    """A stream of batches of what a file, a folder or an object holds. `fit` takes it as it is.

    Batches are ``x``, or ``(x, y)`` where there is a target or folders are classes. Of a table, `x`
    is one array ``(batch, columns)`` if all columns are numbers, and else a dictionary of columns
    ``(batch,)``. Numbers that are missing are NaN; text stays text.

    Args:
        source: path or ``*`` pattern of Parquet, Arrow or Feather, CSV, JSON lines, ``.npy``,
            ``.npz``, HDF5 or text files; a folder of such files, or of pictures, sounds or texts; a
            list of paths; a table of pandas, polars or pyarrow; a `pyarrow.dataset.Dataset`; a
            Hugging Face or PyTorch `Dataset`, or an `IterableDataset` of the former; a dictionary
            of arrays.
        target: column to predict, or several; of arrays their name.
        columns: inputs; all but the target if not given. A single name stands for the column as it
            is, without an axis of columns.
        batch_size: rows of a batch.
        shuffle: whether each pass has an order of its own. Pieces of files come in any order, and
            rows are shuffled within windows of some pieces; a number says how many rows at least.
        seed: makes the orders repeatable; in `fit` the run's seed if not given.
        as_dict: whether `x` is a dictionary; where not all columns are numbers, if not given.
        transform: a function of some rows, ``x`` or ``x, y``, that gives as many.
        workers: processes that read and transform; 0 for threads, which are quicker where Python is
            not the work.
        errors: ``"skip"`` leaves damaged files out and lists them in the stream's `bad`;
            ``"raise"`` stops at the first. A single damaged file is an error in any case.
        shard: ``(index, count)``: this host's part of the rows, one of `count`.
        image_size: ``(height, width)`` that pictures are resized to.
        color_mode: ``"rgb"``, ``"rgba"`` or ``"grayscale"``, of pictures.
        sampling_rate: rate in Hz that sounds are brought to; as they are if not given.
        sequence_length: samples that sounds are cut or padded to; the longest of a batch if not
            given.
        header: of CSV files, as pandas has it: None if the first line holds data already, 0 if it
            names the columns; the former if there are `names`, else the latter, when not given.
        names: of the columns of CSV files, in their order. Where nothing names them they are
            called ``"0"``, ``"1"``, …

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the kind is unknown, a single file or all of them are damaged, a column is
            unknown, there are no rows or an argument makes no sense.
        TypeError: if the object is of a kind that cannot be read.
        ImportError: naming what to install.
    """
    options = Options(batch_size, shuffle, seed, transform, workers, errors)
    options.check()
    naming = Naming.of(header, names)
    _check_shard(shard)
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        folder = _folder_kind(path) if os.path.isdir(path) else None
        if folder in _FOLDERS:
            if target is not None or columns is not None or naming != FIRST_LINE:
                raise ValueError(
                    "target, columns, header and names are for tables and arrays; "
                    f"{path!r} is none."
                )
            found: Any
            if folder is images.EXTENSIONS:
                found = examples.pictures(path, image_size, color_mode)
            elif folder is examples.SOUNDS:
                found = examples.recordings(path, sampling_rate, sequence_length)
            else:
                found = examples.texts(path)
            return RowStream(found, options, repr(path), shard)
    elif naming != FIRST_LINE and not isinstance(source, (list, tuple)):
        raise ValueError(f"header and names are for CSV files; got {type(source)}.")
    elif is_iterated(source):
        return IteratedStream(source, options, target, columns, as_dict, shard)
    elif examples.is_map_style(source):
        return RowStream(examples.MapExamples(source), options, "the dataset", shard)
    files, bad, alone = _files(source, errors, naming)
    if alone:
        options = options._replace(errors="raise")
    shape = make_shape(files[0].kinds, target, columns, as_dict, hasattr(files[0], "schema"))
    files, misfits = _narrowed(files, shape.names, options.errors)
    whole = [
        name
        for name in shape.names
        if files[0].kinds[name] == "whole" and (shape.form != "one" or name in shape.targets)
    ]
    reals = {name for file in files for name in file.missing(whole)} if whole else set()
    shape = replace(shape, reals=frozenset(reals))
    reading = Reading(tuple(files), tuple(shape.names), shape, transform)
    return PieceStream(reading, options, bad + misfits, _named(source), shard)


def _check_shard(shard: Any) -> None:
    if shard is None:
        return
    if not isinstance(shard, (tuple, list)) or len(shard) != 2 or not 0 <= shard[0] < shard[1]:
        raise ValueError(
            f"shard must be (index, count) with an index from 0 to count - 1; got {shard!r}."
        )


def _named(source: Any) -> str:
    if isinstance(source, (str, os.PathLike)):
        return repr(os.fspath(source))
    return f"the {type(source).__name__}"


def _files(source: Any, errors: str, naming: Naming) -> tuple[list[Any], list[Failure], bool]:
    """Parted files of a source, those that cannot be opened, and whether one was asked for."""
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        if os.path.isdir(path):
            paths = _inside(path, _folder_kind(path))
        elif os.path.exists(path):
            paths = [path]
        else:
            paths = sorted(p for p in glob.glob(path, recursive=True) if os.path.isfile(p))
            if not paths:
                raise FileNotFoundError(f"There is no file {path!r}, and none of that pattern.")
        return _opened(paths, paths == [path], errors, naming)
    if isinstance(source, (list, tuple)) and all(
        isinstance(item, (str, os.PathLike)) for item in source
    ):
        return _opened([os.fspath(item) for item in source], False, errors, naming)
    if isinstance(source, dict) and source:
        return [ArraysInMemory("the dictionary", source)], [], True
    return _from_object(source), [], True


def _from_object(source: Any) -> list[Any]:
    """Tables of other libraries, told by their classes so that none need be there."""
    library = type(source).__module__.split(".")[0]
    if library == "pyarrow" and hasattr(source, "get_fragments"):
        if getattr(source, "_scan_options", None):
            raise ValueError(
                "The pyarrow dataset is filtered, which cannot be read from any position. Pass "
                "dataset.to_table(), or write what is left to a file."
            )
        found = []
        for number, fragment in enumerate(source.get_fragments()):
            name = getattr(fragment, "path", "") or f"fragment {number}"
            found.append(FragmentTable(fragment, source.schema, name))
        if not found:
            raise ValueError("The pyarrow dataset has no files.")
        return found
    if library == "datasets" and hasattr(source, "with_format") and hasattr(source, "data"):
        return [HuggingFaceTable(source)]
    table = as_table(source)
    if table is None:
        raise TypeError(
            f"read takes paths, tables, datasets and dictionaries of arrays; got {type(source)}. "
            "Arrays and batches go to fit as they are."
        )
    return [TableInMemory(f"the {type(source).__name__}", table)]


def as_table(source: Any) -> Any:
    """A table of pandas, polars or pyarrow as one of pyarrow; None for anything else."""
    library, name = type(source).__module__.split(".")[0], type(source).__name__
    if library == "pandas" and name == "DataFrame":
        return arrow().Table.from_pandas(source, preserve_index=False)
    if library == "polars" and name in ("DataFrame", "LazyFrame"):
        return (source.collect() if name == "LazyFrame" else source).to_arrow()
    if library == "pyarrow" and name == "RecordBatch":
        return arrow().Table.from_batches([source])
    return source if library == "pyarrow" and name == "Table" else None


def _ending(path: str) -> tuple[str, ...] | None:
    """The group of endings that a name belongs to."""
    return next((group for group in _KINDS if path.lower().endswith(group)), None)


def _folder_kind(path: str) -> tuple[str, ...]:
    """Which kind of files a folder holds: the commonest that can be read."""
    counts = Counter(
        group
        for _, _, names in os.walk(path)
        for name in names
        if name[0] not in "._" and (group := _ending(name)) is not None
    )
    if not counts:
        raise ValueError(f"There are no files in {path!r} of a kind that can be read: {_all()}.")
    return counts.most_common(1)[0][0]


def _all() -> str:
    return ", ".join(ending for group in _KINDS for ending in group)


def _inside(path: str, endings: tuple[str, ...]) -> list[str]:
    return sorted(
        os.path.join(folder, name)
        for folder, _, names in os.walk(path)
        for name in names
        if name[0] not in "._" and name.lower().endswith(endings)
    )


def _opened(
    paths: list[str], alone: bool, errors: str, naming: Naming
) -> tuple[list[Any], list[Failure], bool]:
    found: list[Any] = []
    bad: list[Failure] = []
    for path in paths:
        opener = next((o for ends, o in _OPENERS.items() if path.lower().endswith(ends)), None)
        if opener is None:
            raise ValueError(f"{path!r} is of no kind that can be read: {_all()}.")
        if naming != FIRST_LINE:
            if not path.lower().endswith(_TABLES_OF_TEXT):
                raise ValueError(f"header and names are for CSV files; {path!r} is none.")
            opener = partial(parsed, naming=naming)
        try:
            found.append(opener(path))
        except ImportError:
            raise
        except FileNotFoundError:
            raise FileNotFoundError(f"There is no file {path!r}.") from None
        except Exception as error:  # decoders raise many kinds of errors on damaged files
            if alone or errors == "raise":
                raise unreadable(path, why(error)) from error
            bad.append((path, why(error)))
    if not found:
        raise ValueError(f"None of {len(paths)} files could be read: {bad[:3]}.")
    return found, bad, alone


def _narrowed(files: list[Any], names: list[str], errors: str) -> tuple[list[Any], list[Failure]]:
    """The files that have all columns, and the others."""
    kept: list[Any] = []
    bad: list[Failure] = []
    for file in files:
        try:
            file.narrow(names)
        except ValueError as error:
            if errors == "raise" or len(files) == 1:
                raise ValueError(f"{file.path!r}: {error}") from error
            bad.append((file.path, str(error)))
        else:
            kept.append(file)
    if not kept:
        raise ValueError(f"No file has what is asked for: {bad[:3]}.")
    return kept, bad

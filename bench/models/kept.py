"""A table, its picture and the numbers behind both, in files beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.models import results, scaling, table
from bench.models.pictures import bars, curves


def numbers(file: Path) -> Path:
    """Where a table's numbers are kept: ``MODELS.md`` has ``models.json``."""
    return file.with_name(f"{file.stem.lower()}.json")


def picture(file: Path) -> Path:
    """Where a table's picture is: ``MODELS.md`` has ``pictures/models.svg``."""
    return file.parent / "pictures" / f"{file.stem.lower()}.svg"


def keep_models(heading: str, found: Sequence[results.Found], file: Path) -> None:
    """Write numbers, table and picture of whole models; `file` is the table's."""
    results.save(results.Results(heading, list(found)), numbers(file))
    _write(file, heading, table.markdown(list(found)), bars(found))


def keep_scaling(heading: str, rounds: int, found: Sequence[scaling.Curve], file: Path) -> None:
    """Write numbers, table and picture of the curves."""
    scaling.save(heading, rounds, found, numbers(file))
    _write(file, heading, scaling.markdown(found, rounds), curves(found))


def redraw(models: Path, scaled: Path) -> list[str]:
    """Make tables and pictures again from the numbers that were kept; the names of the tables."""
    written = []
    if numbers(models).exists():
        keep_models(*results.load(numbers(models)), models)
        written.append(models.name)
    if numbers(scaled).exists():
        keep_scaling(*scaling.load(numbers(scaled)), scaled)
        written.append(scaled.name)
    return written


def _write(file: Path, heading: str, below: str, drawn: str) -> None:
    picture(file).parent.mkdir(exist_ok=True)
    picture(file).write_text(drawn + "\n")
    shown = f"![{file.stem.capitalize()}](pictures/{picture(file).name})"
    file.write_text(f"{heading}\n{shown}\n\n{below}")

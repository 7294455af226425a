"""Writes keras_names.md: every public name of Keras 3, and whether it is here.

Run it where Keras is installed: ``python docs/keras_names.py``. It imports both libraries, looks
each name up, and compares the arguments of functions, classes and methods.
"""

from __future__ import annotations

import dis
import importlib
import inspect
import json
import os
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

HERE, DIFFERS, MISSING = "here", "differs", "not yet"
PAGE = Path(__file__).with_name("keras_names.md")
NOTES = json.loads(Path(__file__).with_name("keras_notes.json").read_text())

INTRODUCTION = """\
# Every name of Keras 3

Made by `python docs/keras_names.py` with Keras {version}; do not edit it by hand. Read `keras.` as
`slipstream.`: a name that is here stands in the module of the same name.

- **Here**: the name is here, and takes the arguments that Keras' takes, in the same order and with
  the same defaults.
- **Differs**: the name is here; the table says what is different. Arguments and methods were
  compared by the script.
- **Not yet**: the name is missing.

What differs in every layer, model or run is told once, in [From Keras](from_keras.md).
"""


class Row(NamedTuple):
    """What was found out about one name."""

    module: str
    name: str
    status: str
    how: str = ""

    @property
    def path(self) -> str:
        """The name with its module, ``layers.Dense``."""
        return f"{self.module}.{self.name}".removeprefix("keras.")


# ---- looking names up ----------------------------------------------------------------------------


def public_names(module: types.ModuleType, path: str) -> Iterator[tuple[str, str, Any]]:
    """Module, name and object of all that a public module and those inside it hold."""
    inside = []
    for name in sorted(set(dir(module))):
        value = getattr(module, name)
        if name.startswith("_") or (path == "keras" and name == "src"):
            continue
        if not isinstance(value, types.ModuleType):
            yield path, name, value
        elif value.__name__.startswith("keras."):
            inside.append((value, f"{path}.{name}"))
    for value, inner in inside:
        yield from public_names(value, inner)


def ours(module: str, name: str) -> Any:
    """Our object of that name, or None."""
    try:
        found = importlib.import_module(module.replace("keras", "slipstream", 1))
    except ModuleNotFoundError:
        return None
    known = getattr(found, "__all__", None)
    if known is not None and name not in known:
        return None
    value = getattr(found, name, None)
    return None if isinstance(value, types.ModuleType) else value


# ---- comparing arguments -------------------------------------------------------------------------


class Arguments(NamedTuple):
    """The arguments a function takes."""

    by_place: list[str]
    by_name: dict[str, Any]
    many: bool


def arguments(function: Any) -> Arguments:
    """Arguments of a function; of a class those of its `__init__`, and of its bases' if open."""
    parameters = [p for part in _signatures(function) for p in part]
    kinds = {p.kind for p in parameters}
    named = {p.name: p.default for p in reversed(parameters) if p.kind not in _VARIABLE}
    named = {p.name: named[p.name] for p in parameters if p.name in named}
    first = next(iter(_signatures(function)), [])
    places = [p.name for p in first if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return Arguments(places, named, inspect.Parameter.VAR_POSITIONAL in kinds)


_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _without_init(target: type) -> bool:
    return target.__init__ is object.__init__ or issubclass(target, tuple)


def _signatures(function: Any) -> Iterator[list[inspect.Parameter]]:
    if not inspect.isclass(function) or _without_init(function):
        parameters = list(inspect.signature(function).parameters.values())
        yield [p for p in parameters if p.name not in ("self", "cls")]
        return
    for base in function.__mro__:
        if base is object or "__init__" not in vars(base):
            continue
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
        yield parameters
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return


def argument_differences(theirs: Any, mine: Any) -> list[str]:
    """What a caller of theirs has to change to call mine."""
    try:
        wanted, given = next(iter(_signatures(theirs)), []), arguments(mine)
        places = arguments(theirs).by_place
    except (TypeError, ValueError):
        return []
    wanted = [p for p in wanted if p.kind not in _VARIABLE and not p.name.startswith("_")]
    wanted = [p for p in wanted if not (given.many and p.name in places)]
    other = _other_names(wanted, places, given.by_place)
    lacking = [p.name for p in wanted if p.name not in given.by_name and p.name not in other]
    said = [f"calls the argument `{name}` `{here}`" for name, here in other.items()]
    said += [f"lacks {_names(lacking)}"] if lacking else []
    moved = [
        name
        for place, name in enumerate(places)
        if name in given.by_name and not given.many and given.by_place[place : place + 1] != [name]
    ]
    if moved and not lacking:
        said.append(f"takes {_names(moved)} by name only or in another place")
    for p in wanted:
        if p.name in given.by_name and p.name != "training" and _plain(p.default):
            here = given.by_name[p.name]
            if here is inspect.Parameter.empty:
                said.append(f"requires `{p.name}`")
            elif _plain(here) and _flat(here) != _flat(p.default):
                said.append(f"default of `{p.name}` is `{here!r}`, not `{p.default!r}`")
    return said


def _other_names(wanted: list[Any], theirs: list[str], mine: list[str]) -> dict[str, str]:
    """Arguments that have to be given, in the same place under another name."""
    names = {p.name for p in wanted if p.default is p.empty}
    return {
        there: here
        for there, here in zip(theirs, mine)
        if there in names and there not in mine and here not in theirs
    }


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, tuple))


def _flat(value: Any) -> set[Any]:
    """2, (2, 2) and ((2, 2), (2, 2)) mean the same to a layer."""
    return set().union(*map(_flat, value)) if isinstance(value, tuple) else {value}


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


# ---- comparing methods ---------------------------------------------------------------------------

# Called by the library alone, by place.
HOOKS = {"build", "compute_mask", "compute_output_shape", "compute_output_spec"}


def method_differences(theirs: Any, mine: Any, public: set[int]) -> list[str]:
    """Methods and attributes of their class that mine lacks, or that take other arguments."""
    told = {  # in the row of a base
        name
        for base in theirs.__mro__[1:]
        if id(base) in public
        for name in dir(base)
        if name not in vars(theirs)
    }
    names = [
        name
        for name in dir(theirs)
        if not name.startswith("_") and name not in told and getattr(theirs, name).__doc__
    ]
    known = {*dir(mine), *_attributes(mine)}
    lacking = [name for name in names if name not in known]
    said = [f"has no {_names(lacking)}"] if lacking else []
    for name in names:
        there, here = getattr(theirs, name, None), getattr(mine, name, None)
        if name in vars(theirs) and inspect.isroutine(there) and inspect.isroutine(here):
            found = [] if name in HOOKS else argument_differences(there, here)
            if found:
                said.append(f"`{name}` {', '.join(found)}")
    return said


def _attributes(target: type) -> set[str]:
    """Names of the attributes that the methods of a class of ours set."""
    functions = [value for base in target.__mro__ for value in vars(base).values()]
    codes = [f.__code__ for f in map(inspect.unwrap, functions) if inspect.isfunction(f)]
    return {
        step.argval for code in codes for step in dis.get_instructions(code)
        if step.opname == "STORE_ATTR"
    }  # fmt: skip


# ---- the page ------------------------------------------------------------------------------------


def rows() -> list[Row]:
    """All names of Keras with their status, module by module."""
    keras = importlib.import_module("keras")
    found = list(public_names(keras, "keras"))
    public = {id(value) for _, _, value in found}
    return [_row(module, name, value, public) for module, name, value in found]


def _row(module: str, name: str, theirs: Any, public: set[int]) -> Row:
    mine = ours(module, name)
    note = NOTES.get(f"{module}.{name}".removeprefix("keras."), NOTES.get(name, ""))
    if mine is None:
        return Row(module, name, MISSING, note)
    said = []
    if callable(theirs) and callable(mine):
        said += argument_differences(theirs, mine)
    if inspect.isclass(theirs) and inspect.isclass(mine):
        said += method_differences(theirs, mine, public)
    how = "; ".join(said)
    how = " ".join(part for part in (how[:1].upper() + how[1:] + "." if how else "", note) if part)
    return Row(module, name, DIFFERS if how else HERE, how)


def page(found: list[Row], version: str) -> str:
    """The page as Markdown."""
    modules: dict[str, list[Row]] = {}
    for row in found:
        modules.setdefault(row.module, []).append(row)
    missing = {name for name, mine in modules.items() if all(_bare(row) for row in mine)}
    lines = [INTRODUCTION.format(version=version), *_counts(modules, missing)]
    for module, mine in modules.items():
        lines += [] if module in missing else _section(module, mine)
    lines += ["", "## Modules of which nothing is here yet", ""]
    for module in sorted(missing):
        lines.append(f"- `{module}`: {_names(row.name for row in modules[module])}")
    return "\n".join(lines) + "\n"


def _bare(row: Row) -> bool:
    return row.status == MISSING and not row.how


def _counts(modules: dict[str, list[Row]], missing: set[str]) -> list[str]:
    everything = [row for mine in modules.values() for row in mine]
    lines = ["| module | names | here | differs | not yet |", "|---|---:|---:|---:|---:|"]
    for module, mine in [*modules.items(), ("all", everything)]:
        statuses = [row.status for row in mine]
        linked = module not in missing and module != "all"
        title = f"[{module}](#{module.replace('.', '')})" if linked else module
        counts = [len(mine), *(statuses.count(status) for status in (HERE, DIFFERS, MISSING))]
        lines.append(f"| {title} | {' | '.join(map(str, counts))} |")
    return lines


def _section(module: str, mine: list[Row]) -> list[str]:
    lines = ["", f"## {module}"]
    for status, title in ((HERE, "Here"), (MISSING, "Not yet")):
        names = [row.name for row in mine if row.status == status and not row.how]
        if names:
            lines += ["", f"{title}: {_names(names)}."]
    told = [row for row in mine if row.how]
    if told:
        lines += ["", "| name | | how |", "|---|---|---|"]
        lines += [f"| `{row.name}` | {row.status} | {row.how} |" for row in told]
    return lines


def main() -> None:
    """Write the page."""
    version = importlib.import_module("keras").__version__
    PAGE.write_text(page(rows(), version))
    print(f"{PAGE}: written for Keras {version}")


if __name__ == "__main__":
    main()

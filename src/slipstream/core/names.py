"""Names: automatic ones for layers and models, and the nearest match for a misspelt one."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_counts: defaultdict[str, int] = defaultdict(int)


def snake_case(name: str) -> str:
    """``BatchNormalization`` to ``batch_normalization``, ``ReLU`` to ``re_lu`` as Keras does."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def camel_case(name: str) -> str:
    """``expand_dims`` to ``ExpandDims``."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def auto_name(prefix: str) -> str:
    """``dense``, then ``dense_1``, ``dense_2`` …, counted over the process."""
    count = _counts[prefix]
    _counts[prefix] += 1
    return f"{prefix}_{count}" if count else prefix


def reset_names() -> None:
    """Start all automatic names from the beginning again."""
    _counts.clear()


def counts() -> dict[str, int]:
    """How many automatic names of each kind there are."""
    return dict(_counts)


@contextmanager
def counting_from(start: dict[str, int]) -> Iterator[None]:
    """Automatic names in the block go on from `start`, as if what came since were not there."""
    since = dict(_counts)
    _counts.clear()
    _counts.update(start)
    try:
        yield
    finally:
        for prefix, count in since.items():
            _counts[prefix] = max(_counts[prefix], count)


def nearest(name: str, options: Iterable[str]) -> str:
    """A hint for an error message: the closest known names, or a sample of them."""
    options = sorted({str(option) for option in options})
    lowered = {option.lower(): option for option in options}
    close = difflib.get_close_matches(str(name).lower(), lowered, n=3, cutoff=0.6)
    if close:
        return "Did you mean " + " or ".join(repr(lowered[match]) for match in close) + "?"
    return "Known: " + ", ".join(options) + "."

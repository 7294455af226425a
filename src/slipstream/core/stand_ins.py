"""Sizes that stand in for unknown ones, for operations that do not take any size.

`infer` tries two primes. That fails where a size must divide (``reshape((None, 4), (-1, 6))``),
match another (``(None, 4) + (5, 4)``) or be one in particular (``reshape((None, 4), (2, 6))``).
Here sizes are tried until one fits; an axis is unknown in the result if a size that fits as well
gives another result there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import lcm, prod
from typing import Any

import jax

_DIVISIBLE = lcm(*range(1, 17))


def fit(
    shapes: list[tuple[int | None, ...]],
    options: Any,
    trace: Callable[[list[tuple[int, ...]]], Any],
) -> Any:
    """Results of an operation for sizes that it takes.

    Args:
        shapes: of its symbolic arguments.
        options: its other arguments; whole numbers among them may say sizes.
        trace: results as `jax.ShapeDtypeStruct`s for known shapes.

    Returns:
        The results for sizes that fit, and the results for each other choice of them that fits
        too; None if nothing fits.
    """
    for sizes in _guesses(shapes, options):
        first = _attempt(trace, sizes)
        if first is None:
            continue
        others = []
        for which, axis in _unknown(shapes):
            varied = [list(shape) for shape in sizes]
            varied[which][axis] *= 2
            found = _attempt(trace, [tuple(shape) for shape in varied])
            if found is not None:
                others.append(found)
        if not others:  # tied to one another or to a known size: all at once, or none
            doubled = [
                tuple(2 * size if told is None else size for told, size in zip(*pair))
                for pair in zip(shapes, sizes)
            ]
            found = _attempt(trace, doubled)
            others = [] if found is None else [found]
        return first, others
    return None


def _guesses(shapes: list[tuple[int | None, ...]], options: Any) -> Iterator[list[tuple]]:
    # Not 1: an unknown size is none that could be squeezed away.
    known = sorted({size for shape in shapes for size in shape if size is not None and size != 1})
    groups = _sizes_in(options)
    divisible = _DIVISIBLE * prod(size for group in groups for size in group if size > 1)

    def aligned(which: int, axis: int) -> int:
        """The known size that broadcasting lays on this axis, from the right."""
        place = axis - len(shapes[which])
        sizes = [shape[place] for shape in shapes if -place <= len(shape)]
        return next((size for size in sizes if size not in (None, 1)), None) or divisible

    def everywhere(size: int) -> Callable[[int, int], int]:
        return lambda which, axis: size

    yield _filled(shapes, everywhere(divisible))
    yield _filled(shapes, aligned)
    for size in dict.fromkeys([*known, *_said(shapes, groups)]):
        yield _filled(shapes, everywhere(size))


def _sizes_in(options: Any) -> list[list[int]]:
    """The whole numbers among the options, alone or in groups."""
    leaves = jax.tree.leaves(options, is_leaf=_are_sizes)
    return [
        list(leaf) if isinstance(leaf, (list, tuple)) else [leaf]
        for leaf in leaves
        if _are_sizes(leaf)
    ]


def _said(shapes: list[tuple[int | None, ...]], groups: list[list[int]]) -> Iterator[int]:
    """Sizes that follow from groups of whole numbers."""
    yield from (size for group in groups for size in group if size > 1)
    for group in groups:
        for shape in shapes:
            rest = prod(size for size in shape if size is not None)
            if rest and shape.count(None) == 1 and min(group) >= 0 and prod(group) % rest == 0:
                yield prod(group) // rest


def _are_sizes(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(map(_are_sizes, value)) and not _nested(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _nested(value: Any) -> bool:
    return any(isinstance(item, (list, tuple)) for item in value)


def _unknown(shapes: list[tuple[int | None, ...]]) -> list[tuple[int, int]]:
    return [
        (w, a) for w, shape in enumerate(shapes) for a, size in enumerate(shape) if size is None
    ]


def _filled(
    shapes: list[tuple[int | None, ...]], size_of: Callable[[int, int], int]
) -> list[tuple[int, ...]]:
    return [
        tuple(size_of(w, a) if size is None else size for a, size in enumerate(shape))
        for w, shape in enumerate(shapes)
    ]


def _attempt(trace: Callable[..., Any], sizes: list[tuple[int, ...]]) -> Any:
    try:
        return trace(sizes)
    except (TypeError, ValueError, IndexError, ZeroDivisionError, OverflowError):
        return None

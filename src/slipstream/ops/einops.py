"""`rearrange`, a small part of einops' notation (Rogozhnikov, 2022)."""

from __future__ import annotations

from math import prod
from typing import Any

import jax.numpy as jnp

from slipstream.core.operation import Array, Index, operation

Side = list[list[str]]


@operation("einops", named=["axes_lengths"])
def rearrange(tensor: Array, pattern: Index, **axes_lengths: Index) -> Any:
    """Reorder, split and merge axes as ``"batch (h w) c -> batch c h w"`` says.

    Args:
        pattern: names of the axes before and after. Those in brackets are one axis of the array;
            ``...`` stands for all others, ``1`` for a new axis of size 1.
        axes_lengths: sizes of axes in brackets; one of each bracket may be left out.

    Raises:
        ValueError: if the two sides name different axes, or the array does not fit the first.
    """
    x = jnp.asarray(tensor)
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ValueError(f"rearrange: pattern {pattern!r} needs one '->'.")
    extra = x.ndim - sum(group != ["..."] for group in _parse(sides[0]))
    before, after = (_expand(_parse(side), extra) for side in sides)
    names = [name for group in before for name in group]
    wanted = [name for group in after for name in group if name != "1"]
    if sorted(names) != sorted(wanted) or len(set(names)) != len(names) or "1" in names:
        raise ValueError(
            f"rearrange: both sides of {pattern!r} must name the same axes, each once."
        )
    if len(before) != x.ndim:
        raise ValueError(
            f"rearrange: {pattern!r} describes {len(before)} axes; got shape {x.shape}."
        )
    sizes: dict[str, int] = dict(axes_lengths)
    for group, size in zip(before, x.shape):
        _fill(sizes, group, size, pattern)
    x = x.reshape([sizes[name] for name in names])
    x = x.transpose([names.index(name) for name in wanted])
    sizes["1"] = 1
    return x.reshape([prod(sizes[name] for name in group) for group in after])


def _parse(side: str) -> Side:
    """``a (b c)`` to ``[["a"], ["b", "c"]]``."""
    groups: Side = []
    inside = False
    for word in side.replace("(", " ( ").replace(")", " ) ").split():
        if word in "()":
            if (word == "(") == inside:
                raise ValueError(f"rearrange: brackets of {side!r} do not match.")
            inside = word == "("
            if inside:
                groups.append([])
        elif inside:
            groups[-1].append(word)
        else:
            groups.append([word])
    if inside:
        raise ValueError(f"rearrange: brackets of {side!r} do not match.")
    return groups


def _expand(side: Side, extra: int) -> Side:
    """With names of their own for the axes that ``...`` stands for."""
    dots = [f".{i}" for i in range(extra)]
    groups: Side = []
    for group in side:
        if group == ["..."]:
            groups += [[name] for name in dots]
        else:
            groups.append([n for name in group for n in (dots if name == "..." else [name])])
    return groups


def _fill(sizes: dict[str, int], group: list[str], size: int, pattern: str) -> None:
    unknown = [name for name in group if name not in sizes]
    known = prod(sizes[name] for name in group if name in sizes)
    if len(unknown) == 1 and known and size % known == 0:
        sizes[unknown[0]] = size // known
    elif unknown or known != size:
        raise ValueError(
            f"rearrange: an axis of size {size} does not split into ({' '.join(group)}) of "
            f"{pattern!r} with the sizes { {n: sizes[n] for n in group if n in sizes} }."
        )

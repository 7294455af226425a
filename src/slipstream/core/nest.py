"""Nested structures: lists, tuples, named tuples, dictionaries and deques, with leaves inside.

None is a leaf. The entries of a dictionary are taken in the order of its keys, those of an
`OrderedDict` as they stand.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any


class MAP_TO_NONE:
    """What a function of `traverse` returns to put None in the place of what it was given."""


def is_nested(structure: Any) -> bool:
    """Whether it is a list, tuple, dictionary or deque, empty ones included."""
    return isinstance(structure, (list, tuple, dict, deque))


def keys(node: Any) -> list[Any]:
    """Keys or places of a nested structure's entries, in order."""
    if not isinstance(node, dict):
        return list(range(len(node)))
    if isinstance(node, OrderedDict):
        return list(node)
    try:
        return sorted(node)
    except TypeError:
        return sorted(node, key=lambda key: (type(key).__qualname__, str(key)))


def children(node: Any) -> list[Any]:
    """The entries of a nested structure, in order."""
    return [node[key] for key in keys(node)]


def rebuilt(node: Any, values: Sequence[Any]) -> Any:
    """A structure like `node` with other entries, given in its order."""
    if isinstance(node, dict):
        given = dict(zip(keys(node), values))
        pairs = [(key, given[key]) for key in (node if isinstance(node, OrderedDict) else given)]
        if isinstance(node, defaultdict):
            return defaultdict(node.default_factory, pairs)
        return OrderedDict(pairs) if isinstance(node, OrderedDict) else dict(pairs)
    if isinstance(node, deque):
        return deque(values, node.maxlen)
    if hasattr(node, "_fields"):
        return type(node)(*values)
    return list(values) if isinstance(node, list) else tuple(values)


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """The leaves in order, each with the keys and places that lead to it."""
    if not is_nested(structure):
        return [((), structure)]
    return [
        ((key, *path), leaf)
        for key in keys(structure)
        for path, leaf in flatten_with_path(structure[key])
    ]


def flatten(structure: Any) -> list[Any]:
    """The leaves in order."""
    return [leaf for _, leaf in flatten_with_path(structure)]


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """The first structure with the results of `func` on the leaves of all at each place.

    Args:
        func: takes a leaf of each structure.
        structures: structures of one kind.
        none_is_leaf: False leaves None where the first structure has it.

    Raises:
        ValueError: if there is no structure, or they differ.
        TypeError: if `func` cannot be called.
    """
    _check_callable(func)
    if not structures:
        raise ValueError("map_structure needs at least one structure.")
    for other in structures[1:]:
        assert_same_structure(structures[0], other)

    def at(*values: Any) -> Any:
        return None if values[0] is None and not none_is_leaf else func(*values)

    return map_structure_up_to(structures[0], at, *structures)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """`map_structure` down to the leaves of `shallow_structure` alone.

    Raises:
        ValueError: if there is no structure, or one differs from the shallow one above its leaves.
    """
    if not structures:
        raise ValueError("map_structure_up_to needs at least one structure.")
    if not is_nested(shallow_structure):
        return func(*structures)
    for structure in structures:
        _check_node(shallow_structure, structure)
    parts = [children(structure) for structure in structures]
    return rebuilt(
        shallow_structure,
        [
            map_structure_up_to(shallow, func, *entries)
            for shallow, *entries in zip(children(shallow_structure), *parts)
        ],
    )


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """`map_structure` in which a list or tuple of whole numbers and None is a leaf, a shape."""
    _check_callable(func)
    if not is_nested(structure) or _is_shape(structure):
        return func(structure)
    return rebuilt(structure, [map_shape_structure(func, part) for part in children(structure)])


def _is_shape(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(s, int | None) for s in value)


def lists_to_tuples(structure: Any) -> Any:
    """The same with a tuple for each list."""
    if not is_nested(structure):
        return structure
    parts = [lists_to_tuples(part) for part in children(structure)]
    return tuple(parts) if isinstance(structure, list) else rebuilt(structure, parts)


def pack_sequence_as(structure: Any, flat_sequence: Iterable[Any]) -> Any:
    """A structure like the given one, its leaves taken from a flat sequence.

    Raises:
        TypeError: if `flat_sequence` is no sequence.
        ValueError: if it is too short or too long.
    """
    values = list(flat_sequence)
    wanted = len(flatten(structure))
    if len(values) != wanted:
        raise ValueError(f"The structure has {wanted} leaves; flat_sequence has {len(values)}.")
    rest = iter(values)
    return map_structure(lambda _: next(rest), structure)


def assert_same_structure(a: Any, b: Any, check_types: Any = None) -> None:
    """Check that two structures differ in nothing but their leaves.

    Raises:
        ValueError: if they differ.
    """
    if is_nested(a) or is_nested(b):
        _check_node(a, b)
        for key in keys(a):
            assert_same_structure(a[key], b[key])


def assert_same_paths(a: Any, b: Any) -> None:
    """Check that two structures have leaves at the same places, whatever their types.

    Raises:
        ValueError: if they have not.
    """
    first, second = ({path for path, _ in flatten_with_path(each)} for each in (a, b))
    if first != second:
        raise ValueError(
            f"The structures have leaves at different places: only the first at "
            f"{sorted(first - second, key=str)}, only the second at "
            f"{sorted(second - first, key=str)}."
        )


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Put what `func` returns in the place of each part of a structure; None keeps the part.

    Args:
        func: takes each part, nested or leaf; returns None, a replacement or `MAP_TO_NONE`.
        structure: what to go through.
        top_down: whether a part comes before those inside it, which are not visited once it is
            replaced; else after them.
    """
    _check_callable(func)
    part = structure
    if not top_down and is_nested(part):
        part = rebuilt(part, [traverse(func, each, False) for each in children(part)])
    found = func(part)
    if found is MAP_TO_NONE:
        return None
    if found is not None:
        return found
    if top_down and is_nested(part):
        return rebuilt(part, [traverse(func, each) for each in children(part)])
    return part


def _check_callable(func: Any) -> None:
    if not callable(func):
        raise TypeError(f"func must be a function; got {func!r}.")


def _check_node(wanted: Any, given: Any) -> None:
    """Raise a ValueError unless both are of one kind and have the same keys or length."""
    kinds = [dict if isinstance(node, dict) else type(node) for node in (wanted, given)]
    if not (is_nested(wanted) and is_nested(given)) or kinds[0] is not kinds[1]:
        raise ValueError(f"The structures differ: {given!r} stands in the place of {wanted!r}.")
    same = set(wanted) == set(given) if kinds[0] is dict else len(wanted) == len(given)
    if not same:
        raise ValueError(f"The structures differ: {given!r} has other entries than {wanted!r}.")

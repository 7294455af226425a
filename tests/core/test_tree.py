"""Nested structures beside Keras."""

from collections import OrderedDict, defaultdict, deque, namedtuple

import keras
import pytest

from slipstream import tree

Pair = namedtuple("Pair", "a b")
DEEP = {"b": [1, (2, None)], "a": Pair(3, {"z": 4})}
STRUCTURES = [
    None, 5, [], {}, (), [1, [2, (3,)]], DEEP, {"x": ()}, OrderedDict([("b", 1), ("a", 2)]),
    defaultdict(list, q=[1], a=2), deque([1, 2], maxlen=3), {"s": {1}}, "text", {2: 1, 1: "a"},
]  # fmt: skip


def both(name, *args, **kwargs):
    """Results of Keras and ours, an error as its type."""
    found = []
    for library in (keras.tree, tree):
        try:
            found.append(getattr(library, name)(*args, **kwargs))
        except Exception as error:
            found.append(type(error))
    return found


def same(name, *args, **kwargs):
    theirs, mine = both(name, *args, **kwargs)
    assert theirs == mine and type(theirs) is type(mine)
    assert not isinstance(mine, OrderedDict) or list(mine) == list(theirs)


@pytest.mark.parametrize("structure", STRUCTURES, ids=range(len(STRUCTURES)))
def test_one_structure(structure):
    for name in ("flatten", "flatten_with_path", "is_nested", "lists_to_tuples"):
        same(name, structure)
    same("map_structure", lambda *x: x, structure, structure)
    count = len(tree.flatten(structure))
    for length in (count, count + 1, max(count - 1, 0)):
        same("pack_sequence_as", structure, list(range(length)))
    same("assert_same_structure", structure, structure)
    same("traverse", lambda x: "L" if isinstance(x, list) else None, structure)
    same("traverse", lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


PAIRS = [
    ([1, 2], [1]), ([1, 2], (1, 2)), ({"a": 1}, {"b": 1}), ({"a": 1}, OrderedDict(a=1)),
    ([1, (2,)], [3, (4,)]), (1, [1]), ([1, 2], [1, [2]]), ([None], [1]), (Pair(1, 2), (1, 2)),
    ({"a": [1]}, {"a": [2]}),
]  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS, ids=range(len(PAIRS)))
def test_two_structures(pair):
    for name in ("assert_same_structure", "assert_same_paths"):
        same(name, *pair)
    same("map_structure", lambda *x: x, *pair)
    if pair[0] != [None]:  # which Keras takes for something that cannot be nested
        same("map_structure_up_to", pair[0], lambda x: x, pair[1])


def test_the_rest():
    same("map_structure", lambda x: x + 1, [1, None], none_is_leaf=False)
    same("map_structure", lambda x: x is None, [1, None])
    same("map_structure", lambda *x: x)
    same("map_structure", 3, [1])
    same("map_structure_up_to", [1, 2], lambda a, b: (a, b), [[1], {"a": 2}], [3, 4])
    same("pack_sequence_as", [1], 3)
    for shapes in ({"a": (None, 2), "b": [(1, 2), [3, 4]], "c": ()}, [1, 2], ((1, 2), (3,))):
        same("map_shape_structure", lambda s: ("S", s), shapes)
    for top_down in (True, False):
        found = [
            library.traverse(
                lambda x, library=library: library.MAP_TO_NONE if x == 2 else None,
                [1, (2, 3)],
                top_down=top_down,
            )
            for library in (keras.tree, tree)
        ]
        assert found == [[1, (None, 3)]] * 2

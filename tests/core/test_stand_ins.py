"""Operations that do not take any size in the place of an unknown one: as Keras infers."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import slipstream
from slipstream import layers, ops
from slipstream.core.symbol import SymbolicTensor


def both(function, *shapes):
    ours = function(slipstream.ops, *map(SymbolicTensor, shapes))
    theirs = function(keras.ops, *map(keras.KerasTensor, shapes))
    if isinstance(theirs, (list, tuple)):
        return [x.shape for x in ours], [x.shape for x in theirs]
    return ours.shape, theirs.shape


CASES = {
    "reshape to sizes": (lambda o, x: o.reshape(x, (2, 6)), (None, 4)),
    "reshape to nothing": (lambda o, x: o.reshape(x, (0, 4)), (None, 4)),
    "reshape to a vector": (lambda o, x: o.reshape(x, (1000,)), (None, 8)),
    "reshape the rest": (lambda o, x: o.reshape(x, (-1, 6)), (None, 4)),
    "reshape the rest, inside": (lambda o, x: o.reshape(x, (2, -1, 4)), (None, None, 4)),
    "split": (lambda o, x: o.split(x, 2, axis=0), (None, 4)),
    "add, known size": (lambda o, x, y: o.add(x, y), (None, 4), (5, 4)),
    "add, one of two": (lambda o, x, y: o.add(x, y), (None, None), (5,)),
    "where": (lambda o, *a: o.where(*a), (None, 1), (5, 4), (None, 4)),
    "broadcast": (lambda o, x: o.broadcast_to(x, (7, 4)), (None, 4)),
    "matmul": (lambda o, x, y: o.matmul(x, y), (2, None), (5, 4)),
    "einsum": (lambda o, x, y: o.einsum("ij,jk->ik", x, y), (None, None), (5, 4)),
    "no trouble": (lambda o, x: o.reshape(x, (-1, 2, 2)), (None, 4)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_shapes_are_keras(case):
    function, *shapes = CASES[case]
    ours, theirs = both(function, *shapes)
    assert ours == theirs


@pytest.mark.parametrize(
    ("function", "shapes", "wanted"),
    [
        (lambda o, x, y: o.concatenate([x, y], axis=1), [(None, 4), (5, 3)], (5, 7)),
        (lambda o, x, y: o.stack([x, y]), [(None, 4), (5, 4)], (2, 5, 4)),
    ],
)
def test_sizes_that_must_agree_are_known_where_keras_leaves_them_open(function, shapes, wanted):
    ours, theirs = both(function, *shapes)
    assert ours == wanted
    assert all(a == b or b is None for a, b in zip(ours, theirs))


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.lists(st.integers(1, 6), min_size=1, max_size=3),
    st.integers(0, 3),
)
def test_reshape_agrees_with_the_array_that_fits(known, target, place):
    shape = [*known]
    shape.insert(min(place, len(shape)), None)
    target = [-1, *target]
    symbol = ops.reshape(SymbolicTensor(shape), target)
    rows = int(np.prod(target[1:]))
    result = np.zeros([rows if size is None else size for size in shape]).reshape(target)
    assert all(a is None or a == b for a, b in zip(symbol.shape, result.shape, strict=True))
    assert symbol.shape[1:] == result.shape[1:]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: ops.reshape(SymbolicTensor((None, 3)), (5,)), r"cannot reshape"),
        (lambda: ops.add(SymbolicTensor((None, 4)), SymbolicTensor((7,))), "(?i)incompatible"),
    ],
)
def test_what_fits_no_size_says_which_shapes_were_given(function, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        function()
    assert any("(None, " in note for note in caught.value.__notes__)


def test_an_unknown_size_is_not_squeezed_away():
    for shape in [(None, 4), (None, 1, 4)]:
        with pytest.raises((TypeError, ValueError)):
            ops.squeeze(SymbolicTensor(shape), 0)


def test_a_reshape_that_changes_the_number_of_rows_is_run_on_whole_batches():
    inputs = layers.Input((4,))
    model = slipstream.Model(inputs, ops.reshape(inputs, (-1, 2)))
    x = np.arange(12, dtype="f").reshape(3, 4)
    np.testing.assert_array_equal(model.predict(x), x.reshape(6, 2))


def test_a_graph_with_such_a_step_runs_and_travels(tmp_path):
    inputs = layers.Input((4,))
    model = slipstream.Model(inputs, layers.Dense(2)(ops.reshape(inputs, (-1, 6))))
    x = np.random.default_rng(0).normal(size=(6, 4)).astype("f")
    outputs = model.predict(x, batch_size=6)
    assert outputs.shape == (4, 2)
    model.save(tmp_path / "m.keras")
    again = slipstream.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again.predict(x, batch_size=6), outputs)

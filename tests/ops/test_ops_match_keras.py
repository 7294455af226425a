"""Every operation beside Keras': values, types, symbolic shapes, and what a saved graph says."""

import jax
import keras
import numpy as np
import op_cases
import pytest

from slipstream import ops
from slipstream.core import registry
from slipstream.core.symbol import SymbolicTensor, symbols_in

CASES = [
    case
    for group in vars(op_cases).values()
    if isinstance(group, list)
    for case in group
    if isinstance(case, op_cases.Case)
]
LINEAR = {case.name for case in op_cases.LINEAR}
# Unique only up to signs; `test_op_rules.py` multiplies the factors again.
FACTORS = {"eig", "eigh", "qr", "svd"}


def find(module, name):
    for part in name.split("."):
        module = getattr(module, part)
    return module


def with_inputs(case, make):
    """The case's arguments with ``make(array)`` in place of each array, and what was made."""
    inputs = []

    def change(value):
        if isinstance(value, np.ndarray) and value.ndim:
            inputs.append(make(value))
            return inputs[-1]
        if isinstance(value, (list, tuple)):
            return type(value)(change(item) for item in value)
        return value

    args = change(case.args)
    kwargs = {name: change(value) for name, value in case.kwargs.items()}
    return args, kwargs, inputs


GRAPHS = [case for case in CASES if with_inputs(case, np.shape)[2] and case.name != "shape"]
_graphs = {id(case) for case in GRAPHS}


# Not for programs: they look at values, or give plain numbers.
EAGER = {"bincount", "histogram", "ndim", "rearrange", "shape", "size"}


def results(case):
    """Ours and Keras', from one program where it can be: that compiles in half the time."""
    mine, theirs = find(ops, case.name), find(keras.ops, case.name)
    arrays = with_inputs(case, lambda array: array)[2]
    if case.name in EAGER or not arrays:
        return tuple(function(*case.args, **case.kwargs) for function in (mine, theirs))

    def program(inputs):
        left = iter(inputs)
        args, kwargs, _ = with_inputs(case, lambda _: next(left))
        return mine(*args, **kwargs), theirs(*args, **kwargs)

    return jax.jit(program)(arrays)


def same(mine, other, rtol, atol):
    mine, other = jax.tree.leaves(mine), jax.tree.leaves(other)
    assert len(mine) == len(other)
    for a, b in zip(mine, other):
        assert np.shape(a) == np.shape(b)
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype
        loose = 2e-3 if a.dtype == np.float16 else 0
        np.testing.assert_allclose(a, b, rtol=max(rtol, loose), atol=max(atol, loose))


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_values_and_types_are_those_of_keras_for_symbols_too(case):
    result, expected = results(case)
    sides = (result, expected)
    if case.name in FACTORS:
        sides = tuple(jax.tree.map(np.abs, side) for side in sides)
    same(*sides, 1e-4 if case.name in LINEAR else 1e-5, 1e-5)
    if id(case) not in _graphs:
        return
    if case.name == "bincount" and "minlength" not in case.kwargs:
        with pytest.raises(ValueError, match="inside a program"):
            symbols(case, SymbolicTensor)
        return
    outputs = jax.tree.leaves(symbols(case, SymbolicTensor))
    for symbol, leaf in zip(outputs, jax.tree.leaves(result), strict=True):
        assert symbol.shape == np.shape(leaf)
        assert symbol.dtype == ("int32" if isinstance(leaf, int) else leaf.dtype.name)


def symbols(case, make, unknown_batch=False):
    """The case called on symbolic tensors of `make`."""
    arrays = with_inputs(case, lambda array: array)[2]
    batch = arrays[0].shape[0]

    def symbol(array):
        shape = array.shape
        if unknown_batch and (array is arrays[0] or (array.ndim > 1 and shape[0] == batch)):
            shape = (None, *shape[1:])
        kind = array.dtype.name
        return make(shape, kind if "complex" in kind else kind.replace("64", "32"))

    module = keras.ops if make is keras_symbol else ops
    args, kwargs, _ = with_inputs(case, symbol)
    return find(module, case.name)(*args, **kwargs)


def keras_symbol(shape, dtype):
    return keras.Input(batch_shape=shape, dtype=dtype)


# Calls that Keras refuses for symbols: plain numbers beside them, channels first, and the like.
REFUSED_BY_KERAS = {
    "adaptive_average_pool(f42x7x3,3)",
    "adaptive_max_pool(f42x7x6x3,2)",
    "append(f43x4,2.0)",
    "bincount(i49,weights=f49,minlength=7)",
    "bitwise_and(i43x4,2)",
    "bitwise_or(i43x4,2)",
    "bitwise_xor(i43x4,2)",
    "digitize(i45,[2,4])",
    "heaviside(f43x4,2.0)",
    "hypot(f43x4,2.0)",
    "one_hot(i83,5,axis=1)",
}


def plain(value):
    """What stands at one place among a step's arguments or options."""
    if isinstance(value, (SymbolicTensor, keras.KerasTensor)):
        return "tensor"
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize("case", GRAPHS, ids=repr)
def test_a_graph_records_what_keras_records(case):
    if repr(case) in REFUSED_BY_KERAS or repr(case) == "bincount(i49)":
        return
    theirs = symbols(case, keras_symbol)
    operation = jax.tree.leaves(theirs)[0]._keras_history.operation
    node = operation._inbound_nodes[0]
    mine = symbols_in(symbols(case, SymbolicTensor))[0].node
    step = mine.operation
    assert step.entry.module == type(operation).__module__
    assert step.entry.class_name == type(operation).__name__
    assert plain(mine.args) == plain(node.arguments.args)
    arrays = {name for name, value in mine.kwargs.items() if plain(value) == "tensor"}
    if arrays and case.name in ("clip", "trapezoid"):
        return  # Keras takes arrays for options here, and cannot save them
    assert plain(mine.kwargs) == plain(node.arguments.kwargs)
    own, other = plain(step.get_config()), plain(operation.get_config())
    assert set(own) - {"name"} == set(other) - {"name"}
    for key in set(own) - {"name"}:
        # Keras writes some numbers as tuples of one or more.
        assert own[key] == other[key] or key in ("newshape", "size", "strides"), key
    again = registry.operation(step.entry.class_name).from_config(other)
    assert {"name": None, **plain(again.get_config())} == {"name": again.name, **other}


# Their first axis is no batch axis, or Keras knows less (or, for `ndim`, something else).
NOT_BY_ROWS = {
    "adaptive_average_pool", "bincount", "broadcast_to", "corrcoef", "cross", "ctc_decode", "diag",
    "diagonal", "einsum", "image.scale_and_translate", "linspace", "ndim", "scatter",
    "segment_max", "segment_min", "segment_prod", "segment_sum", "slogdet",
}  # fmt: skip
ROWS = [
    case
    for case in GRAPHS
    if case.name not in NOT_BY_ROWS
    and with_inputs(case, np.ndim)[2][0] > 1
    and case.kwargs.get("axis") != 0
    and repr(case) not in REFUSED_BY_KERAS
    and repr(case) != "reshape(f43x4,[2,6])"
]


@pytest.mark.parametrize("case", ROWS, ids=repr)
def test_unknown_batch_sizes_flow_as_in_keras(case):
    try:
        theirs = symbols(case, keras_symbol, unknown_batch=True)
    except (TypeError, ValueError) as error:
        pytest.skip(f"Keras wants all sizes: {error}")
    mine = symbols(case, SymbolicTensor, unknown_batch=True)
    assert [s.shape for s in jax.tree.leaves(mine)] == [s.shape for s in jax.tree.leaves(theirs)]

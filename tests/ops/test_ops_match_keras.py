"""Every operation beside Keras': values, types, symbolic shapes, and what a saved graph says."""

import jax
import keras
import numpy as np
import op_cases
import pytest

from slipstream import ops
from slipstream.core.symbol import SymbolicTensor, symbols_in

CASES = [
    case
    for group in vars(op_cases).values()
    if isinstance(group, list)
    for case in group
    if isinstance(case, op_cases.Case)
]
# Decompositions are unique only up to signs; `test_linalg.py` multiplies them again.
FACTORS = {"eig", "eigh", "qr", "svd"}
LINEAR = {case.name for case in op_cases.LINEAR}


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


def engine_type(array):
    """64-bit arrays become 32-bit ones in the engine."""
    return array.dtype.name.replace("64", "32") if array.dtype.kind in "fi" else array.dtype.name


def graph_of_keras(case, batch=None):
    def make(array):
        shape = array.shape if batch is None else (None, *array.shape[1:])
        return keras.Input(batch_shape=shape, dtype=engine_type(array))

    args, kwargs, _ = with_inputs(case, make)
    return find(keras.ops, case.name)(*args, **kwargs)


def graph_of_ours(case, batch=None):
    def make(array):
        shape = array.shape if batch is None else (None, *array.shape[1:])
        return SymbolicTensor(shape, engine_type(array))

    args, kwargs, _ = with_inputs(case, make)
    return find(ops, case.name)(*args, **kwargs)


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
def test_values_and_types_are_those_of_keras(case):
    expected = find(keras.ops, case.name)(*case.args, **case.kwargs)
    result = find(ops, case.name)(*case.args, **case.kwargs)
    if case.name in FACTORS:
        expected, result = (jax.tree.map(np.abs, r) for r in (expected, result))
    same(result, expected, 1e-4 if case.name in LINEAR else 1e-5, 1e-5)


# How many the values say, and a program cannot know.
VALUES_DECIDE = {"bincount(i49)"}


@pytest.mark.parametrize("case", GRAPHS, ids=repr)
def test_symbols_have_the_shapes_and_types_of_arrays(case):
    real = jax.tree.leaves(find(ops, case.name)(*case.args, **case.kwargs))
    if repr(case) in VALUES_DECIDE:
        with pytest.raises(ValueError, match="inside a program"):
            graph_of_ours(case)
        return
    for symbol, leaf in zip(jax.tree.leaves(graph_of_ours(case)), real, strict=True):
        assert symbol.shape == np.shape(leaf)
        assert symbol.dtype == ("int32" if isinstance(leaf, int) else leaf.dtype.name)


# Calls of symbols that Keras refuses.
REFUSED = {}


def sketch(value):
    """What stands at one place among a step's arguments."""
    if isinstance(value, (SymbolicTensor, keras.KerasTensor)):
        return "tensor"
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [sketch(item) for item in value]
    if isinstance(value, dict):
        return {key: sketch(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize("case", GRAPHS, ids=repr)
def test_a_graph_records_what_keras_records(case):
    try:
        theirs = graph_of_keras(case)
    except Exception as error:
        pytest.skip(f"{error}")
    tensor = next(t for t in jax.tree.leaves(theirs) if isinstance(t, keras.KerasTensor))
    operation = tensor._keras_history.operation
    node = operation._inbound_nodes[0]
    mine = symbols_in(graph_of_ours(case))[0].node
    step = mine.operation
    assert step.entry.module == type(operation).__module__
    assert step.entry.class_name == type(operation).__name__
    assert sketch(mine.args) == sketch(node.arguments.args)
    assert sketch(mine.kwargs) == sketch(node.arguments.kwargs)
    try:
        config = operation.get_config()
    except NotImplementedError:  # an array among the options
        return
    assert set(step.get_config()) == set(config)
    a,b=plainc(step.get_config()),plainc(config)
    assert a==b


def plainc(c):
    return {k: str(sketch(v)) for k,v in c.items() if k!='name'}

@pytest.mark.parametrize("case", GRAPHS, ids=repr)
def test_unknown_batch_sizes_flow_as_in_keras(case):
    try:
        theirs = graph_of_keras(case, batch=True)
    except Exception as error:
        pytest.skip(f"K {error}")
    mine = graph_of_ours(case, batch=True)
    assert [s.shape for s in jax.tree.leaves(mine)] == [tuple(s.shape) for s in jax.tree.leaves(theirs)]
    assert [s.dtype for s in jax.tree.leaves(mine)] == [(s.dtype) for s in jax.tree.leaves(theirs)]

"""Constraints beside Keras', and what they promise."""

import inspect

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slipstream.constraints as constraints

WEIGHT = np.array([[3.0, 0.0, -1.0, 0.1], [4.0, 0.0, 1.0, 0.2]], "float32")
CASES = [
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.5, "axis": 1}),
    ("MaxNorm", {"axis": [0, 1]}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": 1}),
    ("NonNeg", {}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 0.5, "rate": 0.5}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 2.0, "axis": 1}),
    ("Constraint", {}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_values_are_those_of_keras(name, arguments, dtype):
    weight = keras.ops.cast(WEIGHT, dtype)
    value = getattr(constraints, name)(**arguments)(weight)
    wanted = getattr(keras.constraints, name)(**arguments)(weight)
    assert value.dtype == dtype and value.shape == weight.shape
    tolerance = 1e-6 if dtype == "float32" else 1e-2
    value, wanted = np.asarray(value, "float32"), np.asarray(wanted, "float32")
    np.testing.assert_allclose(value, wanted, rtol=tolerance)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(-100, 100, width=32, allow_subnormal=False), min_size=6, max_size=6),
    st.sampled_from([0, 1]),
)
def test_norms_end_within_their_bounds_and_stay_there(values, axis):
    weight = np.array(values, "float32").reshape(3, 2)
    norms = np.linalg.norm(weight, axis=axis)
    largest = np.asarray(constraints.MaxNorm(2.0, axis)(weight))
    assert np.all(np.linalg.norm(largest, axis=axis) <= 2.0 + 1e-5)
    clear = norms > 1e-3
    unit = np.asarray(constraints.UnitNorm(axis)(weight))
    np.testing.assert_allclose(np.linalg.norm(unit, axis=axis)[clear], 1, rtol=1e-3)
    between = np.asarray(constraints.MinMaxNorm(0.5, 3.0, axis=axis)(weight))
    wanted = np.clip(norms, 0.5, 3.0)
    np.testing.assert_allclose(np.linalg.norm(between, axis=axis)[clear], wanted[clear], rtol=1e-3)
    again = np.asarray(constraints.NonNeg()(constraints.NonNeg()(weight)))
    np.testing.assert_array_equal(again, np.maximum(weight, 0))


@pytest.mark.parametrize("name", ["MaxNorm", "UnitNorm", "NonNeg", "MinMaxNorm", "Constraint"])
def test_signatures_and_configurations_are_those_of_keras(name):
    mine, theirs = getattr(constraints, name), getattr(keras.constraints, name)
    parameters = [
        [(p.name, p.default) for p in inspect.signature(cls).parameters.values()]
        for cls in (mine, theirs)
    ]
    assert parameters[0] == parameters[1]
    assert mine().get_config() == theirs().get_config()
    assert type(constraints.get(keras.constraints.serialize(theirs()))) is mine


@pytest.mark.parametrize(("name", "arguments"), [*CASES, ("MaxNorm", {"axis": (0, 1)})], ids=str)
def test_a_configuration_makes_an_equal_constraint(name, arguments):
    constraint = getattr(constraints, name)(**arguments)
    again = constraints.deserialize(constraints.serialize(constraint))
    assert type(again) is type(constraint) and again.get_config() == constraint.get_config()
    np.testing.assert_array_equal(again(WEIGHT), constraint(WEIGHT))


def test_names():
    assert isinstance(constraints.get("max_norm"), constraints.MaxNorm)
    assert isinstance(constraints.get("non_neg"), constraints.NonNeg)
    assert constraints.get(None) is None
    public = {name for name in dir(keras.constraints) if not name.startswith("_")}
    assert public <= set(dir(constraints))
    with pytest.raises(ValueError, match=r"'max_nrom'.*'max_norm'"):
        constraints.get("max_nrom")

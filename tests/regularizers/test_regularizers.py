"""Regularizers beside Keras' and beside their formulas."""

import inspect

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import slipstream.regularizers as regularizers

WEIGHT = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
CASES = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L1", {"l1": None}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {}),
    ("L1L2", {"l1": 0.2, "l2": 0.1}),
    ("OrthogonalRegularizer", {}),
    ("OrthogonalRegularizer", {"factor": 0.5, "mode": "rows"}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_penalties_and_gradients_are_those_of_keras(name, arguments):
    mine = getattr(regularizers, name)(**arguments)
    theirs = getattr(keras.regularizers, name)(**arguments)
    value, gradient = jax.value_and_grad(lambda w: jnp.asarray(mine(w)))(WEIGHT)
    wanted, wanted_gradient = jax.value_and_grad(lambda w: jnp.asarray(theirs(w)))(WEIGHT)
    assert value.dtype == "float32" and value.shape == ()
    np.testing.assert_allclose(value, wanted, rtol=1e-5)
    np.testing.assert_allclose(gradient, wanted_gradient, rtol=1e-4, atol=1e-7)


def test_columns_are_drawn_apart_by_their_cosines():
    unit = WEIGHT / np.linalg.norm(WEIGHT, axis=0)
    cosines = np.abs(unit.T @ unit)[np.triu_indices(3, 1)]
    penalty = regularizers.OrthogonalRegularizer(0.5, mode="columns")
    np.testing.assert_allclose(penalty(WEIGHT), 0.5 * cosines.mean(), rtol=1e-5)
    transposed = regularizers.OrthogonalRegularizer(0.5, mode="rows")
    np.testing.assert_allclose(penalty(WEIGHT), transposed(WEIGHT.T), rtol=1e-6)


@pytest.mark.parametrize("weight", [np.zeros((3, 3)), np.ones((1, 3)), np.eye(3)], ids=str)
def test_an_orthogonal_or_empty_matrix_costs_nothing(weight):
    penalty = regularizers.OrthogonalRegularizer(1.0)
    value, gradient = jax.value_and_grad(penalty)(weight.astype("float32"))
    assert float(value) == 0 and np.isfinite(gradient).all()


@pytest.mark.parametrize("name", ["L1", "L2", "L1L2", "OrthogonalRegularizer"])
def test_signatures_and_configurations_are_those_of_keras(name):
    mine, theirs = getattr(regularizers, name), getattr(keras.regularizers, name)
    parameters = [
        [(p.name, p.default) for p in inspect.signature(cls).parameters.values()]
        for cls in (mine, theirs)
    ]
    assert parameters[0] == parameters[1]
    config, wanted = mine().get_config(), theirs().get_config()
    assert config.keys() == wanted.keys()
    for key, value in wanted.items():
        # Keras rounds some of its factors to float32.
        assert config[key] == (pytest.approx(value, rel=1e-6) if key != "mode" else value)
    again = regularizers.deserialize(regularizers.serialize(mine()))
    assert type(again) is mine and again.get_config() == config
    assert type(regularizers.get(keras.regularizers.serialize(theirs()))) is mine


@pytest.mark.parametrize(
    ("identifier", "wanted"),
    [("l1", "L1"), ("l2", "L2"), ("l1_l2", "L1L2"), ("L1L2", "L1L2"), (None, "NoneType")],
)
def test_names_stand_for_regularizers(identifier, wanted):
    assert type(regularizers.get(identifier)).__name__ == wanted


def test_no_name_of_keras_is_missing():
    public = {name for name in dir(keras.regularizers) if not name.startswith("_")}
    assert public <= set(dir(regularizers))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: regularizers.L1(-1.0), ["l1", "-1.0", "at least 0"]),
        (lambda: regularizers.L2(float("nan")), ["l2", "nan"]),
        (lambda: regularizers.L1L2(l2="much"), ["l2", "'much'"]),
        (lambda: regularizers.OrthogonalRegularizer(float("inf")), ["factor", "inf"]),
        (lambda: regularizers.OrthogonalRegularizer(mode="row"), ["mode", "'row'", "'rows'"]),
        (lambda: regularizers.OrthogonalRegularizer()(np.ones(6)), ["(6,)", "2 axes"]),
        (lambda: regularizers.get("l3"), ["'l3'", "l1l2"]),
    ],
)
def test_errors_name_what_was_seen_and_what_to_do(act, words):
    with pytest.raises(ValueError) as caught:
        act()
    for word in words:
        assert word in str(caught.value)

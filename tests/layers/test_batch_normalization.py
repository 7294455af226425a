"""Batch normalization against Keras', and the rows that do not count."""

import jax
import keras
import numpy as np
import parity
import pytest

from slipstream import layers
from slipstream.core.scope import Scope

CLIP = {"rmin": 0.8, "rmax": 1.2, "dmax": 0.3}
CASES = [
    ({}, (6, 3)),
    ({"momentum": 0.5, "epsilon": 0.1}, (4, 3, 2)),
    ({"axis": 1, "center": False}, (3, 2, 4, 3)),
    ({"scale": False}, (1, 3)),
    ({"renorm": True}, (6, 3)),
    ({"renorm": True, "renorm_clipping": CLIP, "renorm_momentum": 0.5, "axis": 1}, (3, 2, 4)),
    ({"moving_mean_initializer": "ones"}, (0, 3)),
]
MASKS = [None, np.array([[1, 0, 1, 1], [0, 0, 0, 1], [1, 1, 1, 1]], bool)]


@pytest.mark.parametrize(("arguments", "shape"), CASES)
class TestEveryArgument:
    @pytest.mark.parametrize("training", [False, True])
    def test_values_and_gradients(self, arguments, shape, training):
        x = parity.data(shape) * 3 + 2
        # Keras' statistics of no rows are NaN. Renorm corrects by averages that each call moves;
        # the next test compares it step by step.
        if not training or (shape[0] and not arguments.get("renorm")):
            parity.check_values_and_gradients("BatchNormalization", arguments, x, training=training)

    def test_shapes_and_config(self, arguments, shape):
        parity.check_shapes("BatchNormalization", arguments, parity.data(shape))
        parity.check_config("BatchNormalization", arguments, parity.data(shape))


@pytest.mark.parametrize(("arguments", "shape"), CASES[1::3])
def test_policies(arguments, shape):
    parity.check_policies("BatchNormalization", arguments, parity.data(shape))


@pytest.mark.parametrize(
    ("arguments", "mask"),
    [
        ({"momentum": 0.5}, None),
        ({"momentum": 0.5}, MASKS[1]),
        ({"axis": 1, "momentum": 0.9}, MASKS[1]),
        ({"renorm": True}, None),
        ({"renorm": True, "renorm_clipping": CLIP, "momentum": 0.5}, MASKS[1]),
        ({"renorm": True, "renorm_clipping": {"rmax": 1.5}}, None),
    ],
)
def test_training_moves_values_averages_and_gradients_as_in_keras(arguments, mask):
    x = parity.data((3, 4, 2)) * 3 + 2
    ours = layers.BatchNormalization(**arguments)
    theirs = keras.layers.BatchNormalization(**arguments)
    ours(x)
    theirs(x)
    assert [v.name for v in ours.variables] == [v.name for v in theirs.weights]
    weigh = parity.data(x.shape, seed=3)

    def step(layer, moved):
        values = [v.value for v in layer.trainable_variables]
        frozen = [v.value for v in layer.non_trainable_variables]

        def loss(values, x):
            outputs, new = layer.stateless_call(values, frozen, x, training=True, mask=mask)
            return (outputs * weigh).sum(), (outputs, new)

        slopes, (outputs, new) = jax.jit(jax.grad(loss, (0, 1), has_aux=True))(values, x * moved)
        for variable, value in zip(layer.non_trainable_variables, new):
            variable.assign(value)
        return slopes, outputs, new

    for moved in (1.0, 2.0, 0.3):
        parity.close(step(ours, moved), step(theirs, moved), 1e-4, 1e-5)
    parity.close(ours(x), theirs(x), 1e-4, 1e-5)


def filled_up(layer, x, rows, mask=None):
    """Outputs and averages of a training step in which only the first `rows` rows are real."""
    variables = layer.variables
    scope = Scope(variables, [v.value for v in variables], training=True)
    scope.row_mask = np.arange(len(x)) < rows
    with scope.active():
        outputs = layer(x, mask=mask)
    return outputs[:rows], scope.read(variables)


@pytest.mark.parametrize("arguments", [{}, {"axis": 1}, {"renorm": True}])
@pytest.mark.parametrize("mask", MASKS)
def test_rows_that_only_fill_up_a_batch_do_not_count(arguments, mask):
    x = parity.data((3, 4, 2))
    layer = layers.BatchNormalization(**arguments)
    layer(x)
    with_rows = x.copy()
    with_rows[2] = [[np.nan, np.inf]] * 4
    got = filled_up(layer, with_rows, 2, mask)
    wanted = filled_up(layer, x[:2], 2, None if mask is None else mask[:2])
    parity.close(got, wanted, 1e-5, 1e-6)


def test_rows_that_do_not_count_have_no_gradient_either():
    x, layer = parity.data((4, 2)), layers.BatchNormalization()
    layer(x)

    def loss(x):
        outputs, _ = filled_up(layer, x, 3)
        return (outputs**3).sum()

    slopes = np.asarray(jax.grad(loss)(x))
    assert (slopes[3] == 0).all() and (slopes[:3] != 0).all()


@pytest.mark.parametrize("renorm", [False, True])
def test_a_batch_in_which_nothing_counts_changes_nothing(renorm):
    layer = layers.BatchNormalization(renorm=renorm, momentum=0.5)
    layer(parity.data((1, 2, 3)))
    before = layer.get_weights()
    layer(np.zeros((0, 2, 3), "f"), training=True)
    layer(parity.data((4, 2, 3)), training=True, mask=np.zeros((4, 2), bool))
    for mine, other in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_frozen_layer_uses_and_keeps_its_averages():
    layer, x = layers.BatchNormalization(), parity.data((5, 2)) + 3
    layer(x, training=True)
    layer.trainable = False
    before = layer.get_weights()
    np.testing.assert_array_equal(layer(x, training=True), layer(x))
    for mine, other in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_far_mean_keeps_the_variance():
    x = parity.data((64, 4)) * 0.1 + 1000
    layer = layers.BatchNormalization(momentum=0.0, epsilon=0.0)
    outputs = np.asarray(layer(x, training=True), "d")
    exact = x.astype("d")
    np.testing.assert_allclose(layer.moving_variance.numpy(), exact.var(0), rtol=1e-3)
    wanted = (exact - exact.mean(0)) / exact.std(0)
    np.testing.assert_allclose(outputs, wanted, atol=5e-3)


def test_averages_of_a_mixed_policy_move_in_float32():
    layer = layers.BatchNormalization(momentum=0.999, dtype="mixed_bfloat16")
    x = np.full((4, 1), 8.0, "f")
    for _ in range(20):
        layer(x, training=True)
    np.testing.assert_allclose(layer.moving_mean.numpy(), 8 * (1 - 0.999**20), rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.BatchNormalization(renorm_clipping={"max": 1}), "renorm_clipping"),
        (lambda: layers.BatchNormalization(renorm_clipping={"rmin": 2, "rmax": 1}), "not below"),
        (lambda: layers.BatchNormalization(renorm_clipping={"dmax": -1}), "at least 0"),
        (lambda: layers.BatchNormalization(axis=4)(np.ones((2, 3), "f")), "an axis 4"),
        (lambda: layers.BatchNormalization()(layers.Input((None,))), "of known size"),
        (
            lambda: layers.BatchNormalization()(
                np.ones((2, 3, 4), "f"), training=True, mask=np.ones((2,), bool)
            ),
            "one axis less",
        ),
        (lambda: filled_up(build(), np.ones((4, 2), "f")[:, None], 2), "wants an input with 2"),
        (lambda: wrong_rows(), "the batch of 3 examples"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def build():
    layer = layers.BatchNormalization()
    layer(np.ones((1, 2), "f"))
    return layer


def wrong_rows():
    layer, scope = build(), Scope(training=True, row_mask=np.ones(3, bool))
    with scope.active():
        layer(np.ones((6, 2), "f"))

"""Layer, group, RMS, unit and spectral normalization against Keras', and their properties."""

import jax
import keras
import numpy as np
import parity
import pytest

from slipstream import layers
from slipstream.core.scope import Scope

# Keras warns that its rms_scaling is not what its name says.
pytestmark = pytest.mark.filterwarnings("ignore:You passed `rms_scaling")

CASES = [
    ("LayerNormalization", {}, (3, 5)),
    ("LayerNormalization", {"axis": (1, 2), "epsilon": 0.1, "center": False}, (2, 3, 4, 2)),
    ("LayerNormalization", {"axis": (3, 1)}, (2, 3, 2, 4)),
    ("LayerNormalization", {"axis": 1, "scale": False}, (2, 3, 4)),
    ("LayerNormalization", {"axis": (1, -1)}, (2, 3, 4)),
    ("LayerNormalization", {"rms_scaling": True, "epsilon": 0.1}, (3, 5)),
    ("LayerNormalization", {}, (0, 5)),
    ("LayerNormalization", {}, (2, 1)),
    ("GroupNormalization", {"groups": 2}, (2, 3, 4)),
    ("GroupNormalization", {"groups": 3, "axis": 1, "center": False}, (2, 6, 3, 2)),
    ("GroupNormalization", {"groups": -1, "scale": False}, (2, 3, 2, 3)),
    ("GroupNormalization", {"groups": 2, "epsilon": 0.1}, (3, 4)),
    ("GroupNormalization", {"groups": 1}, (0, 2, 4)),
    ("RMSNormalization", {}, (3, 5)),
    ("RMSNormalization", {"axis": (-2, -1), "epsilon": 0.1}, (2, 3, 4)),
    ("UnitNormalization", {}, (3, 5)),
    ("UnitNormalization", {"axis": [1, 2]}, (2, 3, 4)),
]


@pytest.mark.parametrize(("name", "arguments", "shape"), CASES)
class TestEveryLayer:
    def test_values_and_gradients(self, name, arguments, shape):
        parity.check_values_and_gradients(name, arguments, parity.data(shape))

    def test_shapes(self, name, arguments, shape):
        parity.check_shapes(name, arguments, parity.data(shape))

    def test_config(self, name, arguments, shape):
        parity.check_config(name, arguments, parity.data(shape))


@pytest.mark.parametrize(("name", "arguments", "shape"), CASES[1::4])
def test_policies(name, arguments, shape):
    parity.check_policies(name, arguments, parity.data(shape))


def test_large_values_are_normalized_in_float32():
    x = np.full((1, 100), 300.0, "f")
    x[0, ::2] += 2
    for name in ("LayerNormalization", "RMSNormalization", "UnitNormalization"):
        low = getattr(layers, name)(dtype="float16")(x)
        np.testing.assert_allclose(low, getattr(layers, name)()(x), rtol=2e-3)
    groups = layers.GroupNormalization(1, dtype="float16")(x)
    np.testing.assert_allclose(groups, layers.GroupNormalization(1)(x), rtol=2e-3)


def test_one_example_reaches_another_only_where_the_batch_is_an_axis():
    x = parity.data((3, 4, 4))
    other = x.copy()
    other[1:] *= 5
    for layer in (
        layers.LayerNormalization(),
        layers.LayerNormalization(axis=(0, 1)),
        layers.RMSNormalization(axis=1),
        layers.RMSNormalization(axis=0),
        layers.UnitNormalization(axis=(1, 2)),
        layers.UnitNormalization(axis=0),
        layers.GroupNormalization(2),
    ):
        moved = np.abs(np.asarray(layer(x)) - layer(other))[0].max()
        assert (moved < 1e-6) if layer.per_example else (moved > 0.01)


def test_short_vectors_are_not_stretched_and_zeros_have_a_gradient():
    x = np.array([[0, 0], [1e-18, 0], [1e-10, 0], [3, 4]], "f")
    parity.close(layers.UnitNormalization()(x), keras.layers.UnitNormalization()(x), 1e-5, 0)
    slopes = jax.grad(lambda x: layers.UnitNormalization()(x).sum())(x)
    assert np.isfinite(slopes).all()


def test_rms_scale_stands_beside_any_axis():
    layer, x = layers.RMSNormalization(axis=1), parity.data((2, 3, 4))
    layer(x)
    layer.set_weights([np.array([1.0, 2.0, 3.0])])
    expected = x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-6) * [[[1.0], [2.0], [3.0]]]
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5)


class TestSpectral:
    CASES = [
        ("Dense", {"units": 3}, (4, 5)),
        ("Conv2D", {"filters": 2, "kernel_size": 2}, (1, 3, 3, 2)),
        ("DepthwiseConv2D", {"kernel_size": 2, "depth_multiplier": 2}, (1, 3, 3, 2)),
    ]

    @staticmethod
    def pair(name, arguments, x, **own):
        ours, theirs = (
            module.SpectralNormalization(getattr(module, name)(**arguments), **own)
            for module in (layers, keras.layers)
        )
        ours(x)
        theirs(x)
        parity.share_weights(ours, theirs)
        return ours, theirs

    @pytest.mark.parametrize(("name", "arguments", "shape"), CASES)
    def test_calls_and_their_traces_are_keras(self, name, arguments, shape):
        x = parity.data(shape)
        ours, theirs = self.pair(name, arguments, x, power_iterations=2)
        parity.close(ours(x), theirs(x), 1e-5, 1e-6)
        parity.close(ours(x, training=True), theirs(x, training=True), 1e-4, 1e-5)
        for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-6)

    def test_gradients_are_keras(self):
        x = parity.data((4, 5))
        ours, theirs = self.pair("Dense", {"units": 3}, x)

        def loss(layer, values):
            frozen = [v.value for v in layer.non_trainable_variables]
            return (layer.stateless_call(values, frozen, x, training=True)[0] ** 2).sum()

        def slopes(layer):
            values = [v.value for v in layer.trainable_variables]
            return jax.jit(jax.grad(lambda values: loss(layer, values)))(values)

        parity.close(slopes(ours), slopes(theirs), 1e-4, 1e-5)

    def test_the_largest_singular_value_becomes_1(self):
        layer, x = layers.SpectralNormalization(layers.Dense(3), 20), parity.data((1, 4))
        for _ in range(5):
            layer(x, training=True)
        values = np.linalg.svd(layer.kernel.numpy(), compute_uv=False)
        np.testing.assert_allclose(values[0], 1, rtol=1e-4)

    def test_a_program_keeps_the_new_vector(self):
        layer, x = layers.SpectralNormalization(layers.Dense(2)), parity.data((1, 3))
        layer(x)
        variables = layer.variables
        scope = Scope(variables, [v.value for v in variables], training=True)
        with scope.active():
            layer(x)
        before = layer.vector_u.numpy()
        (after,) = scope.read([layer.vector_u])
        assert np.abs(after - before).max() > 0.01

    def test_zeros_stay_zeros(self):
        layer = layers.SpectralNormalization(layers.Dense(2, kernel_initializer="zeros"))
        np.testing.assert_array_equal(layer(np.ones((1, 3), "f"), training=True), np.zeros((1, 2)))

    def test_config(self):
        x = parity.data((1, 4, 2))
        ours, theirs = (
            m.SpectralNormalization(m.Conv1D(2, 2, name="inside"), 3, name="around")
            for m in (layers, keras.layers)
        )
        theirs(x)
        mine = ours(x)
        assert parity.plain(ours.get_config()) == parity.plain(
            keras.saving.serialize_keras_object(theirs)["config"]
        )
        again = layers.deserialize(layers.serialize(ours))
        again(x)
        again.set_weights(ours.get_weights())
        np.testing.assert_array_equal(again(x), mine)
        assert [v.path for v in ours.variables] == [v.path for v in theirs.weights]


def ones(*shape):
    return np.ones(shape, "f")


@pytest.mark.parametrize(
    ("error", "make", "message"),
    [
        (TypeError, lambda: layers.LayerNormalization("last"), "axis must be .* got 'last'"),
        (TypeError, lambda: layers.UnitNormalization(axis=None), "axis must be .* got None"),
        (TypeError, lambda: layers.RMSNormalization(axis=[]), "axis must be"),
        (ValueError, lambda: layers.LayerNormalization(axis=3)(ones(1, 2)), "among the 2 axes"),
        (ValueError, lambda: layers.LayerNormalization()(layers.Input((None,))), "size of axis -1"),
        (ValueError, lambda: layers.GroupNormalization(0), "groups must be .* got 0"),
        (ValueError, lambda: layers.GroupNormalization(4)(ones(1, 2, 6)), "got 6 channels"),
        (ValueError, lambda: layers.GroupNormalization(7)(ones(1, 2, 6)), "groups=7"),
        (ValueError, lambda: layers.GroupNormalization(2)(layers.Input((3, None))), "size of axis"),
        (ValueError, lambda: layers.Wrapper(3), "wraps a layer; got 3"),
        (
            ValueError,
            lambda: layers.SpectralNormalization(layers.Dense(1), power_iterations=0),
            "power_iterations",
        ),
        (
            ValueError,
            lambda: layers.SpectralNormalization(layers.ReLU())(ones(1, 2)),
            "neither a kernel nor embeddings",
        ),
    ],
)
def test_bad_arguments(error, make, message):
    with pytest.raises(error, match=message):
        make()

"""Functions of JAX and modules of Flax as layers, beside the functions themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slipstream import layers, models, saving
from slipstream.layers import FlaxLayer, JaxLayer

X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")


@saving.register_serializable("tests")
def affine(params, inputs):
    return inputs @ params["w"] + params["b"]


@saving.register_serializable("tests")
def start_affine(rng, inputs):
    return {"w": jax.random.normal(rng, (inputs.shape[-1], 2)), "b": jnp.zeros(2)}


def noisy_mean(params, state, rng, inputs, training):
    noise = jax.random.normal(rng, inputs.shape) if training else 0.0
    new = {"seen": state["seen"] + 1, "mean": state["mean"] * 0.5 + inputs.mean(0) * 0.5}
    return inputs * params + noise, new


def start_mean(rng, inputs, training):
    return jnp.ones(()), {"seen": jnp.zeros((), "int32"), "mean": jnp.zeros(inputs.shape[-1])}


def test_params_given_are_the_function():
    params = {"w": np.ones((3, 2), "float32"), "b": np.float32([1, 2])}
    layer = JaxLayer(affine, params=params)
    np.testing.assert_allclose(layer(X), affine(params, X), rtol=1e-6)
    assert [v.name for v in layer.trainable_variables] == ["b", "w"]


def test_a_function_trains_as_a_dense_layer_does():
    found = []
    for make in (lambda: JaxLayer(affine, start_affine), lambda: layers.Dense(2)):
        model = models.Sequential([layers.Input((3,)), make()])
        values = {"w": np.full((3, 2), 0.5), "b": np.zeros(2)}
        for variable in model.trainable_variables:
            variable.assign(values["b" if variable.ndim == 1 else "w"])
        model.compile("sgd", "mse")
        history = model.fit(X, X[:, :2], batch_size=2, epochs=2, shuffle=False, verbose=0)
        found.append(history.history["loss"])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


def test_state_and_draws():
    layer = JaxLayer(noisy_mean, start_mean, seed=3)
    np.testing.assert_allclose(layer(X), X, rtol=1e-6)
    assert not np.allclose(layer(X, training=True), X)
    seen, mean = (next(v for v in layer.weights if v.name == name) for name in ("seen", "mean"))
    assert int(seen) == 2 and not seen.trainable
    np.testing.assert_allclose(mean.numpy(), 0.75 * X.mean(0), rtol=1e-5)
    model = models.Sequential([layers.Input((3,)), JaxLayer(noisy_mean, start_mean)])
    model.compile("sgd", "mse")
    model.fit(X, X, batch_size=2, epochs=2, verbose=0)
    assert int(next(v for v in model.weights if v.name == "seen")) == 6


def test_a_file_keeps_function_and_weights(tmp_path):
    model = models.Sequential([layers.Input((3,)), JaxLayer(affine, start_affine)])
    model.save(tmp_path / "m.keras")
    again = saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(model.predict(X), again.predict(X), rtol=1e-6)


def test_shapes_are_known_beforehand():
    inputs = layers.Input((None, 3))
    assert JaxLayer(affine, start_affine)(inputs).shape == (None, None, 2)


def test_mistakes_are_told():
    with pytest.raises(ValueError, match=r"function of \(x\)"):
        JaxLayer(lambda x: x)
    with pytest.raises(ValueError, match="init_fn of a JaxLayer"):
        JaxLayer(affine, lambda shape: shape)
    with pytest.raises(ValueError, match="nothing says what to start from"):
        JaxLayer(affine)
    with pytest.raises(TypeError, match="wraps a flax"):
        FlaxLayer(affine)


def test_a_flax_module_with_dropout_and_batch_statistics():
    nn = pytest.importorskip("flax.linen")

    class Network(nn.Module):
        @nn.compact
        def __call__(self, x, training):
            x = nn.BatchNorm(use_running_average=not training)(nn.Dense(4)(x))
            return nn.Dense(2)(nn.Dropout(0.5, deterministic=not training)(x))

        def doubled(self, x, training):
            return 2 * self(x, training)

    network = Network()
    variables = network.init(jax.random.key(0), X, training=False)
    for method, factor in ((None, 1), ("doubled", 2)):
        layer = FlaxLayer(network, method=method, variables=variables)
        expected = factor * network.apply(variables, X, training=False)
        np.testing.assert_allclose(layer(X), expected, rtol=1e-5)
    model = models.Sequential([layers.Input((3,)), FlaxLayer(network)])
    assert model.output_shape == (None, 2)
    assert len(model.non_trainable_variables) == 2
    before = [v.numpy() for v in model.weights]
    model.compile("adam", "mse")
    model.fit(X, X[:, :2], epochs=2, verbose=0)
    assert all(not np.allclose(a, v.numpy()) for a, v in zip(before, model.weights))
    with pytest.raises(TypeError, match="cannot be saved"):
        model.layers[-1].get_config()

"""What only a GPU can show: cuDNN's attention, equal draws, training there. Skipped without one.

Run them with ``JAX_PLATFORMS=cuda,cpu JAX_DEFAULT_MATMUL_PRECISION=highest pytest tests/kernels``.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slipstream import layers
from slipstream.kernels import attention
from slipstream.models import Sequential
from slipstream.utils import set_random_seed

pytestmark = pytest.mark.skipif(jax.default_backend() != "gpu", reason="there is no GPU here")
# batch, queries, keys, heads, key heads, features
SHAPES = [
    (2, 128, 128, 4, 4, 64),
    (1, 66, 130, 4, 2, 32),
    (3, 2, 8, 2, 1, 8),
    (1, 65, 129, 4, 2, 32),  # lengths that the kernel does not take
    (2, 64, 64, 2, 2, 128),
]


def arrays(shape, dtype, seed=0):
    batch, queries, keys, heads, groups, features = shape
    draw = np.random.default_rng(seed)
    sizes = [(batch, queries, heads, features), *2 * [(batch, keys, groups, features)]]
    return [jnp.asarray(draw.normal(size=size), dtype) for size in sizes]


def value_and_gradients(function, given):
    outputs, back = jax.vjp(jax.jit(function), *given)
    seed = np.random.default_rng(9).normal(size=outputs.shape)
    return [np.asarray(each, "d") for each in (outputs, *back(jnp.asarray(seed, outputs.dtype)))]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("way", ["plain", "causal", "mask", "padding", "bias", "hidden"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_fused_kernel_computes_attention(shape, way, dtype):
    batch, queries, keys, heads = shape[:4]
    draw = np.random.default_rng(1)
    how = {}
    if way == "causal":
        how["causal"] = True
    elif way == "mask":
        how["mask"] = (
            jnp.asarray(draw.random((batch, heads, queries, keys)) < 0.7).at[..., 0].set(True)
        )
    elif way == "padding":
        lengths = draw.integers(1, keys + 1, (batch, 1, 1, 1))
        how["mask"] = jnp.arange(keys) < lengths
    elif way == "hidden":  # some queries see no key
        how["mask"] = jnp.asarray(draw.random((batch, 1, queries, 1)) < 0.5)
    elif way == "bias":
        how["bias"] = jnp.asarray(draw.normal(size=(1, heads, queries, keys)), dtype)
    given = arrays(shape, dtype)
    assert attention._fits_cudnn(*given) == (queries % 2 == 0)
    found = value_and_gradients(lambda q, k, v: attention.attend(q, k, v, **how), given)
    exact = [each.astype(jnp.float32) for each in given]
    if "bias" in how:
        how["bias"] = how["bias"].astype(jnp.float32)
    wanted = value_and_gradients(lambda q, k, v: attention.attend(q, k, v, **how), exact)
    for ours, theirs in zip(found, wanted, strict=True):
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=2e-2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Dropout(0.3, seed=1),
        lambda: layers.GaussianNoise(0.5, seed=1),
        lambda: layers.RandomFlip(seed=1),
        lambda: layers.RandomRotation(0.2, seed=1),
        lambda: layers.RandomContrast(0.3, seed=1),
        lambda: layers.RandomErasing(seed=1),
        lambda: layers.MixUp(seed=1),
    ],
)
def test_draws_are_those_of_the_cpu(make):
    x = np.random.default_rng(0).uniform(0, 255, (6, 16, 16, 3)).astype("float32")
    found = []
    for device in (jax.devices()[0], jax.devices("cpu")[0]):
        set_random_seed(3)
        with jax.default_device(device):
            layer = make()
            data = {"images": x, "labels": np.eye(6, dtype="f")} if "Mix" in layer.name else x
            found.append(jax.tree.leaves(layer(data, training=True)))
    for ours, theirs in zip(*found, strict=True):
        assert ours.devices() != theirs.devices()
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-4, atol=2e-2)


def network(policy):
    return Sequential(
        [
            layers.Input((12, 12, 3)),
            layers.Conv2D(8, 3, activation="relu", dtype=policy),
            layers.BatchNormalization(dtype=policy),
            layers.DepthwiseConv2D(3, dtype=policy),
            layers.MaxPooling2D(2, dtype=policy),
            layers.Reshape((16, 8)),
            layers.TransformerEncoder(32, 2, dtype=policy),
            layers.LSTM(16, dtype=policy),
            layers.Dropout(0.1),
            layers.Dense(2, activation="softmax"),
        ]
    )


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_network_of_many_layers_learns_there_and_predicts_as_on_the_cpu(policy):
    set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(70, 12, 12, 3)).astype("float32")
    y = (x.mean((1, 2, 3)) > 0).astype("int32")
    model = network(policy)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=16, epochs=30, verbose=0)
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]
    held = jax.tree.leaves(model._session.live.current().trainable)
    assert all(leaf.devices() == {jax.devices()[0]} for leaf in held)
    there = model.predict(x, verbose=0)
    with jax.default_device(jax.devices("cpu")[0]):
        other = network(policy)
        other.set_weights(model.get_weights())
        here = np.asarray(other(x))
    np.testing.assert_allclose(there, here, atol=2e-3 if policy == "float32" else 5e-2)

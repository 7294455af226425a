"""What every layer must do as Keras' layer of that name does it, written once.

A family's test file lists its cases and calls these; see `test_against_keras.py`.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from slipstream import layers
from slipstream.core import registry
from slipstream.core.scope import Scope


def data(shape: Any, seed: int = 0, dtype: str = "float32") -> Any:
    """Normal numbers of a shape, or a list of arrays for a list of shapes."""
    if isinstance(shape, list):
        return [data(item, seed + i, dtype) for i, item in enumerate(shape)]
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def pair(name: str, arguments: dict[str, Any], x: Any, **call: Any) -> tuple[Any, Any]:
    """Our layer and Keras' with the same random weights, both built."""
    ours, theirs = getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)
    ours(x, **call)
    theirs(x, **call)
    share_weights(ours, theirs)
    return ours, theirs


def share_weights(ours: Any, theirs: Any) -> None:
    """Give both layers the same random weights, positive where they are variances."""
    numbers = np.random.default_rng(1)
    theirs_weights = theirs.weights
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs_weights]
    values = []
    for weight in theirs_weights:
        value = numbers.normal(size=tuple(weight.shape)).astype("f") * 0.5
        if "variance" in weight.name:
            value = np.abs(value) + 0.5
        values.append(value if "float" in str(weight.dtype) else np.asarray(weight))
    ours.set_weights(values)
    theirs.set_weights(values)


def check_values_and_gradients(
    name: str,
    arguments: dict[str, Any],
    x: Any,
    *,
    rtol: float = 1e-4,
    atol: float = 1e-5,
    gradients: bool = True,
    **call: Any,
) -> None:
    """Same outputs, and the same gradients of weights and inputs, eager and under `jit`."""
    ours, theirs = pair(name, arguments, x, **call)
    expected = theirs(x, **call)
    outputs = ours(x, **call)
    close(outputs, expected, rtol, atol)
    if not gradients:
        return
    weigh = [
        np.random.default_rng(2 + i).normal(size=np.shape(leaf)).astype("f")
        for i, leaf in enumerate(jax.tree.leaves(expected))
    ]

    def weighed(outputs: Any) -> Any:
        return sum(jnp.sum(o * w) for o, w in zip(jax.tree.leaves(outputs), weigh))

    def their_loss(values: Any, x: Any) -> Any:
        fixed = [v.value for v in theirs.non_trainable_variables]
        return weighed(theirs.stateless_call(values, fixed, x, **call)[0])

    values = [jnp.asarray(v.value) for v in ours.trainable_variables]
    frozen = [jnp.asarray(v.value) for v in ours.non_trainable_variables]
    ordered = [*ours.trainable_variables, *ours.non_trainable_variables]
    assert {id(v) for v in ordered} == {id(v) for v in ours.variables}

    def our_loss(values: Any, x: Any) -> Any:
        with Scope(ordered, [*values, *frozen]).active():
            return weighed(ours(x, **call))

    floats = all(np.issubdtype(np.asarray(leaf).dtype, np.floating) for leaf in jax.tree.leaves(x))
    wanted = (0, 1) if floats else 0
    mine = jax.jit(jax.grad(our_loss, wanted))(values, x)
    other = jax.jit(jax.grad(their_loss, wanted))(values, x)
    close(mine, other, rtol * 10, atol * 10)


def check_shapes(name: str, arguments: dict[str, Any], x: Any, **call: Any) -> None:
    """Symbolic outputs have the shapes and types of real ones; the batch size stays unknown."""
    layer = getattr(layers, name)(**arguments)
    real = layer(x, **call)
    symbolic = jax.tree.map(
        lambda leaf: layers.Input(batch_shape=(None, *leaf.shape[1:]), dtype=leaf.dtype.name), x
    )
    again = getattr(layers, name)(**arguments)
    for spec, leaf in zip(
        jax.tree.leaves(again(symbolic, **call)), jax.tree.leaves(real), strict=True
    ):
        assert spec.shape == (None, *leaf.shape[1:])
        assert spec.dtype == str(leaf.dtype)


def check_config(name: str, arguments: dict[str, Any], x: Any, **call: Any) -> None:
    """The configuration is Keras' own, and rebuilds a layer that computes the same."""
    ours, theirs = pair(name, arguments, x, **call)
    mine = plain({**registry.serialize(ours)["config"], "name": ""})
    other = plain({**keras.saving.serialize_keras_object(theirs)["config"], "name": ""})
    assert mine == other
    again = registry.deserialize(registry.serialize(ours))
    again(x, **call)
    assert registry.serialize(again) == registry.serialize(ours)
    again.set_weights(ours.get_weights())
    close(again(x, **call), ours(x, **call), 0, 0)
    from_keras = registry.deserialize(keras.saving.serialize_keras_object(theirs))
    from_keras(x, **call)
    from_keras.set_weights(ours.get_weights())
    close(from_keras(x, **call), ours(x, **call), 0, 0)


def check_policies(
    name: str, arguments: dict[str, Any], x: Any, *, tolerance: float = 0.05, **call: Any
) -> None:
    """Types follow the policy, and low precision stays near float32."""
    exact = pair(name, arguments, x, **call)[0]
    for policy in ("mixed_bfloat16", "bfloat16", "float16"):
        layer = getattr(layers, name)(**{**arguments, "dtype": policy})
        layer(x, **call)
        layer.set_weights(exact.get_weights())
        for low, high in zip(
            jax.tree.leaves(layer(x, **call)), jax.tree.leaves(exact(x, **call)), strict=True
        ):
            if not jnp.issubdtype(high.dtype, jnp.floating):
                continue
            assert str(low.dtype) == layer.compute_dtype
            high = np.asarray(high, "f")
            scale = max(1.0, np.abs(high).max(initial=0.0))
            np.testing.assert_allclose(np.asarray(low, "f"), high, atol=tolerance * scale)
        for variable in layer.variables:
            if "float" in variable.dtype and variable.autocast:
                assert variable.dtype == layer.variable_dtype


def close(mine: Any, other: Any, rtol: float, atol: float) -> None:
    """Both structures hold the same arrays, within tolerance, shapes and types included."""
    mine, other = jax.tree.leaves(mine), jax.tree.leaves(other)
    assert len(mine) == len(other)
    for a, b in zip(mine, other):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a.astype("f"), b.astype("f"), rtol=rtol, atol=atol)


def plain(config: Any) -> Any:
    """A configuration with what may differ taken out: tuples as lists, automatic names and
    the module paths of classes."""
    if isinstance(config, (list, tuple)):
        return [plain(item) for item in config]
    if isinstance(config, dict):
        return {
            key: plain(value)
            for key, value in config.items()
            if key not in ("module", "registered_name", "build_config", "shared_object_id")
        }
    return config

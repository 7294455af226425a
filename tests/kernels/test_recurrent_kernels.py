"""Recurrences: against their equations in NumPy, and fast forms against the plain one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params
from jax.test_util import check_grads

from slipstream import activations
from slipstream.kernels import native, recurrent
from slipstream.kernels.sweep import sweep

BATCH, TIME, FEATURES, UNITS = 3, 4, 2, 5
MASK = np.array([[1, 1, 1, 1], [0, 1, 1, 0], [1, 0, 0, 1]], bool)
TANH, SIGMOID = activations.get("tanh"), activations.get("sigmoid")


def weights(gates, seed=0):
    numbers = np.random.default_rng(seed)

    def draw(*shape):
        return numbers.normal(size=shape)

    wide = gates * UNITS
    return {
        "x": draw(BATCH, TIME, FEATURES),
        "kernel": draw(FEATURES, wide),
        "recurrent_kernel": draw(UNITS, wide) * 0.5,
        "bias": draw(wide),
        "recurrent_bias": draw(wide),
        "h": draw(BATCH, UNITS),
        "c": draw(BATCH, UNITS),
    }


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def numpy_lstm(w):
    h, c, outputs = w["h"], w["c"], []
    for t in range(TIME):
        z = w["x"][:, t] @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"]
        i, f, g, o = np.split(z, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, 1), c


def numpy_gru(w, reset_after):
    h, outputs, n = w["h"], [], UNITS
    kernel, recurrent_bias = w["recurrent_kernel"], w["recurrent_bias"] * reset_after
    for t in range(TIME):
        z = w["x"][:, t] @ w["kernel"] + w["bias"]
        gates = sigmoid(z[:, : 2 * n] + h @ kernel[:, : 2 * n] + recurrent_bias[: 2 * n])
        update, reset = np.split(gates, 2, -1)
        if reset_after:
            inner = reset * (h @ kernel[:, 2 * n :] + recurrent_bias[2 * n :])
        else:
            inner = (reset * h) @ kernel[:, 2 * n :]
        h = update * h + (1 - update) * np.tanh(z[:, 2 * n :] + inner)
        outputs.append(h)
    return np.stack(outputs, 1)


def run(name, w, activation=TANH, recurrent_activation=SIGMOID, **how):
    w = dict(w)
    h, c, recurrent_bias = w.pop("h"), w.pop("c"), w.pop("recurrent_bias")
    states = [h, c] if name == "lstm" else [h]
    if name != "simple_rnn":
        how["recurrent_activation"] = recurrent_activation
    if name == "gru" and how.get("reset_after", True):
        how["recurrent_bias"] = recurrent_bias
    return getattr(recurrent, name)(w.pop("x"), states, activation=activation, **w, **how)


@pytest.mark.parametrize("fast", [True, False])
def test_lstm_follows_its_equations(fast):
    w = weights(4)
    chosen = {} if fast else {"activation": jnp.tanh, "recurrent_activation": jax.nn.sigmoid}
    with jax.enable_x64(True):
        outputs, (h, c) = run("lstm", w, **chosen, return_sequences=True)
    expected, memory = numpy_lstm(w)
    np.testing.assert_allclose(outputs, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(h, expected[:, -1], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(c, memory, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("reset_after", [True, False])
def test_gru_follows_its_equations(reset_after):
    w = weights(3)
    with jax.enable_x64(True):
        outputs, _ = run("gru", w, reset_after=reset_after, return_sequences=True)
    np.testing.assert_allclose(outputs, numpy_gru(w, reset_after), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("lstm", {"return_sequences": True}),
        ("lstm", {"mask": MASK, "go_backwards": True}),
        ("simple_rnn", {"mask": MASK, "zero_output_for_mask": True, "return_sequences": True}),
    ],
)
@pytest.mark.parametrize("scaled", [True, False])
def test_gradients_are_right_and_those_of_the_plain_form(name, how, scaled):
    w = weights(4 if name == "lstm" else 1)
    if scaled:
        w["scale"] = np.random.default_rng(1).uniform(0.5, 2, (BATCH, UNITS))

    def value(w, **chosen):
        return run(name, w, **chosen, **how)

    def total(w, **chosen):
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(value(w, **chosen)))

    plain = {"activation": lambda z: jnp.tanh(z), "recurrent_activation": jax.nn.sigmoid}
    with jax.enable_x64(True):
        w = jax.tree.map(jnp.asarray, w)
        check_grads(lambda w: value(w), (w,), order=1, modes=["rev"], rtol=1e-6, atol=1e-6)
        fast = jax.grad(total)(w)
        slow = jax.grad(lambda w: total(w, **plain))(w)
    for key, gradient in fast.items():
        np.testing.assert_allclose(gradient, slow[key], rtol=1e-9, atol=1e-12, err_msg=key)


def test_the_gradient_of_the_recurrent_kernel_is_one_product():
    """No array of the kernel's shape is carried through the backward loop."""
    w = jax.tree.map(jnp.asarray, weights(4))

    def total(kernel):
        return run("lstm", {**w, "recurrent_kernel": kernel})[0].sum()

    def carried(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name == "scan":
                first, count = equation.params["num_consts"], equation.params["num_carry"]
                yield from (v.aval.shape for v in equation.invars[first : first + count])
            for inner in jaxprs_in_params(equation.params):
                yield from carried(inner)

    with native.kernels("reference"):
        shapes = set(carried(jax.make_jaxpr(jax.grad(total))(w["recurrent_kernel"]).jaxpr))
    assert (BATCH, UNITS) in shapes
    assert (UNITS, 4 * UNITS) not in shapes


def test_sweep_keeps_the_types_of_states():
    states = [jnp.zeros((2, 1), jnp.bfloat16), jnp.zeros((2, 1), jnp.int32)]

    def step(x, states):
        return x, (states[0] + x, states[1] + 1)

    _, new = sweep(step, jnp.ones((3, 2, 1)), states)
    assert [s.dtype for s in new] == [jnp.bfloat16, jnp.int32]
    assert new[1].tolist() == [[3], [3]]


@pytest.mark.parametrize("unroll", [True, False])
def test_sweep_gives_outputs_in_the_order_of_the_steps(unroll):
    def step(x, states):
        return x + states[0], [states[0] + x]

    x = jnp.arange(1.0, 4.0).reshape(3, 1, 1)
    how = {"return_sequences": True, "unroll": unroll}
    forwards, _ = sweep(step, x, [jnp.zeros((1, 1))], **how)
    backwards, _ = sweep(step, x, [jnp.zeros((1, 1))], go_backwards=True, **how)
    assert forwards.ravel().tolist() == [1, 3, 6]
    assert backwards.ravel().tolist() == [3, 5, 6]

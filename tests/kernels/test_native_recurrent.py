"""The compiled loops of recurrences: value and gradient against the reference form."""

import os
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recurrent_cases import arrays

from slipstream import activations
from slipstream.kernels import cells, native, recurrent

pytestmark = pytest.mark.skipif(native.library() is None, reason="no compiled kernels here")
NAMES = ("z", "bias", "kernel", "h", "c", "scale")
PLAIN = {"reverse": False, "sequences": True}


def total(loop, how, mask, *first):
    outputs = loop(*first, mask, **how)
    return sum(jnp.sum(jnp.sin(o.astype(jnp.float32))) for o in outputs), outputs


def both(given, how):
    """Outputs and gradients by name: of the compiled form, and of the reference in float32."""
    for loop in (cells.loop, lambda *a, **k: cells._reference(*a, **k)[0]):
        if loop is not cells.loop:
            given = [a if a.dtype == bool else a.astype(jnp.float32) for a in given]
        function = jax.value_and_grad(partial(total, loop, how, given[6]), range(6), has_aux=True)
        (_, outputs), gradients = jax.jit(function)(*given[:6])
        yield dict(zip(("outputs", "memory", *NAMES), (*outputs, *gradients)))


def check(given, how, tolerance=1e-5):
    found, expected = both(given, how)
    for name, value in expected.items():
        size = float(jnp.max(jnp.abs(value), initial=1))
        np.testing.assert_allclose(
            found[name].astype(jnp.float32), value, atol=tolerance * size, err_msg=name
        )


@pytest.mark.parametrize("cell", cells.CELLS)
@pytest.mark.parametrize(
    ("shape", "scaled", "masked", "how"),
    [
        ((3, 5, 7), True, True, {"reverse": True, "sequences": True}),
        ((2, 4, 33), False, True, {"reverse": False, "sequences": False}),
    ],
)
def test_follows_the_reference(cell, shape, scaled, masked, how):
    check(arrays(cell, *shape, scaled, masked), {"cell": cell, **how})


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_follows_the_reference_in_bfloat16(cell):
    check(arrays(cell, 5, 4, 20, True, True, dtype=jnp.bfloat16), {"cell": cell, **PLAIN}, 2e-2)


@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.sampled_from(cells.CELLS), st.integers(1, 60), st.integers(1, 5), st.integers(1, 70))
def test_follows_the_reference_at_any_size(cell, batch, time, units):
    check(arrays(cell, batch, time, units), {"cell": cell, **PLAIN})


def test_many_rows_repeat_bit_for_bit_and_follow_the_reference():
    given, how = arrays("lstm", 131, 9, 48), {"cell": "lstm", **PLAIN}
    check(given, how)
    function = jax.jit(jax.grad(lambda *first: total(cells.loop, how, given[6], *first)[0], (1,)))
    first = [function(*given[:6])[0] for _ in range(4)]
    assert all((again == first[0]).all() for again in first)


def test_second_derivatives_and_directions_are_those_of_the_reference():
    given, how = arrays("gru", 2, 3, 4), {"cell": "gru", **PLAIN}

    def curvature(loop):
        def along(z):
            return total(loop, how, given[6], z, *given[1:6])[0]

        return jax.jvp(jax.grad(along), (given[0],), (given[0],))

    found, expected = (
        jax.jit(lambda loop=loop: curvature(loop))()
        for loop in (cells.loop, lambda *a, **k: cells._reference(*a, **k)[0])
    )
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("lstm", {"return_sequences": True, "zero_output_for_mask": True, "go_backwards": True}),
        ("gru", {"zero_output_for_mask": True}),
        ("gru", {"reset_after": False, "return_sequences": True}),
        ("simple_rnn", {"go_backwards": True}),
    ],
)
def test_layers_loops_take_either_form_with_one_result(name, how):
    gates, numbers = {"lstm": 4, "gru": 3, "simple_rnn": 1}[name], np.random.default_rng(0)

    def draw(*shape):
        return jnp.asarray(numbers.normal(size=shape), jnp.float32)

    weights = {
        "x": draw(3, 4, 2),
        "states": [draw(3, 5) for _ in range(2 if name == "lstm" else 1)],
        "kernel": draw(2, gates * 5),
        "recurrent_kernel": draw(5, gates * 5),
        "bias": draw(gates * 5),
    }
    if name == "gru" and how.get("reset_after", True):
        weights["recurrent_bias"] = draw(15)
    how = {**how, "activation": activations.get("tanh"), "mask": np.eye(3, 4) < 1}
    if gates > 1:
        how["recurrent_activation"] = activations.get("sigmoid")

    def value(w):
        found = getattr(recurrent, name)(
            *[w[key] for key in ("x", "states")],
            **{key: array for key, array in w.items() if key not in ("x", "states")},
            **how,
        )
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(found)), found

    def run():
        return jax.value_and_grad(value, has_aux=True)(weights)

    assert "recurrent_loop" in str(jax.make_jaxpr(value)(weights))
    found = run()
    shapes = jax.eval_shape(lambda w: jax.jvp(lambda w: value(w)[0], (w,), (w,)), weights)
    assert [each.shape for each in shapes] == [(), ()]
    with native.kernels("reference"):
        assert "recurrent_loop" not in str(jax.make_jaxpr(value)(weights))
        expected = run()
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.long
@pytest.mark.skipif(len(native.runnable()) < 2, reason="one library only")
def test_the_other_library_follows_the_reference_too():
    other = next(name for name in native.runnable() if name != native.library())
    environment = {**os.environ, "SLIPSTREAM_KERNELS": other}
    tests = [f"{__file__}::test_follows_the_reference", "-k", "lstm or gru"]
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        env=environment,
        check=True,
    )

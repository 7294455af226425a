"""The compiled activations and their slopes against exact numbers and the reference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from native_cases import agree, name_of, needs_native, normal, others, passes_with
from scipy.special import expit, log_expit, ndtr

from slipstream import ops
from slipstream.kernels import curves, native

pytestmark = needs_native

RATIO = np.sqrt(8 / np.pi)
SIDES = {"right": 1.5, "left": 0.7, "inner": 1.3}


def _gelu_tanh(x):
    part = expit(x * (RATIO + RATIO * 0.044715 * x * x))
    return x * part, part + x * part * (1 - part) * (RATIO + 3 * RATIO * 0.044715 * x * x)


def _mish(x):
    ratio = np.tanh(np.logaddexp(x, 0))
    return x * ratio, ratio + x * (1 - ratio**2) * expit(x)


def _elu(x, right, left, inner):
    below = np.minimum(x, 0) * inner
    return (
        np.where(x > 0, right * x, left * np.expm1(below)),
        np.where(x > 0, right, left * inner * np.exp(below)),
    )


# Value and slope in double precision.
EXACT = {
    "gelu": lambda x: (x * ndtr(x), ndtr(x) + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)),
    "gelu_tanh": _gelu_tanh,
    "sigmoid": lambda x: (expit(x), expit(x) * expit(-x)),
    "tanh": lambda x: (np.tanh(x), 1 - np.tanh(x) ** 2),
    "silu": lambda x: (x * expit(x), expit(x) * (1 + x * expit(-x))),
    "softplus": lambda x: (np.logaddexp(x, 0), expit(x)),
    "log_sigmoid": lambda x: (log_expit(x), expit(-x)),
    "mish": _mish,
    "elu": lambda x: _elu(x, **SIDES),
}
KINDS = [*EXACT]
# At infinity, minus infinity and zero.
FAR = {
    "gelu": ((np.inf, 0, 0), (1, 0, 0.5)),
    "gelu_tanh": ((np.inf, 0, 0), (1, 0, 0.5)),
    "sigmoid": ((1, 0, 0.5), (0, 0, 0.25)),
    "tanh": ((1, -1, 0), (0, 0, 1)),
    "silu": ((np.inf, 0, 0), (1, 0, 0.5)),
    "softplus": ((np.inf, 0, np.log(2)), (1, 0, 0.5)),
    "log_sigmoid": ((0, -np.inf, -np.log(2)), (0, 1, 0.5)),
    "mish": ((np.inf, 0, 0), (1, 0, 0.6)),
    "elu": ((np.inf, -0.7, 0), (1.5, 0, 0.91)),
}


@pytest.fixture(autouse=True)
def few_numbers_too(monkeypatch):
    monkeypatch.setattr(curves, "_LEAST", dict.fromkeys(KINDS, 1))


def of(kind):
    if kind == "elu":
        return lambda x: curves.elu(x, **SIDES)
    return lambda x: curves.curve(kind, x)


def value_and_slope(x, kind):
    y, back = jax.vjp(jax.jit(of(kind)), x)
    return np.asarray(y), np.asarray(back(jnp.ones_like(x))[0])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1,), (), (3, 5), (16,), (2, 33, 7), (65, 1000)])
def test_value_and_gradient(shape, kind, dtype):
    agree(of(kind), 2 * normal(*shape, dtype=dtype))


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_has_it(kind):
    def text(function):
        return jax.jit(function).lower(jnp.ones((4, 8))).as_text()

    assert "slipstream_curve" in text(of(kind))
    from_value = kind in ("sigmoid", "tanh")  # what is kept for the gradient is the value
    slopes = text(jax.grad(lambda x: of(kind)(x).sum()))
    assert ("slipstream_curve_saving" in slopes) is not from_value


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_exact_to_rounding(kind):
    x = np.linspace(-10, 10, 400_001).astype("f")
    y, slope = value_and_slope(x, kind)
    wanted, steepness = EXACT[kind](x.astype("d"))
    np.testing.assert_allclose(y, wanted, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(slope, steepness, rtol=0, atol=1.5e-6)


@pytest.mark.parametrize("kind", ["gelu", "sigmoid", "tanh", "silu", "softplus", "mish", "elu"])
def test_small_results_have_all_their_digits(kind):
    left = np.linspace(-9, -1, 100_001).astype("f")
    near = np.concatenate([-np.geomspace(1e-30, 1, 1000), np.geomspace(1e-30, 1, 1000)])
    for x in (left, near.astype("f")):
        y, _ = value_and_slope(x, kind)
        np.testing.assert_allclose(y, EXACT[kind](x.astype("d"))[0], rtol=5e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_far_from_zero_and_not_a_number(kind):
    x = jnp.asarray([np.inf, -np.inf, 0.0, np.nan], "float32")
    y, slope = value_and_slope(x, kind)
    values, slopes = FAR[kind]
    np.testing.assert_allclose(y, [*values, np.nan], rtol=1e-6, atol=1e-35)
    np.testing.assert_allclose(slope, [*slopes, np.nan], rtol=1e-6, atol=1e-35)
    large = jnp.asarray([2e38, -2e38, 95.0, -95.0], "float32")
    y, slope = value_and_slope(large, kind)
    wanted, steepness = EXACT[kind](np.asarray(large, "d"))
    np.testing.assert_allclose(y, wanted, rtol=1e-6, atol=1e-35)
    np.testing.assert_allclose(slope, steepness, rtol=1e-6, atol=1e-35)


@pytest.mark.parametrize("kind", KINDS)
def test_batched_looped_and_differentiated_twice(kind):
    x, function = normal(3, 4, 19), of(kind)
    wanted = EXACT[kind](np.asarray(x, "d"))[0]
    np.testing.assert_allclose(jax.vmap(function)(x), wanted, rtol=1e-5, atol=1e-6)
    looped = jax.lax.scan(lambda total, each: (total, function(each)), 0, x)[1]
    np.testing.assert_allclose(looped, wanted, rtol=1e-5, atol=1e-6)

    def curved(x):
        slope = jax.grad(lambda x: jnp.sum(function(x) ** 2))
        return jax.jit(lambda x: jax.jvp(slope, (x,), (jnp.ones_like(x),))[1])(x)

    step = 1e-4
    one, other = (EXACT[kind](np.asarray(x, "d") + each) for each in (step, -step))
    wanted = (2 * one[0] * one[1] - 2 * other[0] * other[1]) / (2 * step)
    np.testing.assert_allclose(curved(x), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("shape", "dtype"), [((0, 4), "float32"), ((3, 4), "float16")])
def test_what_it_does_not_know_takes_the_reference(shape, dtype):
    x = normal(*shape, dtype=dtype)
    function = jax.jit(of("gelu"))
    assert "slipstream_" not in function.lower(x).as_text()
    np.testing.assert_array_equal(function(x), jax.jit(lambda x: jax.nn.gelu(x, False))(x))


def test_few_numbers_are_left_to_the_compiler(monkeypatch):
    monkeypatch.undo()
    for kind, least in curves._LEAST.items():
        lowered = jax.jit(of(kind)).lower(jnp.ones(least - 1))
        assert "slipstream_" not in lowered.as_text()
        assert "slipstream_" in jax.jit(of(kind)).lower(jnp.ones(least)).as_text()


@pytest.mark.parametrize("name", ["celu", "elu", "glu", "selu", "tanh_shrink", "log_sigmoid"])
def test_activations_that_are_made_of_it(name):
    agree(getattr(ops, name), 2 * normal(6, 34))


@pytest.mark.parametrize("name", ["elu", "celu"])
def test_the_slope_of_an_activation_may_be_trained(name):
    """An `alpha` that is an array, as in a layer of one's own."""
    x, alpha, step = normal(6, 34), 0.7, 1e-3
    function = getattr(ops, name)
    np.testing.assert_allclose(function(x, jnp.float32(alpha)), function(x, alpha), rtol=2e-5)
    slope = jax.jit(jax.grad(lambda alpha: function(x, alpha).sum()))(alpha)
    wide = np.minimum(np.asarray(x, "d"), 0)
    inner = {"elu": lambda alpha: 1.0, "celu": lambda alpha: 1 / alpha}[name]
    one, other = (
        each * np.expm1(wide * inner(each)).sum() for each in (alpha + step, alpha - step)
    )
    np.testing.assert_allclose(slope, (one - other) / (2 * step), rtol=1e-3)


def test_a_switch_takes_the_reference():
    with native.kernels("reference"):
        lowered = jax.jit(lambda x: ops.gelu(x)).lower(jnp.ones(32))
    assert "slipstream_" not in lowered.as_text()


@pytest.mark.parametrize("kind", ["gelu", "softplus"])
def test_parts_repeat_bit_for_bit(kind):
    x = normal(301, 1003)
    for one, other in zip(value_and_slope(x, kind), value_and_slope(x, kind), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries(library):
    passes_with(library, f"{name_of(__file__)}::test_value_and_gradient")

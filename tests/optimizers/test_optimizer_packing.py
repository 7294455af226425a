"""Packed weights give the numbers of separate ones; a compiled step those of an eager one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from optimizer_cases import RULES, WITH_OPTIONS, gradients, label, ours, pack, pack_state

from slipstream.core.variable import Variable
from slipstream.optimizers import SGD, Adam, Lamb, Muon

CASES = [case for case in RULES + WITH_OPTIONS if "clipnorm" not in case[1]]
PACKABLE = [case for case in CASES if case[0] not in ("Lamb", "Adafactor", "Muon")]


def run(case, packed, compiled=False, steps=6):
    """Weights and state after some steps, the vector exempt from weight decay."""
    optimizer, weights = ours(*case)
    optimizer.build(weights)
    optimizer.exclude_from_weight_decay(var_list=[weights[1]])
    values, state = [jnp.asarray(weight.value) for weight in weights], optimizer.state()
    decays = optimizer.decays(weights)
    if packed:
        values, state = pack(values), pack_state(state)
        masks = [np.full(w.shape, decay, "float32") for w, decay in zip(weights, decays)]
        decays = pack(masks)

    def step(values, grads, state):
        return optimizer.transition(values, grads, state, decays)

    step = jax.jit(step) if compiled else step
    for grads in gradients(steps):
        grads = [jnp.asarray(grad) for grad in grads]
        values, state = step(values, pack(grads) if packed else grads, state)
    return values, state


@pytest.mark.parametrize("case", PACKABLE, ids=label)
def test_packed_equals_separate(case):
    assert ours(*case)[0].packable
    values, state = run(case, packed=False)
    separate, packed = (pack(values), pack_state(state)), run(case, packed=True)
    # A sum in another order; powers, and division by a number, of a scalar or of a vector.
    inexact = {"global_clipnorm", "gradient_accumulation_steps"} & set(case[1])
    tolerance = 1e-6 if inexact or case[0] == "Ftrl" else 0
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=0),
        separate,
        packed,
    )


@pytest.mark.parametrize("case", [CASES[i] for i in (0, 6, 8, 10, 14, 16, 17, 18, 20)], ids=label)
def test_compiled_equals_eager(case):
    eager, compiled = run(case, packed=False), run(case, packed=False, compiled=True)
    tolerance = 1e-4 if case[0] == "Muon" else 2e-6
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance),
        eager,
        compiled,
    )


ACCUMULATING = ("Nadam", {"gradient_accumulation_steps": 3, "use_ema": True, "weight_decay": 0.1})


@pytest.mark.parametrize("packed", [False, True])
def test_compiled_accumulation_equals_eager(packed):
    eager, compiled = run(ACCUMULATING, packed), run(ACCUMULATING, packed, compiled=True)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7), eager, compiled
    )
    assert int(compiled[1].iterations) == 6
    assert not np.any(compiled[1].accumulators[0])


@pytest.mark.parametrize(
    "optimizer", [Adam(clipnorm=1.0), Lamb(), Muon()], ids=lambda o: type(o).__name__
)
def test_rules_that_need_a_weights_shape_are_not_packable(optimizer):
    assert not optimizer.packable


def test_scalars_are_computed_once_for_all_weights():
    def operations(count):
        optimizer = Adam()
        weights = [Variable(np.ones(2, "float32"), name=f"w{i}") for i in range(count)]
        optimizer.build(weights)
        values = [weight.value for weight in weights]
        program = jax.make_jaxpr(lambda v, s: optimizer.transition(v, v, s, [False] * len(v)))(
            values, optimizer.state()
        )
        return len(program.eqns)

    one, two, three = map(operations, (1, 2, 3))
    assert three - two == two - one <= 12


def test_transition_names_the_gradient_of_another_shape():
    optimizer = SGD()
    weights = [Variable(np.ones(2, "float32")), Variable(np.ones((3, 4), "float32"))]
    optimizer.build(weights)
    values = [weight.value for weight in weights]
    with pytest.raises(ValueError, match=r"Gradient 1 has shape \(4, 3\).*\(3, 4\)"):
        optimizer.transition(values, [values[0], values[1].T], optimizer.state(), [True, True])
    with pytest.raises(ValueError, match="2 weights, 1 gradients"):
        optimizer.transition(values, values[:1], optimizer.state(), [True, True])

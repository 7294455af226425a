"""Learning-rate schedules beside Keras', and inside optimizers."""

import inspect

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from slipstream.core.registry import register_serializable
from slipstream.core.variable import Variable
from slipstream.optimizers import SGD, deserialize, schedules, serialize

CASES = [
    ("ExponentialDecay", {"decay_rate": 0.7, "decay_steps": 9}),
    ("ExponentialDecay", {"decay_rate": 0.7, "decay_steps": 9, "staircase": True}),
    ("InverseTimeDecay", {"decay_rate": 0.7, "decay_steps": 9}),
    ("InverseTimeDecay", {"decay_rate": 0.7, "decay_steps": 9, "staircase": True}),
    ("PolynomialDecay", {"decay_steps": 13}),
    ("PolynomialDecay", {"decay_steps": 13, "power": 2.5, "end_learning_rate": 0.02}),
    ("PolynomialDecay", {"decay_steps": 13, "power": 0.5, "cycle": True}),
    ("CosineDecay", {"decay_steps": 21}),
    ("CosineDecay", {"decay_steps": 21, "alpha": 0.1, "warmup_target": 0.8, "warmup_steps": 7}),
    ("CosineDecay", {"decay_steps": 21, "alpha": 0.1, "warmup_target": 0.8}),
    ("CosineDecay", {"decay_steps": 21, "warmup_steps": 7}),
    ("CosineDecayRestarts", {"first_decay_steps": 7}),
    ("CosineDecayRestarts", {"first_decay_steps": 7, "t_mul": 1.5, "m_mul": 0.8, "alpha": 0.1}),
    ("CosineDecayRestarts", {"first_decay_steps": 7, "t_mul": 1.0, "m_mul": 0.8}),
    ("PiecewiseConstantDecay", {"boundaries": [3, 10, 40], "values": [0.1, 0.2, 0.05, 0.7]}),
    ("PiecewiseConstantDecay", {"boundaries": [2.5], "values": [1, 2]}),
]


def both(case):
    name, arguments = case
    if "boundaries" not in arguments:
        arguments = {"initial_learning_rate": 0.3, **arguments}
    theirs = getattr(keras.optimizers.schedules, name)(**arguments)
    return getattr(schedules, name)(**arguments), theirs


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_follow_keras(case):
    ours, theirs = both(case)
    steps = [*range(50), 100, 777]
    got = jax.vmap(ours)(jnp.asarray(steps))
    if case[0] == "CosineDecayRestarts":  # eager, it compiles anew at each step
        theirs = jax.jit(theirs)
    wanted = [float(theirs(jnp.asarray(step))) for step in steps]
    np.testing.assert_allclose(got, wanted, rtol=2e-6, atol=1e-7)
    assert got.dtype == "float32"
    compiled = jax.jit(ours)
    found = [float(compiled(step)) for step in steps]
    np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_configurations_are_keras_ones(case):
    ours, theirs = both(case)
    config = schedules.serialize(ours)
    assert config == keras.optimizers.schedules.serialize(theirs)
    assert schedules.deserialize(config).get_config() == ours.get_config()


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_arguments_are_keras_ones(name):
    ours, theirs = (
        [(p.name, p.default) for p in inspect.signature(getattr(module, name)).parameters.values()]
        for module in (schedules, keras.optimizers.schedules)
    )
    assert ours == theirs


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "decay_steps > 0; got 0"),
        (lambda: schedules.CosineDecayRestarts(0.1, -1), "first_decay_steps > 0; got -1"),
        (lambda: schedules.PiecewiseConstantDecay([1, 2], [0.1]), "2 boundaries and 1 values"),
        (lambda: schedules.deserialize({"class_name": "CosinDecay", "config": {}}), "cosine_decay"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_optimizer_follows_its_schedule_and_keeps_it_when_saved():
    schedule = schedules.PiecewiseConstantDecay([0, 1], [0.5, 0.25, 0.125])
    optimizer, weight = SGD(schedule), Variable(np.zeros((), "float32"), name="w")
    taken = []
    for _ in range(3):
        before = float(weight)
        taken.append((float(optimizer.learning_rate), before))
        optimizer.apply([np.ones((), "float32")], [weight])
        assert before - float(weight) == taken[-1][0]
    assert [rate for rate, _ in taken] == [0.5, 0.25, 0.125]
    assert [variable.name for variable in optimizer.variables] == ["iteration"]
    again = deserialize(serialize(optimizer))
    assert again.schedule.get_config() == schedule.get_config()
    reference = keras.optimizers.deserialize(serialize(optimizer))
    assert reference.get_config() == optimizer.get_config()


@pytest.mark.parametrize("accumulate", [None, 2])
def test_schedules_count_gradients_not_updates(accumulate):
    optimizer = SGD(lambda step: 0.5**step, gradient_accumulation_steps=accumulate)
    weight = Variable(np.zeros((), "float32"), name="w")
    for _ in range(2):
        optimizer.apply([np.ones((), "float32")], [weight])
    assert float(weight) == (-0.5 if accumulate else -1.5)


def test_callables_without_a_step_are_read_each_time():
    rates = iter([0.5, 0.25])
    optimizer, weight = SGD(lambda: next(rates)), Variable(np.zeros((), "float32"), name="w")
    for _ in range(2):
        optimizer.apply([np.ones((), "float32")], [weight])
    assert float(weight) == -0.75


def test_own_schedule_round_trip():
    @register_serializable("Test")
    class Halving(schedules.LearningRateSchedule):
        def __init__(self, start):
            self.start = start

        def __call__(self, step):
            return self.start * 0.5 ** jnp.asarray(step, "float32")

        def get_config(self):
            return {"start": self.start}

    again = deserialize(serialize(SGD(Halving(0.5))))
    assert float(again.learning_rate_at(jnp.asarray(3), None)) == 0.0625


def test_incomplete_schedules_say_what_is_missing():
    with pytest.raises(NotImplementedError, match="__call__"):
        schedules.LearningRateSchedule()(0)
    with pytest.raises(NotImplementedError, match="get_config"):
        schedules.LearningRateSchedule().get_config()

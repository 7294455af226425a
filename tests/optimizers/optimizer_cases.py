"""Optimizers to run beside Keras: class, arguments, and how far float32 lets results differ."""

import jax
import jax.numpy as jnp
import keras
import numpy as np

from slipstream import optimizers
from slipstream.core.variable import Variable

SHAPES = {"kernel": (7, 3), "bias": (5,), "gain": ()}

RULES = [
    ("SGD", {"learning_rate": 0.1}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    ("RMSprop", {"learning_rate": 0.01}),
    ("RMSprop", {"learning_rate": 0.01, "momentum": 0.8}),
    ("RMSprop", {"learning_rate": 0.01, "centered": True, "epsilon": 1e-2}),
    ("RMSprop", {"learning_rate": 0.01, "centered": True, "epsilon": 1e-2, "momentum": 0.8}),
    ("Adam", {"learning_rate": 0.05, "beta_1": 0.8, "epsilon": 1e-5}),
    ("Adam", {"learning_rate": 0.05, "amsgrad": True}),
    ("AdamW", {"learning_rate": 0.05, "weight_decay": 0.1}),
    ("Nadam", {"learning_rate": 0.05}),
    ("Adamax", {"learning_rate": 0.05}),
    ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.3}),
    ("Adadelta", {"learning_rate": 1.0, "rho": 0.9}),
    ("Lion", {"learning_rate": 0.01}),
    ("Ftrl", {"learning_rate": 0.1}),
    (
        "Ftrl",
        {
            "learning_rate": 0.1,
            "learning_rate_power": -0.7,
            "initial_accumulator_value": 0.2,
            "l1_regularization_strength": 0.3,
            "l2_regularization_strength": 0.2,
            "l2_shrinkage_regularization_strength": 0.1,
            "beta": 0.4,
        },
    ),
    ("Lamb", {"learning_rate": 0.05}),
    ("Adafactor", {"learning_rate": 0.05}),
    ("Adafactor", {"learning_rate": 0.05, "beta_2_decay": -0.5, "clip_threshold": 0.5}),
    ("Muon", {"learning_rate": 0.05, "weight_decay": 0.1, "adam_weight_decay": 0.2}),
    ("Muon", {"learning_rate": 0.05, "rms_rate": None, "nesterov": False, "adam_lr_ratio": 0.5}),
    ("Muon", {"learning_rate": 0.05, "exclude_layers": ["^ker"], "ns_steps": 3}),
    ("ScheduleFreeAdamW", {"learning_rate": 0.05}),
    ("ScheduleFreeAdamW", {"learning_rate": 0.05, "warmup_steps": 4, "weight_decay": 0.1}),
]

OPTIONS = [
    {"weight_decay": 0.1},
    {"clipvalue": 0.4},
    {"clipnorm": 0.7},
    {"global_clipnorm": 0.7},
    {"use_ema": True, "ema_momentum": 0.8},
    {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 5},
    {"gradient_accumulation_steps": 3},
    {"gradient_accumulation_steps": 3, "use_ema": True, "ema_overwrite_frequency": 2},
    {"gradient_accumulation_steps": 2, "clipnorm": 0.7, "weight_decay": 0.1},
    {"loss_scale_factor": 8.0, "clipvalue": 0.1},
]

# Rules whose options are tested too: one of each make, those with state of their own included.
WITH_OPTIONS = [
    (name, {**rule, **options})
    for name, rule in [
        ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
        ("Adam", {"learning_rate": 0.05}),
        ("Nadam", {"learning_rate": 0.05}),
    ]
    for options in OPTIONS
] + [
    ("Lamb", {"learning_rate": 0.05, "weight_decay": 0.1}),
    ("Adafactor", {"learning_rate": 0.05, "gradient_accumulation_steps": 2, "clipvalue": 0.5}),
    ("Muon", {"learning_rate": 0.05, "weight_decay": None, "gradient_accumulation_steps": 2}),
]


def label(case):
    """A test's name for a case."""
    name, arguments = case
    return "-".join([name, *(f"{key}={value}" for key, value in arguments.items())])


def start_values(seed=0):
    """First values of the weights, by name."""
    random = np.random.default_rng(seed)
    return {name: random.normal(size=s).astype("float32") for name, s in SHAPES.items()}


def gradients(steps, seed=1):
    """For each step a gradient for each weight; their size changes from step to step."""
    random = np.random.default_rng(seed)
    return [
        [
            np.asarray(random.normal(size=shape) * np.exp(random.normal()), "float32")
            for shape in SHAPES.values()
        ]
        for _ in range(steps)
    ]


def ours(name, arguments):
    """Our optimizer, and our weights."""
    weights = [Variable(value, name=key) for key, value in start_values().items()]
    return getattr(optimizers, name)(**arguments), weights


def theirs(name, arguments):
    """Keras' optimizer, and Keras' weights of the same values."""
    weights = [keras.Variable(value, name=key) for key, value in start_values().items()]
    return getattr(keras.optimizers, name)(**arguments), weights


def apply_keras(optimizer, weights, steps):
    """Run Keras' optimizer over the gradients; compiled where eager Keras recompiles each step."""
    optimizer.build(weights)
    if not optimizer.gradient_accumulation_steps:
        for grads in steps:
            optimizer.apply([jnp.asarray(grad) for grad in grads])
        return
    step = jax.jit(optimizer.stateless_apply)
    values, own = [w.value for w in weights], [v.value for v in optimizer.variables]
    for grads in steps:
        values, own = step(own, grads, values)
    for variable, value in zip([*weights, *optimizer.variables], [*values, *own]):
        variable.assign(value)


def pack(arrays):
    """A list of one flat array, as a training loop may pass it; none from none."""
    return [jnp.concatenate([jnp.ravel(array) for array in arrays])] if arrays else []


def pack_state(state):
    """An optimizer's state with every list packed."""
    slots = {name: pack([own[name] for own in state.slots])[0] for name in state.slots[0]}
    packed = {"accumulators": pack(state.accumulators), "averages": pack(state.averages)}
    return state._replace(slots=[slots], **packed)


def plain(variable):
    """A variable's value as an array."""
    return np.asarray(variable.value)

"""Names, signatures, configurations and errors of the losses."""

import inspect

import jax.numpy as jnp
import keras
import numpy as np
import pytest
from loss_cases import CASES, IDS, LABELS, LOGITS, NORMAL, ONE_HOT, REGIONS, SIMPLEX, ours

import slipstream.losses as losses
from slipstream.core import registry

CLASSES = sorted({name for name, *_ in CASES})


@pytest.mark.parametrize("name", CLASSES)
def test_signatures_and_configurations_are_those_of_keras(name):
    mine, theirs = getattr(losses, name), getattr(keras.losses, name)
    wanted = {
        key: parameter.default for key, parameter in inspect.signature(theirs).parameters.items()
    }
    parameters = inspect.signature(mine).parameters
    assert {key: parameter.default for key, parameter in parameters.items()} == wanted
    assert list(parameters) == list(wanted)
    config, theirs_config = mine().get_config(), theirs().get_config()
    assert {key: config[key] for key in theirs_config} == theirs_config
    # What Keras leaves out of its own configuration would be lost on the way.
    assert set(config) - set(theirs_config) <= {"delta", "axis"}
    theirs.from_config(config)


FUNCTIONS = [name for name in losses.__all__ if name[0].islower()]


@pytest.mark.parametrize(
    "name", sorted(set(FUNCTIONS) - {"get", "serialize", "deserialize", "info_nce"})
)
def test_function_signatures_are_those_of_keras(name):
    def plain(module):
        parameters = inspect.signature(getattr(module, name)).parameters.values()
        return [(parameter.name, parameter.default) for parameter in parameters]

    assert plain(losses) == plain(keras.losses)


def test_no_name_of_keras_is_missing():
    public = {name for name in dir(keras.losses) if not name.startswith("_")}
    assert public <= set(dir(losses))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_configuration_makes_an_equal_loss(case):
    name, arguments, y_true, y_pred = case
    loss = ours(name, **arguments, reduction="sum", name="mine")
    again = losses.deserialize(losses.serialize(loss))
    assert type(again) is type(loss) and again.get_config() == loss.get_config()
    assert again.per_example == loss.per_example
    assert float(again(y_true, y_pred)) == float(loss(y_true, y_pred))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("mse", losses.mean_squared_error),
        ("MAE", losses.mean_absolute_error),
        ("kld", losses.kl_divergence),
        ("bce", losses.binary_crossentropy),
        ("mean_squared_error", losses.mean_squared_error),
        ("huber", losses.huber),
        ("ctc", losses.ctc),
    ],
)
def test_names_stand_for_functions(name, wanted):
    assert losses.get(name) is wanted
    assert losses.serialize(wanted) == wanted.__name__
    assert losses.deserialize(wanted.__name__) is wanted


def test_class_names_stand_for_objects():
    assert isinstance(losses.get("MeanSquaredError"), losses.MeanSquaredError)
    assert losses.get(None) is None
    theirs = keras.losses.serialize(keras.losses.Huber(reduction="sum"))
    assert losses.get(theirs).reduction == "sum"


def test_a_wrapped_function_keeps_its_arguments():
    @registry.register_serializable(name="shifted")
    def shifted(y_true, y_pred, by):
        return jnp.abs(y_true - y_pred + by)[:, 0]

    loss = losses.LossFunctionWrapper(shifted, reduction="sum", by=2.0)
    assert loss.name.startswith("loss_function_wrapper")
    again = losses.deserialize(losses.serialize(loss))
    assert again.fn is shifted and again.get_config() == loss.get_config()
    assert float(again(np.zeros((3, 1)), np.ones((3, 1)))) == 3.0
    wrapped = losses.LossFunctionWrapper(losses.mean_squared_error)
    assert losses.deserialize(losses.serialize(wrapped)).fn is losses.mean_squared_error


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: losses.Loss(reduction="men"), ["'men'", "'mean'"]),
        (
            lambda: losses.BinaryCrossentropy(label_smoothing=1.5),
            ["label_smoothing", "1.5", "0 to 1"],
        ),
        (lambda: losses.categorical_crossentropy(ONE_HOT, SIMPLEX, False, -0.1), ["-0.1"]),
        (lambda: losses.CategoricalGeneralizedCrossEntropy(q=1.0), ["q must", "1.0"]),
        (lambda: losses.mean_squared_error(NORMAL, LOGITS[:4]), ["(6, 5)", "(4, 5)", "broadcast"]),
        (
            lambda: losses.categorical_crossentropy(LABELS, SIMPLEX),
            ["(6,)", "(6, 5)", "sparse_categorical_crossentropy"],
        ),
        (
            lambda: losses.sparse_categorical_crossentropy(ONE_HOT, SIMPLEX),
            ["(6, 5)", "(6,)", "categorical_crossentropy"],
        ),
        (lambda: losses.ctc(LABELS, LOGITS), ["(6,)", "(6, 5)", "(batch, time, classes)"]),
        (lambda: losses.circle(ONE_HOT, LOGITS), ["30 labels", "6 embeddings"]),
        (lambda: losses.mean_squared_error(1.0, 2.0), ["batch axis"]),
        (
            lambda: losses.MeanSquaredError()(REGIONS, REGIONS, np.ones(6)),
            ["sample_weight", "(6,)", "(6, 3, 4)", "(6, 1, 1)"],
        ),
        (
            lambda: losses.MeanSquaredError()(NORMAL, LOGITS, mask=np.ones((6, 5), bool)),
            ["mask", "(6, 5)", "(6,)", "last axis"],
        ),
        (
            lambda: losses.KLDivergence()(SIMPLEX[0], SIMPLEX[1], mask=np.ones(5, bool)),
            ["single value", "(5,)", "(batch, 1)"],
        ),
        (lambda: losses.get("mean_square_error"), ["'mean_squared_error'"]),
        (lambda: losses.Loss()(NORMAL, NORMAL), ["call()"]),
    ],
)
def test_errors_name_what_was_seen_and_what_to_do(act, words):
    with pytest.raises((ValueError, NotImplementedError)) as caught:
        act()
    for word in words:
        assert word in str(caught.value)

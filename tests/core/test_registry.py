"""Names and configurations reach what is registered, and nothing else."""

import keras
import numpy as np
import pytest

import slipstream.activations
import slipstream.initializers
import slipstream.layers
import slipstream.losses
import slipstream.metrics
import slipstream.optimizers
from slipstream.core import registry


def test_unknown_name_suggests_the_nearest_and_each_entry_once():
    with pytest.raises(ValueError, match="Unknown optimizer: 'adm'. Did you mean 'adam'") as caught:
        registry.resolve("optimizer", "adm")
    assert "'Adam'" not in str(caught.value)


@pytest.mark.parametrize(
    "config",
    [
        {"class_name": "Popen", "module": "subprocess", "config": {"args": "true"}},
        {"class_name": "function", "module": "builtins", "config": "eval"},
        {"class_name": "system", "module": "os", "config": {}, "registered_name": "os>system"},
        {"class_name": "Dense", "module": "keras.losses", "config": {"units": 1}},
        {"class_name": "__lambda__", "module": "builtins", "config": {"value": "4wEAAAA="}},
    ],
)
def test_a_configuration_cannot_name_what_is_not_registered(config):
    with pytest.raises(ValueError, match="neither part of Slipstream nor registered"):
        registry.deserialize(config)


def test_round_trip_of_a_users_class_and_function():
    @registry.register_serializable("tests")
    class Thing:
        def __init__(self, size):
            self.size = size

        def get_config(self):
            return {"size": self.size}

    @registry.register_serializable("tests")
    def double(x):
        return 2 * x

    config = registry.serialize({"thing": Thing(3), "f": double, "n": [1, None, "a"]})
    assert config["thing"]["registered_name"] == "tests>Thing"
    again = registry.deserialize(config)
    assert again["thing"].size == 3
    assert again["f"] is double
    assert again["n"] == [1, None, "a"]


def test_custom_objects_hold_for_one_call_only():
    class Mine:
        def get_config(self):
            return {}

    config = registry.serialize(Mine())
    assert isinstance(registry.deserialize(config, {"Mine": Mine}), Mine)
    with pytest.raises(ValueError, match="Mine"):
        registry.deserialize(config)


def test_registering_a_class_without_config_is_refused():
    with pytest.raises(ValueError, match="get_config"):
        registry.register_serializable()(type("Bare", (), {}))


def test_arrays_travel():
    config = registry.serialize(np.arange(3, dtype="int16"))
    again = registry.deserialize(config)
    assert again.dtype == np.int16
    assert again.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (slipstream.layers.Dense(3, "relu", name="d"), keras.layers.Dense(3, "relu", name="d")),
        (slipstream.layers.Dropout(0.3, name="d"), keras.layers.Dropout(0.3, name="d")),
        (slipstream.layers.Flatten(name="f"), keras.layers.Flatten(name="f")),
        (slipstream.layers.Reshape((2, -1), name="r"), keras.layers.Reshape((2, -1), name="r")),
        (slipstream.layers.Rescaling(0.5, name="r"), keras.layers.Rescaling(0.5, name="r")),
        (slipstream.layers.PReLU(name="p"), keras.layers.PReLU(name="p")),
        (slipstream.layers.ReLU(6.0, name="p"), keras.layers.ReLU(6.0, name="p")),
        (slipstream.layers.LeakyReLU(name="p"), keras.layers.LeakyReLU(name="p")),
        (slipstream.layers.ELU(name="p"), keras.layers.ELU(name="p")),
        (slipstream.layers.Softmax(name="p"), keras.layers.Softmax(name="p")),
        (slipstream.layers.Activation("tanh", name="p"), keras.layers.Activation("tanh", name="p")),
        (
            slipstream.layers.Normalization(name="n", mean=1.0, variance=2.0),
            keras.layers.Normalization(name="n", mean=1.0, variance=2.0),
        ),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_serialize_as_in_keras(ours, theirs):
    assert registry.serialize(ours) == keras.saving.serialize_keras_object(theirs)

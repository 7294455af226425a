"""Columns of a table to numbers."""

import keras
import numpy as np
import pandas as pd
import pytest

from slipstream import layers, models, saving
from slipstream.utils import FeatureSpace

DATA = {
    "size": np.array([1.0, 2.0, 3.0, 6.0]),
    "raw": np.array([0.1, 0.2, 0.3, 0.4]),
    "age": np.array([1.0, 20.0, 40.0, 70.0]),
    "code": np.array([3, 1, 3, 2]),
    "city": np.array(["rome", "oslo", "rome", "bonn"]),
    "tag": np.array(["a", "b", "c", "a"]),
    "number": np.array([7, 8, 9, 7]),
}


def features():
    return {
        "size": "float_normalized",
        "raw": FeatureSpace.float_rescaled(scale=10.0, offset=1.0),
        "age": FeatureSpace.float_discretized(num_bins=3, bin_boundaries=[10.0, 50.0]),
        "code": FeatureSpace.integer_categorical(num_oov_indices=0),
        "city": FeatureSpace.string_categorical(),
        "tag": FeatureSpace.string_hashed(num_bins=5),
        "number": FeatureSpace.integer_hashed(num_bins=4),
    }


def made(**kwargs):
    return FeatureSpace(features(), crosses=[("code", "age")], crossing_dim=6, **kwargs)


@pytest.fixture(scope="module")
def space():
    built = made(output_mode="dict")
    built.adapt(DATA)
    return built


def test_each_kind_of_column(space):
    found = {key: np.asarray(value) for key, value in space(DATA).items()}
    size = DATA["size"]
    np.testing.assert_allclose(found["size"][:, 0], (size - 3) / size.std(), rtol=1e-5)
    np.testing.assert_allclose(found["raw"][:, 0], [2, 3, 4, 5], rtol=1e-6)
    assert found["age"].argmax(-1).tolist() == [0, 1, 1, 2]
    assert found["code"].shape == (4, 3) and (found["code"][0] == found["code"][2]).all()
    assert found["city"].shape == (4, 4) and found["city"][:, 0].sum() == 0  # one place for others
    for key, bins in (("tag", 5), ("number", 4), ("code_X_age", 6)):
        assert found[key].shape == (4, bins) and (found[key].sum(-1) == 1).all()
    assert (found["tag"][0] == found["tag"][3]).all()


def test_an_unknown_text_counts_as_other(space):
    row = {key: value[:1] for key, value in DATA.items()} | {"city": np.array(["paris"])}
    assert np.asarray(space(row)["city"]).tolist() == [[1, 0, 0, 0]]


def test_one_array_holds_the_columns_in_their_order(space):
    one = made()
    one.adapt(DATA)
    parts = np.concatenate([np.asarray(v) for v in space(DATA).values()], axis=-1)
    np.testing.assert_allclose(one(DATA), parts, rtol=1e-6)
    row = {key: value[1] for key, value in DATA.items()}
    np.testing.assert_allclose(one(row), parts[1], rtol=1e-6)
    columns = {key: value[:, None] for key, value in DATA.items()}
    np.testing.assert_allclose(one(columns), parts, rtol=1e-6)
    np.testing.assert_allclose(one(pd.DataFrame(DATA)), parts, rtol=1e-6)


@pytest.mark.parametrize("form", ["frame", "batches"])
def test_it_learns_the_same_from_any_form_of_data(space, form):
    halves = [{key: value[part] for key, value in DATA.items()} for part in (slice(2), slice(2, 4))]
    other = made(output_mode="dict")
    other.adapt(pd.DataFrame(DATA) if form == "frame" else halves)
    for key, value in space(DATA).items():
        np.testing.assert_allclose(value, other(DATA)[key], rtol=1e-6, err_msg=key)


def test_a_model_on_encoded_features_trains_and_is_saved(tmp_path):
    space = FeatureSpace(features())
    space.adapt(DATA)
    outputs = layers.Dense(1)(space.get_encoded_features())
    model = models.Model(space.get_inputs(), outputs)
    model.compile("adam", "mse")
    y = np.arange(4.0)
    first = model.fit(DATA, y, epochs=30, verbose=0).history["loss"]
    assert first[-1] < first[0]
    model.save(tmp_path / "model.keras")
    again = saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(model.predict(DATA), again.predict(DATA), rtol=1e-5)


def test_a_space_is_saved_with_what_it_learned(space, tmp_path):
    space.save(tmp_path / "space.keras")
    again = saving.load_model(tmp_path / "space.keras")
    for key, value in space(DATA).items():
        np.testing.assert_allclose(value, again(DATA)[key], rtol=1e-6, err_msg=key)


def test_the_configuration_is_keras_own():
    columns = lambda space: {"x": "float", "y": space.float_normalized("q")}  # noqa: E731
    theirs = keras.utils.FeatureSpace(columns(keras.utils.FeatureSpace)).get_config()
    mine = FeatureSpace(columns(FeatureSpace)).get_config()
    assert set(theirs) <= set(mine)
    for key in ("x", "y"):
        a, b = theirs["features"][key], mine["features"][key]
        assert {k: a[k] for k in ("module", "class_name", "registered_name")} == {
            k: b[k] for k in ("module", "class_name", "registered_name")
        }
        assert a["config"]["output_mode"] == b["config"]["output_mode"]
    assert (
        keras.utils.FeatureSpace.cross(("a", "b"), 8).name == FeatureSpace.cross(("a", "b"), 8).name
    )


def test_mistakes_are_told(space):
    with pytest.raises(ValueError, match="see data first"):
        made()(DATA)
    with pytest.raises(ValueError, match=r"no column \['tag'\]"):
        space({key: value for key, value in DATA.items() if key != "tag"})
    with pytest.raises(ValueError, match="no column 'x'"):
        FeatureSpace({"x": "float_normalized"}).adapt({"y": np.ones(2)})
    with pytest.raises(ValueError, match="Did you mean 'float_normalized'"):
        FeatureSpace({"x": "float_normalised"})
    with pytest.raises(ValueError, match="at least one"):
        FeatureSpace({})
    with pytest.raises(ValueError, match="output_mode"):
        FeatureSpace({"x": "float"}, output_mode="list")
    with pytest.raises(ValueError, match="cross names"):
        FeatureSpace({"x": "float"}, crosses=[("x", "z")])
    with pytest.raises(ValueError, match="crosses columns"):
        space.get_encoded_features()
    with pytest.raises(ValueError, match="whole numbers"):
        FeatureSpace({"x": FeatureSpace.integer_hashed(4, output_mode="int")})({"x": np.ones(2)})

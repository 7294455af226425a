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


# ---- missing values, text columns, and raw rows after loading ----------------------------------

ROWS = 24


@pytest.fixture
def table(rng):
    return pd.DataFrame(
        {
            "size": rng.normal(5, 2, ROWS),
            "age": rng.integers(1, 90, ROWS).astype(float),
            "city": [["rome", "oslo", "bonn"][i % 3] for i in range(ROWS)],
            "code": [3 + i % 4 for i in range(ROWS)],
            "tag": [f"tag {i % 5}" for i in range(ROWS)],
            "note": [["good red wine", "bad white beer"][i % 2] for i in range(ROWS)],
        }
    )


def holed(table):
    """A gap in each column, in rows of their own."""
    found = table.astype({"code": float})
    for row, name in enumerate(table.columns):
        found.loc[row, name] = None if found[name].dtype.kind == "O" else np.nan
    return found


def columns_of_all_kinds(**kwargs):
    words = layers.TextVectorization(20, output_mode="multi_hot", pad_to_max_tokens=True)
    return FeatureSpace(
        {
            "size": "float_normalized",
            "age": FeatureSpace.float_discretized(num_bins=3),
            "city": "string_categorical",
            "code": "integer_categorical",
            "tag": FeatureSpace.string_hashed(num_bins=6),
            "note": FeatureSpace.feature("string", words, "float"),
        },
        **kwargs,
    )


def test_gaps_become_the_mean_and_a_mark(table):
    space = columns_of_all_kinds(output_mode="dict")
    data = holed(table)
    space.adapt(data)
    found = {key: np.asarray(value) for key, value in space(data).items()}
    assert all(np.isfinite(value).all() for value in found.values())
    known = data["size"].dropna()
    np.testing.assert_allclose(
        found["size"][:, 0], (data["size"].fillna(known.mean()) - known.mean()) / known.std(ddof=0),
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip
    for row, key in enumerate(("size", "age")):
        assert found[key][:, -1].tolist() == [float(i == row) for i in range(ROWS)]
    for key, kinds in (("city", 3 + 2), ("code", 4 + 2)):  # one more than kinds and others
        row = list(table.columns).index(key)
        assert found[key].shape[1] == kinds
        assert not (found[key] == found[key][row]).all(1)[np.arange(ROWS) != row].any()
        assert found[key][row, 0] == 0  # not among the unknown
    assert not found["note"][5].any() and found["note"][4].any()


def test_without_gaps_nothing_is_added(table):
    plain, with_gaps = columns_of_all_kinds(), columns_of_all_kinds()
    plain.adapt(table)
    with_gaps.adapt(holed(table))
    assert plain(table).shape[1] + 2 + 2 == with_gaps(table).shape[1]  # marks, and missing kinds
    assert "gaps" not in plain.get_build_config() and "missing" not in plain.get_config()


def test_a_loaded_model_takes_raw_rows_with_gaps_and_unseen_kinds(table, tmp_path):
    space = columns_of_all_kinds()
    data = holed(table)
    space.adapt(data)
    outputs = layers.Dense(1)(space.get_encoded_features())
    model = models.Model(space.get_inputs(), outputs)
    model.compile("adam", "mse")
    model.fit(dict(data), np.arange(ROWS, dtype="f"), epochs=1, verbose=0)
    strange = data.assign(city="paris", code=99, tag="new", note="unheard of", age=1e6)
    strange.loc[7, "size"] = np.nan
    model.save(tmp_path / "model.keras")
    again = saving.load_model(tmp_path / "model.keras")
    kernel, bias = model.get_weights()[-2:]
    for rows in (data, strange):
        predicted = again.predict(dict(rows), verbose=0)
        np.testing.assert_allclose(predicted, np.asarray(space(rows)) @ kernel + bias, rtol=1e-4,
                                   atol=1e-5)  # fmt: skip
        assert np.isfinite(predicted).all()
    assert np.ptp(again.predict(dict(strange[8:9]), verbose=0)) == 0


def test_a_space_with_gaps_is_saved(table, tmp_path):
    space = columns_of_all_kinds(missing=True)
    data = holed(table)
    space.adapt(data)
    space.save(tmp_path / "space.keras")
    again = saving.load_model(tmp_path / "space.keras")
    np.testing.assert_allclose(again(data), space(data), rtol=1e-6)
    assert again.missing is True


def test_gaps_that_come_later_are_foreseen_on_wish(table):
    space = columns_of_all_kinds(output_mode="dict", missing=True)
    space.adapt(table)
    found = {key: np.asarray(value) for key, value in space(holed(table)).items()}
    assert found["size"].shape[1] == 1  # nothing to learn from a mark that is always 0
    np.testing.assert_allclose(found["size"][0, 0], 0, atol=1e-5)
    assert found["city"][2, 0] == 1 and found["code"][3, 0] == 1  # counted as unknown
    plain = columns_of_all_kinds(output_mode="dict")
    plain.adapt(table)
    with pytest.raises(ValueError, match="Fill missing values"):
        plain(holed(table))


@pytest.mark.parametrize("dtype", ["Int64", "float64", "object"])
def test_whole_numbers_with_gaps_in_any_type(dtype):
    code = pd.Series([3, 1, None, 3], dtype=dtype)
    space = FeatureSpace({"code": FeatureSpace.integer_categorical(num_oov_indices=0)})
    space.adapt({"code": code})
    found = np.asarray(space({"code": code}))
    assert found.shape == (4, 3) and (found.sum(1) == 1).all()
    assert (found[0] == found[3]).all() and len(np.unique(found, axis=0)) == 3


def test_what_was_learned_before_is_forgotten(table):
    space = columns_of_all_kinds()
    space.adapt(holed(table))
    other = table.assign(city=[f"city {i}" for i in range(ROWS)], age=table["age"] * 100)
    space.adapt(other)
    fresh = columns_of_all_kinds()
    fresh.adapt(other)
    np.testing.assert_allclose(space(other), fresh(other), rtol=1e-6)


def test_figures_are_those_of_the_training_part(table):
    from slipstream import data

    parts = data.split(table, seed=1)
    space = FeatureSpace({"size": "float_normalized", "city": "string_categorical"})
    space.adapt(parts.train.x)
    scale = space.preprocessors["size"]
    assert float(scale.adapt_mean.value[0]) == pytest.approx(parts.train.x["size"].mean(), rel=1e-5)
    held = np.asarray(space(parts.test.x))[:, 0] * parts.train.x["size"].std(ddof=0)
    wanted = parts.test.x["size"] - parts.train.x["size"].mean()
    np.testing.assert_allclose(held, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_other_frames(table, library):
    package = pytest.importorskip(library)
    data = holed(table).drop(columns="code")
    columns = {key: [None if pd.isna(v) else v for v in data[key]] for key in data}
    frame = package.DataFrame(columns) if library == "polars" else package.table(columns)
    kinds = {k: v for k, v in columns_of_all_kinds().features.items() if k != "code"}
    one = FeatureSpace(kinds)
    one.adapt(frame)
    other = FeatureSpace({k: v for k, v in columns_of_all_kinds().features.items() if k != "code"})
    other.adapt(data)
    np.testing.assert_allclose(one(frame), other(data), rtol=1e-5)


def test_a_column_without_any_value():
    with pytest.raises(ValueError, match="'x' has missing values only"):
        FeatureSpace({"x": "float_normalized"}).adapt({"x": np.full(3, np.nan)})

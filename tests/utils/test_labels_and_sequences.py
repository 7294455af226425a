"""Small helpers do what Keras' do."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import slipstream
from slipstream import backend, utils


@given(
    st.lists(st.lists(st.integers(-9, 9), max_size=5), min_size=1, max_size=4),
    st.sampled_from([None, 0, 1, 3, 7]),
    st.sampled_from(["pre", "post"]),
    st.sampled_from(["pre", "post"]),
)
def test_padding_is_that_of_keras(sequences, maxlen, padding, truncating):
    if maxlen == 0 and truncating == "pre":
        return  # Keras keeps what a slice from -0 gives, and fails
    arguments = {"maxlen": maxlen, "padding": padding, "truncating": truncating, "value": -1}
    mine = utils.pad_sequences(sequences, **arguments)
    theirs = keras.utils.pad_sequences(sequences, **arguments)
    assert mine.dtype == theirs.dtype
    np.testing.assert_array_equal(mine, theirs)


def test_padding_of_vectors_and_text():
    mine = utils.pad_sequences([[[1, 2]], [[3, 4], [5, 6]]], dtype="float32", value=0.5)
    theirs = keras.utils.pad_sequences([[[1, 2]], [[3, 4], [5, 6]]], dtype="float32", value=0.5)
    np.testing.assert_array_equal(mine, theirs)
    words = utils.pad_sequences([["a"], ["b", "c"]], dtype=object, value="-")
    assert words.tolist() == [["-", "a"], ["b", "c"]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: utils.pad_sequences(5), "list of sequences; got 5"),
        (lambda: utils.pad_sequences([[1], 2]), "entry 1 is 2"),
        (lambda: utils.pad_sequences([[1]], padding="x"), "padding must be"),
        (lambda: utils.pad_sequences([["a"]], value="p"), "dtype=object"),
        (lambda: utils.pad_sequences([[[1, 2]], [[3]]]), "one shape"),
        (lambda: utils.to_categorical([0, 3], 3), "labels must run from 0 to 2"),
        (lambda: utils.standardize_dtype("x"), "no type of arrays"),
        (lambda: utils.unpack_x_y_sample_weight((1, 2, 3, 4)), "4 parts"),
        (lambda: slipstream.config.set_backend("torch"), "'torch' cannot"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_batches_are_packed_and_unpacked_as_in_keras():
    for parts in ((1,), ([1],), (1, 2), (1, 2, 3), (1, None, 3), ([1, 2], None)):
        assert utils.pack_x_y_sample_weight(*parts) == keras.utils.pack_x_y_sample_weight(*parts)
    for batch in (5, (1,), [1, 2], (1, 2, 3)):
        theirs = keras.utils.unpack_x_y_sample_weight(batch)
        assert utils.unpack_x_y_sample_weight(batch) == theirs


def test_types_are_named_as_in_keras():
    for dtype in (None, "float32", np.float64, int, float, bool, np.dtype("int8"), "int"):
        assert utils.standardize_dtype(dtype) == keras.utils.standardize_dtype(dtype)
    for pair in (("int32", "float16"), (int, float), ("int8", "uint8"), ("bfloat16", "float16")):
        assert backend.result_type(*pair) == keras.backend.result_type(*pair)
    for dtype in ("bfloat16", "uint8", "bool", np.float32):
        assert backend.is_int_dtype(dtype) == keras.backend.is_int_dtype(dtype)
        assert backend.is_float_dtype(dtype) == keras.backend.is_float_dtype(dtype)


def test_every_public_helper_of_keras_is_here():
    left_out = {"FeatureSpace"}
    for ours, theirs in (
        (utils, keras.utils),
        (backend, keras.backend),
        (slipstream.mixed_precision, keras.mixed_precision),
        (slipstream.preprocessing, keras.preprocessing),
        (slipstream.preprocessing.image, keras.preprocessing.image),
        (utils.bounding_boxes, keras.utils.bounding_boxes),
        (utils.legacy, keras.utils.legacy),
    ):
        wanted = {name for name in dir(theirs) if not name.startswith("_")} - left_out
        missing = sorted(name for name in wanted if not hasattr(ours, name))
        assert missing == []


def test_config_is_a_dictionary_that_freezes():
    config = utils.Config(a=1, b=[2])
    config.c = 3
    config["d"] = 4
    assert config.as_dict() == {"a": 1, "b": [2], "c": 3, "d": 4}
    assert config.a == config["a"] == 1 and "c" in config and len(config) == 4
    assert config.to_json() == '{"a": 1, "b": [2], "c": 3, "d": 4}'
    config.freeze()
    with pytest.raises(ValueError, match="frozen"):
        config.a = 2
    with pytest.raises(AttributeError, match="no entry 'zz'"):
        config.zz  # noqa: B018
    config.unfreeze()
    assert config.pop("a") == 1 and "a" not in config


def test_progbar_averages_over_steps_but_not_states(capsys):
    bar = utils.Progbar(10, stateful_metrics=["m"], unit_name="batch")
    bar.update(2, [("loss", 1.0), ("m", 1.0)])
    bar.add(8, [("loss", 6.0), ("m", 7.0)])
    line = capsys.readouterr().out.splitlines()[-1]
    assert "10/10" in line and "loss: 5.0000" in line and "m: 7.0000" in line and "/batch" in line
    utils.Progbar(2, verbose=0).update(2)
    assert capsys.readouterr().out == ""


def test_sources_of_a_symbolic_tensor():
    from slipstream import layers

    a, b = layers.Input((2,)), layers.Input((2,))
    hidden = layers.Dense(2)(a)
    assert utils.is_keras_tensor(hidden) and not utils.is_keras_tensor(np.ones(2))
    found = utils.get_source_inputs(layers.Dense(1)(hidden))
    assert [id(symbol) for symbol in found] == [id(a)]
    assert b not in found


def test_switches_of_the_configuration():
    config = slipstream.config
    assert (config.backend(), config.is_flash_attention_enabled()) == ("jax", None)
    config.disable_traceback_filtering()
    assert not config.is_traceback_filtering_enabled()
    config.enable_traceback_filtering()
    config.disable_interactive_logging()
    assert not utils.is_interactive_logging_enabled()
    config.enable_interactive_logging()
    with pytest.warns(UserWarning, match="never runs code"):
        config.enable_unsafe_deserialization()
    assert backend.get_uid("test-uid") + 1 == backend.get_uid("test-uid")

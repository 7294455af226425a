"""A model with each kind of layer, saved by Keras and loaded here, and the other way round."""

import keras
import numpy as np
import pytest

import slipstream
from slipstream.models import load_model

IMAGE, SERIES, VECTOR, TOKENS = (6, 6, 4), (5, 4), (4,), (5,)

# name, arguments, shape of one example
LAYERS = [
    ("Conv1D", {"filters": 3, "kernel_size": 2, "padding": "causal"}, SERIES),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "groups": 2, "kernel_regularizer": "l2"}, IMAGE),
    ("Conv3D", {"filters": 2, "kernel_size": 2}, (3, 3, 3, 2)),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 2, "strides": 2}, IMAGE),
    ("DepthwiseConv2D", {"kernel_size": 2, "depth_multiplier": 2}, IMAGE),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 2}, IMAGE),
    ("SeparableConv1D", {"filters": 3, "kernel_size": 2}, SERIES),
    ("MaxPooling2D", {}, IMAGE),
    ("AveragePooling1D", {"pool_size": 2, "padding": "same"}, SERIES),
    ("GlobalMaxPooling2D", {"keepdims": True}, IMAGE),
    ("AdaptiveAveragePooling2D", {"output_size": 2}, IMAGE),
    ("UpSampling2D", {"interpolation": "bilinear"}, IMAGE),
    ("ZeroPadding2D", {"padding": ((1, 0), (2, 1))}, IMAGE),
    ("Cropping2D", {}, IMAGE),
    ("BatchNormalization", {}, IMAGE),
    ("LayerNormalization", {"axis": (1, 2)}, SERIES),
    ("GroupNormalization", {"groups": 2}, IMAGE),
    ("RMSNormalization", {}, SERIES),
    ("UnitNormalization", {}, SERIES),
    ("SimpleRNN", {"units": 3}, SERIES),
    ("LSTM", {"units": 3, "return_sequences": True, "recurrent_dropout": 0.1}, SERIES),
    ("GRU", {"units": 3, "reset_after": False}, SERIES),
    ("ConvLSTM1D", {"filters": 2, "kernel_size": 2}, (3, 5, 2)),
    ("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (None, 3)}, SERIES),
    ("Embedding", {"input_dim": 9, "output_dim": 3, "mask_zero": True}, TOKENS),
    ("Permute", {"dims": (2, 1)}, SERIES),
    ("RepeatVector", {"n": 3}, VECTOR),
    ("Masking", {}, SERIES),
    ("SpatialDropout1D", {"rate": 0.3}, SERIES),
    ("GaussianNoise", {"stddev": 0.1}, VECTOR),
    ("GaussianDropout", {"rate": 0.1}, VECTOR),
    ("AlphaDropout", {"rate": 0.1}, VECTOR),
    ("ActivityRegularization", {"l2": 0.1}, VECTOR),
    ("PReLU", {}, VECTOR),
    ("Softmax", {}, VECTOR),
    ("Identity", {}, VECTOR),
    ("Dense", {"units": 2, "lora_rank": 1}, VECTOR),
    ("Flatten", {}, IMAGE),
    ("Reshape", {"target_shape": (2, -1)}, VECTOR),
    ("Activation", {"activation": "gelu"}, VECTOR),
    ("Rescaling", {"scale": 0.5}, VECTOR),
    ("Resizing", {"height": 3, "width": 4}, IMAGE),
    ("CenterCrop", {"height": 3, "width": 4}, IMAGE),
    ("Discretization", {"bin_boundaries": [-1.0, 0.5]}, VECTOR),
    ("CategoryEncoding", {"num_tokens": 9}, TOKENS),
]


def whole(k):
    """Layers that hold layers, or take several inputs."""
    layers = k.layers
    x = k.Input(SERIES)
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode="sum")(x)
    y = layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)], return_sequences=True)(y)
    y = layers.TimeDistributed(layers.Dense(4, activation="relu"))(y)
    y = layers.MultiHeadAttention(2, 3)(y, x, use_causal_mask=True)
    y = layers.GroupQueryAttention(2, 4, 2)(y, x)
    y = layers.Attention(use_scale=True, score_mode="concat")([y, x])
    y = layers.AdditiveAttention()([y, x])
    y = layers.SpectralNormalization(layers.Conv1D(4, 2, padding="same"))(y)
    y = layers.Add()([y, x, layers.Multiply()([y, x])])
    y = layers.Dot(axes=2)([layers.Concatenate()([y, x]), layers.concatenate([x, y])])
    state = layers.LSTM(5, return_state=True)(y)
    z = layers.GRU(5)(x, initial_state=state[1])
    return k.Model(x, [layers.Average()([z, state[0]]), k.ops.softmax(y, axis=-1) + 1.0])


def single(name, arguments, shape):
    def build(k):
        x = k.Input(shape, dtype="int32" if shape is TOKENS else None)
        return k.Model(x, getattr(k.layers, name)(**arguments)(x))

    return build


CASES = [pytest.param(single(*case), id=case[0]) for case in LAYERS]
CASES.append(pytest.param(whole, id="whole"))


def values(model):
    numbers = np.random.default_rng(0)
    shape, dtype = model.inputs[0].shape, str(model.inputs[0].dtype)
    if "int" in dtype:
        return numbers.integers(0, 9, (3, *shape[1:])).astype("int32")
    return numbers.normal(size=(3, *shape[1:])).astype("f")


def outputs(model, x):
    found = model.predict(x, verbose=0)
    return found if isinstance(found, list) else [found]


def randomize(model):
    numbers = np.random.default_rng(1)
    model.set_weights(
        [np.abs(numbers.normal(size=tuple(w.shape)) * 0.5).astype("f") for w in model.weights]
    )


@pytest.mark.parametrize("build", CASES)
def test_keras_file_loads_here(build, tmp_path):
    theirs = build(keras)
    randomize(theirs)
    theirs.save(tmp_path / "theirs.keras")
    ours = load_model(tmp_path / "theirs.keras")
    x = values(theirs)
    for mine, other in zip(outputs(ours, x), outputs(theirs, x), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("build", CASES)
def test_our_file_loads_in_keras(build, tmp_path):
    ours = build(slipstream)
    randomize(ours)
    ours.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    x = values(ours)
    for mine, other in zip(outputs(ours, x), outputs(theirs, x), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)
    again = load_model(tmp_path / "ours.keras")
    for mine, other in zip(outputs(ours, x), outputs(again, x), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-7)

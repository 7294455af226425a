"""The networks that are timed, in Keras' words: the same code builds ours and Keras'."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """A network and the job it is timed on.

    Attributes:
        build: ``(api) -> model`` where `api` is the module of Keras or of Slipstream.
        inputs: shape of each input, without the batch; integers are drawn below `below`.
        below: None for normal floats, else the number of tokens.
        classes: targets are numbers below it; 0 for none (the model has its loss), -1 for a
            target like the first input, shifted (next token).
        batch: examples a step.
        steps: steps of one timed epoch.
    """

    build: Callable[[Any], Any]
    inputs: tuple[tuple[int, ...], ...]
    below: int | None
    classes: int
    batch: int
    steps: int

    def data(self, rows: int | None = None) -> tuple[Any, Any]:
        """Inputs (one array, or a list) and targets for so many rows."""
        draw = np.random.default_rng(0)
        rows = rows or self.batch * self.steps
        if self.below is None:
            x = [draw.normal(size=(rows, *shape)).astype("float32") for shape in self.inputs]
        else:
            x = [draw.integers(1, self.below, (rows, *shape), "int32") for shape in self.inputs]
            if self.classes > 0:  # sequences of unequal length: zeros at the end are padding
                lengths = draw.integers(x[0].shape[1] // 4, x[0].shape[1] + 1, rows)
                x[0][np.arange(x[0].shape[1]) >= lengths[:, None]] = 0
        if self.classes == -1:
            y = np.roll(x[0], -1, axis=1)
        else:
            y = draw.integers(0, max(self.classes, 1), rows, "int32")
        if self.classes == 0:
            y = None
            x[0] = 1 / (1 + np.exp(-x[0]))
        return (x if len(x) > 1 else x[0]), y


def mlp(api: Any, width: int = 512, depth: int = 2) -> Any:
    dense = api.layers.Dense
    hidden = [dense(width, "relu") for _ in range(depth)]
    return api.Sequential([api.Input((784,)), *hidden, dense(10, "softmax")])


def cnn(api: Any) -> Any:
    layers = api.layers
    return api.Sequential(
        [
            api.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def resnet(api: Any) -> Any:
    """20 layers, as He et al. (2015) have them for small images."""
    layers = api.layers

    def block(x: Any, filters: int, stride: int) -> Any:
        y = layers.Conv2D(filters, 3, stride, "same", use_bias=False)(x)
        y = layers.ReLU()(layers.BatchNormalization()(y))
        y = layers.Conv2D(filters, 3, 1, "same", use_bias=False)(y)
        y = layers.BatchNormalization()(y)
        if stride > 1:
            x = layers.Conv2D(filters, 1, stride)(x)
        return layers.ReLU()(layers.Add()([x, y]))

    inputs = api.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, 1, "same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for filters in (16, 32, 64):
        for place in range(3):
            x = block(x, filters, 2 if filters > 16 and place == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    return api.Model(inputs, layers.Dense(10, activation="softmax")(x))


def mobile(api: Any) -> Any:
    """Depthwise and pointwise convolutions in turn, as in MobileNet (Howard et al., 2017)."""
    layers = api.layers

    def normal(x: Any) -> Any:
        return layers.ReLU(6.0)(layers.BatchNormalization()(x))

    inputs = api.Input((64, 64, 3))
    x = normal(layers.Conv2D(32, 3, 2, "same", use_bias=False)(inputs))
    for filters, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        x = normal(layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x))
        x = normal(layers.Conv2D(filters, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return api.Model(inputs, layers.Dense(10, activation="softmax")(x))


def audio(api: Any) -> Any:
    layers = api.layers
    return api.Sequential(
        [
            api.Input((4000, 1)),
            layers.Conv1D(32, 9, 4, activation="relu"),
            layers.Conv1D(64, 9, 4, activation="relu"),
            layers.Conv1D(64, 5, 2, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def lstm(api: Any, length: int = 100) -> Any:
    layers = api.layers
    return api.Sequential(
        [api.Input((length, 64)), layers.LSTM(128), layers.Dense(10, activation="softmax")]
    )


def gru(api: Any) -> Any:
    layers = api.layers
    return api.Sequential(
        [api.Input((100, 64)), layers.GRU(128), layers.Dense(10, activation="softmax")]
    )


def text(api: Any) -> Any:
    layers = api.layers
    return api.Sequential(
        [
            api.Input((80,), dtype="int32"),
            layers.Embedding(5000, 64, mask_zero=True),
            layers.Bidirectional(layers.LSTM(64)),
            layers.Dense(2, activation="softmax"),
        ]
    )


def _encoder(api: Any, x: Any, blocks: int, width: int, heads: int, causal: bool) -> Any:
    layers = api.layers
    for _ in range(blocks):
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        attention = layers.MultiHeadAttention(heads, width // heads)
        x = layers.Add()([x, attention(y, y, use_causal_mask=causal)])
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        y = layers.Dense(4 * width, activation="gelu")(y)
        x = layers.Add()([x, layers.Dense(width)(y)])
    return layers.LayerNormalization(epsilon=1e-5)(x)


def gpt(api: Any, length: int = 128) -> Any:
    layers = api.layers
    inputs = api.Input((length,), dtype="int32")
    x = layers.Embedding(512, 128)(inputs)
    x = layers.Dense(128)(x)
    x = _encoder(api, x, 4, 128, 4, causal=True)
    return api.Model(inputs, layers.Dense(512, activation="softmax")(x))


def vit(api: Any) -> Any:
    layers = api.layers
    inputs = api.Input((32, 32, 3))
    x = layers.Conv2D(128, 4, 4)(inputs)
    x = layers.Reshape((64, 128))(x)
    x = _encoder(api, x, 4, 128, 4, causal=False)
    x = layers.GlobalAveragePooling1D()(x)
    return api.Model(inputs, layers.Dense(10, activation="softmax")(x))


def vae(api: Any) -> Any:
    """The noise is an input, so that all systems have the same."""
    layers, ops = api.layers, api.ops

    class Objective(layers.Layer):
        """Passes the picture on; its loss is the negative evidence bound."""

        def call(self, inputs: Any) -> Any:
            picture, rebuilt, mean, spread = inputs
            error = picture * ops.softplus(-rebuilt) + (1 - picture) * ops.softplus(rebuilt)
            distance = 0.5 * (ops.square(mean) + ops.exp(spread) - 1 - spread)
            self.add_loss(ops.mean(ops.sum(error, -1) + ops.sum(distance, -1)))
            return rebuilt

    picture, noise = api.Input((784,)), api.Input((16,))
    x = layers.Dense(256, activation="relu")(picture)
    mean, spread = layers.Dense(16)(x), layers.Dense(16)(x)
    code = mean + ops.exp(0.5 * spread) * noise
    x = layers.Dense(256, activation="relu")(code)
    rebuilt = layers.Dense(784)(x)
    return api.Model([picture, noise], Objective()([picture, rebuilt, mean, spread]))


CASES = {
    "MLP 784-512-512-10": Case(mlp, ((784,),), None, 10, 128, 40),
    "CNN": Case(cnn, ((28, 28, 1),), None, 10, 32, 16),
    "ResNet-20": Case(resnet, ((32, 32, 3),), None, 10, 32, 6),
    "depthwise CNN": Case(mobile, ((64, 64, 3),), None, 10, 16, 8),
    "1D CNN on audio": Case(audio, ((4000, 1),), None, 10, 32, 16),
    "LSTM": Case(lstm, ((100, 64),), None, 10, 64, 8),
    "GRU": Case(gru, ((100, 64),), None, 10, 64, 8),
    "bidirectional masked LSTM": Case(text, ((80,),), 5000, 2, 32, 12),
    "GPT": Case(gpt, ((128,),), 512, -1, 8, 8),
    "image Transformer": Case(vit, ((32, 32, 3),), None, 10, 32, 8),
    "VAE": Case(vae, ((784,), (16,)), None, 0, 128, 40),
}
PREDICT = (1, 32, 1024)


def varied(name: str) -> tuple[str, dict[str, int]]:
    """What ``"GPT; length=64; batch=2"`` varies: the case's name, and what its network is told.

    Lengths and the sizes of the data are no options of a network in other libraries than Keras.
    """
    name, *parts = name.split("; ")
    pairs = dict(part.split("=") for part in parts)
    return name, {key: int(pairs[key]) for key in pairs if key in ("width", "depth")}


def case_of(name: str) -> Case:
    """A case, also one that is varied: ``"CNN; batch=8; steps=2"``, width, depth or length.

    A quick device gets larger batches, and more of them, by ``BENCH_TIMES=8,16``.
    """
    name, *parts = name.split("; ")
    options = {key: int(value) for key, value in (part.split("=") for part in parts)}
    case = CASES[name]
    sizes = {key: options.pop(key) for key in ("batch", "steps") if key in options}
    case = case._replace(**sizes)
    if options:
        case = case._replace(build=partial(case.build, **options))
    if "length" in options:
        case = case._replace(inputs=((options["length"], *case.inputs[0][1:]),))
    batch, steps = map(int, os.environ.get("BENCH_TIMES", "1,1").split(","))
    return case._replace(batch=batch * case.batch, steps=steps * case.steps)

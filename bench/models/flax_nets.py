"""The same networks in Flax NNX. Layers are made in Keras' order, each with its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from bench.models.cases import Case, varied


class Make:
    """Layers of Flax; each takes the next of Keras' arrays as its weights."""

    def __init__(self, weights: Iterable[np.ndarray]) -> None:
        self.weights, self._rngs = iter(weights), nnx.Rngs(0)

    def _fill(self, *variables: Any) -> None:
        for variable in variables:
            if variable is not None:
                variable[...] = jnp.asarray(next(self.weights)).reshape(variable.shape)

    def linear(self, inputs: int, outputs: int) -> nnx.Module:
        layer = nnx.Linear(inputs, outputs, rngs=self._rngs)
        self._fill(layer.kernel, layer.bias)
        return layer

    def conv(self, inputs: int, outputs: int, size: Any, strides: Any = 1, **more: Any) -> Any:
        layer = nnx.Conv(inputs, outputs, size, strides, rngs=self._rngs, **more)
        self._fill(layer.kernel, layer.bias)
        return layer

    def normal(self, size: int) -> nnx.Module:
        layer = nnx.BatchNorm(size, momentum=0.99, epsilon=1e-3, rngs=self._rngs)
        self._fill(layer.scale, layer.bias, layer.mean, layer.var)
        return layer

    def layer_norm(self, size: int) -> nnx.Module:
        layer = nnx.LayerNorm(size, epsilon=1e-5, rngs=self._rngs)
        self._fill(layer.scale, layer.bias)
        return layer

    def embed(self, tokens: int, size: int) -> nnx.Module:
        layer = nnx.Embed(tokens, size, rngs=self._rngs)
        self._fill(layer.embedding)
        return layer

    def heads(self, width: int, heads: int) -> nnx.Module:
        layer = nnx.MultiHeadAttention(heads, width, decode=False, rngs=self._rngs)
        for part in (layer.query, layer.key, layer.value, layer.out):
            self._fill(part.kernel, part.bias)
        return layer

    def lstm(self, inputs: int, units: int) -> nnx.RNN:
        cell = nnx.OptimizedLSTMCell(inputs, units, rngs=self._rngs)
        self._fill(cell.dense_i.kernel, cell.dense_h.kernel, cell.dense_h.bias)
        return nnx.RNN(cell, return_carry=True)

    def gru(self, inputs: int, units: int) -> nnx.RNN:
        """Flax's cell has no bias on the state; with a layer that has one it is Keras' GRU."""
        cell = nnx.GRUCell(inputs, units, rngs=self._rngs)
        cell.dense_h = nnx.Linear(units, 3 * units, rngs=self._rngs)
        for variable in (cell.dense_i.kernel, cell.dense_h.kernel):
            variable[...] = jnp.asarray(_gates(next(self.weights)))
        cell.dense_i.bias[...], cell.dense_h.bias[...] = jnp.asarray(_gates(next(self.weights)))
        return nnx.RNN(cell, return_carry=True)


def _gates(array: np.ndarray) -> np.ndarray:
    """Keras' order of gates to Flax': update and reset change places."""
    update, reset, new = np.split(array, 3, -1)
    return np.concatenate([reset, update, new], -1)


class Net(nnx.Module):
    """Base of the networks, whose call gives logits."""

    def loss(self, x: Any, y: Any) -> Any:
        return optax.softmax_cross_entropy_with_integer_labels(self(x), y).mean()

    def predict(self, x: Any) -> Any:
        return nnx.softmax(self(x))


class Stack(nnx.Sequential, Net):
    """Layers and functions one after another."""


class Last(nnx.Module):
    """A recurrent layer's last state."""

    def __init__(self, rnn: nnx.RNN) -> None:
        self.rnn = rnn

    def __call__(self, x: Any) -> Any:
        carry, _ = self.rnn(x)
        return carry[1] if isinstance(carry, tuple) else carry


def mlp(make: Make, width: int = 512, depth: int = 2) -> Net:
    parts: list[Any] = []
    for place in range(depth):
        parts += [make.linear(width if place else 784, width), nnx.relu]
    return Stack(*parts, make.linear(width, 10))


def cnn(make: Make) -> Net:
    return Stack(
        make.conv(1, 32, (3, 3), padding="VALID"),
        nnx.relu,
        make.conv(32, 64, (3, 3), padding="VALID"),
        nnx.relu,
        partial(nnx.max_pool, window_shape=(2, 2), strides=(2, 2)),
        lambda x: x.reshape(len(x), -1),
        make.linear(9216, 128),
        nnx.relu,
        make.linear(128, 10),
    )


class Block(nnx.Module):
    def __init__(self, make: Make, channels: int, filters: int, stride: int) -> None:
        self.first = make.conv(channels, filters, (3, 3), stride, use_bias=False)
        self.norm = make.normal(filters)
        self.second = make.conv(filters, filters, (3, 3), use_bias=False)
        self.short = make.conv(channels, filters, (1, 1), stride) if stride > 1 else None
        self.last = make.normal(filters)

    def __call__(self, x: Any) -> Any:
        short = x if self.short is None else self.short(x)
        y = self.second(nnx.relu(self.norm(self.first(x))))
        return nnx.relu(short + self.last(y))


def pooled(x: Any) -> Any:
    """Means of all places."""
    return x.mean(tuple(range(1, x.ndim - 1)))


def resnet(make: Make) -> Net:
    parts = [make.conv(3, 16, (3, 3), use_bias=False), make.normal(16), nnx.relu]
    channels = 16
    for filters in (16, 32, 64):
        for place in range(3):
            stride = 2 if filters > 16 and place == 0 else 1
            parts.append(Block(make, channels, filters, stride))
            channels = filters
    return Stack(*parts, pooled, make.linear(64, 10))


def mobile(make: Make) -> Net:
    def conv(*sizes: Any, **more: Any) -> list[Any]:
        return [make.conv(*sizes, use_bias=False, **more), make.normal(sizes[1]), nnx.relu6]

    parts, channels = conv(3, 32, (3, 3), 2), 32
    for filters, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        parts += conv(channels, channels, (3, 3), stride, feature_group_count=channels)
        parts += conv(channels, filters, (1, 1))
        channels = filters
    return Stack(*parts, pooled, make.linear(256, 10))


def audio(make: Make) -> Net:
    parts: list[Any] = []
    for channels, filters, size, stride in ((1, 32, 9, 4), (32, 64, 9, 4), (64, 64, 5, 2)):
        parts += [make.conv(channels, filters, (size,), stride, padding="VALID"), nnx.relu]
    return Stack(*parts, pooled, make.linear(64, 10))


def lstm(make: Make) -> Net:
    return Stack(Last(make.lstm(64, 128)), make.linear(128, 10))


def gru(make: Make) -> Net:
    return Stack(Last(make.gru(64, 128)), make.linear(128, 10))


class Text(Net):
    def __init__(self, make: Make) -> None:
        self.table = make.embed(5000, 64)
        self.rnn = nnx.Bidirectional(make.lstm(64, 64), make.lstm(64, 64), return_carry=True)
        self.last = make.linear(128, 2)

    def __call__(self, x: Any) -> Any:
        (ahead, back), _ = self.rnn(self.table(x), seq_lengths=(x != 0).sum(1))
        return self.last(jnp.concatenate([ahead[1], back[1]], -1))


class Encoder(nnx.Module):
    def __init__(self, make: Make, width: int, heads: int, causal: bool) -> None:
        self.causal = causal
        self.first, self.heads = make.layer_norm(width), make.heads(width, heads)
        self.second, self.wide = make.layer_norm(width), make.linear(width, 4 * width)
        self.narrow = make.linear(4 * width, width)

    def __call__(self, x: Any) -> Any:
        x = x + self.heads(self.first(x), is_causal=self.causal)
        return x + self.narrow(nnx.gelu(self.wide(self.second(x)), approximate=False))


def gpt(make: Make) -> Net:
    parts = [make.embed(512, 128), make.linear(128, 128)]
    parts += [Encoder(make, 128, 4, causal=True) for _ in range(4)]
    return Stack(*parts, make.layer_norm(128), make.linear(128, 512))


def vit(make: Make) -> Net:
    parts = [make.conv(3, 128, (4, 4), 4), lambda x: x.reshape(len(x), 64, 128)]
    parts += [Encoder(make, 128, 4, causal=False) for _ in range(4)]
    return Stack(*parts, make.layer_norm(128), pooled, make.linear(128, 10))


class Vae(Net):
    def __init__(self, make: Make) -> None:
        self.first = make.linear(784, 256)
        # Keras sorts layers by their distance from the end, and the spread has the longer way.
        self.spread, self.mean = make.linear(256, 16), make.linear(256, 16)
        self.second, self.last = make.linear(16, 256), make.linear(256, 784)

    def parts(self, picture: Any, noise: Any) -> Any:
        x = nnx.relu(self.first(picture))
        mean, spread = self.mean(x), self.spread(x)
        code = mean + jnp.exp(0.5 * spread) * noise
        return self.last(nnx.relu(self.second(code))), mean, spread

    def loss(self, x: Any, y: Any) -> Any:
        rebuilt, mean, spread = self.parts(*x)
        error = optax.sigmoid_binary_cross_entropy(rebuilt, x[0]).sum(1)
        distance = 0.5 * (jnp.square(mean) + jnp.exp(spread) - 1 - spread).sum(1)
        return (error + distance).mean()

    def predict(self, x: Any) -> Any:
        return self.parts(*x)[0]


NETS: dict[str, Callable[..., Net]] = {
    "MLP 784-512-512-10": mlp,
    "CNN": cnn,
    "ResNet-20": resnet,
    "depthwise CNN": mobile,
    "1D CNN on audio": audio,
    "LSTM": lstm,
    "GRU": gru,
    "bidirectional masked LSTM": Text,
    "GPT": gpt,
    "image Transformer": vit,
    "VAE": Vae,
}


class System:
    """A network of Flax with the weights of the file, in the loop that Flax's guide to speed has.

    The step is a function of arrays, compiled once, which reuses the memory of its state; modules
    are taken apart before the loop and put together while it is traced.
    """

    def __init__(self, name: str, case: Case, weights: str) -> None:
        name, options = varied(name)
        with np.load(weights) as file:
            make = Make([file[name] for name in file.files])
        net = NETS[name](make, **options)
        assert next(make.weights, None) is None
        optimizer = nnx.Optimizer(net, optax.adam(1e-3, eps=1e-7), wrt=nnx.Param)
        net.eval()
        predicting, _ = nnx.split(net)
        net.train()
        training, self.net = nnx.split(net)
        updating, self.optimizer = nnx.split(optimizer)

        @partial(jax.jit, donate_argnums=(0, 1, 2))
        def step(net: Any, optimizer: Any, total: Any, x: Any, y: Any) -> Any:
            model, rule = nnx.merge(training, net), nnx.merge(updating, optimizer)
            loss, gradients = nnx.value_and_grad(lambda model: model.loss(x, y))(model)
            rule.update(model, gradients)
            return nnx.state(model), nnx.state(rule), total + loss

        self.step, self.case = step, case
        self.outputs = jax.jit(lambda net, x: nnx.merge(predicting, net).predict(x))
        each = [slice(n * case.batch, (n + 1) * case.batch) for n in range(case.steps)]
        data = case.data()
        self.batches = [jax.device_put(jax.tree.map(lambda a: a[rows], data)) for rows in each]  # noqa: B023

    def epoch(self) -> float:
        """Train one epoch in the order of the rows; its mean loss."""
        total = jnp.zeros(())
        for x, y in self.batches:
            self.net, self.optimizer, total = self.step(self.net, self.optimizer, total, x, y)
        return float(total) / self.case.steps

    def predict(self, x: Any) -> np.ndarray:
        """Outputs for these rows."""
        return np.asarray(self.outputs(self.net, x))

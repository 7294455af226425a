"""The same networks in PyTorch. Each leaf takes its weights in Keras' order of layers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from bench.models.cases import varied


def give(leaf: nn.Module, weights: Iterator[np.ndarray]) -> None:
    """Fill a layer from the next of Keras' arrays."""

    def put(parameter: Any, value: np.ndarray) -> None:
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)).reshape(parameter.shape))

    if isinstance(leaf, nn.Linear):
        # Keras' attention keeps heads as an axis of its own.
        put(leaf.weight, next(weights).reshape(leaf.in_features, leaf.out_features).T)
        if leaf.bias is not None:
            put(leaf.bias, next(weights))
    elif isinstance(leaf, (nn.Conv1d, nn.Conv2d)):
        kernel = next(weights)
        last = (-2, -1) if leaf.groups > 1 else (-1, -2)
        put(leaf.weight, np.moveaxis(kernel, last, (0, 1)))
        if leaf.bias is not None:
            put(leaf.bias, next(weights))
    elif isinstance(leaf, (nn.BatchNorm2d, nn.LayerNorm)):
        put(leaf.weight, next(weights))
        put(leaf.bias, next(weights))
        if isinstance(leaf, nn.BatchNorm2d):
            put(leaf.running_mean, next(weights))
            put(leaf.running_var, next(weights))
    elif isinstance(leaf, nn.Embedding):
        put(leaf.weight, next(weights))
    elif isinstance(leaf, (nn.LSTM, nn.GRU)):
        for end in ("", "_reverse")[: 2 if leaf.bidirectional else 1]:
            size, gates = leaf.hidden_size, 4 if isinstance(leaf, nn.LSTM) else 3
            order = [0, 1, 2, 3] if gates == 4 else [1, 0, 2]  # GRU: update and reset change places
            places = np.concatenate([np.arange(size) + g * size for g in order])
            put(getattr(leaf, f"weight_ih_l0{end}"), next(weights)[:, places].T)
            put(getattr(leaf, f"weight_hh_l0{end}"), next(weights)[:, places].T)
            bias = next(weights)
            pair = bias[:, places] if bias.ndim == 2 else (bias[places], 0 * bias)
            put(getattr(leaf, f"bias_ih_l0{end}"), pair[0])
            put(getattr(leaf, f"bias_hh_l0{end}"), pair[1])
    else:
        raise TypeError(f"No rule for {type(leaf).__name__}.")


class Heads(nn.Module):
    """Self-attention as users of PyTorch write it: projections and the fused kernel."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(width, width) for _ in range(4))
        self.heads, self.causal = heads, causal

    def forward(self, x: Any) -> Any:
        batch, length, width = x.shape
        query, key, value = (
            part(x).view(batch, length, self.heads, -1).transpose(1, 2) for part in self.parts[:3]
        )
        y = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self.parts[3](y.transpose(1, 2).reshape(batch, length, width))


class Encoder(nn.Module):
    def __init__(self, blocks: int, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                [
                    nn.LayerNorm(width),
                    Heads(width, heads, causal),
                    nn.LayerNorm(width),
                    nn.Linear(width, 4 * width),
                    nn.Linear(4 * width, width),
                ]
            )
            for _ in range(blocks)
        )
        self.last = nn.LayerNorm(width)

    def forward(self, x: Any) -> Any:
        for first, heads, second, wide, narrow in self.blocks:
            x = x + heads(first(x))
            x = x + narrow(F.gelu(wide(second(x))))
        return self.last(x)


def images(x: Any) -> Any:
    """Channels move to the second place; in memory they stay where they are."""
    return x.permute(0, 3, 1, 2)


class Same(nn.Module):
    """Zeros at the far ends as in Keras' "same" for even inputs under stride 2, kernel 3."""

    def forward(self, x: Any) -> Any:
        return F.pad(x, (0, 1, 0, 1))


def strided(channels: int, filters: int, groups: int = 1) -> list[nn.Module]:
    return [Same(), nn.Conv2d(channels, filters, 3, 2, bias=False, groups=groups)]


def normal(filters: int) -> nn.Module:
    return nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        first = (
            strided(channels, filters)
            if stride > 1
            else [nn.Conv2d(channels, filters, 3, padding=1, bias=False)]
        )
        self.path = nn.Sequential(
            *first,
            normal(filters),
            nn.ReLU(),
            nn.Conv2d(filters, filters, 3, padding=1, bias=False),
        )
        self.short = nn.Conv2d(channels, filters, 1, stride) if stride > 1 else None
        self.norm = normal(filters)

    def forward(self, x: Any) -> Any:
        short = x if self.short is None else self.short(x)
        return F.relu(short + self.norm(self.path(x)))


class Net(nn.Module):
    """Base of the networks: `run` gives logits; `order` the leaves as Keras orders them."""

    def order(self) -> list[nn.Module]:
        return [m for m in self.modules() if not list(m.children()) and list(m.parameters())]

    def load(self, path: str) -> None:
        with np.load(path) as file:
            weights = iter([file[name] for name in file.files])
        for leaf in self.order():
            give(leaf, weights)
        assert next(weights, None) is None

    def loss(self, x: Any, y: Any) -> Any:
        logits = self(x)
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))

    def predict(self, x: Any) -> Any:
        return torch.softmax(self(x), -1)


class Stack(Net):
    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.Sequential(*parts)

    def forward(self, x: Any) -> Any:
        return self.parts(x)


class Pick(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


def mlp(width: int = 512, depth: int = 2) -> Net:
    parts: list[nn.Module] = []
    for place in range(depth):
        parts += [nn.Linear(width if place else 784, width), nn.ReLU()]
    return Stack(*parts, nn.Linear(width, 10))


def cnn() -> Net:
    # The flattened axes stay in Keras' order, which channels-last memory makes free.
    return Stack(
        Pick(images),
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        Pick(lambda x: x.permute(0, 2, 3, 1).flatten(1)),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def pooled(x: Any) -> Any:
    return x.mean((2, 3))


def resnet() -> Net:
    blocks, channels = [], 16
    for filters in (16, 32, 64):
        for place in range(3):
            blocks.append(Block(channels, filters, 2 if filters > 16 and place == 0 else 1))
            channels = filters
    return Stack(
        Pick(images),
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        normal(16),
        nn.ReLU(),
        *blocks,
        Pick(pooled),
        nn.Linear(64, 10),
    )


def mobile() -> Net:
    parts: list[nn.Module] = [Pick(images), *strided(3, 32), normal(32), nn.ReLU6()]
    channels = 32
    for filters, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        parts += (
            strided(channels, channels, channels)
            if stride > 1
            else [nn.Conv2d(channels, channels, 3, padding=1, bias=False, groups=channels)]
        )
        parts += [normal(channels), nn.ReLU6(), nn.Conv2d(channels, filters, 1, bias=False)]
        parts += [normal(filters), nn.ReLU6()]
        channels = filters
    return Stack(*parts, Pick(pooled), nn.Linear(256, 10))


def audio() -> Net:
    return Stack(
        Pick(lambda x: x.transpose(1, 2)),
        nn.Conv1d(1, 32, 9, 4),
        nn.ReLU(),
        nn.Conv1d(32, 64, 9, 4),
        nn.ReLU(),
        nn.Conv1d(64, 64, 5, 2),
        nn.ReLU(),
        Pick(lambda x: x.mean(2)),
        nn.Linear(64, 10),
    )


def lstm() -> Net:
    return Stack(
        nn.LSTM(64, 128, batch_first=True), Pick(lambda out: out[1][0][0]), nn.Linear(128, 10)
    )


def gru() -> Net:
    return Stack(nn.GRU(64, 128, batch_first=True), Pick(lambda out: out[1][0]), nn.Linear(128, 10))


class Text(Net):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5000, 64)
        self.rnn = nn.LSTM(64, 64, batch_first=True, bidirectional=True)
        self.last = nn.Linear(128, 2)

    def forward(self, x: Any) -> Any:
        lengths = (x != 0).sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.table(x), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        return self.last(torch.cat(tuple(self.rnn(packed)[1][0]), 1))


def gpt() -> Net:
    return Stack(
        nn.Embedding(512, 128),
        nn.Linear(128, 128),
        Encoder(4, 128, 4, causal=True),
        nn.Linear(128, 512),
    )


def vit() -> Net:
    return Stack(
        Pick(images),
        nn.Conv2d(3, 128, 4, 4),
        Pick(lambda x: x.flatten(2).transpose(1, 2)),
        Encoder(4, 128, 4, causal=False),
        Pick(lambda x: x.mean(1)),
        nn.Linear(128, 10),
    )


class Vae(Net):
    def __init__(self) -> None:
        super().__init__()
        # Keras sorts layers by their distance from the end, and the spread has the longer way.
        self.first, self.spread, self.mean = (
            nn.Linear(784, 256),
            nn.Linear(256, 16),
            nn.Linear(256, 16),
        )
        self.second, self.last = nn.Linear(16, 256), nn.Linear(256, 784)

    def parts(self, picture: Any, noise: Any) -> Any:
        x = F.relu(self.first(picture))
        mean, spread = self.mean(x), self.spread(x)
        code = mean + torch.exp(0.5 * spread) * noise
        return self.last(F.relu(self.second(code))), mean, spread

    def loss(self, x: Any, y: Any) -> Any:
        rebuilt, mean, spread = self.parts(*x)
        error = F.binary_cross_entropy_with_logits(rebuilt, x[0], reduction="none").sum(1)
        distance = 0.5 * (mean.square() + spread.exp() - 1 - spread).sum(1)
        return (error + distance).mean()

    def predict(self, x: Any) -> Any:
        return self.parts(*x)[0]


NETS: dict[str, Any] = {
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
    """A PyTorch network with the weights of the file, and the training loop of its users."""

    def __init__(self, name: str, case: Any, weights: str) -> None:
        torch.set_num_threads(int(os.environ.get("BENCH_THREADS", "2")))
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.set_float32_matmul_precision("high")  # as XLA computes on a GPU: TF32
        name, options = varied(name)
        self.case, self.net = case, NETS[name](**options).to(self.device)
        self.net.load(weights)
        if any(isinstance(part, nn.Conv2d) for part in self.net.modules()):
            self.net.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.net.parameters(), 1e-3, eps=1e-7, fused=True)
        x, y = case.data()
        self.x = self._tensors(x)
        self.y = None if y is None else torch.from_numpy(y).long().to(self.device)
        self.loss_of, self.outputs_of = self.net.loss, self.net.predict
        if os.environ.get("BENCH_COMPILE"):
            # On a GPU at its best: steps are replayed as CUDA graphs.
            mode = "reduce-overhead" if self.device == "cuda" else None
            self.loss_of, self.outputs_of = (
                torch.compile(function, mode=mode) for function in (self.loss_of, self.outputs_of)
            )

    def _tensors(self, x: Any) -> list[torch.Tensor]:
        each = x if isinstance(x, list) else [x]
        return [torch.from_numpy(array).to(self.device) for array in each]

    def epoch(self) -> float:
        """Train one epoch in the order of the rows; its mean loss."""
        self.net.train()
        total = torch.zeros((), device=self.device)
        for begin in range(0, len(self.x[0]), self.case.batch):
            rows = slice(begin, begin + self.case.batch)
            x = [each[rows] for each in self.x]
            y = None if self.y is None else self.y[rows]
            loss = self.loss_of(x if len(x) > 1 else x[0], y)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            total += loss.detach()
        return float(total) / self.case.steps

    def predict(self, x: Any) -> np.ndarray:
        """Outputs for these rows."""
        self.net.eval()
        with torch.inference_mode():
            parts = self._tensors(x)
            return self.outputs_of(parts if len(parts) > 1 else parts[0]).cpu().numpy()

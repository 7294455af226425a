"""Recurrent layers. Keras' gates are in PyTorch's order but for the GRU's first two."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from bench.layers.case import Case
from bench.layers.torch_.convolutions import CONVOLUTIONS, channels_out_first, convolution
from bench.layers.torch_.loading import linear, load


class Outputs(torch.nn.Module):
    """All outputs of a recurrent module, without its last states."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Any) -> Any:
        return self.module(x)[0]


class Packed(torch.nn.Module):
    """All outputs for sequences of these lengths."""

    def __init__(self, module: Any, lengths: np.ndarray) -> None:
        super().__init__()
        self.module = module
        self.lengths = torch.from_numpy(lengths)

    def forward(self, x: Any) -> Any:
        packed = pack_padded_sequence(x, self.lengths, batch_first=True, enforce_sorted=False)
        outputs, _ = self.module(packed)
        return pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])[0]


def plain(kind: Any) -> Any:
    """A builder for a module with one bias in Keras; PyTorch's second is zero."""

    def build(case: Case) -> Any:
        module = kind(case.row.shape[-1], 128, batch_first=True)
        return Outputs(load(module, **direction("l0", *case.weights)))

    return build


def direction(
    suffix: str, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray
) -> dict[str, np.ndarray]:
    """One direction's weights by PyTorch's names; `bias` is one, or one of each kernel."""
    first, second = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    return {
        f"weight_ih_{suffix}": kernel.T,
        f"weight_hh_{suffix}": recurrent.T,
        f"bias_ih_{suffix}": first,
        f"bias_hh_{suffix}": second,
    }


def gru(case: Case) -> Any:
    def reset_first(value: np.ndarray) -> np.ndarray:
        update, reset, new = np.split(value, 3, axis=-1)
        return np.concatenate([reset, update, new], axis=-1)

    module = torch.nn.GRU(case.row.shape[-1], 128, batch_first=True)
    return Outputs(load(module, **direction("l0", *map(reset_first, case.weights))))


def bidirectional(case: Case) -> Any:
    module = torch.nn.LSTM(case.row.shape[-1], 128, batch_first=True, bidirectional=True)
    forwards = direction("l0", *case.weights[:3])
    backwards = direction("l0_reverse", *case.weights[3:])
    return Packed(load(module, **forwards, **backwards), case.lengths)


class ConvLSTM(torch.nn.Module):
    """Written by hand, as PyTorch has none: the input's convolutions all at once, then a loop."""

    def __init__(self, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> None:
        super().__init__()
        size, inputs, gates = *kernel.shape[:1], *kernel.shape[-2:]
        kind = CONVOLUTIONS[kernel.ndim - 2]
        self.of_input = kind(inputs, gates, size, padding="same")
        self.of_state = kind(gates // 4, gates, size, padding="same", bias=False)
        load(self.of_input, weight=channels_out_first(kernel), bias=bias)
        load(self.of_state, weight=channels_out_first(recurrent))
        if kernel.ndim == 4:
            self.to(memory_format=torch.channels_last)

    def forward(self, x: Any) -> Any:
        steps = self.of_input(x.flatten(0, 1).movedim(-1, 1)).unflatten(0, x.shape[:2])
        state = memory = None
        for gates in steps.unbind(1):
            if state is not None:
                gates = gates + self.of_state(state)
            i, f, c, o = gates.chunk(4, 1)
            new = torch.sigmoid(i) * torch.tanh(c)
            memory = new if memory is None else torch.sigmoid(f) * memory + new
            state = torch.sigmoid(o) * torch.tanh(memory)
        assert state is not None
        return state.movedim(1, -1)


class MinimalGated(torch.nn.Module):
    """The minimal gated unit by hand: the input's products all at once, then a loop."""

    def __init__(self, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> None:
        super().__init__()
        self.enter = linear(kernel, bias)
        self.recurrent = torch.nn.Parameter(torch.from_numpy(recurrent))

    def forward(self, x: Any) -> Any:
        of_gate, of_new = self.recurrent.chunk(2, -1)
        state, outputs = x.new_zeros(len(x), len(self.recurrent)), []
        for step in self.enter(x).unbind(1):
            gate, new = step.chunk(2, -1)
            gate = torch.sigmoid(torch.addmm(gate, state, of_gate))
            new = torch.tanh(torch.addmm(new, gate * state, of_new))
            state = torch.lerp(state, new, gate)
            outputs.append(state)
        return torch.stack(outputs, 1)


def cells(case: Case) -> Any:
    """Stacked LSTM cells are the layers of an LSTM; another cell is a loop."""
    if case.row.wraps[0][0] == "MinimalCell":
        return MinimalGated(*case.weights)
    count = len(case.row.wraps)
    module = torch.nn.LSTM(case.row.shape[-1], 128, num_layers=count, batch_first=True)
    values = [direction(f"l{i}", *case.weights[3 * i : 3 * i + 3]) for i in range(count)]
    return Outputs(load(module, **{name: value for each in values for name, value in each.items()}))


class EachStep(torch.nn.Module):
    """A layer of images on every step of a batch at once."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer.to(memory_format=torch.channels_last)

    def forward(self, x: Any) -> Any:
        found = self.layer(x.flatten(0, 1).movedim(-1, 1))
        return found.movedim(1, -1).unflatten(0, x.shape[:2])


BUILDERS = {
    "SimpleRNN": plain(torch.nn.RNN),
    "LSTM": plain(torch.nn.LSTM),
    "GRU": gru,
    "Bidirectional": bidirectional,
    "RNN": cells,
    "ConvLSTM1D": lambda case: ConvLSTM(*case.weights),
    "ConvLSTM2D": lambda case: ConvLSTM(*case.weights),
    "TimeDistributed": lambda case: EachStep(convolution(case.row.wraps[0][1], *case.weights)),
}

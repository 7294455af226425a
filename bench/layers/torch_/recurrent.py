"""Recurrent layers. Keras' gates are in PyTorch's order but for the GRU's first two."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from bench.layers.case import Case
from bench.layers.torch_.images import channels_out_first
from bench.layers.torch_.loading import load


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
        module = kind(case.inputs.shape[-1], 128, batch_first=True)
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

    module = torch.nn.GRU(case.inputs.shape[-1], 128, batch_first=True)
    return Outputs(load(module, **direction("l0", *map(reset_first, case.weights))))


def bidirectional(case: Case) -> Any:
    module = torch.nn.LSTM(case.inputs.shape[-1], 128, batch_first=True, bidirectional=True)
    forwards = direction("l0", *case.weights[:3])
    backwards = direction("l0_reverse", *case.weights[3:])
    return Packed(load(module, **forwards, **backwards), case.lengths)


class ConvLSTM(torch.nn.Module):
    """Written by hand, as PyTorch has none: the input's convolutions all at once, then a loop."""

    def __init__(self, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> None:
        super().__init__()
        size, _, inputs, gates = kernel.shape
        self.filters = gates // 4
        self.of_input = torch.nn.Conv2d(inputs, gates, size, padding="same")
        self.of_state = torch.nn.Conv2d(self.filters, gates, size, padding="same", bias=False)
        load(self.of_input, weight=channels_out_first(kernel), bias=bias)
        load(self.of_state, weight=channels_out_first(recurrent))
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Any) -> Any:
        batch, time, height, width, channels = x.shape
        steps = x.reshape(batch * time, height, width, channels).movedim(-1, 1)
        steps = self.of_input(steps).unflatten(0, (batch, time))
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


BUILDERS = {
    "SimpleRNN": plain(torch.nn.RNN),
    "LSTM": plain(torch.nn.LSTM),
    "GRU": gru,
    "Bidirectional": bidirectional,
    "ConvLSTM2D": lambda case: ConvLSTM(*case.weights),
}

"""Keras' weights in PyTorch's modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def load(module: Any, **values: np.ndarray) -> Any:
    """Set parameters and buffers of a module by name, and give it back.

    Raises:
        ValueError: for a value of another shape, or if a parameter gets none.
    """
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    missing = set(dict(module.named_parameters())) - set(values)
    if missing:
        raise ValueError(f"No value for {sorted(missing)} of {type(module).__name__}.")
    for name, value in values.items():
        if tuple(state[name].shape) != value.shape:
            raise ValueError(f"{name} has shape {tuple(state[name].shape)}, not {value.shape}.")
        state[name].data.copy_(torch.from_numpy(np.ascontiguousarray(value)))
    return module


def linear(kernel: np.ndarray, bias: np.ndarray) -> Any:
    """A linear layer from a kernel ``(inputs, outputs)``."""
    return load(torch.nn.Linear(*kernel.shape), weight=kernel.T, bias=bias)

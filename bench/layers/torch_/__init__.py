"""PyTorch's layers as programs: eager, under ``no_grad`` or with ``autograd.grad``.

A module of this room maps families to functions from a case to a ``torch.nn.Module`` that holds
the case's weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bench.layers.case import THREADS, Case, Program
from bench.layers.rows.row import BACKWARD, FORWARD
from bench.layers.torch_ import (
    attention,
    convolutions,
    dense,
    images,
    merging,
    preprocessing,
    recurrent,
    regularization,
)

_ROOMS = [
    dense,
    convolutions,
    images,
    recurrent,
    attention,
    merging,
    regularization,
    preprocessing,
]
BUILDERS = {family: build for room in _ROOMS for family, build in room.BUILDERS.items()}
CHANNELS_FIRST = {
    *convolutions.BUILDERS,
    *images.BUILDERS,
    *preprocessing.OF_IMAGES,
    *regularization.OF_IMAGES,
}


def programs(case: Case) -> dict[str, list[Program]]:
    """The modes, in every memory layout that PyTorch has for the layer, on one thread and more.

    Nothing if PyTorch has no such layer, and none that its users put together.
    """
    if case.row.family not in BUILDERS:
        return {}
    layouts = [True, False] if case.row.family in CHANNELS_FIRST else [False]
    each = [_programs(case, layout, count) for layout in layouts for count in (THREADS, 1)]
    return {mode: [found[mode] for found in each] for mode in case.row.modes}


def _programs(case: Case, channels_last: bool, threads: int) -> dict[str, Program]:
    row = case.row
    module = BUILDERS[row.family](case)
    spatial, rank = row.family in CHANNELS_FIRST, len(row.shape)
    if channels_last and rank in (4, 5):
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        module = module.to(memory_format=formats[rank])

    def arranged(array: np.ndarray) -> Any:
        tensor = torch.from_numpy(array)
        if not spatial or tensor.dim() < 3:
            return tensor
        tensor = tensor.movedim(-1, 1)
        return tensor if channels_last else tensor.contiguous()

    def back(tensor: Any) -> np.ndarray:
        tensor = tensor.detach()
        if spatial and tensor.dim() > 2:
            tensor = tensor.movedim(1, -1)
        return np.array(tensor.numpy())

    inputs, cotangent = [arranged(array) for array in case.inputs], arranged(case.cotangent)
    differentiable = BACKWARD in row.modes and not row.ids
    for tensor in inputs:
        tensor.requires_grad_(differentiable)
    sources = [*(inputs if differentiable else []), *module.parameters()]

    def run_forward() -> Any:
        with torch.no_grad():
            return module(*inputs)

    def run_backward() -> Any:
        outputs = module(*inputs)
        return outputs, torch.autograd.grad(outputs, sources, cotangent)

    def in_mode(training: bool, run: Any) -> Any:
        def set_and_run() -> Any:
            if module.training != training:
                module.train(training)
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            return run()

        return set_and_run

    forward, backward = in_mode(row.random, run_forward), in_mode(True, run_backward)

    def both() -> list[np.ndarray]:
        outputs, gradients = backward()
        return [back(outputs), *map(back, gradients[: 1 if row.ids else row.inputs])]

    way = f"{'channels last' if channels_last else 'contiguous'}, threads {threads}"
    found = {
        FORWARD: Program(forward, lambda: [back(forward())], way),
        BACKWARD: Program(backward, both, way),
    }
    return {mode: found[mode] for mode in row.modes}

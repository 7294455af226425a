"""PyTorch's layers as programs: eager, under ``no_grad`` or with ``autograd.grad``.

A module of this room maps families to functions from a case to a ``torch.nn.Module`` that holds
the case's weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bench.layers.case import BACKWARD, FORWARD, THREADS, Case, Program
from bench.layers.torch_ import attention, dense, images, recurrent

BUILDERS = {**dense.BUILDERS, **images.BUILDERS, **recurrent.BUILDERS, **attention.BUILDERS}


def programs(case: Case) -> dict[str, list[Program]]:
    """Both modes, in every memory layout that PyTorch has for the layer, on one thread and more."""
    layouts = [True, False] if case.row.family in images.BUILDERS else [False]
    each = [_programs(case, layout, count) for layout in layouts for count in (THREADS, 1)]
    return {mode: [found[mode] for found in each] for mode in (FORWARD, BACKWARD)}


def _programs(case: Case, channels_last: bool, threads: int) -> dict[str, Program]:
    row = case.row
    module = BUILDERS[row.family](case)
    spatial = row.family in images.BUILDERS
    if channels_last and case.inputs.ndim in (4, 5):
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        module = module.to(memory_format=formats[case.inputs.ndim])

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

    inputs, cotangent = arranged(case.inputs), arranged(case.cotangent)
    if not row.ids:
        inputs = inputs.requires_grad_()
    sources = [*([] if row.ids else [inputs]), *module.parameters()]

    def run_forward() -> Any:
        with torch.no_grad():
            return module(inputs)

    def run_backward() -> Any:
        outputs = module(inputs)
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
        return [back(outputs), back(gradients[0])]

    way = f"{'channels last' if channels_last else 'contiguous'}, threads {threads}"
    return {
        FORWARD: Program(forward, lambda: [back(forward())], way),
        BACKWARD: Program(backward, both, way),
    }

"""torchvision's transforms as a data pipeline calls them: uint8, one picture after the other.

A call of a transform draws once, so pictures that are to be changed each in its own way pass
through it singly, in one process or spread over as many as there are cores: what a `DataLoader`
does. `MixUp` and `CutMix` take a batch of floats, and draw once for all of it.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch

from bench.augmentation.rows import ROWS, SHAPE
from bench.layers.case import THREADS


def _transforms() -> Any:
    try:
        from torchvision.transforms import v2
    except RuntimeError:
        # A build for GPUs: its compiled operators do not load beside PyTorch for CPUs. No
        # transform uses them, but the import asks for their names.
        for name in ("nms", "qnms"):
            _NAMES.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        from torchvision.transforms import v2
    return v2


_NAMES = torch.library.Library("torchvision", "FRAGMENT")
v2 = _transforms()


@cache
def transform(name: str) -> Callable[..., Any]:
    """What does in torchvision what the layer of a row does."""
    parts = []
    for kind, options in ROWS[name].torch:
        if "interpolation" in options:
            options = {**options, "interpolation": v2.InterpolationMode(options["interpolation"])}
        parts.append(getattr(v2, kind)(**options))
    return parts[0] if len(parts) == 1 else v2.Compose(parts)


@cache
def pictures() -> torch.Tensor:
    """``(batch, channels, height, width)`` uint8."""
    batch, height, width, channels = SHAPE
    draw = torch.Generator().manual_seed(0)
    size = (batch, channels, height, width)
    return torch.randint(0, 256, size, generator=draw, dtype=torch.uint8)


@cache
def _floats() -> torch.Tensor:
    return pictures().float()


def part(name: str, begin: int, end: int) -> torch.Tensor:
    """Some of the pictures, each changed in its own way."""
    torch.set_num_threads(1)  # a picture is too small for more
    change = transform(name)
    return torch.stack([change(picture) for picture in pictures()[begin:end]])


def _mixed(name: str, threads: int) -> Any:
    torch.set_num_threads(threads)
    return transform(name)(_floats(), torch.arange(len(pictures())) % 10)


def _spread(pool: Any, name: str) -> torch.Tensor:
    size = -(-len(pictures()) // THREADS)
    shares = [(name, begin, begin + size) for begin in range(0, len(pictures()), size)]
    return torch.cat(pool.starmap(part, shares))


@cache
def _pool() -> Any:
    pool = torch.multiprocessing.get_context("spawn").Pool(THREADS)
    atexit.register(pool.terminate)
    return pool


def ways(name: str) -> list[Callable[[], Any]]:
    """The ways to change all of the pictures; none where torchvision has none."""
    if not ROWS[name].torch:
        return []
    if ROWS[name].mixes:
        return [partial(_mixed, name, threads) for threads in (1, THREADS)]
    return [partial(part, name, 0, len(pictures())), partial(_spread, _pool(), name)]

"""Layers that change sounds: their level, their noise, their place in time."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.layers.augmentation.arguments import between, limits, one_of, uniform
from slipstream.layers.augmentation.sequence_base import SignalDrawing, per_step, two_ends


@register("layer")
class RandomGain(SignalDrawing):
    """Make sounds louder or softer.

    Args:
        decibels: range of the gain; one number for both signs or two ends.
        seed: see `Drawing`.

    Input ``(batch, samples)`` or ``(batch, samples, channels)``, or a dictionary with it under
    ``"inputs"``; output alike.

    Raises:
        ValueError: for decibels beyond ±120.
    """

    _arguments = ("decibels", "seed")

    def __init__(self, decibels: Any = 6.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        self.decibels = limits(self, "decibels", decibels, -120, 120)

    def _draw(self, key: Any, shape: tuple) -> Any:
        return between(uniform(key, shape[0], 1)[0], self.decibels)

    def _signal(self, signal: Any, draw: Any) -> Any:
        return signal * per_step(10 ** (draw / 20))


@register("layer")
class RandomNoise(SignalDrawing):
    """Add white noise of a drawn signal-to-noise ratio.

    The ratio is that of the mean squares of an example's sound, over time and channels, and of its
    noise. Silence stays silent.

    Args:
        decibels: range of the ratio: two ends, or one number for itself.
        seed: see `Drawing`.

    Input and output as in `RandomGain`.

    Raises:
        ValueError: for decibels beyond ±120.
    """

    _arguments = ("decibels", "seed")

    def __init__(
        self, decibels: Any = (10.0, 40.0), seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.decibels = two_ends(self, "decibels", decibels, -120, 120)

    def _draw(self, key: Any, shape: tuple) -> Any:
        noise = jax.random.normal(jax.random.fold_in(key, 1), shape)
        return between(uniform(key, shape[0], 1)[0], self.decibels), noise

    def _signal(self, signal: Any, draw: Any) -> Any:
        decibels, noise = draw
        level = jnp.sqrt(jnp.mean(jnp.square(signal), (1, 2)))
        return signal + per_step(level * 10 ** (-decibels / 20)) * noise


@register("layer")
class RandomTimeShift(SignalDrawing):
    """Move sounds in time, by whole samples.

    Args:
        factor: how far, as a share of the length; one number for both signs or two ends; above 0
            is later.
        fill_mode: what comes in: ``"constant"`` for silence or ``"wrap"`` for the other end.
        seed: see `Drawing`.

    Input and output as in `RandomGain`.

    Raises:
        ValueError: for factors beyond ±1.
        NotImplementedError: for another fill mode.
    """

    _arguments = ("factor", "fill_mode", "seed")

    def __init__(
        self,
        factor: Any = 0.1,
        fill_mode: str = "constant",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.factor = limits(self, "factor", factor, -1, 1)
        self.fill_mode = one_of(self, "fill_mode", fill_mode, ("constant", "wrap"))

    def _draw(self, key: Any, shape: tuple) -> Any:
        shift = shape[1] * between(uniform(key, shape[0], 1)[0], self.factor)
        return jnp.round(shift).astype(jnp.int32)

    def _signal(self, signal: Any, draw: Any) -> Any:
        length = signal.shape[1]
        places = jnp.arange(length) - draw[:, None]
        moved = jnp.take_along_axis(signal, (places % max(length, 1))[..., None], 1)
        if self.fill_mode == "wrap":
            return moved
        return jnp.where(((places >= 0) & (places < length))[..., None], moved, 0)

"""Layers that change series of numbers: their noise, their scale, their pace, their window."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.layers.augmentation.arguments import between, uniform
from slipstream.layers.augmentation.mixing import even_beta
from slipstream.layers.augmentation.sequence_base import (
    SequenceDrawing,
    SignalDrawing,
    per_step,
    read_at,
    two_ends,
)


@register("layer")
class RandomJitter(SignalDrawing):
    """Add noise to each step (Um et al., 2017).

    Args:
        factor: standard deviation of the noise, as a share of that of the example's channel: two
            ends to draw from for each example, or one number for 0 to it.
        seed: see `Drawing`.

    Input ``(batch, time)`` or ``(batch, time, channels)``, or a dictionary with it under
    ``"inputs"``; output alike.

    Raises:
        ValueError: for factors beyond 0 to 10.
    """

    _arguments = ("factor", "seed")

    def __init__(self, factor: Any = 0.1, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        self.factor = two_ends(self, "factor", factor, 0, 10)
        if not isinstance(factor, (tuple, list)):
            self.factor = (0, factor)

    def _draw(self, key: Any, shape: tuple) -> Any:
        noise = jax.random.normal(jax.random.fold_in(key, 1), shape)
        return between(uniform(key, shape[0], 1)[0], self.factor), noise

    def _signal(self, signal: Any, draw: Any) -> Any:
        factor, noise = draw
        return signal + per_step(factor) * jnp.std(signal, 1, keepdims=True) * noise


@register("layer")
class RandomScaling(SignalDrawing):
    """Multiply each channel by a number near 1 (Um et al., 2017).

    Args:
        factor: how far from 1 it may be; or two ends of the number itself.
        seed: see `Drawing`.

    Input and output as in `RandomJitter`.

    Raises:
        ValueError: for factors beyond 0 to 10.
    """

    _arguments = ("factor", "seed")

    def __init__(self, factor: Any = 0.1, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        self.factor = two_ends(self, "factor", factor, 0, 10)
        if not isinstance(factor, (tuple, list)):
            self.factor = (1 - factor, 1 + factor)

    def _draw(self, key: Any, shape: tuple) -> Any:
        share = jax.random.uniform(key, (shape[0], 1, shape[2]))
        return between(share, self.factor)

    def _signal(self, signal: Any, draw: Any) -> Any:
        return signal * draw


@register("layer")
class RandomTimeWarp(SignalDrawing):
    """Let time pass now faster, now slower (Um et al., 2017).

    The pace changes along straight lines between knots, evenly spread over the series; its first
    and last steps stay where they are.

    Args:
        factor: greatest natural logarithm of the pace at a knot, of both signs.
        knots: number of knots, at least 2.
        seed: see `Drawing`.

    Input and output as in `RandomJitter`; values between steps lie on straight lines.

    Raises:
        ValueError: for factors beyond 0 to 3, or fewer knots.
    """

    _arguments = ("factor", "knots", "seed")

    def __init__(
        self, factor: float = 0.3, knots: int = 4, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 0 <= factor <= 3:
            raise self._fault("factor", "a number from 0 to 3", factor)
        if isinstance(knots, bool) or not isinstance(knots, int) or knots < 2:
            raise self._fault("knots", "a whole number of at least 2", knots)
        self.factor, self.knots = factor, knots

    def _draw(self, key: Any, shape: tuple) -> Any:
        """Places to read, ``(batch, time)``, rising from the first step to the last."""
        ends = (-self.factor, self.factor)
        pace = jnp.exp(between(jax.random.uniform(key, (shape[0], self.knots)), ends))
        gaps = max(shape[1] - 1, 1)
        middles = (jnp.arange(shape[1] - 1) + 0.5) * ((self.knots - 1) / gaps)
        knots = jnp.arange(self.knots)
        shares = jnp.maximum(0, 1 - jnp.abs(middles[:, None] - knots))  # hats around the knots
        passed = jnp.cumsum(pace @ shares.T, 1)
        passed = jnp.pad(passed, [(0, 0), (1, 0)])
        return passed * (gaps / jnp.maximum(passed[:, -1:], 1e-6))

    def _signal(self, signal: Any, draw: Any) -> Any:
        return read_at(signal, draw)


@register("layer")
class RandomWindow(SequenceDrawing):
    """Cut a window of some steps out of sequences; in prediction the one in the middle.

    Args:
        length: steps of the window.
        seed: see `Drawing`.

    Input ``(batch, time, …)`` of any type, tokens too, or a dictionary with it under
    ``"inputs"``; output ``(batch, length, …)``.

    Raises:
        ValueError: if `length` is not a whole number of at least 1, or inputs are shorter.
    """

    keeps_dtype = True
    _axes = "(batch, time, …)"
    _ranks = (2, 3, 4, 5)
    _arguments = ("length", "seed")

    def __init__(self, length: int, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        if isinstance(length, bool) or not isinstance(length, int) or length < 1:
            raise self._fault("length", "a whole number of at least 1", length)
        self.length = length

    def _spare(self, inputs: Any) -> int:
        spare = inputs.shape[1] - self.length
        if spare < 0:
            raise ValueError(
                f"RandomWindow layer {self.path!r} cuts {self.length} steps out of inputs; got "
                f"shape {inputs.shape}. Pad the inputs, or ask for fewer steps."
            )
        return spare

    def _change(self, known: dict[str, Any], key: Any) -> dict[str, Any]:
        inputs = known["inputs"]
        spare = self._spare(inputs)
        start = jnp.floor(uniform(key, inputs.shape[0], 1)[0] * (spare + 1)).astype(jnp.int32)
        places = jnp.minimum(start, spare)[:, None] + jnp.arange(self.length)
        places = places.reshape(*places.shape, *(1,) * (inputs.ndim - 2))
        return {**known, "inputs": jnp.take_along_axis(inputs, places, 1)}

    def _keep(self, known: dict[str, Any]) -> dict[str, Any]:
        start = self._spare(known["inputs"]) // 2
        return {**known, "inputs": known["inputs"][:, start : start + self.length]}


@register("layer")
class SequenceMixUp(SignalDrawing):
    """Blend each series or sound, and its labels, with another of its batch (Zhang et al., 2018).

    Args:
        alpha: shares follow a beta distribution with both parameters alpha.
        seed: see `Drawing`.

    Input ``(batch, time)`` or ``(batch, time, channels)``, or a dictionary with it under
    ``"inputs"`` and one-hot or float labels ``(batch, …)`` under ``"labels"``; output alike.

    Raises:
        ValueError: if alpha is negative, or labels are class numbers.
    """

    per_example = False
    _arguments = ("alpha", "seed")

    def __init__(self, alpha: float = 0.2, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or alpha < 0:
            raise self._fault("alpha", "a number of at least 0", alpha)
        self.alpha = alpha

    def _draw(self, key: Any, shape: tuple) -> Any:
        other = jax.random.uniform(jax.random.fold_in(key, 1), (shape[0],))
        return even_beta(self.alpha, uniform(key, shape[0], 4)), jnp.argsort(other)

    def _signal(self, signal: Any, draw: Any) -> Any:
        weight, order = per_step(draw[0]).astype(signal.dtype), draw[1]
        return weight * signal + (1 - weight) * signal[order]

    def _labels(self, labels: Any, draw: Any) -> Any:
        weight = draw[0].reshape(-1, *(1,) * (labels.ndim - 1))
        return (weight * labels + (1 - weight) * labels[draw[1]]).astype(self.compute_dtype)

    def _whole(self, data: Any, key: Any, training: bool) -> Any:
        labels = data.get("labels") if isinstance(data, dict) else None
        if labels is not None and not jnp.issubdtype(labels.dtype, jnp.floating):
            if labels.ndim < 2:
                raise ValueError(
                    f"SequenceMixUp layer {self.path!r} mixes labels, so class numbers do not do; "
                    f"got {labels.dtype} labels of shape {labels.shape}. Use one-hot labels."
                )
            data = {**data, "labels": labels.astype(self.compute_dtype)}
        return super()._whole(data, key, training)

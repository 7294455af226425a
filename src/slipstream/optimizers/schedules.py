"""Learning-rate schedules: functions of the step that trace like any other array code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import config, registry
from slipstream.core.registry import register


def wide_float() -> Any:
    """The type scalars are computed in: `floatx()`, but never less than float32."""
    return jnp.promote_types(config.floatx(), jnp.float32)


class LearningRateSchedule:
    """A learning rate that depends on the step.

    Subclasses define `__call__(step)`, where `step` is the number of gradients seen so far (an
    int32 scalar, possibly traced), and `get_config()`.
    """

    def __call__(self, step: Any) -> Any:
        """The learning rate at `step`."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, step).")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal schedule."""
        raise NotImplementedError(f"{type(self).__name__} must define get_config(self).")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        """The schedule with these arguments."""
        return cls(**config)


@dataclass(eq=False)
class _Schedule(LearningRateSchedule):
    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal schedule."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __post_init__(self) -> None:
        for field in fields(self):
            steps = getattr(self, field.name)
            if field.name.endswith("decay_steps") and steps <= 0:
                raise ValueError(
                    f"{type(self).__name__} needs {field.name} > 0; got {steps}. Pass the number "
                    "of steps the decay takes."
                )


@register("schedule")
@dataclass(eq=False)
class ExponentialDecay(_Schedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Args:
        initial_learning_rate: rate at step 0.
        decay_steps: steps in which the rate is multiplied by `decay_rate` once.
        decay_rate: the factor.
        staircase: whether the rate falls in jumps, every `decay_steps`.
    """

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False
    name: str = "ExponentialDecay"

    def __call__(self, step: Any) -> jax.Array:
        """The learning rate at `step`."""
        exponent = jnp.asarray(step, wide_float()) / self.decay_steps
        exponent = jnp.floor(exponent) if self.staircase else exponent
        return self.initial_learning_rate * jnp.power(self.decay_rate, exponent)


@register("schedule")
@dataclass(eq=False)
class InverseTimeDecay(_Schedule):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Args:
        initial_learning_rate: rate at step 0.
        decay_steps: steps in which the divisor grows by `decay_rate`.
        decay_rate: how much the divisor grows.
        staircase: whether the rate falls in jumps, every `decay_steps`.
    """

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False
    name: str = "InverseTimeDecay"

    def __call__(self, step: Any) -> jax.Array:
        """The learning rate at `step`."""
        progress = jnp.asarray(step, wide_float()) / self.decay_steps
        progress = jnp.floor(progress) if self.staircase else progress
        return self.initial_learning_rate / (1 + self.decay_rate * progress)


@register("schedule")
@dataclass(eq=False)
class PiecewiseConstantDecay(_Schedule):
    """One rate up to and including each boundary, another after it.

    Args:
        boundaries: rising steps.
        values: the rates, one more than there are boundaries.
    """

    boundaries: Sequence[float]
    values: Sequence[float]
    name: str = "PiecewiseConstant"

    def __post_init__(self) -> None:
        if len(self.boundaries) != len(self.values) - 1:
            raise ValueError(
                f"PiecewiseConstantDecay got {len(self.boundaries)} boundaries and "
                f"{len(self.values)} values. Pass one value more than there are boundaries."
            )

    def __call__(self, step: Any) -> jax.Array:
        """The learning rate at `step`."""
        place = jnp.sum(jnp.asarray(step) > jnp.asarray(self.boundaries), dtype=jnp.int32)
        return jnp.asarray(self.values, wide_float())[place]


@register("schedule")
@dataclass(eq=False)
class PolynomialDecay(_Schedule):
    """From the initial rate to `end_learning_rate` along ``(1 - step / decay_steps) ** power``.

    Args:
        initial_learning_rate: rate at step 0.
        decay_steps: steps until the end.
        end_learning_rate: rate from there on.
        power: 1 is a straight line.
        cycle: whether to start again after `decay_steps`, each time over a span that reaches
            from step 0 to the next multiple of `decay_steps`.
    """

    initial_learning_rate: float
    decay_steps: int
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False
    name: str = "PolynomialDecay"

    def __call__(self, step: Any) -> jax.Array:
        """The learning rate at `step`."""
        step = jnp.asarray(step, wide_float())
        span: Any = self.decay_steps
        if self.cycle:
            span = span * jnp.maximum(jnp.ceil(step / span), 1)
        # A quotient a rounding error past 1 would make the power NaN.
        left = 1 - jnp.minimum(step / span, 1)
        height = self.initial_learning_rate - self.end_learning_rate
        return height * jnp.power(left, self.power) + self.end_learning_rate


def _half_cosine(progress: Any, alpha: float, amplitude: Any = 1.0) -> jax.Array:
    """From `amplitude` at progress 0 to 0 at 1, lifted so that it ends at `alpha`."""
    return (1 - alpha) * (0.5 * amplitude * (1 + jnp.cos(math.pi * progress))) + alpha


@register("schedule")
@dataclass(eq=False)
class CosineDecay(_Schedule):
    """Half a cosine wave, after a linear warm-up if asked for (Loshchilov & Hutter, 2016).

    Args:
        initial_learning_rate: rate at step 0.
        decay_steps: steps of the wave, those of the warm-up apart.
        alpha: the last rate, as a fraction of the highest.
        warmup_target: rate at the end of the warm-up; None for no warm-up.
        warmup_steps: steps of the warm-up.
    """

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0
    name: str = "CosineDecay"
    warmup_target: float | None = None
    warmup_steps: int = 0

    def __call__(self, step: Any) -> jax.Array:
        """The learning rate at `step`."""
        step = jnp.asarray(step, wide_float())
        start = self.initial_learning_rate
        if self.warmup_target is None:
            return start * _half_cosine(jnp.minimum(step / self.decay_steps, 1), self.alpha)
        progress = jnp.minimum((step - self.warmup_steps) / self.decay_steps, 1)
        rate = self.warmup_target * _half_cosine(progress, self.alpha)
        rising = start + (self.warmup_target - start) * (step / max(self.warmup_steps, 1))
        return jnp.where(step < self.warmup_steps, rising, rate)


@register("schedule")
@dataclass(eq=False)
class CosineDecayRestarts(_Schedule):
    """Half cosine waves, one after another (SGDR: Loshchilov & Hutter, 2016).

    Args:
        initial_learning_rate: rate at step 0.
        first_decay_steps: steps of the first wave.
        t_mul: each wave is this many times as long as the one before.
        m_mul: each wave starts at this fraction of the one before.
        alpha: the lowest rate, as a fraction of the initial one.
    """

    initial_learning_rate: float
    first_decay_steps: int
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0
    name: str = "SGDRDecay"

    def __call__(self, step: Any) -> jax.Array:
        """The learning rate at `step`."""
        elapsed = jnp.asarray(step, wide_float()) / self.first_decay_steps
        if self.t_mul == 1.0:
            wave = jnp.floor(elapsed)
            progress = elapsed - wave
        else:
            ratio = jnp.asarray(self.t_mul, elapsed.dtype)
            wave = jnp.floor(jnp.log(1 - elapsed * (1 - ratio)) / jnp.log(ratio))
            length = ratio**wave
            progress = (elapsed - (1 - length) / (1 - ratio)) / length
        height = jnp.power(self.m_mul, wave)
        return self.initial_learning_rate * _half_cosine(progress, self.alpha, height)


def serialize(learning_rate_schedule: LearningRateSchedule) -> Any:
    """The configuration of a schedule."""
    return registry.serialize(learning_rate_schedule)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The schedule that a configuration describes."""
    return registry.deserialize(config, custom_objects, kind="schedule")

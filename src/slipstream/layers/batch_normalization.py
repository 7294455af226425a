"""Batch normalization and batch renormalization."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from slipstream.core.input_spec import InputSpec
from slipstream.core.registry import register
from slipstream.core.scope import current_scope
from slipstream.core.variable import Variable
from slipstream.kernels.normalization import batch_norm, standardize, widen
from slipstream.layers import weight_arguments
from slipstream.layers.gamma_beta import GammaBeta, computable


@register("layer")
class BatchNormalization(GammaBeta):
    """Mean 0 and variance 1 for each channel over the batch (Ioffe and Szegedy, 2015).

    While training, mean and variance are the batch's, and moving averages of them are kept;
    otherwise the moving averages are used, also while training where the layer is frozen
    (``trainable = False``). A mask, of the input's shape without the last axis, leaves
    positions out of the statistics. A batch in which nothing counts changes none of them.

    Args:
        axis: axis of the channels.
        momentum: share of a moving average that stays at each step.
        epsilon: added to the variance.
        center, scale: whether to add `beta` and multiply by `gamma`, one for each channel.
        beta_initializer, gamma_initializer, moving_mean_initializer,
            moving_variance_initializer: initial values.
        beta_regularizer, gamma_regularizer: penalties.
        beta_constraint, gamma_constraint: projections after each update.
        renorm: correct each batch towards moving averages while training too (batch
            renormalization, Ioffe, 2017).
        renorm_clipping: limits of the correction: ``rmin`` and ``rmax`` of its factor, ``dmax``
            of its offset; no limit for one that is left out.
        renorm_momentum: `momentum` of the averages that `renorm` corrects towards.
        synchronized: kept for Keras' signature. The statistics are those of the whole batch,
            however many devices hold it.

    Raises:
        ValueError: if `renorm_clipping` has unknown keys or limits that exclude each other, the
            number of channels is unknown, or a mask has the wrong number of axes.
    """

    # Rows that only fill up a partial batch (the scope's row_mask) are left out of the
    # statistics, so they reach no other row, which is what per_example promises.
    per_example = True
    moving_variance_initializer: Any

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: dict[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        self.axis, self.momentum = int(axis), momentum
        self.renorm, self.renorm_momentum = renorm, renorm_momentum
        self.renorm_clipping = self._checked(renorm_clipping)
        self.synchronized = synchronized
        weight_arguments.keep(self, "moving_mean", moving_mean_initializer)
        weight_arguments.keep(self, "moving_variance", moving_variance_initializer)

    def _checked(self, clipping: dict[str, float] | None) -> dict[str, float] | None:
        if not clipping:
            return clipping
        low, high = clipping.get("rmin"), clipping.get("rmax")
        if (
            set(clipping) - {"rmin", "rmax", "dmax"}
            or clipping.get("dmax", 0) < 0
            or (low is not None and high is not None and low > high)
        ):
            raise ValueError(
                f"BatchNormalization layer {self.name!r}: renorm_clipping may have the keys "
                f"'rmin', 'rmax' (not below rmin) and 'dmax' (at least 0); got {clipping}."
            )
        return dict(clipping)

    def build(self, input_shape: Any) -> None:
        """Create the weights and moving averages for inputs of this shape."""
        ndim = len(input_shape)
        channels = input_shape[self.axis] if -ndim <= self.axis < ndim else None
        if channels is None:
            raise ValueError(
                f"BatchNormalization layer {self.path!r} needs an axis {self.axis} of known size; "
                f"got shape {tuple(input_shape)}. Choose another axis, or give the size, as in "
                "Input(shape=(…, channels))."
            )
        self._build_weights((channels,))

        def average(role: str, name: str) -> Variable:
            return weight_arguments.create(
                self, role, (channels,), name, trainable=False, autocast=False
            )

        self.moving_mean = average("moving_mean", "moving_mean")
        self.moving_variance = average("moving_variance", "moving_variance")
        if self.renorm:
            self.moving_stddev = self._start("moving_stddev", channels)
            self.renorm_mean = average("moving_mean", "renorm_mean")
            self.renorm_stddev = self._start("renorm_stddev", channels)
        self.input_spec = InputSpec(ndim=ndim, axes={self.axis: channels})

    def _start(self, name: str, channels: int) -> Variable:
        """A moving deviation that starts where the moving variance does."""

        def root(shape: Any, dtype: Any) -> Any:
            return jnp.sqrt(self.moving_variance_initializer(shape, dtype=dtype))

        return self.add_weight((channels,), root, trainable=False, autocast=False, name=name)

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """Normalize."""
        axis = self.axis % inputs.ndim
        shape = [size if a == axis else 1 for a, size in enumerate(inputs.shape)]
        if not training or not self.trainable:
            centred = widen(inputs) - self.moving_mean.value.reshape(shape)
            spread = self.moving_variance.value.reshape(shape) + self.epsilon
            return self._finish(centred * lax.rsqrt(spread), shape)
        counted = self._counted(inputs, mask)
        any_counted = inputs.size > 0 if counted is None else jnp.any(counted)
        if axis == inputs.ndim - 1 and not self.renorm:
            x = computable(self, inputs)
            outputs, mean, variance = batch_norm(x, *self._constants(), self.epsilon, counted)
            self._remember(mean, variance, any_counted)
            return outputs.astype(self.compute_dtype)
        over = [a for a in range(inputs.ndim) if a != axis]
        normalized, mean, variance = standardize(widen(inputs), over, self.epsilon, counted)
        mean, variance = mean.reshape(-1), variance.reshape(-1)
        if self.renorm:
            factor, offset = self._correction(mean, jnp.sqrt(variance + self.epsilon))
            normalized = normalized * factor.reshape(shape) + offset.reshape(shape)
        self._remember(mean, variance, any_counted)
        return self._finish(normalized, shape)

    def in_prediction(self, bias: Variable | None) -> tuple[Any, Any]:
        """What it multiplies channels by, and adds, if `bias` has been left out before it."""
        gamma, beta = self._constants()
        scale = lax.rsqrt(self.moving_variance.value + self.epsilon)
        scale = scale if gamma is None else scale * gamma
        offset = -self.moving_mean.value if bias is None else bias.value - self.moving_mean.value
        return scale, offset * scale if beta is None else offset * scale + beta

    def _counted(self, inputs: Any, mask: Any) -> Any:
        """Positions that count, of the input's sizes or 1; None if all do."""
        counted = None
        if mask is not None:
            if mask.ndim != inputs.ndim - 1:
                raise ValueError(
                    f"BatchNormalization layer {self.path!r}: a mask must have one axis less than "
                    f"the input; got mask shape {tuple(mask.shape)} and input shape "
                    f"{tuple(inputs.shape)}."
                )
            counted = mask[..., None].astype(bool)
        scope = current_scope()
        rows = None if scope is None else scope.row_mask
        if rows is None:
            return counted
        if rows.shape[0] != inputs.shape[0]:
            raise ValueError(
                f"BatchNormalization layer {self.path!r}: the input's first axis must be the "
                f"batch of {rows.shape[0]} examples; got shape {tuple(inputs.shape)}."
            )
        rows = rows.reshape(-1, *(1,) * (inputs.ndim - 1))
        return rows if counted is None else counted & rows

    def _remember(self, mean: Any, variance: Any, any_counted: Any) -> None:
        """Move the averages towards this batch, unless nothing counted in it."""

        def move(variable: Variable, value: Any, momentum: float) -> Any:
            old = widen(variable.value)
            new = old * momentum + lax.stop_gradient(value) * (1 - momentum)
            new = jnp.where(any_counted, new, old)
            variable.assign(new.astype(variable.dtype))
            return new

        move(self.moving_mean, mean, self.momentum)
        if not self.renorm:
            move(self.moving_variance, variance, self.momentum)
            return
        deviation = jnp.sqrt(variance + self.epsilon)
        moved = move(self.moving_stddev, deviation, self.momentum)
        square = jnp.maximum(moved * moved - self.epsilon, 0)
        square = jnp.where(any_counted, square, widen(self.moving_variance.value))
        self.moving_variance.assign(square.astype(self.moving_variance.dtype))
        move(self.renorm_mean, mean, self.renorm_momentum)
        move(self.renorm_stddev, deviation, self.renorm_momentum)

    def _correction(self, mean: Any, deviation: Any) -> tuple[Any, Any]:
        """Factor and offset from the batch's statistics to the moving ones, held constant."""
        usual = widen(self.renorm_stddev.value)
        factor, offset = deviation / usual, (mean - widen(self.renorm_mean.value)) / usual
        limits = self.renorm_clipping or {}
        factor = jnp.clip(factor, limits.get("rmin"), limits.get("rmax"))
        if (most := limits.get("dmax")) is not None:
            offset = jnp.clip(offset, -most, most)
        return lax.stop_gradient(factor), lax.stop_gradient(offset)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        averages = weight_arguments.describe(self, "moving_mean", "moving_variance")
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            **{key: value for key, value in averages.items() if key.endswith("_initializer")},
            "renorm": self.renorm,
            "renorm_clipping": (self.renorm_clipping or {}) if self.renorm else None,
            "renorm_momentum": self.renorm_momentum,
            "synchronized": self.synchronized,
        }

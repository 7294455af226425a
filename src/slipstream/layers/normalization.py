"""Layers that bring each example's features to mean 0 and variance 1, or to length 1."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from slipstream.core.input_spec import InputSpec
from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.kernels.normalization import group_norm, layer_norm, standardize, widen
from slipstream.layers.gamma_beta import GammaBeta, computable
from slipstream.layers.spatial import is_count


@register("layer")
class LayerNormalization(GammaBeta):
    """Mean 0 and variance 1 over `axis`, for each example by itself (Ba et al., 2016).

    Args:
        axis: axis or axes to normalize over.
        epsilon: added to the variance.
        center: whether to add `beta`, of the sizes of `axis`.
        scale: whether to multiply by `gamma`, of the sizes of `axis`.
        rms_scaling: divide by the deviation without taking off the mean, and without `beta`.
        beta_initializer, gamma_initializer: initial values.
        beta_regularizer, gamma_regularizer: penalties.
        beta_constraint, gamma_constraint: projections after each update.

    Raises:
        TypeError: if `axis` is neither a whole number nor several.
        ValueError: if the input has no such axis, or its size is unknown.
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        rms_scaling: bool = False,
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
        self.axis = _checked_axis(self, axis)
        self.rms_scaling = rms_scaling

    def build(self, input_shape: Any) -> None:
        """Create `gamma` and `beta` for inputs of this shape."""
        self._axes = _axes_of(self, self.axis, input_shape)
        self.axis = sorted([self.axis] if isinstance(self.axis, int) else self.axis)
        self._build_weights(tuple(input_shape[axis] for axis in self.axis), not self.rms_scaling)
        self.per_example = 0 not in self._axes

    def call(self, inputs: Any) -> Any:
        """Normalize."""
        x = computable(self, inputs)
        if not self.rms_scaling:
            gamma, beta = self._constants()
            return layer_norm(x, self._axes, gamma, beta, self.epsilon).astype(self.compute_dtype)
        x = widen(x)
        _, _, variance = standardize(x, self._axes, self.epsilon)
        normalized = x * lax.rsqrt(variance + self.epsilon)
        return self._finish(normalized, _beside(x, self._axes))

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "axis": self.axis, "rms_scaling": self.rms_scaling}


@register("layer")
class GroupNormalization(GammaBeta):
    """Mean 0 and variance 1 over each group of channels and all of space (Wu and He, 2018).

    Args:
        groups: number of groups; -1 for one to each channel (instance normalization).
        axis: axis of the channels.
        epsilon: added to the variance.
        center, scale: whether to add `beta` and multiply by `gamma`, one for each channel.
        beta_initializer, gamma_initializer: initial values.
        beta_regularizer, gamma_regularizer: penalties.
        beta_constraint, gamma_constraint: projections after each update.

    Raises:
        ValueError: if `groups` is out of range or does not divide the channels, or their number
            is unknown.
    """

    def __init__(
        self, groups: int = 32, axis: int = -1, epsilon: float = 1e-3, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(epsilon, *args, **kwargs)
        if not is_count(groups) and groups != -1:
            raise ValueError(
                f"GroupNormalization layer {self.name!r}: groups must be a whole number of at "
                f"least 1, or -1 for one to each channel; got {groups!r}."
            )
        self.groups, self.axis = groups, axis

    def build(self, input_shape: Any) -> None:
        """Create `gamma` and `beta` for inputs of this shape."""
        (self._axis,) = _axes_of(self, self.axis, input_shape)
        channels = input_shape[self._axis]
        if self.groups == -1:
            self.groups = channels
        if channels % self.groups:
            raise ValueError(
                f"GroupNormalization layer {self.path!r}: groups must divide the number of "
                f"channels; got {channels} channels (shape {tuple(input_shape)}) and "
                f"groups={self.groups}."
            )
        self._build_weights((channels,))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})
        self.per_example = self._axis != 0

    def call(self, inputs: Any) -> Any:
        """Normalize."""
        axis, shape = self._axis, inputs.shape
        x = computable(self, inputs)
        if 0 < axis == inputs.ndim - 1:
            gamma, beta = self._constants()
            return group_norm(x, self.groups, gamma, beta, self.epsilon).astype(self.compute_dtype)
        split = (self.groups, shape[axis] // self.groups)
        x = widen(x).reshape(*shape[:axis], *split, *shape[axis + 1 :])
        over = [a for a in range(x.ndim) if a not in (0, axis)]
        normalized = standardize(x, over, self.epsilon)[0].reshape(shape)
        return self._finish(normalized, _beside(inputs, (axis,)))

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "groups": self.groups, "axis": self.axis}


@register("layer")
class RMSNormalization(Layer):
    """``x / sqrt(mean(x²) + epsilon) * scale`` over `axis` (Zhang and Sennrich, 2019).

    Args:
        axis: axis or axes to normalize over; `scale` has their sizes.
        epsilon: added to the mean of the squares.

    Raises:
        TypeError: if `axis` is neither a whole number nor several.
        ValueError: if the input has no such axis, or its size is unknown.
    """

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis, self.epsilon = _checked_axis(self, axis), epsilon

    def build(self, input_shape: Any) -> None:
        """Create `scale` for inputs of this shape."""
        self._axes = _axes_of(self, self.axis, input_shape)
        self.axis = sorted([self.axis] if isinstance(self.axis, int) else self.axis)
        shape = tuple(input_shape[axis] for axis in self.axis)
        self.scale = self.add_weight(shape, "ones", autocast=False, name="scale")
        self.per_example = 0 not in self._axes

    def call(self, x: Any) -> Any:
        """Normalize."""
        x = computable(self, x)
        y = layer_norm(x, self._axes, self.scale.value, None, self.epsilon, centred=False)
        return y.astype(self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


@register("layer")
class UnitNormalization(Layer):
    """Euclidean length 1 over `axis`; zeros stay zeros.

    Args:
        axis: axis or axes to normalize over.

    Raises:
        TypeError: if `axis` is neither a whole number nor several.
        ValueError: if the input has no such axis.
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = _checked_axis(self, axis)

    def build(self, input_shape: Any) -> None:
        """Look `axis` up in inputs of this shape."""
        self._axes = _axes_of(self, self.axis, input_shape, known=False)
        self.per_example = 0 not in self._axes

    def call(self, inputs: Any) -> Any:
        """Normalize."""
        x = widen(inputs)
        squares = jnp.sum(x * x, self._axes, keepdims=True)
        normalized = x * lax.rsqrt(jnp.maximum(squares, _TINY))
        return normalized.astype(self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "axis": self.axis}


# Below a length of 1e-12 nothing is stretched to length 1, as in Keras.
_TINY = 1e-24


def _checked_axis(layer: Layer, axis: Any) -> Any:
    """One axis as it is, several as a list."""
    if isinstance(axis, int) and not isinstance(axis, bool):
        return axis
    if isinstance(axis, (list, tuple)) and axis and all(isinstance(a, int) for a in axis):
        return list(axis)
    raise TypeError(
        f"{type(layer).__name__} layer {layer.name!r}: axis must be a whole number, or a list or "
        f"tuple of them; got {axis!r}."
    )


def _axes_of(layer: Layer, axis: Any, input_shape: Any, known: bool = True) -> tuple[int, ...]:
    """The axes meant, counted from the front and sorted; their sizes must be `known`."""
    ndim, axes = len(input_shape), [axis] if isinstance(axis, int) else axis
    if not all(-ndim <= a < ndim for a in axes):
        raise ValueError(
            f"{type(layer).__name__} layer {layer.path!r}: axis {axis} is not among the {ndim} "
            f"axes of shape {tuple(input_shape)}. Choose one from {-ndim} to {ndim - 1}."
        )
    found = tuple(sorted({a % ndim for a in axes}))
    if known and any(input_shape[a] is None for a in found):
        raise ValueError(
            f"{type(layer).__name__} layer {layer.path!r} needs to know the size of axis {axis}; "
            f"got shape {tuple(input_shape)}. Give it, as in Input(shape=(…, features))."
        )
    return found


def _beside(x: Any, axes: tuple[int, ...]) -> list[int]:
    """Shape in which a weight for `axes` stands beside `x`."""
    return [size if axis in axes else 1 for axis, size in enumerate(x.shape)]

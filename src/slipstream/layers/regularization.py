"""Layers that act only while training, against overfitting."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream import regularizers
from slipstream.core import config
from slipstream.core.input_spec import InputSpec
from slipstream.core.layer import Layer
from slipstream.core.random import layer_key
from slipstream.core.registry import register


class Noise(Layer):
    """A layer that changes its input at random while training and passes it on otherwise.

    Args:
        amount: strength of the noise, from 0 to 1.
        seed: makes this layer's draws independent of its place in the model.
    """

    per_example = True
    supports_masking = True
    _amount = "rate"  # what the class calls its strength

    def __init__(self, amount: float, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(amount, bool) or not 0 <= amount <= 1:
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r}: {self._amount} must be between 0 and "
                f"1; got {amount}."
            )
        setattr(self, self._amount, amount)
        self.seed = seed

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Add noise while training, else pass the input on."""
        amount = getattr(self, self._amount)
        if not training or amount == 0:
            return inputs
        return self._disturb(inputs, amount)

    def _disturb(self, inputs: Any, amount: float) -> Any:
        raise NotImplementedError

    def _key(self) -> Any:
        return layer_key(self, self.seed)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        amount = getattr(self, self._amount)
        return {**super().get_config(), self._amount: amount, "seed": self.seed}


def _filled(noise_shape: Any, shape: tuple) -> tuple:
    """The shape of a draw: `noise_shape` with None filled in from the input's shape."""
    if noise_shape is None:
        return shape
    return tuple(
        size if wanted is None else wanted for wanted, size in zip(noise_shape, shape, strict=True)
    )


@register("layer")
class Dropout(Noise):
    """Set a random share of the inputs to 0 while training (Srivastava et al., 2014).

    What is kept is scaled by ``1 / (1 - rate)``, so the expected sum stays the same.

    Args:
        rate: share to drop, from 0 to 1.
        noise_shape: shape of the mask, None where it follows the input; a 1 makes one draw
            serve the whole axis.
        seed: makes this layer's draws independent of its place in the model.

    Raises:
        ValueError: if `rate` is not between 0 and 1.
    """

    rate: float

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(rate, seed, **kwargs)
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def _disturb(self, inputs: Any, rate: float) -> Any:
        if rate == 1:
            return jnp.zeros_like(inputs)
        keep = jax.random.bernoulli(self._key(), 1 - rate, self._mask_shape(inputs.shape))
        return jnp.where(keep, inputs / (1 - rate), jnp.zeros((), inputs.dtype))

    def _mask_shape(self, shape: tuple) -> tuple:
        return _filled(self.noise_shape, shape)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "noise_shape": self.noise_shape}


@register("layer")
class AlphaDropout(Noise):
    """Dropout that keeps mean and variance of standardised inputs (Klambauer et al., 2017).

    Dropped inputs get the value at which `selu` saturates; the result is scaled and shifted.

    Args:
        rate, noise_shape, seed: as in `Dropout`; the rate is below 1.

    Raises:
        ValueError: if `rate` is not between 0 and 1.
    """

    _saturation = -1.0507009873554805 * 1.6732632423543772  # minus scale times alpha of selu

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(rate, seed, **kwargs)
        if rate == 1:
            raise ValueError(
                f"AlphaDropout layer {self.name!r}: rate must be below 1, for what is dropped "
                "entirely has no variance to keep."
            )
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def _disturb(self, inputs: Any, rate: float) -> Any:
        shape = _filled(self.noise_shape, inputs.shape)
        keep = jax.random.bernoulli(self._key(), 1 - rate, shape)
        scale = ((1 - rate) * (1 + rate * self._saturation**2)) ** -0.5
        dropped = jnp.asarray(self._saturation, inputs.dtype)
        return scale * (jnp.where(keep, inputs, dropped) - rate * self._saturation)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "noise_shape": self.noise_shape}


@register("layer")
class GaussianNoise(Noise):
    """Add normal noise while training.

    Args:
        stddev: its standard deviation, from 0 to 1.
        seed: makes this layer's draws independent of its place in the model.

    Raises:
        ValueError: if `stddev` is not between 0 and 1.
    """

    _amount = "stddev"

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(stddev, seed, **kwargs)

    def _disturb(self, inputs: Any, stddev: float) -> Any:
        return inputs + stddev * jax.random.normal(self._key(), inputs.shape, inputs.dtype)


@register("layer")
class GaussianDropout(Noise):
    """Multiply by normal noise of mean 1 while training (Srivastava et al., 2014).

    Args:
        rate: the noise has the standard deviation ``sqrt(rate / (1 - rate))``, that of `Dropout`.
        seed: makes this layer's draws independent of its place in the model.

    Raises:
        ValueError: if `rate` is not between 0 and 1, or is 1.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, **kwargs)
        if rate == 1:
            raise ValueError(
                f"GaussianDropout layer {self.name!r}: rate must be below 1, for at 1 the noise "
                "would be infinite."
            )

    def _disturb(self, inputs: Any, rate: float) -> Any:
        noise = jax.random.normal(self._key(), inputs.shape, inputs.dtype)
        return inputs * (1 + (rate / (1 - rate)) ** 0.5 * noise)


class SpatialDropout(Dropout):
    """`Dropout` of whole channels; each class below sets the number of spatial axes."""

    _rank: int

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.data_format = data_format or config.image_data_format()
        if self.data_format not in ("channels_last", "channels_first"):
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r}: data_format must be 'channels_last' "
                f"or 'channels_first'; got {data_format!r}."
            )
        self.input_spec = InputSpec(ndim=self._rank + 2)

    def _mask_shape(self, shape: tuple) -> tuple:
        ones = (1,) * self._rank
        if self.data_format == "channels_first":
            return (*shape[:2], *ones)
        return (shape[0], *ones, shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            "rate": self.rate,
            "seed": self.seed,
            "name": self.name,
            "dtype": self.dtype_policy.name,
            "data_format": self.data_format,
        }


@register("layer")
class SpatialDropout1D(SpatialDropout):
    """Drop whole channels of ``(batch, time, channels)`` while training (Tompson et al., 2015).

    Args:
        rate: share to drop, from 0 to 1.
        seed: makes this layer's draws independent of its place in the model.
    """

    _rank = 1

    def __init__(
        self, rate: float, seed: int | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(rate, "channels_last", seed, name, dtype)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        config = super().get_config()
        del config["data_format"]
        return config


@register("layer")
class SpatialDropout2D(SpatialDropout):
    """Drop whole channels of images while training (Tompson et al., 2015).

    Args:
        rate: share to drop, from 0 to 1.
        data_format: ``"channels_last"``: ``(batch, height, width, channels)``, or
            ``"channels_first"``: ``(batch, channels, height, width)``.
        seed: makes this layer's draws independent of its place in the model.
    """

    _rank = 2


@register("layer")
class SpatialDropout3D(SpatialDropout):
    """Drop whole channels of volumes while training (Tompson et al., 2015).

    Args:
        rate: share to drop, from 0 to 1.
        data_format: ``"channels_last"``: ``(batch, depth, height, width, channels)``, or
            ``"channels_first"``: ``(batch, channels, depth, height, width)``.
        seed: makes this layer's draws independent of its place in the model.
    """

    _rank = 3


@register("layer")
class ActivityRegularization(Layer):
    """Pass the input on and add a penalty on it to the loss.

    Args:
        l1: factor of the sum of absolute values, per example.
        l2: factor of the sum of squares, per example.
    """

    per_example = True
    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **kwargs)
        self.l1, self.l2 = l1, l2

    def call(self, inputs: Any) -> Any:
        """Pass the input on."""
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        config = super().get_config()
        del config["activity_regularizer"]
        return {**config, "l1": self.l1, "l2": self.l2}

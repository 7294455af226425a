"""What encoders share: tokens, their mean, and one vector an example."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.layer import Layer
from slipstream.core.random import key_from
from slipstream.core.scope import Scope, attach, attached
from slipstream.core.symbol import SymbolicTensor, infer
from slipstream.layers.dense import Dense

# Of batch normalization. Small sets have few steps an epoch, and Keras' 0.99 would leave the moving
# statistics epochs behind the weights.
MOMENTUM = 0.9


class Encoder(Layer):
    """A network that makes one vector ``(batch, features)`` of an example of one modality.

    It makes tokens ``(batch, tokens, width)`` first; the vector is a dense layer on their mean,
    padding left out.

    Args:
        features: size of the vector.
        return_tokens: whether to return ``(vector, tokens)``, for `CrossAttentionFusion` and the
            like; the tokens carry a mask where there is padding.

    A subclass makes its layers in `_create` and the tokens in `_tokens`.
    """

    per_example = True
    _arguments: tuple[str, ...] = ()  # attributes that `get_config` tells, besides those below
    _rank = 0  # number of the input's axes
    _axes = ""  # what they are called
    _any_last = False  # whether the last may have any size
    _input_dtype: str | None = None  # of the input; the layer's compute type if not given

    def __init__(self, features: int, *, return_tokens: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.features = self._count("features", features)
        self.return_tokens = bool(return_tokens)

    def _count(self, argument: str, value: Any, least: int = 1) -> int:
        """A whole number of at least `least`."""
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r}: {argument} must be a whole number of "
                f"at least {least}; got {value!r}."
            )
        return value

    def _counts(self, argument: str, values: Any) -> tuple[int, ...]:
        """One or more whole numbers of at least 1."""
        values = tuple(values) if isinstance(values, (list, tuple)) else (values,)
        if not values:
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r}: {argument} needs at least one number."
            )
        return tuple(self._count(argument, value) for value in values)

    def _part(self, kind: type[Layer], *args: Any, **kwargs: Any) -> Any:
        """A layer inside of this one, of the same types."""
        return kind(*args, dtype=self.dtype_policy, **kwargs)

    def _create(self, input_shape: Any) -> None:
        """Make the layers."""
        raise NotImplementedError

    def _tokens(self, inputs: Any, training: bool) -> Any:
        """``(batch, tokens, width)``, perhaps with a mask noted on them."""
        raise NotImplementedError

    def build(self, input_shape: Any) -> None:
        """Create all variables, those of the layers inside included."""
        self._check_shape(input_shape)
        self._create(input_shape)
        self._projection = self._part(Dense, self.features, name="projection")
        # Layers inside are built by tracing them on shapes alone.
        dtype = self._input_dtype or self.compute_dtype
        specs = jax.tree.map(
            lambda shape: SymbolicTensor(tuple(shape), dtype),
            input_shape,
            is_leaf=lambda shape: not isinstance(shape, dict),
        )
        infer(self._encode_shapes, specs)

    def _check_shape(self, input_shape: Any) -> None:
        if len(input_shape) != self._rank or (input_shape[-1] is None and not self._any_last):
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} takes inputs {self._axes}, the last "
                f"size known; got shape {tuple(input_shape)}."
            )

    def _encode_shapes(self, inputs: Any) -> Any:
        with Scope(training=False, key=key_from(0), dry=True).active():
            return self._encode(inputs, False)[0]

    def _encode(self, inputs: Any, training: bool) -> tuple[Any, Any]:
        tokens = self._tokens(inputs, training)
        return self._projection(self._mean(tokens)), tokens

    def _mean(self, tokens: Any) -> Any:
        """Mean over the tokens that are there, summed in float32 or wider."""
        mask = attached(tokens, "mask")
        wide = tokens.astype(jnp.promote_types(tokens.dtype, jnp.float32))
        if mask is None:
            return jnp.mean(wide, 1).astype(tokens.dtype)
        there = mask[..., None]
        count = jnp.maximum(jnp.sum(there, 1), 1)
        return (jnp.sum(jnp.where(there, wide, 0), 1) / count).astype(tokens.dtype)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Encode."""
        vector, tokens = self._encode(inputs, training)
        if not self.return_tokens:
            return vector
        mask = attached(tokens, "mask")
        tokens = tokens.astype(self.compute_dtype)
        if mask is not None:
            attach(tokens, "mask", mask)
        return vector, tokens

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        names = ("features", *self._arguments, "return_tokens")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

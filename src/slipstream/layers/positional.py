"""Positions: learned, sinusoidal and rotary."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.kernels.embedding import look_up
from slipstream.layers import weight_arguments
from slipstream.layers.embedding import ReversibleEmbedding
from slipstream.layers.spatial import is_count


class Positional(Layer):
    """A layer that depends on where in its sequence a vector stands; shapes stay as they are."""

    per_example = True
    supports_masking = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape


@register("layer")
class PositionEmbedding(Positional):
    """A trained vector for each place in a sequence, to be added to the inputs.

    Args:
        sequence_length: number of places.
        initializer: initial values of `embeddings`, ``(sequence_length, features)``.

    Input ``(batch, length, features)`` with a length of at most `sequence_length`; the output has
    the same shape and does not depend on the input's values.

    Raises:
        ValueError: if `sequence_length` is not a whole number of at least 1, or the input is
            longer.
    """

    per_example = True

    def __init__(
        self, sequence_length: int, initializer: Any = "glorot_uniform", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not is_count(sequence_length):
            raise ValueError(
                f"PositionEmbedding layer {self.name!r}: sequence_length must be a whole number of "
                f"at least 1; got {sequence_length!r}."
            )
        self.sequence_length = sequence_length
        weight_arguments.keep(self, "embeddings", initializer)

    def build(self, inputs_shape: Any) -> None:
        """Create the table."""
        self.position_embeddings = weight_arguments.create(
            self, "embeddings", (self.sequence_length, inputs_shape[-1])
        )

    def call(self, inputs: Any, start_index: Any = 0, positions: Any = None) -> Any:
        """Vectors of the places.

        Args:
            inputs: ``(batch, length, features)``.
            start_index: place of the first input.
            positions: places of all inputs, ``(batch, length)``, in place of `start_index`.
        """
        table, length = jnp.asarray(self.position_embeddings.value), inputs.shape[-2]
        if positions is not None:
            return jnp.broadcast_to(look_up(table, positions), inputs.shape)
        last = length + (start_index if isinstance(start_index, int) else 0)
        if last > self.sequence_length:
            raise ValueError(
                f"PositionEmbedding layer {self.path!r} has {self.sequence_length} places; the "
                f"input of shape {inputs.shape} reaches place {last}. Raise sequence_length, or "
                "cut the input."
            )
        rows = jax.lax.dynamic_slice_in_dim(table, start_index, length)
        return jnp.broadcast_to(rows, inputs.shape)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        described = weight_arguments.describe(self, "embeddings")
        return {
            **super().get_config(),
            "sequence_length": self.sequence_length,
            "initializer": described["embeddings_initializer"],
        }


def _angles(places: Any, max_wavelength: float, features: int) -> Any:
    """``place / max_wavelength ** (2 i / features)``, i to half the features: ``(…, half)``."""
    half = -(-features // 2)
    rates = np.float32(max_wavelength) ** (-2.0 * np.arange(half, dtype="f") / features)
    return jnp.asarray(places, jnp.float32)[..., None] * rates


def _places(start_index: Any, length: int, positions: Any) -> Any:
    """Places of the inputs: ``(length,)``, or `positions` as given."""
    return start_index + jnp.arange(length) if positions is None else positions


@register("layer")
class SinePositionEncoding(Positional):
    """Sines and cosines of the place, to be added to the inputs (Vaswani et al. 2017).

    Args:
        max_wavelength: the longest wavelength, over 2 pi.

    Input and output are ``(batch, length, features)``; even features hold sines, odd ones cosines.
    """

    per_example = True

    def __init__(self, max_wavelength: float = 10000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_wavelength = max_wavelength

    def call(self, inputs: Any, start_index: Any = 0, positions: Any = None) -> Any:
        """Waves at the places; arguments as in `PositionEmbedding`."""
        length, features = inputs.shape[-2:]
        places = _places(start_index, length, positions)
        angles = _angles(places, self.max_wavelength, features)
        waves = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1)
        waves = waves.reshape(*angles.shape[:-1], -1)[..., :features]
        return jnp.broadcast_to(waves.astype(self.compute_dtype), inputs.shape)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "max_wavelength": self.max_wavelength}


@register("layer")
class RotaryEmbedding(Positional):
    """Turns pairs of features by angles that grow with the place (Su et al. 2021, "RoFormer").

    Products of two turned vectors depend on the distance of their places only. A feature of the
    first half is paired with the one at the same place in the second half.

    Args:
        max_wavelength: the longest wavelength, over 2 pi.
        scaling_factor: places are divided by it, to stretch a trained range.
        sequence_axis: axis of the places.
        feature_axis: axis of the features, of even size.

    Input and output have any one shape with these axes, ``(batch, length, heads, features)`` say.

    Raises:
        ValueError: if the number of features is odd.
    """

    per_example = True

    def __init__(
        self,
        max_wavelength: float = 10000,
        scaling_factor: float = 1.0,
        sequence_axis: int = 1,
        feature_axis: int = -1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_wavelength = max_wavelength
        self.scaling_factor = scaling_factor
        self.sequence_axis = sequence_axis
        self.feature_axis = feature_axis

    def call(self, inputs: Any, start_index: Any = 0, positions: Any = None) -> Any:
        """Turn the inputs; arguments as in `PositionEmbedding`."""
        sequence, feature = (axis % inputs.ndim for axis in (self.sequence_axis, self.feature_axis))
        length, features = inputs.shape[sequence], inputs.shape[feature]
        if features % 2:
            raise ValueError(
                f"RotaryEmbedding layer {self.path!r} turns pairs, so the number of features must "
                f"be even; got an input of shape {inputs.shape}."
            )
        places = jnp.asarray(_places(start_index, length, positions)) / self.scaling_factor
        angles = _angles(places, self.max_wavelength, features)
        moved = jnp.moveaxis(inputs, (sequence, feature), (1, -1))
        between = (1,) * (moved.ndim - 3)
        angles = angles.reshape(*angles.shape[:-1], *between, angles.shape[-1])
        cosine, sine = (wave(angles).astype(inputs.dtype) for wave in (jnp.cos, jnp.sin))
        first, second = jnp.split(moved, 2, axis=-1)
        turned = jnp.concatenate(
            [first * cosine - second * sine, second * cosine + first * sine], axis=-1
        )
        return jnp.moveaxis(turned, (1, -1), (sequence, feature))

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "max_wavelength": self.max_wavelength,
            "scaling_factor": self.scaling_factor,
            "sequence_axis": self.sequence_axis,
            "feature_axis": self.feature_axis,
        }


@register("layer")
class TokenAndPositionEmbedding(Layer):
    """A trained vector of each token plus one of its place.

    Args:
        vocabulary_size: number of tokens.
        sequence_length: number of places.
        embedding_dim: size of the vectors.
        tie_weights: whether `token_embedding` scores tokens with the table it embeds them by.
        embeddings_initializer: initial values of both tables.
        mask_zero: whether token 0 is padding and masked.

    Input ``(batch, length)`` of whole numbers, output ``(batch, length, embedding_dim)``.
    """

    per_example = True

    def __init__(
        self,
        vocabulary_size: int,
        sequence_length: int,
        embedding_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        mask_zero: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.autocast = False  # numbers that arrive as floats stay exact
        self.supports_masking = mask_zero
        self.token_embedding = ReversibleEmbedding(
            vocabulary_size,
            embedding_dim,
            tie_weights,
            embeddings_initializer,
            mask_zero=mask_zero,
            dtype=self.dtype_policy,
            name="token_embedding",
        )
        self.position_embedding = PositionEmbedding(
            sequence_length,
            embeddings_initializer,
            dtype=self.dtype_policy,
            name="position_embedding",
        )

    def build(self, input_shape: Any) -> None:
        """Create both tables."""
        self.token_embedding.build_from_config({"input_shape": tuple(input_shape)})
        embedded = (*input_shape, self.token_embedding.output_dim)
        self.position_embedding.build_from_config({"inputs_shape": embedded})

    def call(self, inputs: Any, start_index: Any = 0, positions: Any = None) -> Any:
        """Embed; arguments as in `PositionEmbedding`."""
        embedded = self.token_embedding(inputs)
        return embedded + self.position_embedding(
            embedded, start_index=start_index, positions=positions
        )

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where the token is not 0, with `mask_zero`."""
        return self.token_embedding.compute_mask(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, length, embedding_dim)``."""
        return (*input_shape, self.token_embedding.output_dim)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        token = self.token_embedding
        described = weight_arguments.describe(token, "embeddings")
        return {
            **super().get_config(),
            "vocabulary_size": token.input_dim,
            "sequence_length": self.position_embedding.sequence_length,
            "embedding_dim": token.output_dim,
            "tie_weights": token.tie_weights,
            "embeddings_initializer": described["embeddings_initializer"],
            "mask_zero": token.mask_zero,
        }

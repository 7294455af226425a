"""`ModalityDropout`: whole inputs left out while training."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.random import layer_key
from slipstream.core.registry import register
from slipstream.core.scope import attach
from slipstream.layers.fusion.base import Fusion, in_order, like, widened


@register("layer")
class ModalityDropout(Fusion):
    """Leave out whole modalities of each example while training (Neverova et al., 2015).

    Each input that is there is dropped with probability `rate`; if that would leave none, one of
    them, each as likely, is kept. What is dropped becomes 0 and is marked as missing by a mask
    ``(batch,)`` (or ``(batch, time)`` where the input has such a mask), so that a fusion layer
    that follows gives it no weight and scales the rest.

    Args:
        rate: probability to drop an input, from 0 to 1; at 1 exactly one is kept.
        scale: instead of marking what is dropped, multiply what is kept by one over the
            probability of keeping it, so that the expected value stays the same. For layers that
            know no masks, such as `Concatenate` and `Dense`.
        seed: makes this layer's draws independent of its place in the model.

    Inputs are a list or dictionary of arrays ``(batch, …)``; outputs have the same form. Called
    with a ``presence_mask`` the layer marks what is missing in prediction too; see `Fusion`.

    Raises:
        ValueError: if `rate` is not between 0 and 1.
    """

    per_example = True
    supports_masking = False  # `call` notes each output's own mask
    _least = 1

    def __init__(
        self, rate: float = 0.5, scale: bool = False, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(rate, bool) or not 0 <= rate <= 1:
            raise ValueError(
                f"ModalityDropout layer {self.name!r}: rate must be between 0 and 1; got {rate}."
            )
        self.rate = rate
        self.scale = bool(scale)
        self.seed = seed

    def build(self, input_shape: Any) -> None:
        """Check that there are several inputs."""
        self._shapes(input_shape)

    def call(  # type: ignore[override]
        self, inputs: Any, presence_mask: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Drop inputs while training, and mark what is missing."""
        arrays, present = self._gather(inputs, presence_mask, mask)
        if training and self.rate > 0:
            arrays, present = self._drop(arrays, present)
        for array, there in zip(arrays, present):
            if there is not None:
                attach(array, "mask", there)
        return like(inputs, arrays)

    def _drop(self, arrays: list[Any], present: list[Any]) -> tuple[list[Any], list[Any]]:
        shape = (arrays[0].shape[0], len(arrays))
        there = jnp.stack(
            [
                jnp.ones(shape[0], bool) if one is None else one.reshape(shape[0], -1).any(1)
                for one in present
            ],
            1,
        )
        share = jnp.where(there, jax.random.uniform(layer_key(self, self.seed), shape), -1.0)
        best = jnp.arange(shape[1]) == jnp.argmax(share, 1)[:, None]
        keep = there & ((share >= self.rate) | best)
        count = jnp.sum(there, 1)
        chance = 1 - self.rate + self.rate**count / jnp.maximum(count, 1)
        dropped, marks = [], []
        for i, (array, known) in enumerate(zip(arrays, present)):
            kept = widened(keep[:, i], array)
            if self.scale:
                array = array / widened(chance, array).astype(array.dtype)
            dropped.append(jnp.where(kept, array, 0))
            if self.scale:
                marks.append(known)
            else:
                marks.append(
                    keep[:, i] if known is None else widened(keep[:, i], known.ndim) & known
                )
        return dropped, marks

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The inputs' shapes."""
        return like(input_shape, [tuple(shape) for shape in in_order(input_shape)])

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        own = {"rate": self.rate, "scale": self.scale, "seed": self.seed}
        return {**super().get_config(), **own}

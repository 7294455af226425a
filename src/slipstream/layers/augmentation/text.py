"""Layers that change texts of whole numbers: tokens masked, dropped or put elsewhere."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core.registry import register
from slipstream.layers.augmentation.sequence_base import SequenceDrawing


class TokenDrawing(SequenceDrawing):
    """A layer on tokens ``(batch, length)``, whole numbers, whose types stay as they are."""

    keeps_dtype = True
    _axes = "(batch, length) of whole numbers"
    _ranks = (2,)

    def _share(self, argument: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise self._fault(argument, "a number from 0 to 1", value)
        return value

    def _token(self, argument: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise self._fault(argument, "a whole number", value)
        return int(value)

    def _prepared(self, inputs: Any) -> Any:
        if not jnp.issubdtype(inputs.dtype, jnp.integer):
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} takes whole numbers; got "
                f"{inputs.dtype}. Cast the tokens, as with dtype='int32' in their Input."
            )
        return inputs


@register("layer")
class TokenMasking(TokenDrawing):
    """Hide tokens behind a mask token, as for a masked language model (Devlin et al., 2019).

    Each token that is not special is chosen with probability `rate`. Of those chosen a share
    becomes the mask token, a share a random token, and the rest stays.

    Args:
        vocabulary_size: tokens are below it; random ones are drawn from all but the special ones
            and the mask token.
        mask_token: what hidden tokens become.
        rate: probability of being chosen.
        mask_share, random_share: what becomes of the chosen ones, together at most 1.
        special_tokens: tokens that are never chosen, such as padding.
        return_labels: whether to return a dictionary with ``"inputs"``, the tokens as they were
            under ``"labels"``, and under ``"sample_weight"`` 1 where a token was chosen and 0
            elsewhere: what `fit` needs to train on the chosen ones alone.
        seed: see `Drawing`.

    Input ``(batch, length)`` whole numbers, or a dictionary with it under ``"inputs"``; output
    alike.

    Raises:
        ValueError: for shares beyond 0 to 1, or tokens that are no whole numbers.
    """

    _arguments = (
        "vocabulary_size", "mask_token", "rate", "mask_share", "random_share", "special_tokens",
        "return_labels", "seed",
    )  # fmt: skip

    def __init__(
        self,
        vocabulary_size: int,
        mask_token: int,
        rate: float = 0.15,
        mask_share: float = 0.8,
        random_share: float = 0.1,
        special_tokens: Any = (0,),
        return_labels: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.vocabulary_size = self._token("vocabulary_size", vocabulary_size)
        self.mask_token = self._token("mask_token", mask_token)
        self.rate = self._share("rate", rate)
        self.mask_share = self._share("mask_share", mask_share)
        self.random_share = self._share("random_share", random_share)
        if mask_share + random_share > 1 + 1e-9:
            shares = (mask_share, random_share)
            raise self._fault("mask_share and random_share", "at most 1 together", shares)
        self.special_tokens = tuple(self._token("special_tokens", t) for t in special_tokens)
        self.return_labels = bool(return_labels)
        others = {self.mask_token, *self.special_tokens}
        self._drawn = np.setdiff1d(np.arange(self.vocabulary_size), list(others)).astype(np.int32)
        if random_share and not self._drawn.size:
            raise self._fault("vocabulary_size", "above the number of special tokens", others)

    def _change(self, known: dict[str, Any], key: Any) -> dict[str, Any]:
        tokens = known["inputs"]
        choice, fate, other = jnp.moveaxis(jax.random.uniform(key, (*tokens.shape, 3)), -1, 0)
        chosen = choice < self.rate
        for special in self.special_tokens:
            chosen &= tokens != special
        changed = jnp.where(fate < self.mask_share, self.mask_token, tokens)
        if self.random_share:
            place = jnp.floor(other * self._drawn.size).astype(jnp.int32)
            drawn = jnp.asarray(self._drawn)[jnp.minimum(place, self._drawn.size - 1)]
            among = (fate >= self.mask_share) & (fate < self.mask_share + self.random_share)
            changed = jnp.where(among, drawn, changed)
        hidden = jnp.where(chosen, changed, tokens).astype(tokens.dtype)
        return self._labelled({**known, "inputs": hidden}, tokens, chosen)

    def _keep(self, known: dict[str, Any]) -> dict[str, Any]:
        tokens = known["inputs"]
        return self._labelled(known, tokens, jnp.zeros(tokens.shape, bool))

    def _labelled(self, known: dict[str, Any], tokens: Any, chosen: Any) -> dict[str, Any]:
        if not self.return_labels:
            return known
        weights = chosen.astype(self.compute_dtype)
        return {**known, "labels": tokens, "sample_weight": weights}


@register("layer")
class TokenDropout(TokenDrawing):
    """Leave out tokens and close the gaps (random deletion; Wei and Zou, 2019).

    What is left moves to the front, padding follows. One token at least stays of those that are no
    padding.

    Args:
        rate: probability of being left out.
        pad_token: what is no token.
        seed: see `Drawing`.

    Input and output as in `TokenMasking`.

    Raises:
        ValueError: for a rate beyond 0 to 1.
    """

    _arguments = ("rate", "pad_token", "seed")

    def __init__(
        self, rate: float = 0.1, pad_token: int = 0, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.rate = self._share("rate", rate)
        self.pad_token = self._token("pad_token", pad_token)

    def _change(self, known: dict[str, Any], key: Any) -> dict[str, Any]:
        tokens = known["inputs"]
        real = tokens != self.pad_token
        share = jnp.where(real, jax.random.uniform(key, tokens.shape), -1.0)
        best = share == jnp.max(share, 1, keepdims=True, initial=-1.0)
        return {**known, "inputs": closed_up(tokens, real & ((share >= self.rate) | best), self)}


@register("layer")
class TokenSwap(TokenDrawing):
    """Let some tokens change places with one another (as random swaps; Wei and Zou, 2019).

    Each token that is no padding takes part with probability `rate`; those of an example that do
    are put into a random order.

    Args:
        rate: probability of taking part.
        pad_token: what is no token.
        seed: see `Drawing`.

    Input and output as in `TokenMasking`.

    Raises:
        ValueError: for a rate beyond 0 to 1.
    """

    _arguments = ("rate", "pad_token", "seed")

    def __init__(
        self, rate: float = 0.1, pad_token: int = 0, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.rate = self._share("rate", rate)
        self.pad_token = self._token("pad_token", pad_token)

    def _change(self, known: dict[str, Any], key: Any) -> dict[str, Any]:
        tokens = known["inputs"]
        share, order = jnp.moveaxis(jax.random.uniform(key, (*tokens.shape, 2)), -1, 0)
        part = (share < self.rate) & (tokens != self.pad_token)
        # Places that take part first, in order and shuffled; the others behind, in order.
        places = jnp.argsort(~part, axis=1, stable=True)
        sources = jnp.argsort(jnp.where(part, order, 2.0), axis=1, stable=True)
        moved = jnp.take_along_axis(tokens, sources, 1)
        rows = jnp.arange(tokens.shape[0])[:, None]
        return {**known, "inputs": jnp.zeros_like(tokens).at[rows, places].set(moved)}


def closed_up(tokens: Any, kept: Any, layer: Any) -> Any:
    """The kept tokens of each row at its front, padding behind."""
    order = jnp.argsort(~kept, axis=1, stable=True)
    front = jnp.arange(tokens.shape[1]) < jnp.sum(kept, 1, keepdims=True)
    moved = jnp.take_along_axis(tokens, order, 1)
    return jnp.where(front, moved, layer.pad_token).astype(tokens.dtype)

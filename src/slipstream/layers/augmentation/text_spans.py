"""`SpanCorruption`: stretches of text to fill in."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.layers.augmentation.text import TokenDrawing


@register("layer")
class SpanCorruption(TokenDrawing):
    """Replace stretches of tokens by one sentinel each, to be filled in (T5; Raffel et al., 2020).

    Of an example with `n` tokens ``round(n * rate)`` are taken out, at least one and at most
    ``n - 1``, as ``round(taken / mean_length)`` stretches of random lengths between stretches that
    stay; the first that stays begins the text. The i-th sentinel is ``first_sentinel - i``. Labels
    are each sentinel followed by what it stands for, and one sentinel more at the end. An example
    of fewer than two tokens stays as it is, its labels the first sentinel.

    Args:
        first_sentinel: the first sentinel, mostly the last token of the vocabulary.
        rate: share of the tokens to take out.
        mean_length: mean length of a stretch.
        pad_token: what is no token; padding is at the end of texts.
        label_length: length of the labels, padded or cut; long enough for any input if not given.
        seed: see `Drawing`.

    Input ``(batch, length)`` whole numbers, or a dictionary with it under ``"inputs"``; output a
    dictionary with ``"inputs"`` of the same shape and ``"labels"`` ``(batch, label_length)``. In
    prediction inputs stay, and labels are padding.

    Raises:
        ValueError: for a rate beyond 0 to 1, a mean length below 1, or numbers that are no whole
            ones.
    """

    _arguments = ("first_sentinel", "rate", "mean_length", "pad_token", "label_length", "seed")

    def __init__(
        self,
        first_sentinel: int,
        rate: float = 0.15,
        mean_length: float = 3.0,
        pad_token: int = 0,
        label_length: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.first_sentinel = self._token("first_sentinel", first_sentinel)
        self.rate = self._share("rate", rate)
        if not isinstance(mean_length, (int, float)) or mean_length < 1:
            raise self._fault("mean_length", "a number of at least 1", mean_length)
        self.mean_length = mean_length
        self.pad_token = self._token("pad_token", pad_token)
        if label_length is not None and self._token("label_length", label_length) < 1:
            raise self._fault("label_length", "at least 1", label_length)
        self.label_length = label_length

    def _counts(self, length: Any) -> tuple[Any, Any]:
        """How many tokens are taken out of so many, and in how many stretches."""
        taken = jnp.clip(jnp.round(length * self.rate), 1, length - 1)
        spans = jnp.clip(jnp.round(taken / self.mean_length), 1, jnp.minimum(taken, length - taken))
        none = length < 2
        return tuple(jnp.where(none, 0, n).astype(jnp.int32) for n in (taken, spans))  # type: ignore[return-value]

    def _most_labels(self, length: int) -> int:
        if self.label_length is not None:
            return self.label_length
        taken, spans = self._counts(jnp.arange(length + 1))
        return int(jnp.max(taken + spans)) + 1

    def _keep(self, known: dict[str, Any]) -> dict[str, Any]:
        tokens = known["inputs"]
        with jax.ensure_compile_time_eval():
            shape = (tokens.shape[0], self._most_labels(tokens.shape[1]))
        return {**known, "labels": jnp.full(shape, self.pad_token, tokens.dtype)}

    def _change(self, known: dict[str, Any], key: Any) -> dict[str, Any]:
        tokens = known["inputs"]
        size = tokens.shape[1]
        with jax.ensure_compile_time_eval():
            label_size = self._most_labels(size)
        length = jnp.sum(tokens != self.pad_token, 1)
        taken, spans = self._counts(length)
        first, second = jnp.moveaxis(jax.random.uniform(key, (*tokens.shape, 2)), -1, 0)
        lengths_kept = _segments(first, length - taken, spans)
        lengths_taken = _segments(second, taken, spans)
        # Where the i-th stretch begins, and where it ends.
        before = jnp.cumsum(lengths_kept, 1)
        out = jnp.cumsum(lengths_taken, 1)
        begin, end = before + out - lengths_taken, before + out
        place = jnp.arange(size)
        some = place < spans[:, None]
        rows = jnp.arange(tokens.shape[0])[:, None]
        begins = jnp.zeros((len(tokens), size + 1), jnp.int32)
        ends = begins.at[rows, jnp.where(some, end, size)].add(some.astype(jnp.int32))[:, :size]
        begins = begins.at[rows, jnp.where(some, begin, size)].add(some.astype(jnp.int32))
        begins = begins[:, :size]
        hidden = (jnp.cumsum(begins, 1) - jnp.cumsum(ends, 1)) > 0
        number = jnp.cumsum(begins, 1) - 1  # of the stretch that began last
        sentinels = self.first_sentinel - number
        real = place < length[:, None]
        starts = begins > 0
        inputs = _packed(
            jnp.where(starts, sentinels, tokens), (starts | ~hidden) & real, size, self.pad_token
        )
        # A sentinel stands before the token that it begins with.
        pairs = jnp.stack([sentinels, tokens], -1).reshape(len(tokens), 2 * size)
        there = jnp.stack([starts, hidden & real], -1).reshape(len(tokens), 2 * size)
        last = (self.first_sentinel - spans)[:, None]
        labels = _packed(
            jnp.concatenate([pairs, last], 1),
            jnp.concatenate([there, jnp.ones_like(last, bool)], 1),
            label_size,
            self.pad_token,
        )
        dtype = tokens.dtype
        return {**known, "inputs": inputs.astype(dtype), "labels": labels.astype(dtype)}


def _segments(draws: Any, items: Any, segments: Any) -> Any:
    """Random lengths of at least 1 that sum to `items`, ``(batch, length)``, 0 past `segments`.

    Every way to cut so many items into so many segments is as likely.
    """
    size = draws.shape[1]
    place = jnp.arange(size)
    # Cuts lie before items 1 to items - 1; those with the least draws are made.
    possible = (place >= 1) & (place < items[:, None])
    rank = jnp.argsort(jnp.argsort(jnp.where(possible, draws, 2.0), axis=1), axis=1)
    cuts = possible & (rank < segments[:, None] - 1)
    segment = jnp.cumsum(cuts, 1)
    counted = (place < items[:, None]) & (segments[:, None] > 0)
    rows = jnp.arange(len(draws))[:, None]
    return jnp.zeros(draws.shape, jnp.int32).at[rows, segment].add(counted.astype(jnp.int32))


def _packed(values: Any, there: Any, size: int, fill: int) -> Any:
    """The values that are there at the front of ``(batch, size)``, `fill` behind."""
    place = jnp.where(there, jnp.cumsum(there, 1) - 1, size)
    rows = jnp.arange(len(values))[:, None]
    packed = jnp.full((len(values), size), fill, values.dtype)
    return packed.at[rows, place].set(values, mode="drop")

"""`StringLookup`: words and other text by their numbers in a vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.core.registry import register
from slipstream.layers.preprocessing.hashing import hash_text
from slipstream.layers.preprocessing.host import as_text
from slipstream.layers.preprocessing.lookup import UNKNOWN, Lookup


class _Table(dict[str, int]):
    """Number of each token; unknown ones are spread by their hash."""

    def __init__(self, known: Any, first: int, unknown: int, salt: Any) -> None:
        super().__init__(known)
        self.first, self.unknown, self.salt = first, unknown, salt

    def __missing__(self, token: str) -> int:
        if self.unknown == 1:
            return self.first
        return self.first + hash_text(token, self.salt) % self.unknown if self.unknown else UNKNOWN


@register("layer")
class StringLookup(Lookup):
    """Text as numbers: its place in a vocabulary, which is given or learnt by `adapt`.

    Works on the host, on any shape of strings or bytes (arrays, lists, pandas columns).

    Args:
        max_tokens: size of the vocabulary at most, mask and unknown tokens included.
        num_oov_indices: numbers for unknown text; several are shared out by hash.
        mask_token: text that gets number 0 in mode ``"int"``; none if not given.
        oov_token: what stands for unknown text in `get_vocabulary` and with `invert`.
        vocabulary: tokens in order, or the path of a text file with one a line.
        idf_weights: weight of each token, for ``"tf_idf"`` with a given vocabulary.
        invert: turn numbers into text instead.
        output_mode: ``"int"``, or over the last axis ``"one_hot"``, ``"multi_hot"``, ``"count"``
            or ``"tf_idf"`` (count times inverse document frequency).
        pad_to_max_tokens: make encoded outputs `max_tokens` wide whatever the vocabulary has.
        sparse: not supported.
        encoding: of bytes.
        salt: one or two whole numbers: another hash for unknown text.

    Raises:
        ValueError: if arguments do not fit together, an input is no text, or the layer is called
            before it has a vocabulary.
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str | None = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        self.encoding = encoding
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            sparse,
            pad_to_max_tokens,
            kwargs.pop("oov_method", "floormod"),
            salt,
            name=name,
            **kwargs,
        )

    @property
    def output_dtype(self) -> str:
        """``"int32"``; ``"tf_idf"`` gives floats, `invert` text."""
        return "string" if self.invert else super().output_dtype

    def _parse(self, tokens: Any) -> list[str]:
        return as_text(np.asarray(tokens, object), self, self.encoding).tolist()

    def _read(self, inputs: Any) -> np.ndarray:
        return as_text(inputs, self, self.encoding)

    def _numbers(self) -> _Table:
        if self._table is None:
            specials = self._specials()
            first = len(specials) - self.num_oov_indices
            known = {token: len(specials) + i for i, token in enumerate(self._tokens)}
            if self.mask_token is not None:
                known[self.mask_token] = self._mask_number
            self._table = _Table(known, first, self.num_oov_indices, self.salt)
        return self._table

    def _find(self, tokens: np.ndarray) -> np.ndarray:
        table, flat = self._numbers(), tokens.ravel().tolist()
        numbers = np.fromiter(map(table.__getitem__, flat), np.int32, len(flat))
        if not self.num_oov_indices and (numbers == UNKNOWN).any():
            raise self._unknown([flat[i] for i in np.flatnonzero(numbers == UNKNOWN)[:5]])
        return numbers.reshape(tokens.shape)

    def _take(self, indices: np.ndarray) -> np.ndarray:
        tokens = np.array([*self.get_vocabulary(), self.oov_token], object)
        outside = (indices < 0) | (indices >= len(tokens) - 1)
        return tokens[np.where(outside, len(tokens) - 1, indices)].astype(str)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer; what was learnt is saved beside them."""
        return {**super().get_config(), "encoding": self.encoding}

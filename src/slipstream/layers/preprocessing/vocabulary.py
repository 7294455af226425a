"""The vocabulary of a lookup layer: counted from data, given, read from a file, and kept."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

FILE = "vocabulary.txt"


class Tally:
    """How often each token came, and in how many documents.

    Documents are counted apart only where they are wanted, for ``"tf_idf"``.
    """

    def __init__(self, by_document: bool) -> None:
        self.by_document = by_document
        self.tokens: Counter[Any] = Counter()
        self.documents: Counter[Any] = Counter()
        self.number = 0

    def add(self, rows: Iterable[list[Any]]) -> None:
        """Count the tokens of some documents."""
        for row in rows:
            self.tokens.update(row)
            if self.by_document:
                self.documents.update(set(row))
                self.number += 1

    def ranked(self, without: Iterable[Any]) -> list[Any]:
        """The tokens, most frequent first; of equals the greater first, as Keras ranks them."""
        left_out = set(without)
        counted = [item for item in self.tokens.items() if item[0] not in left_out]
        counted.sort(key=lambda item: (item[1], item[0]), reverse=True)
        return [token for token, _ in counted]

    def inverse_frequencies(self, tokens: list[Any]) -> np.ndarray:
        """``log(1 + documents / (1 + documents with the token))`` of each, float32."""
        counts = np.array([self.documents[token] for token in tokens], np.float64)
        return np.log1p(self.number / (1 + counts)).astype(np.float32)


def read(path: Any, layer: Any) -> list[str]:
    """The lines of a vocabulary file.

    Raises:
        ValueError: if it is missing or empty.
    """
    file = Path(os.fspath(path))
    if not file.is_file():
        raise ValueError(
            f"{type(layer).__name__} layer {layer.name!r}: there is no vocabulary file "
            f"{str(file)!r}. Give its path, or a list of tokens."
        )
    lines = file.read_text("utf-8").split("\n")
    return lines[:-1] if len(lines) > 1 and lines[-1] == "" else lines


def write(path: Path, tokens: Iterable[Any]) -> None:
    """Keep tokens in a file, one a line."""
    path.write_text("\n".join(str(token) for token in tokens), "utf-8")


def first_repeated(tokens: list[Hashable]) -> list[Any]:
    """Some of the tokens that come more than once."""
    return [token for token, count in Counter(tokens).items() if count > 1][:3]

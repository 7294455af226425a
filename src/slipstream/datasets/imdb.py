"""50,000 film reviews as word numbers, good or bad (Maas et al., 2011)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from slipstream.datasets.objects import read_npz
from slipstream.datasets.sequences import limited, numbered
from slipstream.datasets.standard import Pair, fetch, shuffled

_HASH = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[Pair, Pair]:
    """``(x_train, y_train), (x_test, y_test)``: lists of word numbers, and 1 for a good review.

    Arguments as `slipstream.datasets.sequences` tells; downloaded once.
    """
    data = read_npz(fetch(path, "imdb.npz", _HASH))
    generator = np.random.RandomState(seed)
    train, test = (
        numbered(
            *shuffled(data[f"x_{part}"], data[f"y_{part}"], generator),
            start_char,
            index_from,
            maxlen,
        )
        for part in ("train", "test")
    )
    x = limited(train[0] + test[0], num_words, skip_top, oov_char)
    cut = len(train[0])
    return (x[:cut], train[1]), (x[cut:], test[1])


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """The rank of each word, from 1; `load_data` adds `index_from` to it."""
    file = fetch(path, "imdb_word_index.json", "bfafd718b763782e994055a2d397834f")
    return json.loads(Path(file).read_text(encoding="utf-8"))

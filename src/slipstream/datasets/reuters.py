"""11,228 newswires as word numbers, with one of 46 topics (Reuters-21578)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from slipstream.datasets.objects import read_npz
from slipstream.datasets.sequences import limited, numbered
from slipstream.datasets.standard import Pair, fetch, shuffled

_HASH = "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
_TOPICS = """cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade
    reserves ship cotton carcass crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold
    tin strategic-metal livestock retail ipi iron-steel rubber heat jobs lei bop zinc orange
    pet-chem dlr gas silver wpi hog lead"""


def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[Pair, Pair]:
    """``(x_train, y_train), (x_test, y_test)``: lists of word numbers, and numbers of topics.

    Arguments as `slipstream.datasets.sequences` tells; downloaded once.
    """
    data = read_npz(fetch(path, "reuters.npz", _HASH))
    x, y = shuffled(data["x"], data["y"], np.random.RandomState(seed))
    rows, y = numbered(x, y, start_char, index_from, maxlen)
    x = limited(rows, num_words, skip_top, oov_char)
    cut = int(len(x) * (1 - test_split))
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """The rank of each word, from 1; `load_data` adds `index_from` to it."""
    file = fetch(path, "reuters_word_index.json", "4d44cc38712099c9e383dc6e5f11a921")
    return json.loads(Path(file).read_text(encoding="utf-8"))


def get_label_names() -> tuple[str, ...]:
    """The topics, in the order of their numbers."""
    return tuple(_TOPICS.split())

"""Which texts are nearly equal: shingles and MinHash (Broder 1997)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LETTERS = 6  # of a shingle
BANDS, HASHES = 10, 4  # texts that agree in all hashes of one band are compared
ALIKE = 0.8  # share of common shingles (Jaccard) from which on texts are nearly equal
LONG = 40  # letters on average from which on a column holds texts rather than categories
NEIGHBOURS = 4
BATCH = 2**24  # letters worked on at a time


def are_texts(values: Sequence[str]) -> bool:
    """Whether different entries of a column are texts, rather than names of categories."""
    return bool(len(values)) and sum(map(len, values)) >= LONG * len(values)


def alike_texts(texts: Sequence[str]) -> np.ndarray:
    """Pairs ``(pairs, 2)`` of nearly equal texts; case, punctuation and spaces do not count."""
    plain = [_plain(text) for text in texts]
    signatures = np.concatenate([_signatures(part) for part in _parts(plain)])
    found = [np.zeros((0, 2), np.int64)]
    for band in range(BANDS):
        keys = signatures[:, band * HASHES : (band + 1) * HASHES]
        order = np.lexsort(keys.T)
        ordered = keys[order]
        for gap in range(1, NEIGHBOURS + 1):
            same = np.flatnonzero((ordered[gap:] == ordered[:-gap]).all(1))
            found.append(np.sort(np.stack([order[same], order[same + gap]], 1), 1))
    pairs = np.unique(np.concatenate(found), axis=0)
    likely = (signatures[pairs[:, 0]] == signatures[pairs[:, 1]]).mean(1) >= ALIKE - 0.25
    pairs = pairs[likely]
    return pairs[[_common(plain[one], plain[other]) >= ALIKE for one, other in pairs.tolist()]]


def _plain(text: str) -> str:
    """Letters and digits of a text in lower case, one space between words."""
    return " ".join("".join(c if c.isalnum() else " " for c in str(text).lower()).split())


def _parts(texts: list[str]) -> list[list[str]]:
    """Texts in lists of about `BATCH` letters."""
    parts: list[list[str]] = [[]]
    letters = 0
    for text in texts:
        letters += len(text)
        if letters > BATCH and parts[-1]:
            parts.append([])
            letters = len(text)
        parts[-1].append(text)
    return parts


def _shingles(text: str) -> np.ndarray:
    """Hash of each run of `LETTERS` letters; of a shorter text, of what there is."""
    return _rolled(text.ljust(LETTERS))


def _rolled(text: str) -> np.ndarray:
    letters = text.encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(letters, np.uint32).astype(np.uint64)
    found = np.zeros(len(codes) - LETTERS + 1, np.uint64)
    for place in range(LETTERS):
        found = found * np.uint64(0x9E3779B97F4A7C15) + codes[place : place + len(found)]
    return found ^ (found >> np.uint64(31))


def _signatures(texts: list[str]) -> np.ndarray:
    """For each text the least of its shingles under each hash: ``(texts, hashes)``."""
    padded = [text.ljust(LETTERS) for text in texts]
    sizes = np.array([len(text) for text in padded])
    ends = np.cumsum(sizes)
    hashes = _rolled("".join(padded))
    across = (ends[:-1, None] - np.arange(1, LETTERS)).ravel()  # shingles of two texts
    numbers = np.random.default_rng(0)
    found = np.empty((len(texts), BANDS * HASHES), np.uint64)
    for column in range(found.shape[1]):
        odd = numbers.integers(0, 2**63, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        mixed = hashes * odd
        mixed ^= mixed >> np.uint64(32)
        mixed[across] = np.iinfo(np.uint64).max
        found[:, column] = np.minimum.reduceat(mixed, ends - sizes)
    return found


def _common(one: str, other: str) -> float:
    """Share of the shingles of two texts that both have."""
    first, second = np.unique(_shingles(one)), np.unique(_shingles(other))
    both = len(np.intersect1d(first, second, assume_unique=True))
    return both / (len(first) + len(second) - both)

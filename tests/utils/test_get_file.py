"""`get_file`: whole, checked, kept, and never outside of its folder."""

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from slipstream.utils import get_file


@pytest.fixture
def place(tmp_path):
    """Files to download, and where to keep them."""
    source = tmp_path / "source"
    (source / "top").mkdir(parents=True)
    (source / "top" / "x.txt").write_text("hello")
    with tarfile.open(source / "top.tar.gz", "w:gz") as archive:
        archive.add(source / "top", "top")
    with zipfile.ZipFile(source / "top.zip", "w") as archive:
        archive.write(source / "top" / "x.txt", "top/x.txt")
    return source, tmp_path / "cache"


def fetch(place, name, **arguments):
    source, cache = place
    return get_file(origin=(source / name).as_uri(), cache_dir=cache, **arguments)


def test_a_file_is_downloaded_once_and_kept(place, capsys):
    path = fetch(place, "top/x.txt")
    assert path == str(place[1] / "datasets" / "x.txt")
    assert Path(path).read_text() == "hello" and "Downloading" in capsys.readouterr().err
    (place[0] / "top" / "x.txt").write_text("changed")
    assert Path(fetch(place, "top/x.txt")).read_text() == "hello"
    assert capsys.readouterr().err == ""
    assert Path(fetch(place, "top/x.txt", force_download=True)).read_text() == "changed"
    renamed = fetch(place, "top/x.txt", fname="y.txt", cache_subdir="other")
    assert renamed == str(place[1] / "other" / "y.txt")


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_hashes_are_checked_before_a_file_takes_its_place(place, algorithm):
    right = hashlib.new(algorithm, b"hello").hexdigest()
    assert fetch(place, "top/x.txt", file_hash=right)
    kept = place[1] / "datasets" / "x.txt"
    kept.write_text("tampered")
    assert Path(fetch(place, "top/x.txt", file_hash=right)).read_text() == "hello"
    with pytest.raises(ValueError, match="It was not kept"):
        fetch(place, "top/x.txt", fname="z.txt", file_hash="0" * len(right))
    assert sorted(os.listdir(kept.parent)) == ["x.txt"]


@pytest.mark.parametrize(
    ("name", "arguments", "folder"),
    [
        ("top.tar.gz", {"extract": True}, "top_extracted"),
        ("top.zip", {"extract": True}, "top_extracted"),
        ("top.tar.gz", {"fname": "mine", "untar": True}, "mine"),
        ("top.zip", {"fname": "mine", "extract": True, "archive_format": "zip"}, "mine"),
    ],
)
def test_archives_are_unpacked_where_keras_unpacks_them(place, name, arguments, folder):
    path = fetch(place, name, **arguments)
    assert path == str(place[1] / "datasets" / folder)
    assert Path(path, "top", "x.txt").read_text() == "hello"
    before = os.stat(path).st_mtime_ns
    fetch(place, name, **arguments)
    assert os.stat(path).st_mtime_ns == before


def evil_tar(path, name, link=None):
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo(name)
        if link:
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            archive.addfile(entry)
        else:
            entry.size = 4
            archive.addfile(entry, io.BytesIO(b"evil"))


@pytest.mark.parametrize(
    ("name", "link"), [("../evil.txt", None), ("a/../../evil.txt", None), ("link", "/etc")]
)
def test_a_tar_that_reaches_outside_is_refused(place, name, link):
    evil_tar(place[0] / "evil.tar", name, link)
    with pytest.raises(ValueError, match="cannot be unpacked"):
        fetch(place, "evil.tar", extract=True)
    assert not (place[1] / "evil.txt").exists()
    assert sorted(os.listdir(place[1] / "datasets")) == ["evil.tar"]


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/slipstream-evil.txt", "a/../../evil.txt"])
def test_a_zip_that_reaches_outside_is_refused(place, name):
    with zipfile.ZipFile(place[0] / "evil.zip", "w") as archive:
        archive.writestr(name, "evil")
    with pytest.raises(ValueError, match="lies outside"):
        fetch(place, "evil.zip", extract=True)
    assert sorted(os.listdir(place[1] / "datasets")) == ["evil.zip"]


def test_a_zip_with_a_link_is_refused(place):
    with zipfile.ZipFile(place[0] / "evil.zip", "w") as archive:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc")
    with pytest.raises(ValueError, match="is a link"):
        fetch(place, "evil.zip", extract=True)


def test_a_damaged_archive_says_how_to_go_on(place):
    whole = (place[0] / "top.tar.gz").read_bytes()
    (place[0] / "short.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="force_download=True"):
        fetch(place, "short.tar.gz", extract=True)
    assert not (place[1] / "datasets" / "short_extracted").exists()


def test_bad_arguments(place):
    with pytest.raises(OSError, match="failed: .*put the file at"):
        fetch(place, "nothing-there")
    with pytest.raises(ValueError, match="needs origin"):
        get_file("x")
    with pytest.raises(ValueError, match="name without folders"):
        fetch(place, "top/x.txt", fname="a/b.txt")
    with pytest.raises(ValueError, match="archive_format"):
        fetch(place, "top.zip", extract=True, archive_format="rar")

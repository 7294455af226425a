"""`slipstream doctor`, and the small commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from slipstream.cli import doctor, doctor_caches, machine
from slipstream.kernels import native


def test_doctor_tells_what_is_here(slipstream):
    code, out, _ = slipstream("doctor", "--json")
    found = json.loads(out)
    assert code == 0 and found["ok"] and found["problems"] == []
    for name in ("jax", "numpy", "h5py"):
        assert found["packages"][name] == version(name)
    assert found["backend"] == "cpu" and len(found["devices"]) >= 1
    assert 0 < found["machine"]["cores"] <= os.cpu_count()
    libraries = native.runnable()
    assert found["native"].startswith(f"native, {libraries[0]}" if libraries else "reference")
    assert found["self_test"]["ok"]
    code, out, _ = slipstream("doctor")
    assert code == 0 and "all is well" in out and "self-test" in out


def test_doctor_counts_the_programs_of_the_cache(monkeypatch, tmp_path):
    import jax

    (tmp_path / "one-cache").write_bytes(b"12345")
    (tmp_path / "one-atime").write_bytes(b"1")
    monkeypatch.delenv("SLIPSTREAM_CACHE", raising=False)
    monkeypatch.setattr(doctor.engine, "enable_cache", lambda: None)
    before = jax.config.jax_compilation_cache_dir
    try:
        jax.config.update("jax_compilation_cache_dir", str(tmp_path))
        found = doctor.cache()
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
    assert found == {"directory": str(tmp_path), "programs": 1, "bytes": 6, "writable": True}


def test_the_cache_is_shown_without_the_users_name():
    assert doctor.home(Path.home() / "a" / "b") == "~/a/b"


@pytest.fixture
def disk(monkeypatch, tmp_path):
    """A cache directory with files of known sizes, which are sparse."""
    monkeypatch.setenv("SLIPSTREAM_CACHE", str(tmp_path))
    monkeypatch.setenv("SLIPSTREAM_CACHE_GB", "5")
    sizes = {"streams/a.arrow": 2_500_000_000, "tables/b.arrow": 3_000_000, "xla/1/x-cache": 7}
    for name, size in sizes.items():
        (tmp_path / name).parent.mkdir(parents=True)
        with open(tmp_path / name, "wb") as file:
            file.truncate(size)
    return tmp_path


def test_doctor_tells_what_the_caches_take_and_how_to_free_them(slipstream, disk):
    found = json.loads(slipstream("doctor", "--json")[1])["disk"]
    taken = {name: each["bytes"] for name, each in found["folders"].items()}
    assert taken["streams"] == 2_500_000_000 and taken["tables"] == 3_000_000
    assert taken["xla"] >= 7 and taken["datasets"] == 0
    assert found["bytes"] == sum(taken.values()) and found["bound_bytes"] == 5_000_000_000
    bounded = {name for name, each in found["folders"].items() if each["bounded"]}
    assert bounded == {"streams", "tables"}
    _, out, _ = slipstream("doctor")
    said = " ".join(out.split())
    assert f"on disk, in {disk}" in said
    assert "streams 2.50 GB, data that .cached() keeps" in said
    assert "streams and tables take 2.50 GB of 5.00 GB, which SLIPSTREAM_CACHE_GB sets" in said
    assert "to free delete any of these folders" in said
    assert "fetched files" not in said  # there are none


def test_freed_folders_count_no_more(disk):
    (disk / "streams" / "a.arrow").unlink()
    found = doctor_caches.caches()
    assert found["folders"]["streams"] == {"bytes": 0, "files": 0, "bounded": True}
    assert found["bytes"] == 3_000_007


def test_every_cache_of_ours_is_counted():
    """Each folder that the sources put into the cache directory."""
    named = set()
    for path in Path(doctor.__file__).parents[1].rglob("*.py"):
        named |= set(re.findall(r"cache_dir\(\) / \"(\w+)\"", path.read_text()))
    assert named == set(doctor_caches.FOLDERS)


def test_a_bound_that_is_none_is_a_problem(slipstream, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_CACHE_GB", "plenty")
    code, out, _ = slipstream("doctor", "--json")
    found = json.loads(out)
    assert code == 1 and found["disk"]["bound_bytes"] is None
    assert found["problems"] == [found["disk"]["problem"]]
    assert "SLIPSTREAM_CACHE_GB must be a number" in found["problems"][0]


def test_a_failing_self_test_is_a_failure(slipstream, monkeypatch):
    from slipstream.models import Sequential

    def broken(self, *_, **__):
        raise RuntimeError("no such instruction\nand more")

    monkeypatch.setattr(Sequential, "fit", broken)
    code, out, _ = slipstream("doctor")
    assert code == 1
    assert "RuntimeError: no such instruction" in out and "not well" in out
    assert "and more" not in out


def test_a_loss_that_does_not_fall_is_a_failure(slipstream, monkeypatch):
    from slipstream.layers import Dense

    monkeypatch.setattr(Dense, "call", lambda self, x: 0 * x[:, :1])
    code, out, _ = slipstream("doctor", "--json")
    assert code == 1 and not json.loads(out)["self_test"]["ok"]


@pytest.mark.parametrize(
    "gone, code, remedy",
    [("h5py", 1, "h5py is missing: pip install h5py"), ("pyarrow", 0, "slipstream[tables]")],
)
def test_what_is_missing_is_told(slipstream, monkeypatch, gone, code, remedy):
    known = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == gone else known(name))
    found, out, _ = slipstream("doctor")
    assert found == code and remedy in out


INTEL = """processor : 0
model name : A Processor 9000
flags : fpu sse4_2 avx avx2 fma avx512f amx_bf16

processor : 1
model name : Another
flags : fpu
"""


@pytest.mark.parametrize(
    "text, name, features",
    [
        (INTEL, "A Processor 9000", ["SSE4.2", "AVX", "AVX2", "FMA", "AVX-512", "AMX BF16"]),
        ("processor\t: 0\nFeatures\t: fp asimd sve", "", ["NEON", "SVE"]),
        ("flags : fpu", "", []),
        ("", "", None),
    ],
)
def test_cpu_features_are_read(text, name, features):
    assert machine.cpu(text) == (name, features)


@pytest.mark.parametrize(
    "quota, most", [("150000 100000", 1.5), ("max 100000", None), ("", None), ("50000 100000", 0.5)]
)
def test_a_containers_quota_counts(monkeypatch, quota, most):
    monkeypatch.setattr(machine, "_read", lambda path: quota if "cpu.max" in path else "")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert machine.usable_cores() == (3 if most is None else most)


def test_version_and_datasets(slipstream):
    assert slipstream("--version")[1] == f"slipstream {version('slipstream')}\n"
    code, out, _ = slipstream("datasets")
    assert code == 0
    for name in ("mnist_5k", "digits", "fashion_mnist", "diabetes"):
        assert name in out


def test_help_loads_neither_the_engine_nor_tables():
    program = (
        "import sys; from slipstream.cli import main; sys.argv = ['slipstream', '--help']\n"
        "try: main.main()\n"
        "finally: print({'jax', 'pandas', 'h5py', 'pyarrow'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr.strip() == "set()"
    assert "train" in done.stdout and "doctor" in done.stdout


def test_an_unknown_option_is_a_usage_error(slipstream):
    code, _, err = slipstream("train", "--epoch", "3")
    assert code == 2 and "No such option" in err and "--epochs" in err

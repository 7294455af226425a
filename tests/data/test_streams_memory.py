"""A file larger than memory allows is gone through in a small part of it."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS, COLUMNS = 100_000, 16  # of a row group: 12.8 MB
PROGRAM = """
import resource, sys
import jax, pyarrow.parquet
from slipstream.data import read

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = peak()
rows = total = 0
for x, y in read(sys.argv[1], target="c0", batch_size=256, shuffle=True, seed=0):
    rows += len(y)
    total += float(x[:, 0].sum(dtype="float64"))
print(rows, total, peak() - before)
"""


def write(path, size):
    """A Parquet file of about `size` bytes; its rows and the sum of its second column."""
    rng = np.random.default_rng(0)
    columns = {f"c{i}": rng.normal(size=ROWS) for i in range(COLUMNS)}
    groups = size // (ROWS * COLUMNS * 8)
    schema = pa.table(columns).schema
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for group in range(groups):
            columns["c1"] = np.full(ROWS, group, float)
            writer.write_table(pa.table(columns))
    assert path.stat().st_size > 0.9 * size
    return groups * ROWS, ROWS * groups * (groups - 1) / 2


def check(path, size, most):
    try:
        rows, total = write(path, size)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        found, added, grown = map(float, done.stdout.split())
        assert (found, added) == (rows, total)
        assert grown < most, f"{grown / 1e6:.0f} MB"
    finally:
        path.unlink()


def test_a_file_takes_less_than_half_of_its_size(tmp_path):
    check(tmp_path / "t.parquet", 600_000_000, 300_000_000)


@pytest.mark.long
def test_four_gigabytes_take_less_than_500_megabytes(tmp_path):
    check(tmp_path / "t.parquet", 4_000_000_000, 500_000_000)

"""Nearly equal rows: the quick search finds what sorting all rows by each hash finds."""

import numpy as np
import pytest

from slipstream.data.parts import alike
from slipstream.data.parts.alike import CELLS, NEIGHBOURS, TABLES, WIDTH, Near, near_pairs


def by_sorting(tables, base, rows):
    """The definition: every row sorted by every hash, and compared with those beside it."""
    chosen = np.isin(np.arange(len(base)), rows)
    found = set()
    near = max(tables, key=lambda table: table.values.shape[1])
    if near.radius and near.moving.any():
        for table in range(TABLES):
            part = near.sketch[:, table * CELLS : (table + 1) * CELLS]
            shift = near.generator.random(CELLS, np.float32)
            cells = np.floor(part / (WIDTH * near.radius) + shift).astype(np.int64)
            odd = near.generator.integers(0, 2**62, CELLS) * 2 + 1
            mixed = base + (cells * odd).sum(1)
            mixed ^= mixed >> 29
            along = near.sketch[:, (table + 1) * CELLS % near.sketch.shape[1]]
            order = np.lexsort((along, mixed))
            order = order[near.taking_part[order] & chosen[order]]
            for gap in range(1, NEIGHBOURS + 1):
                for one, other in zip(order[:-gap], order[gap:]):
                    if mixed[one] == mixed[other] and base[one] == base[other]:
                        found.add((min(one, other), max(one, other)))
    pairs = np.array(sorted(found), np.int64).reshape(-1, 2)
    for table in tables:
        pairs = pairs[table.alike(pairs[:, 0], pairs[:, 1])]
    return pairs


@pytest.mark.parametrize("columns", [1, 2, 10, 70])
@pytest.mark.parametrize("kind", ["normal", "rounded", "whole", "walk", "gaps", "picture"])
def test_the_quick_search_finds_the_same(kind, columns):
    draw = np.random.default_rng(columns)
    rows = 700
    values = draw.normal(size=(rows, columns))
    if kind == "rounded":
        values = values.round(1)
    if kind == "whole":
        values = draw.integers(0, 4, values.shape).astype(float)
    if kind == "walk":
        values = values.cumsum(0) * 10
    twins, places = draw.integers(0, rows, (2, rows // 3))
    values[places] = values[twins] + draw.normal(size=(rows // 3, columns)) * 0.002
    if kind == "gaps":
        values[draw.random(values.shape) < 0.05] = np.nan
    values = values.astype("float32")
    base = draw.integers(0, 2, rows)
    chosen = np.sort(draw.choice(rows, 600, replace=False))
    makes = [lambda: Near(values, kind == "picture")]
    if columns == 2:  # a second table that has to agree as well
        makes.append(lambda: Near(values[:, :1], False))
    found = near_pairs([make() for make in makes], base, chosen)
    wanted = by_sorting([make() for make in makes], base, chosen)
    np.testing.assert_array_equal(found, wanted)
    if kind == "normal" and columns == 10:
        assert len(found) > 50


@pytest.mark.parametrize("numbers", [[], [5], [5, 5], [1, 2, 3], [-1, 7, -1, 7, 2**62, -(2**62)]])
def test_numbers_that_occur_more_than_once(numbers):
    numbers = np.array(numbers, np.int64)
    wanted = [place for place, number in enumerate(numbers) if (numbers == number).sum() > 1]
    assert alike._repeated(numbers).tolist() == wanted


def test_many_numbers_that_share_buckets():
    numbers = np.random.default_rng(0).integers(-500, 500, 900) << 40
    _, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    assert alike._repeated(numbers).tolist() == np.flatnonzero(counts[places] > 1).tolist()

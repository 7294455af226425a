"""The rows of `bench.layers` mean the same layer in every system."""

import numpy as np
import pytest

pytest.importorskip("bench", reason="the benchmarks come with the sources only")

from bench.layers import jax_
from bench.layers.agreement import difference
from bench.layers.case import BACKWARD, MODES
from bench.layers.job import measured
from bench.layers.rows import FAMILIES, ROWS, Row
from bench.layers.timing import fastest, in_turn

EACH_ROW = pytest.mark.parametrize("row", [row.shrunk() for row in ROWS], ids=lambda r: r.name)


def ours(row):
    found = jax_.case_of(row)
    assert found is not None, f"Slipstream has no {row.family}"
    case, layer = found
    return case, jax_.programs(layer, case)


@EACH_ROW
def test_a_row_is_the_same_layer_in_keras(row):
    case, mine = ours(row)
    theirs = jax_.programs(jax_.keras_layer(case), case)
    assert difference(case, mine[BACKWARD].arrays(), theirs[BACKWARD].arrays()) == ""


@EACH_ROW
def test_a_row_is_the_same_layer_in_pytorch(row):
    pytest.importorskip("torch")
    from bench.layers import torch_

    case, mine = ours(row)
    theirs = torch_.programs(case)
    for mode in MODES:
        expected = mine[mode].arrays()
        for program in theirs[mode]:
            assert difference(case, expected, program.arrays()) == "", program.way


def test_what_differs_is_told():
    row = next(row for row in ROWS if row.family == "Dense").shrunk()
    case, mine = ours(row)
    outputs, gradients = mine[BACKWARD].arrays()
    off = gradients.copy()
    off[0, 0] += 0.01 * np.abs(gradients).max()
    assert difference(case, [outputs, gradients], [outputs, off]).startswith("gradients of the")
    assert difference(case, [outputs, gradients], [outputs * 1.01, gradients]).startswith("outputs")
    assert "shapes" in difference(case, [outputs], [outputs[:1]])
    assert difference(case, [outputs * np.nan], [outputs]) != ""


def test_a_layer_that_draws_is_held_against_itself():
    row = next(row for row in ROWS if row.random)._replace(shape=(50, 400))
    case, mine = ours(row)
    outputs, gradients = mine[BACKWARD].arrays()
    good = [outputs, gradients]
    assert (
        difference(case, good, [outputs, gradients[::-1]])
        == "gradients do not follow what was kept"
    )
    assert difference(case, good, [outputs * 0.9, gradients]) == "what is kept is scaled wrongly"
    assert "are kept" in difference(case, good, [case.inputs * 2, gradients])


def test_a_row_without_a_layer_says_so():
    found = measured(Row("NoSuchLayer", "", (2, 3)), 1)
    assert found == {mode: {"why": "not there yet"} for mode in MODES}


def test_a_row_that_fails_says_why():
    found = measured(Row("Dense", "", (2, 3), {"units": -1}), 1)
    assert all(each["why"].startswith("failed: ValueError: ") for each in found.values())


def test_functions_are_timed_in_turn():
    calls = []
    found = in_turn({name: lambda name=name: calls.append(name) for name in "abc"}, 3)
    assert [len(values) for values in found.values()] == [3, 3, 3]
    turns = "".join(name for name, before in zip(calls, [None, *calls]) if name != before)
    assert turns == "abc" + "abc" + "acb" + "ac"  # warming up; then abc, acb, and b again in bac


def test_the_fastest_way_is_found():
    import time

    assert fastest([lambda: time.sleep(0.03), lambda: time.sleep(0.001)]) == 1


def test_every_family_named_in_the_table_is_there():
    assert len(set(FAMILIES)) == len(FAMILIES)
    assert len({row.name for row in ROWS}) == len(ROWS)

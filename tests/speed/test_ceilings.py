"""What the machine can do: measured, kept, and never lowered."""

import json
import math
from dataclasses import replace

import pytest

from slipstream.core.cost import LEVELS, NOTHING, Cost
from slipstream.kernels import native
from slipstream.speed import ceilings
from slipstream.speed.ceilings import ROUGH, best
from slipstream.speed.limits import limit


@pytest.fixture
def place(monkeypatch, tmp_path):
    """A cache of its own, and a process that has measured nothing."""
    monkeypatch.setenv("SLIPSTREAM_CACHE", str(tmp_path))
    monkeypatch.setattr(ceilings, "_kept", {})
    monkeypatch.setattr(ceilings, "_measured_here", set())
    return tmp_path / "ceilings"


def test_measured_ceilings_are_sound_and_kept(place):
    assert ceilings.kept() is None
    found = ceilings.measure()
    numbers = [*found.flops.values(), *found.bandwidth, found.dispatch, found.operation]
    assert all(0 < number < math.inf for number in numbers)
    assert len(found.bandwidth) == len(LEVELS) and found.of["kernels"] == native.library()
    assert found.operation < found.dispatch < 0.01
    assert found.bandwidth[0] > found.bandwidth[-1]  # the nearest memory is the quickest
    assert set(found.method) == {*found.flops, "bandwidth", "dispatch", "operation"}
    ceilings._kept.clear()  # as another process would
    assert ceilings.kept() == found


def test_without_the_compiled_kernels_products_and_loops_are_measured(place, monkeypatch):
    monkeypatch.setattr(native, "library", lambda: None)
    monkeypatch.setattr(ceilings, "LEVELS", LEVELS[:2])
    found = ceilings._measure()
    assert "matrix products" in found.method["float32"] and found.of["kernels"] is None
    assert found.flops["float32"] > 1e8 and min(found.bandwidth) > 1e7


def test_what_is_kept_never_gets_worse(place, monkeypatch):
    slow = replace(ROUGH, first="1", last="1", times=1)
    mixed = replace(
        ROUGH, flops={"float32": 1.0, "bfloat16": 1e15}, dispatch=1e-9, operation=1.0,
        bandwidth=tuple(2 * b for b in ROUGH.bandwidth), first="2", last="2", times=1,
    )  # fmt: skip
    found = best(slow, mixed)
    assert found.flops == {"float32": ROUGH.flops["float32"], "bfloat16": 1e15}
    assert found.bandwidth == mixed.bandwidth
    assert (found.dispatch, found.operation) == (1e-9, ROUGH.operation)
    assert (found.first, found.last, found.times) == ("1", "2", 2)
    monkeypatch.setattr(ceilings, "_measure", lambda: mixed)
    ceilings.measure()
    monkeypatch.setattr(ceilings, "_measure", lambda: slow)
    assert ceilings.measure().flops["bfloat16"] == 1e15
    ceilings._kept.clear()
    assert ceilings.kept().flops["bfloat16"] == 1e15


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:40],
        lambda text: "[]",
        lambda text: text.replace('"dispatch": 1.5e-05', '"dispatch": -1.0'),
        lambda text: text.replace('"dispatch": 1.5e-05', '"dispatch": "soon"'),
        lambda text: json.dumps({**json.loads(text), "levels": [1, 2]}),
        lambda text: json.dumps({**json.loads(text), "bandwidth": [1.0]}),
        lambda text: json.dumps({**json.loads(text), "more": 1}),
    ],
    ids=["cut", "list", "negative", "word", "levels", "short", "unknown"],
)
def test_a_damaged_file_counts_as_none(place, monkeypatch, damage):
    monkeypatch.setattr(ceilings, "_measure", lambda: ROUGH)
    ceilings.measure()
    (file,) = place.iterdir()
    text = file.read_text()
    assert damage(text) != text
    file.write_text(damage(text))
    ceilings._kept.clear()
    assert ceilings.kept() is None


def test_a_process_measures_once_until_it_is_enough(place, monkeypatch):
    asked, once = [], replace(ROUGH, times=1)
    monkeypatch.setattr(ceilings, "_measure", lambda: asked.append(1) or once)
    assert ceilings.known() == ceilings.known() == once and len(asked) == 1
    for process in range(2, 9):
        ceilings._measured_here.clear()
        ceilings._kept.clear()
        assert ceilings.known().times == min(process, 5)
    assert len(asked) == 5


def test_another_machine_has_other_ceilings(place, monkeypatch):
    monkeypatch.setattr(ceilings, "_measure", lambda: ROUGH)
    ceilings.measure()
    monkeypatch.setattr(native, "threads", lambda: 1024)
    assert ceilings.kept() is None


def test_nothing_is_written_where_nothing_may_be_kept(place, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_CACHE", "off")
    monkeypatch.setattr(ceilings, "_measure", lambda: ROUGH)
    assert ceilings.measure() == ROUGH == ceilings.kept()
    assert not place.exists()


@pytest.mark.parametrize(
    ("cost", "dispatches", "bound"),
    [
        (Cost(1e12, 0, traffic=(0, 0, 0, 0, 1e6)), 1, "compute"),
        (Cost(1e6, 0, traffic=(0, 0, 0, 0, 1e12)), 1, "memory"),
        (Cost(1e6, 0, operations=10), 100, "dispatch"),
        (Cost(1e3, 0, operations=1e6), 1, "dispatch"),
    ],
)
def test_the_largest_of_three_times_bounds(cost, dispatches, bound):
    found = limit(cost, ROUGH, dispatches)
    assert found.bound == bound and found.seconds == max(found.compute, found.memory)


def test_a_limit_follows_from_the_ceilings():
    machine = replace(ROUGH, flops={"float32": 1e9, "bfloat16": 4e9}, bandwidth=(5e9,) * 5)
    found = limit(Cost(3e9, 0, low=2e9, traffic=(5e9, 0, 0, 0, 1e10)), machine, 0)
    assert (found.compute, found.memory, found.dispatch) == (1.5, 3.0, 0.0)
    assert limit(NOTHING, machine, 2) == (0.0, 0.0, 2 * machine.dispatch)


def test_small_data_have_at_least_the_bandwidth_of_larger_ones(monkeypatch):
    # As on a GPU, where the shortest pass takes as long as it takes to start one.
    measured = dict(zip(LEVELS, (1e10, 1e11, 2e12, 4e12, 3e12), strict=True))
    monkeypatch.setattr(ceilings, "_stream", measured.get)
    assert ceilings._streams() == (4e12, 4e12, 4e12, 4e12, 3e12)

"""Charts: scales cover their values, marks lie where they should, bars add up."""

from __future__ import annotations

import math
import struct
import xml.etree.ElementTree as ElementTree
import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slipstream.report import charts, pictures

numbers = st.floats(-1e9, 1e9, allow_nan=False)


@given(numbers, numbers)
@example(0.0, 5e-324)
@example(1e9, 1e9 + 1e-7)
def test_an_axis_covers_its_values_with_round_ticks(a, b):
    low, high = sorted((a, b))
    axis = charts.Axis(low, high, 0, 100)
    slack = 1e-6 * max(abs(low), abs(high), 1e-300)
    assert axis.low <= low + slack and axis.high >= high - slack
    assert 2 <= len(axis.ticks) <= 13
    lead = axis.step / 10 ** math.floor(math.log10(axis.step) + 1e-9)
    assert min(abs(lead - m) for m in (1, 2, 5, 10)) < 1e-6
    assert axis(axis.low) == 0 and axis(axis.high) == 100


@pytest.mark.parametrize(
    "low, high, texts",
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-2, 2, ["-2", "-1", "0", "1", "2"]),
        (0, 9000, ["0", "2,000", "4,000", "6,000", "8,000", "10,000"]),
        (0.11, 0.13, ["0.110", "0.115", "0.120", "0.125", "0.130"]),
    ],
)
def test_ticks_are_written_as_short_as_can_be(low, high, texts):
    axis = charts.Axis(low, high, 0, 1)
    assert [axis.text(tick) for tick in axis.ticks] == texts


def elements(markup, name):
    return [e for e in ElementTree.fromstring(markup).iter() if e.tag == name]


def test_curves_put_the_best_epoch_and_the_values_in_place():
    lines = [
        charts.Line("training", "one", [4.0, 2.0, 1.0]),
        charts.Line("validation", "two", [3.0, 2.0]),
    ]
    figure = charts.curves("Loss", lines, best=1)
    points = [
        [tuple(map(float, p.split(","))) for p in line.get("points").split()]
        for line in elements(figure, "polyline")
    ]
    assert [len(each) for each in points] == [3, 2]
    assert points[0][1] == points[1][1]  # both are 2.0 in the second epoch
    heights = [y for _, y in points[0]]
    assert heights == sorted(heights)  # a falling loss goes down the page
    (mark,) = [e for e in elements(figure, "line") if e.get("class") == "best"]
    assert float(mark.get("x1")) == points[0][1][0]
    assert "best epoch 2" in figure
    ticks = [e.text for e in elements(figure, "text") if e.get("text-anchor") == "middle"]
    assert ticks == ["1", "2", "3"]


def test_curves_of_one_epoch_or_with_nan_still_draw():
    one = charts.curves("Loss", [charts.Line("training", "one", [1.5])], best=0)
    assert len(elements(one, "circle")) == 1
    gap = charts.curves("Loss", [charts.Line("training", "one", [1.0, math.nan, math.inf, 2.0])], 0)
    assert len(elements(gap, "circle")) == 2 and "nan" not in gap
    assert "no finite value" in charts.curves("Loss", [charts.Line("a", "one", [math.nan])], 0)


def test_scatter_has_the_diagonal_as_its_truth():
    figure = charts.scatter([1.0, 2.0, 3.0], [1.0, 2.5, math.nan])
    first, second = elements(figure, "circle")
    (line,) = [e for e in elements(figure, "line") if e.get("class") == "best"]
    x1, y1, x2, y2 = (float(line.get(key)) for key in ("x1", "y1", "x2", "y2"))

    def off(circle):
        x, y = float(circle.get("cx")), float(circle.get("cy"))
        return (y - y1) * (x2 - x1) - (x - x1) * (y2 - y1)

    assert abs(off(first)) < 1e-6 * abs((x2 - x1) * (y2 - y1)) + 2
    assert off(second) < -100  # above the line


@given(st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=8).filter(any))
def test_a_stacked_bar_adds_up(values):
    bar = charts.stacked([(f"part {i}", value, "p0") for i, value in enumerate(values)])
    pieces = elements(bar, "rect")
    widths = [float(piece.get("width").rstrip("%")) for piece in pieces]
    starts = [float(piece.get("x").rstrip("%")) for piece in pieces]
    assert sum(widths) == pytest.approx(100, abs=0.01)
    for i in range(1, len(pieces)):
        assert starts[i] == pytest.approx(starts[i - 1] + widths[i - 1], abs=0.01)


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 1), (3, 5, 3)])
def test_png_holds_the_picture(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    data = pictures.png(image)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, place = {}, 8
    while place < len(data):
        (size,) = struct.unpack(">I", data[place : place + 4])
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        (check,) = struct.unpack(">I", data[place + 8 + size : place + 12 + size])
        assert check == zlib.crc32(kind + body)
        chunks[kind] = body
        place += 12 + size
    colour = shape == (3, 5, 3)
    assert chunks[b"IHDR"] == struct.pack(">IIBBBBB", 5, 3, 8, 2 if colour else 0, 0, 0, 0)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(3, -1)
    assert not rows[:, 0].any()
    np.testing.assert_array_equal(rows[:, 1:].reshape(shape), image)


def test_png_takes_bytes_only():
    with pytest.raises(ValueError, match=r"uint8.*float64 \(2, 2\)"):
        pictures.png(np.zeros((2, 2)))

"""The roofline: the layers of a model under what the machine can do, as an SVG picture."""

from __future__ import annotations

from html import escape
from math import ceil, floor, log10
from pathlib import Path
from typing import Any, NamedTuple

from slipstream.core.cost import LEVELS
from slipstream.speed.words import percent

_LEFT, _TOP, _WIDE, _TALL, _LINE = 70, 40, 520, 400, 17
_COLOURS = {"forward": "#2563eb", "training": "#d95314"}


class Point(NamedTuple):
    """A layer's place: FLOPs a byte, FLOP/s, and the share of the limit that it reaches."""

    name: str
    which: str
    intensity: float
    rate: float
    share: float


class Scale:
    """Powers of ten from one place of the picture to another."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.first, self.last = floor(log10(low)), ceil(log10(high))
        self.start, self.step = start, (end - start) / max(self.last - self.first, 1)

    def __call__(self, value: float) -> float:
        return self.start + (log10(value) - self.first) * self.step


def points(speed: Any) -> list[Point]:
    """The layers that compute anything."""
    return [
        Point(
            row.name,
            which,
            each.cost.flops / each.cost.bytes,
            each.cost.flops / each.seconds,
            each.share,
        )
        for row in speed.rows
        for which, each in (("forward", row.forward), ("training", row.training))
        if each.cost.flops and each.cost.bytes
    ]


def draw(speed: Any, path: Any) -> None:
    """Write the picture.

    Raises:
        ValueError: if the file's name does not end in ``.svg``.
    """
    path = Path(path)
    if path.suffix != ".svg":
        raise ValueError(f"the picture is an .svg file, which browsers show; got {path.name!r}.")
    path.write_text(svg(speed), encoding="utf-8")


def svg(speed: Any) -> str:
    """The picture as text."""
    shown, ceilings = points(speed), speed.ceilings
    peak, near, far = ceilings.flops["float32"], ceilings.bandwidth[0], ceilings.bandwidth[-1]
    x = Scale(
        min([0.1, *(p.intensity for p in shown)]),
        max([4 * peak / far, *(p.intensity for p in shown)]),
        _LEFT,
        _LEFT + _WIDE,
    )
    y = Scale(min([peak / 1e3, *(p.rate for p in shown)]), 2 * peak, _TOP + _TALL, _TOP)
    height = max(_TOP + _TALL + 50, _TOP + _LINE * (len(shown) + 2))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="940" viewBox="0 0 940 {height}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12">',
        f'<rect width="940" height="{height}" fill="white"/>',
        _text(_LEFT, 22, f"{speed.model}, batches of {speed.batch_size}", "start", 15),
        *_axes(x, y),
        *_roof(x, y, peak, near, LEVELS[0], "#9aa3b2"),
        *_roof(x, y, peak, far, LEVELS[-1], "#333"),
        _text(_LEFT + _WIDE - 4, y(peak) - 6, f"{peak / 1e9:.0f} GFLOP/s", "end"),
    ]
    for number, point in enumerate(shown, 1):
        colour, line = _COLOURS[point.which], _TOP + _LINE * number
        a, b = x(point.intensity), y(point.rate)
        said = f"{point.name}, {point.which}: {percent(point.share)} of the limit"
        parts += [
            f'<g><title>{escape(said)}</title><circle cx="{a:.1f}" cy="{b:.1f}" r="5" '
            f'fill="{colour}" fill-opacity="0.85"/>',
            _text(a + 7, b + 4, str(number), "start", 10) + "</g>",
            f'<circle cx="{_LEFT + _WIDE + 24}" cy="{line - 4}" r="4" fill="{colour}"/>',
            _text(_LEFT + _WIDE + 34, line, f"{number}  {said.removesuffix(' of the limit')}"),
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes(x: Scale, y: Scale) -> list[str]:
    found = []
    for power in range(x.first, x.last + 1):
        at = x(10.0**power)
        found.append(_line(at, _TOP, at, _TOP + _TALL, "#e6e8ee"))
        found.append(_text(at, _TOP + _TALL + 16, f"{10.0**power:g}", "middle"))
    for power in range(y.first, y.last + 1):
        at = y(10.0**power)
        found.append(_line(_LEFT, at, _LEFT + _WIDE, at, "#e6e8ee"))
        found.append(_text(_LEFT - 6, at + 4, f"{10.0 ** (power - 9):g}", "end"))
    found.append(_text(_LEFT + _WIDE / 2, _TOP + _TALL + 36, "FLOPs a byte", "middle"))
    return [*found, _text(_LEFT - 60, _TOP - 12, "GFLOP/s")]


def _roof(x: Scale, y: Scale, peak: float, rate: float, level: int, colour: str) -> list[str]:
    """The line up to the peak that memory of one size allows."""
    low = max(10.0**x.first, 10.0**y.first / rate)
    bend, high = max(low, peak / rate), 10.0**x.last
    path = " ".join(f"{x(a):.1f},{y(min(a * rate, peak)):.1f}" for a in (low, bend, high))
    size = f"{level >> 20} MB" if level >> 20 else f"{level >> 10} KB"
    at = peak / rate / 6
    label = _text(x(at) - 6, y(at * rate), f"{rate / 1e9:.0f} GB/s in {size}", "end", 11, colour)
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        label,
    ]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(
    x: float, y: float, words: str, anchor: str = "start", size: int = 12, colour: str = "#222"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{colour}">{escape(words)}</text>'
    )

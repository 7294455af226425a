"""Curves over epochs, panel by panel on one scale, as an SVG picture."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from slipstream.report.charts import Axis

WIDE, TALL, LEFT, TOP, GAP = 330, 210, 40, 34, 100
COLOURS = ("#98a1b3", "#2563eb")


def draw(path: Path, panels: dict[str, dict[str, Sequence[float]]], low: float, top: float) -> None:
    """Write a panel for each title, with its named curves; what lies above `top` is cut off."""
    width, height = LEFT + len(panels) * (WIDE + GAP) - GAP + 64, TOP + TALL + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" viewBox="0 0 {width} {height}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, (title, curves) in enumerate(panels.items()):
        left = LEFT + number * (WIDE + GAP)
        epochs = max(map(len, curves.values()))
        x = Axis(1, epochs, left, left + WIDE, tight=True)
        y = Axis(low, top, TOP + TALL, TOP, tight=True)
        parts.append(text(left, 18, title, size=14))
        for tick in y.ticks:
            parts.append(line(left, y(tick), left + WIDE, y(tick)))
            parts.append(text(left - 6, y(tick) + 4, y.text(tick), "end"))
        for tick in x.ticks:
            if tick >= 1:
                parts.append(text(x(tick), TOP + TALL + 16, f"{tick:g}", "middle"))
        parts.append(text(left + WIDE / 2, TOP + TALL + 32, "epoch", "middle"))
        for (name, values), colour in zip(curves.items(), COLOURS, strict=True):
            inside = [(x(i + 1), y(v)) for i, v in enumerate(values) if v <= top]
            points = " ".join(f"{a:.0f},{b:.1f}" for a, b in inside)
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            )
            parts.append(text(left + WIDE + 4, inside[-1][1] + 4, name, colour=colour))
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    """A line of the grid."""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#e6e8ee"/>'


def text(
    x: float, y: float, words: str, anchor: str = "start", size: int = 12, colour: str = "#444"
) -> str:
    """Words at a place."""
    return (
        f'<text x="{x}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">'
        f"{escape(words)}</text>"
    )

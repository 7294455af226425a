"""Charts as inline SVG, in colours of the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from slipstream.report.markup import Markup, join, tag

_WIDTH, _HEIGHT = 480, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 40


class Line(NamedTuple):
    """A curve: its name, its style class (``one`` or ``two``) and a value for each epoch."""

    name: str
    style: str
    values: Sequence[float]


class Interval(NamedTuple):
    """A value with the interval that holds it."""

    name: str
    value: float
    low: float
    high: float


class Axis:
    """A linear scale with round ticks that cover the values.

    Args:
        low, high: least and greatest value; a pair that is no range is widened.
        start, end: where they lie on the picture.
        tight: end at the values rather than at round numbers.
    """

    low: float
    high: float

    def __init__(
        self, low: float, high: float, start: float, end: float, tight: bool = False
    ) -> None:
        # Closer than floats can tell apart on a scale is no range either.
        if high - low <= max(1e-9 * max(abs(low), abs(high)), 1e-290):
            pad = abs(low) * 0.1 or 1.0
            low, high = low - pad, high + pad
        raw = (high - low) / 5
        power = 10 ** math.floor(math.log10(raw))
        self.step = next((m * power for m in (1, 2, 5) if m * power >= raw * 0.999), 10 * power)
        first, last = math.floor(low / self.step), math.ceil(high / self.step)
        self.low, self.high = (low, high) if tight else (first * self.step, last * self.step)
        self.start, self.end = start, end
        self.ticks = [
            i * self.step
            for i in range(first, last + 1)
            if self.low - 1e-9 * self.step <= i * self.step <= self.high + 1e-9 * self.step
        ]

    def __call__(self, value: float) -> float:
        """Place of a value."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)

    def text(self, value: float) -> str:
        """A tick's label, with as many decimals as the ticks need."""
        if max(abs(self.low), abs(self.high)) >= 1e6 or self.step < 1e-4:
            return f"{value:.3g}"
        decimals = max(0, -math.floor(math.log10(self.step) + 1e-9))
        return f"{value + 0.0:,.{decimals}f}"  # no minus before a zero


def curves(title: str, lines: Sequence[Line], best: int, percent: bool = False) -> Markup:
    """Curves over epochs, with the best epoch marked.

    Args:
        title: what the values are.
        lines: the curves; values that are not finite leave a gap.
        best: number of the best epoch, counted from 0.
        percent: whether the values are shares to be shown in per cent.
    """
    factor = 100.0 if percent else 1.0
    finite = [factor * v for line in lines for v in line.values if math.isfinite(v)]
    if not finite:
        return tag("p", f"{title}: no finite value was recorded.", class_="muted")
    epochs = max(len(line.values) for line in lines)
    x = Axis(1, epochs, _LEFT, _WIDTH - _RIGHT, tight=True)
    y = Axis(min(finite), max(finite), _HEIGHT - _BOTTOM, _TOP)
    if percent and y.high > 100:
        y = Axis(y.low, 100, _HEIGHT - _BOTTOM, _TOP, tight=True)
    whole = [tick for tick in x.ticks if float(tick).is_integer() and 1 <= tick <= epochs] or [1]
    drawn = [_grid(y, " %" if percent else ""), _below(x, whole, "epoch")]
    mark = x(best + 1)
    drawn.append(tag("line", x1=mark, x2=mark, y1=_TOP, y2=_HEIGHT - _BOTTOM, class_="best"))
    side = "end" if mark > _WIDTH * 0.7 else "start"
    crowded = y(finite[-1]) < (_TOP + _HEIGHT - _BOTTOM) / 2  # the curves end in the upper half
    drawn.append(
        tag(
            "text",
            f"best epoch {best + 1}",
            x=mark + (-6 if side == "end" else 6),
            y=_HEIGHT - _BOTTOM - 8 if crowded else _TOP + 10,
            class_="label",
            text_anchor=side,
        )
    )
    for line in lines:
        points = [
            (x(i + 1), y(factor * v), i, v) for i, v in enumerate(line.values) if math.isfinite(v)
        ]
        path = " ".join(f"{a},{b}" for a, b, _, _ in points)
        drawn.append(tag("polyline", points=path, class_=f"curve {line.style}"))
        shown = points if epochs <= 60 else [p for p in points if p[2] in (best, epochs - 1)]
        for a, b, i, v in shown:
            tip = f"{line.name}, epoch {i + 1}: {factor * v:.4g}{' %' if percent else ''}"
            radius = 4.5 if i == best and line.style == "two" else 2
            drawn.append(
                tag("circle", tag("title", tip), cx=a, cy=b, r=radius, class_=f"dot {line.style}")
            )
    keys = [
        tag("span", tag("i", class_=f"key {line.style}"), line.name, class_="legend")
        for line in lines
    ]
    return tag(
        "figure",
        tag("figcaption", tag("b", title), *keys),
        _svg(f"{title} by epoch", *drawn),
    )


def scatter(truth: Sequence[float], predicted: Sequence[float]) -> Markup:
    """Predicted against true values, with the line on which both are equal."""
    pairs = [(a, b) for a, b in zip(truth, predicted) if math.isfinite(a) and math.isfinite(b)]
    everything = [value for pair in pairs for value in pair] or [0.0]
    x = Axis(min(everything), max(everything), _LEFT, _WIDTH - _RIGHT)
    y = Axis(min(everything), max(everything), _HEIGHT - _BOTTOM, _TOP)
    drawn = [
        _grid(y, ""),
        _below(x, x.ticks, "actual"),
        tag("text", "predicted", x=_LEFT + 4, y=_TOP + 10, class_="label"),
        tag("line", x1=x(x.low), y1=y(x.low), x2=x(x.high), y2=y(x.high), class_="best"),
    ]
    drawn += [
        tag("circle", tag("title", f"actual {a:.4g}, predicted {b:.4g}"), cx=x(a), cy=y(b), r=3,
            class_="point")
        for a, b in pairs
    ]  # fmt: skip
    return tag(
        "figure",
        tag("figcaption", tag("b", "Predicted against actual"),
            tag("span", tag("i", class_="key best"), "perfect", class_="legend")),
        _svg("Predicted against actual values of the test rows", *drawn),
    )  # fmt: skip


def intervals(title: str, rows: Sequence[Interval]) -> Markup:
    """Values with their intervals, one below the other, and a line at 0."""
    ends = [end for row in rows for end in (row.low, row.high, 0.0)]
    bottom = 34 * len(rows) + 8
    x = Axis(min(ends), max(ends), 96, _WIDTH - _RIGHT)
    drawn = [
        join(
            tag("line", x1=x(tick), x2=x(tick), y1=4, y2=bottom, class_="grid"),
            tag("text", x.text(tick), x=x(tick), y=bottom + 18, class_="tick",
                text_anchor="middle"),
        )
        for tick in x.ticks
    ]  # fmt: skip
    drawn.append(tag("line", x1=x(0), x2=x(0), y1=0, y2=bottom, class_="best"))
    for i, row in enumerate(rows):
        middle = 34 * i + 22
        tip = f"{row.name}: {row.value:.3g}, 95 % interval {row.low:.3g} to {row.high:.3g}"
        drawn += [
            tag("text", row.name, x=86, y=middle + 4, class_="label", text_anchor="end"),
            tag("line", tag("title", tip), x1=x(row.low), x2=x(row.high), y1=middle, y2=middle,
                class_="curve two"),
            tag("circle", tag("title", tip), cx=x(row.value), cy=middle, r=5, class_="dot two"),
        ]  # fmt: skip
    picture = tag(
        "svg", *drawn, viewBox=f"0 0 {_WIDTH} {bottom + 26}", role="img", aria_label=title,
        class_="chart",
    )  # fmt: skip
    return tag("figure", tag("figcaption", tag("b", title)), picture)


def stacked(parts: Sequence[tuple[str, float, str]]) -> Markup:
    """One bar whose pieces add up to the whole: name, seconds and style class of each."""
    total = sum(seconds for _, seconds, _ in parts)
    if total <= 0:
        return Markup("")
    pieces, left = [], 0.0
    for name, seconds, style in parts:
        width = 100 * seconds / total
        pieces.append(
            tag(
                "rect",
                tag("title", f"{name}: {seconds:.3g} s ({width:.1f} %)"),
                x=f"{left:.3f}%",
                y=0,
                width=f"{width:.3f}%",
                height=26,
                class_=style,
            )
        )
        left += width
    return tag("svg", *pieces, class_="stack", role="img", aria_label="Where the time went")


def gauge(value: float, low: float, high: float, baseline: float) -> Markup:
    """A share from 0 to 1 with its interval, and a mark at what can be had for nothing."""

    def place(share: float) -> str:
        return f"{100 * min(max(share, 0.0), 1.0):.2f}%"

    return tag(
        "svg",
        tag("rect", x=0, y=5, width="100%", height=6, rx=3, class_="track"),
        tag("rect", x=place(low), y=5, width=place(high - low), height=6, rx=3, class_="range"),
        tag("line", x1=place(baseline), x2=place(baseline), y1=2, y2=14, class_="base"),
        tag("line", x1=place(value), x2=place(value), y1=0, y2=16, class_="value"),
        class_="gauge",
        role="img",
        aria_label=f"{value:.3f} on a scale from 0 to 1",
    )


def _grid(y: Axis, unit: str) -> Markup:
    return join(
        *(
            join(
                tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y(tick), y2=y(tick), class_="grid"),
                tag("text", y.text(tick) + unit, x=_LEFT - 7, y=y(tick) + 4, class_="tick",
                    text_anchor="end"),
            )
            for tick in y.ticks
        )
    )  # fmt: skip


def _below(x: Axis, ticks: Sequence[float], name: str) -> Markup:
    whole = all(float(tick).is_integer() for tick in ticks)
    return join(
        *(
            tag(
                "text",
                f"{tick:,.0f}" if whole and abs(tick) < 1e6 else x.text(tick),
                x=x(tick),
                y=_HEIGHT - _BOTTOM + 18,
                class_="tick",
                text_anchor="middle",
            )
            for tick in ticks
        ),
        tag("text", name, x=_WIDTH - _RIGHT, y=_HEIGHT - 6, class_="label", text_anchor="end"),
    )


def _svg(label: str, *children: Markup) -> Markup:
    return tag(
        "svg", *children, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=label,
        class_="chart",
    )  # fmt: skip

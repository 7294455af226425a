"""Pictures of what was measured: ratios as bars, curves over sizes. Plain SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.models.results import OWN, TRAIN, Found
from bench.models.scaling import Curve, number
from slipstream.report.markup import Markup, join, tag

COLOURS = {
    OWN: "#1f2430",
    "Keras-jax": "#c8432b",
    "Keras-jax, 8 steps a call": "#ee9a86",
    "Keras-TensorFlow": "#e0a526",
    "Keras-torch": "#8c6d1f",
    "PyTorch": "#1f6fb4",
    "PyTorch, compiled": "#8fbbe0",
    "Flax NNX": "#5b8c3e",
}
WIDTH = 960
_BAR, _GAP, _TITLE = 10, 3, 24  # height of a bar, between bars, above them
_MOST = 100.0  # larger ratios are cut here, and their numbers tell what they are


class Log:
    """A logarithmic scale from one place of the picture to another, with ticks of 1, 2 and 5."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start, self.end = low, high, start, end
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        fine = [m * 10.0**p for p in powers for m in (1, 2, 5)]
        inside = [tick for tick in fine if low * 0.999 <= tick <= high * 1.001]
        whole = [tick for tick in inside if round(math.log10(tick), 9).is_integer()]
        self.ticks = whole if len(inside) > 7 and len(whole) > 1 else inside

    def __call__(self, value: float) -> float:
        """Place of a value."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)


def bars(found: Sequence[Found], task: str = TRAIN) -> str:
    """A peer's time over Slipstream's in one task, a panel for each case."""
    ratios = [case.ratio(task, peer) for case in found for peer in case.peers(task)]
    if not ratios:
        return _svg(60, "No result", _text(20, 34, "No peer's result agreed with Slipstream's."))
    low, high = min([0.7, *ratios]) / 1.9, min(max([2.0, *ratios]), _MOST) * 1.6
    named = {name for case in found for name in case.tasks[task] if name != OWN}
    columns = [found[: -(-len(found) // 2)], found[-(-len(found) // 2) :]]
    top, drawn = 92, [*_legend([name for name in COLOURS if name in named], 58)]
    bottom = top
    for place, cases in enumerate(columns):
        left = 20 + place * WIDTH / 2
        x, y = Log(low, high, left, left + WIDTH / 2 - 40), float(top)
        end = top + sum(_height(case, task) for case in cases)
        if cases:
            drawn += _ruled(x, top, end)
            drawn.append(_text(x(1) - 6, top - 6, "peer faster", "end", 11, "#5a6272"))
            drawn.append(_text(x(1) + 6, top - 6, "Slipstream faster", size=11, colour="#5a6272"))
        for case in cases:
            drawn.append(_text(x(1) + 6, y + 17, case.name, size=13, weight="bold"))
            y += _TITLE
            for peer in (name for name in COLOURS if name in case.tasks[task] and name != OWN):
                drawn.append(_bar(x, y, case, task, peer))
                y += _BAR + _GAP
        bottom = max(bottom, end)
    title = "Time of a training step" if task == TRAIN else f"Time to {task}"
    return _svg(
        bottom + 34,
        f"{title}: each peer's over Slipstream's",
        _text(20, 30, f"{title}: each peer's over Slipstream's", size=17, weight="bold"),
        *drawn,
    )


def _height(case: Found, task: str) -> float:
    return _TITLE + (len(case.tasks[task]) - 1) * (_BAR + _GAP)


def _ruled(x: Log, top: float, end: float) -> list[Markup]:
    """The ground of a column: where peers are faster, the ticks, and the line at 1."""
    drawn = [_rect(x.start, top, x(1) - x.start, end - top, "#fbeeea")]
    for tick in x.ticks:
        drawn.append(_line(x(tick), top, x(tick), end, "#e3e6ec"))
        drawn.append(_text(x(tick), end + 16, f"{tick:g}×", "middle", 11, "#5a6272"))
    return [*drawn, _line(x(1), top, x(1), end + 3, COLOURS[OWN], 1.5)]


def _bar(x: Log, y: float, case: Found, task: str, peer: str) -> Markup:
    middle = y + _BAR - 1
    if not case.tasks[task][peer].agrees:
        return _text(x(1) + 4, middle, "void: the results differ", size=10, colour="#7a8292")
    ratio = case.ratio(task, peer)
    shown = f"{ratio:.2f}×" if ratio < 10 else f"{ratio:.0f}×"
    one, other = x(1), x(min(ratio, _MOST))
    label = (
        _text(other + 4, middle, shown, size=10, colour="#2b3040")
        if ratio >= 1
        else _text(other - 4, middle, shown, "end", 10, "#2b3040")
    )
    bar = _rect(min(one, other), y, max(abs(one - other), 1), _BAR, COLOURS[peer])
    return tag("g", tag("title", f"{case.name}, {peer}: {shown}"), bar, label)


def curves(found: Sequence[Curve]) -> str:
    """Times over sizes, both logarithmic, with the slopes; a panel for each curve."""
    wide, tall = WIDTH / 3, 268
    names = [name for name in COLOURS if any(name in curve.seconds for curve in found)]
    drawn = [*_legend(names, 58, "slope of the FLOPs")]
    for place, curve in enumerate(found):
        left, top = place % 3 * wide, 74 + place // 3 * tall
        drawn += _panel(curve, left + 58, left + wide - 16, top + 30, top + tall - 44)
    return _svg(
        74 + -(-len(found) // 3) * tall + 8,
        "How time grows with size",
        _text(20, 30, "How time grows with size", size=17, weight="bold"),
        *drawn,
    )


def _panel(curve: Curve, left: float, right: float, top: float, bottom: float) -> list[Markup]:
    lines = {name: curve.medians(name) for name in COLOURS if curve.seconds.get(name)}
    times = [1e3 * value for line in lines.values() for _, value in line]
    head = _text(left, top - 10, f"{curve.title}: ms {curve.timed}", size=13, weight="bold")
    if not times:
        return [head, _text(left, top + 20, "void", colour="#7a8292")]
    x = Log(min(curve.points), max(curve.points), left + 8, right - 8)
    y = Log(min(times) / 1.3, max(times) * 2.5, bottom, top)  # slopes are written at the top
    drawn = [head, _text((left + right) / 2, bottom + 32, curve.axis, "middle", 12)]
    for point in curve.points:
        drawn.append(_line(x(point), top, x(point), bottom, "#eef0f4"))
        drawn.append(_text(x(point), bottom + 16, f"{point:,}", "middle", 11, "#5a6272"))
    for tick in y.ticks:
        drawn.append(_line(left, y(tick), right, y(tick), "#e3e6ec"))
        drawn.append(_text(left - 6, y(tick) + 4, f"{tick:g}", "end", 11, "#5a6272"))
    said = [("theory", "#7a8292", curve.theory)]
    begin = curve.points[len(curve.points) // 2]
    if lines.get(OWN) and lines[OWN][-1][0] > begin and not math.isnan(curve.theory):
        drawn.append(_theory(curve, x, y, bottom))
    for name, line in lines.items():
        path = [(x(point), y(1e3 * value)) for point, value in line]
        drawn.append(
            tag("polyline", points=" ".join(f"{a},{b}" for a, b in path), fill="none",
                stroke=COLOURS[name], stroke_width=2)
        )  # fmt: skip
        drawn += [tag("circle", cx=a, cy=b, r=3, fill=COLOURS[name]) for a, b in path]
        said.append((name, COLOURS[name], curve.slope(name)))
    for place, (name, colour, slope) in enumerate(said):
        words = f"{name} {number(slope)}"
        drawn.append(_text(left + 8, top + 14 + 13 * place, words, size=11, colour=colour))
    return drawn


def _theory(curve: Curve, x: Log, y: Log, bottom: float) -> Markup:
    """The slope of the work through Slipstream's last time, over the upper half."""
    point, value = curve.medians(OWN)[-1]
    begin = curve.points[len(curve.points) // 2]
    at, end = y(1e3 * value * (begin / point) ** curve.theory), y(1e3 * value)
    shown = min(1.0, (bottom - end) / max(at - end, 1e-9))  # what would leave the panel is cut
    left = x(point) + shown * (x(begin) - x(point))
    return _line(left, end + shown * (at - end), x(point), end, "#7a8292", 1.5, "5 4")


def _legend(names: Sequence[str], y: float, dashed: str = "") -> list[Markup]:
    drawn, left = [], 20.0
    for name in names:
        drawn += [_rect(left, y - 9, 10, 10, COLOURS[name]), _text(left + 15, y, name)]
        left += 30 + 6.6 * len(name)
    if dashed:
        drawn.append(_line(left, y - 4, left + 22, y - 4, "#7a8292", 1.5, "5 4"))
        drawn.append(_text(left + 28, y, dashed))
    return drawn


def _svg(height: float, label: str, *drawn: Markup) -> str:
    return tag(
        "svg",
        _rect(0, 0, WIDTH, height, "#ffffff"),
        join(*(Markup(f"\n{piece}") for piece in drawn)),
        "\n",
        xmlns="http://www.w3.org/2000/svg",
        width=WIDTH,
        height=f"{height:g}",
        viewBox=f"0 0 {WIDTH} {height:g}",
        role="img",
        aria_label=label,
        font_family="Helvetica, Arial, sans-serif",
        font_size=12,
    )


def _rect(x: float, y: float, width: float, height: float, fill: str) -> Markup:
    return tag("rect", x=f"{x:g}", y=f"{y:g}", width=f"{width:g}", height=f"{height:g}", fill=fill)


def _line(
    x1: float, y1: float, x2: float, y2: float, stroke: str, width: float = 1, dashes: str = ""
) -> Markup:
    return tag(
        "line", x1=f"{x1:g}", y1=f"{y1:g}", x2=f"{x2:g}", y2=f"{y2:g}", stroke=stroke,
        stroke_width=width, stroke_dasharray=dashes or None,
    )  # fmt: skip


def _text(
    x: float,
    y: float,
    words: str,
    anchor: str | None = None,
    size: int = 12,
    colour: str = "#1f2430",
    weight: str | None = None,
) -> Markup:
    return tag(
        "text", words, x=f"{x:g}", y=f"{y:g}", text_anchor=anchor, font_size=size, fill=colour,
        font_weight=weight,
    )  # fmt: skip

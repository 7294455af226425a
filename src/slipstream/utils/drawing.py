"""Models as pictures: `model_to_dot` and `plot_model`."""

from __future__ import annotations

import shutil
import subprocess
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from slipstream.core.symbol import symbols_in


class Box(NamedTuple):
    """One step of a model.

    Attributes:
        operation: the layer or operation.
        lines: what the box says.
        above: numbers of the boxes whose outputs it takes.
    """

    operation: Any
    lines: list[str]
    above: list[int]


def boxes(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
) -> list[Box]:
    """The steps of a model, each after those that it needs."""
    found: list[Box] = []
    for operation, outputs, above in _steps(model):
        kind = type(operation).__name__
        kind = operation.entry.class_name if hasattr(operation, "entry") else kind
        lines = [f"{operation.name} ({kind})" if show_layer_names else kind]
        activation = getattr(operation, "activation", None)
        if show_layer_activations and activation is not None:
            lines.append(f"activation: {getattr(activation, '__name__', activation)}")
        specs = symbols_in(outputs)
        if show_shapes:
            shapes = ", ".join(str(spec.shape) for spec in specs) or "?"
            lines.append(f"output: {shapes}")
        if show_dtype and specs:
            lines.append("dtype: " + ", ".join(sorted({spec.dtype for spec in specs})))
        if show_trainable and getattr(operation, "variables", None):
            lines.append("trainable" if operation.trainable else "frozen")
        found.append(Box(operation, lines, above))
    return found


def _steps(model: Any) -> list[tuple[Any, Any, list[int]]]:
    """Operations with their outputs and the places of the steps they follow."""
    graph = getattr(model, "_graph", None)
    if graph is not None:
        places = {id(node): place for place, node in enumerate(graph.nodes)}
        steps = []
        for node in graph.nodes:
            parents = [symbol.node for symbol in symbols_in((node.args, node.kwargs))]
            above = [places[id(parent)] for parent in parents if id(parent) in places]
            steps.append((node.operation, node.outputs, list(dict.fromkeys(above))))
        return steps
    layers = list(getattr(model, "layers", ()))
    if not hasattr(model, "_stack") or not layers:
        return [(model, getattr(model, "output", None), [])]
    spec: Any = model.inputs[0] if model.built else None
    chain: list[tuple[Any, Any, list[int]]] = []
    for place, layer in enumerate(layers):
        if spec is not None:
            spec = layer.compute_output_spec(spec)
        chain.append((layer, spec, [place - 1] if place else []))
    return chain


class Dot:
    """A graph in the language of Graphviz's ``dot``."""

    def __init__(self, text: str) -> None:
        self._text = text

    def to_string(self) -> str:
        """The text for ``dot``."""
        return self._text

    def __repr__(self) -> str:
        return self._text


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Dot:
    """A model as a graph for Graphviz.

    Args:
        model: a built model.
        show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable: what the
            boxes say.
        rankdir: ``"TB"`` from top to bottom, ``"LR"`` from left to right.
        expand_nested: draw the layers of models within the model too.
        dpi: dots an inch of pictures.
        subgraph: give a part of a larger graph.
        splines: how ``dot`` draws lines.

    Returns:
        An object with `to_string()`.

    Raises:
        ValueError: if the model is not built.
    """
    _check_built(model)
    shown = (show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable)
    body = _dot_lines(model, "n", expand_nested, shown, "  ")
    if subgraph:
        head = [f'subgraph "cluster_{escape(model.name)}" {{', f'  label="{escape(model.name)}";']
    else:
        head = [
            "digraph model {",
            f"  graph [rankdir={rankdir}, splines={splines}, dpi={dpi}];",
            '  node [shape=box, fontname="Helvetica", fontsize=11];',
        ]
    return Dot("\n".join([*head, *body, "}"]) + "\n")


def _dot_lines(model: Any, prefix: str, nested: bool, shown: tuple, indent: str) -> list[str]:
    found = boxes(model, *shown)
    lines, ends = [], []
    for place, box in enumerate(found):
        name = f"{prefix}{place}"
        inner = nested and _is_model(box.operation)
        if inner:
            inside = _dot_lines(box.operation, f"{name}_", nested, shown, indent + "  ")
            count = len(boxes(box.operation, *shown))
            lines += [
                f'{indent}subgraph "cluster_{name}" {{',
                f'{indent}  label="{_quoted(box.operation.name)}";',
                *inside,
                f"{indent}}}",
            ]
            ends.append((f"{name}_0", f"{name}_{count - 1}"))
        else:
            label = "\\n".join(_quoted(line) for line in box.lines)
            lines.append(f'{indent}{name} [label="{label}"];')
            ends.append((name, name))
        lines += [f"{indent}{ends[above][1]} -> {ends[place][0]};" for above in box.above]
    return lines


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _is_model(operation: Any) -> bool:
    return getattr(operation, "_graph", None) is not None or hasattr(operation, "_stack")


def _check_built(model: Any) -> None:
    if not getattr(model, "built", True):
        raise ValueError(
            f"Model {model.name!r} is not built, so there is nothing to draw. Call it on data, or "
            "start it with Input(shape=…)."
        )


def plot_model(
    model: Any,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> None:
    """Write a picture of a model; see `model_to_dot`.

    ``.dot`` and ``.svg`` need nothing else; other formats, such as ``.png`` and ``.pdf``, need
    Graphviz' program ``dot``, which also draws ``.svg`` where it is there.

    Raises:
        ImportError: if the format needs ``dot`` and it is missing.
        ValueError: if the model is not built, or ``dot`` cannot write this format.
    """
    path = Path(to_file)
    ending = path.suffix.lstrip(".") or "png"
    dot = model_to_dot(
        model, show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi, False,
        show_layer_activations, show_trainable, splines,
    )  # fmt: skip
    if ending == "dot":
        path.write_text(dot.to_string(), "utf-8")
        return
    program = shutil.which("dot")
    if program is None:
        if ending != "svg":
            raise ImportError(
                f"Writing .{ending} needs the program 'dot' of Graphviz (https://graphviz.org), "
                "which is not installed. Write to a file ending in .svg instead."
            )
        shown = (show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable)
        path.write_text(_svg(boxes(model, *shown), rankdir), "utf-8")
        return
    done = subprocess.run(
        [program, f"-T{ending}", "-o", str(path)], input=dot.to_string(), text=True,
        capture_output=True,
    )  # fmt: skip
    if done.returncode:
        raise ValueError(f"dot could not write {str(path)!r}: {done.stderr.strip()}")


_LINE, _CHARACTER, _GAP = 16, 7, 36


def _svg(found: list[Box], rankdir: str) -> str:
    """Boxes in rows by their longest way from an input, joined by lines."""
    row: list[int] = []
    for box in found:
        row.append(1 + max((row[above] for above in box.above), default=-1))
    sizes = [
        (max(map(len, box.lines)) * _CHARACTER + 20, len(box.lines) * _LINE + 12) for box in found
    ]
    across = rankdir in ("LR", "RL")
    rows = [[i for i in range(len(found)) if row[i] == r] for r in range(max(row, default=-1) + 1)]
    along, side = (0, 1) if across else (1, 0)
    breadths = [sum(sizes[i][side] + _GAP for i in items) - _GAP for items in rows]
    total = max(breadths, default=0)
    corners: dict[int, tuple[float, float]] = {}
    position = 10.0
    for items, breadth in zip(rows, breadths):
        offset = 10 + (total - breadth) / 2
        for i in items:
            corners[i] = (position, offset) if across else (offset, position)
            offset += sizes[i][side] + _GAP
        position += max(sizes[i][along] for i in items) + _GAP
    width, height = (position, total + 20) if across else (total + 20, position)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="Helvetica, Arial, sans-serif" '
        'font-size="12">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
    ]
    for i, box in enumerate(found):
        for above in box.above:
            begin, end = (
                _joint(corners[above], sizes[above], across, True),
                _joint(corners[i], sizes[i], across, False),
            )
            parts.append(
                f'<line x1="{begin[0]:.1f}" y1="{begin[1]:.1f}" x2="{end[0]:.1f}" '
                f'y2="{end[1]:.1f}" stroke="#555" marker-end="url(#tip)"/>'
            )
    for i, box in enumerate(found):
        (x, y), (wide, tall) = corners[i], sizes[i]
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide}" height="{tall}" rx="4" fill="#f4f6fa" '
            'stroke="#334"/>'
        )
        for number, line in enumerate(box.lines):
            weight = ' font-weight="bold"' if not number else ""
            parts.append(
                f'<text x="{x + wide / 2:.1f}" y="{y + 18 + number * _LINE:.1f}" '
                f'text-anchor="middle"{weight}>{escape(line)}</text>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _joint(
    corner: tuple[float, float], size: tuple[int, int], across: bool, leaving: bool
) -> tuple[float, float]:
    """Where a line leaves or meets a box."""
    x, y = corner
    if across:
        return (x + size[0] * leaving, y + size[1] / 2)
    return (x + size[0] / 2, y + size[1] * leaving)

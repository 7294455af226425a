"""The table behind `Model.summary`."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import jax

from slipstream.core import cost
from slipstream.core.layer import Layer
from slipstream.core.scope import Scope
from slipstream.core.symbol import Node, is_symbolic, symbols_in


def rows(model: Any) -> list[dict[str, Any]]:
    """A dictionary for each layer: name, class, output shape, parameters, FLOPs, bytes.

    FLOPs are those of one example's forward pass, over all calls of the layer in the model; bytes
    those of the parameters and of one example's output.
    """
    calls = _calls(model)
    found = []
    for layer in model.layers:
        nodes = calls.get(id(layer), layer._nodes[-1:])
        outputs = symbols_in(nodes[0].outputs) if nodes else []
        shapes = [symbol.shape for symbol in outputs]
        found.append(
            {
                "name": layer.name,
                "class": type(layer).__name__,
                "shape": (shapes if len(shapes) > 1 else shapes[0]) if shapes else "?",
                "params": layer.count_params(),
                "trainable": sum(v.size for v in layer.trainable_variables),
                "flops": sum(_flops(layer, node) for node in nodes),
                "bytes": 4 * sum(prod(size or 1 for size in shape[1:]) for shape in shapes),
            }
        )
    return found


def _calls(model: Any) -> dict[int, list[Node]]:
    """The nodes of each layer of a functional model, by the layer's `id`."""
    calls: dict[int, list[Node]] = {}
    for node in () if model._whole is None else model._whole.nodes:
        calls.setdefault(id(node.operation), []).append(node)
    return calls


def _flops(layer: Layer, node: Node) -> float:
    """Floating-point operations of one example's forward pass; text has none."""
    symbols = symbols_in((node.args, node.kwargs))
    if (
        not symbols
        or getattr(layer, "on_host", False)
        or any(symbol.dtype == "string" for symbol in symbols)
    ):
        return 0.0

    def run(values: list[Any], inputs: list[Any]) -> Any:
        scope = Scope(layer.variables, values, training=False)
        places = {id(symbol): value for symbol, value in zip(symbols, inputs)}
        args, kwargs = jax.tree.map(
            lambda leaf: places[id(leaf)] if is_symbolic(leaf) else leaf, (node.args, node.kwargs)
        )
        with scope.active():
            return layer(*args, **kwargs)

    values = [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in layer.variables]
    inputs = [
        jax.ShapeDtypeStruct(tuple(1 if size is None else size for size in s.shape), s.dtype)
        for s in symbols
    ]
    return cost.count(jax.make_jaxpr(run)(values, inputs)).flops


def summary(
    model: Any, line_length: int | None = None, print_fn: Callable[[str], Any] | None = None
) -> None:
    """Print the table of layers and the totals.

    Raises:
        ValueError: if the model is not built.
    """
    from rich.console import Console
    from rich.table import Table

    if not model.built:
        raise ValueError(
            f"Model {model.name!r} is not built, so it has no shapes to show. Call it on data, "
            "or start it with Input(shape=…)."
        )
    table = Table(title=f"Model: {model.name}", title_justify="left", title_style="bold")
    table.add_column("Layer (type)")
    for heading in ("Output shape", "Params", "FLOPs", "Memory"):
        table.add_column(heading, justify="left" if heading == "Output shape" else "right")
    layers = rows(model)
    for row in layers:
        table.add_row(
            f"{row['name']} ({row['class']})",
            str(row["shape"]),
            f"{row['params']:,}",
            quantity(row["flops"]),
            quantity(row["params"] * 4 + row["bytes"], "B"),
        )
    total = sum(v.size for v in model.variables)
    trainable = sum(v.size for v in model.trainable_variables)
    optimizer = getattr(model, "optimizer", None)
    kept = sum(v.size for v in optimizer.variables) if optimizer and optimizer.built else 0
    lines = [
        f"Parameters: {total + kept:,} ({quantity((total + kept) * 4, 'B')})",
        f"  trainable: {trainable:,} ({quantity(trainable * 4, 'B')})",
        f"  not trainable: {total - trainable:,} ({quantity((total - trainable) * 4, 'B')})",
    ]
    if kept:
        lines.append(f"  optimizer: {kept:,} ({quantity(kept * 4, 'B')})")
    lines.append(f"FLOPs an example, forward: {quantity(sum(row['flops'] for row in layers))}")
    console = Console(
        width=line_length,
        record=print_fn is not None,
        quiet=False,
        file=None if print_fn is None else open_null(),
    )
    console.print(table)
    for line in lines:
        console.print(line, highlight=False)
    if print_fn is not None:
        print_fn(console.export_text())


def open_null() -> Any:
    """Somewhere for output that is only recorded."""
    import io

    return io.StringIO()


def quantity(value: float, unit: str = "") -> str:
    """``1234567`` as ``1.23 M``."""
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {prefix}{unit}"
    return f"{value:.0f} {unit}".strip()

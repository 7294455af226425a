"""The table behind `Model.summary`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from slipstream.core import cost
from slipstream.core.layer import Layer
from slipstream.core.scope import Scope
from slipstream.core.symbol import SymbolicTensor


def rows(model: Any) -> list[dict[str, Any]]:
    """A dictionary for each layer: name, class, output shape, parameters, FLOPs, bytes.

    FLOPs are those of one example's forward pass, bytes those of the parameters and of one
    example's output.
    """
    found = []
    spec: Any = model.inputs[0] if hasattr(model, "_stack") and model.built else None
    for layer in model.layers:
        output: Any = None
        flops = 0.0
        if spec is not None:
            output = layer.compute_output_spec(spec)
            flops = _flops(layer, spec)
        elements = 0
        if isinstance(output, SymbolicTensor) and None not in output.shape[1:]:
            elements = 1
            for size in output.shape[1:]:
                elements *= size or 1
        found.append(
            {
                "name": layer.name,
                "class": type(layer).__name__,
                "shape": getattr(output, "shape", "?"),
                "params": layer.count_params(),
                "trainable": sum(v.size for v in layer.trainable_variables),
                "flops": flops,
                "bytes": 4 * elements,
            }
        )
        spec = output if isinstance(output, SymbolicTensor) else None
    return found


def _flops(layer: Layer, spec: SymbolicTensor) -> float:
    """Floating-point operations of one example's forward pass."""

    def run(values: list[Any], x: Any) -> Any:
        scope = Scope(layer.variables, values, training=False)
        with scope.active():
            return layer(x)

    values = [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in layer.variables]
    x = jax.ShapeDtypeStruct(tuple(1 if s is None else s for s in spec.shape), spec.dtype)
    return cost.count(jax.make_jaxpr(run)(values, x)).flops


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

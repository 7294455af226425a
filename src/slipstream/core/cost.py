"""Cost of a program, counted from its operations before it is compiled."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple


class Cost(NamedTuple):
    """What one run of a program takes.

    Attributes:
        flops: floating-point operations; a multiply-add counts as two.
        convolutions: number of convolutions in it.
    """

    flops: float
    convolutions: int


# Costs of operations that say their own, by the primitive's name; they are given the equation.
RULES: dict[str, Callable[[Any], Cost]] = {}

_FREE = frozenset(
    [
        "broadcast_in_dim",
        "reshape",
        "transpose",
        "slice",
        "dynamic_slice",
        "dynamic_update_slice",
        "concatenate",
        "squeeze",
        "convert_element_type",
        "copy",
        "gather",
        "iota",
        "pad",
        "rev",
        "select_n",
        "stop_gradient",
        "optimization_barrier",
    ]
)


def count(jaxpr: Any) -> Cost:
    """Cost of a jaxpr: loops of known length are multiplied out, a `while` counts once."""
    flops, convolutions = 0.0, 0
    for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        name, parameters = equation.primitive.name, equation.params
        output: Any = equation.outvars[0].aval if equation.outvars else None
        if name in RULES:
            own = RULES[name](equation)
            flops, convolutions = flops + own.flops, convolutions + own.convolutions
        elif name == "dot_general":
            (contracted, _), _ = parameters["dimension_numbers"]
            left = equation.invars[0].aval.shape
            flops += 2.0 * prod(output.shape) * prod(left[axis] for axis in contracted)
        elif name == "conv_general_dilated":
            kernel = equation.invars[1].aval.shape
            out_features = kernel[parameters["dimension_numbers"].rhs_spec[0]]
            flops += 2.0 * prod(output.shape) * prod(kernel) / max(out_features, 1)
            convolutions += 1
        else:
            inner = [
                count(value)
                for entry in parameters.values()
                for value in (entry if isinstance(entry, (tuple, list)) else (entry,))
                if hasattr(value, "eqns") or hasattr(value, "jaxpr")
            ]
            if inner:
                times = parameters.get("length", 1) if name == "scan" else 1
                flops += times * sum(cost.flops for cost in inner)
                convolutions += sum(cost.convolutions for cost in inner)
            elif name not in _FREE and hasattr(output, "shape"):
                operand = equation.invars[0].aval if equation.invars else output
                reduces = name.startswith(("reduce", "arg", "cum"))
                flops += prod((operand if reduces else output).shape)
    return Cost(flops, convolutions)

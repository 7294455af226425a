"""Cost of a program, counted from its operations before it is compiled."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from math import prod
from typing import Any, NamedTuple

# Sizes in bytes at which memory is measured. What an operation moves is sorted by how much of it
# there is: moving 1 MB may be as quick as memory of 256 KB is.
LEVELS = (16 << 10, 256 << 10, 4 << 20, 32 << 20, 256 << 20)


class Cost(NamedTuple):
    """What one run of a program takes at the least.

    Attributes:
        flops: floating-point operations; a multiply-add counts as two.
        convolutions: number of convolutions in it.
        low: those of the `flops` that matrix products and convolutions of 16-bit floats take.
        operations: operations that the compiler cannot fuse with others, each time they run.
        traffic: bytes read and written, by the largest of `LEVELS` that the operation's own data
            reach. Elementwise operations move nothing: they can be fused into their neighbours.
    """

    flops: float
    convolutions: int
    low: float = 0.0
    operations: float = 0.0
    traffic: tuple[float, ...] = (0.0,) * len(LEVELS)

    @property
    def bytes(self) -> float:
        """Bytes read and written."""
        return sum(self.traffic)

    def plus(self, other: Cost, times: float = 1) -> Cost:
        """Both together, `other` so many times; convolutions count once."""
        return Cost(
            self.flops + times * other.flops,
            self.convolutions + other.convolutions,
            self.low + times * other.low,
            self.operations + times * other.operations,
            tuple(a + times * b for a, b in zip(self.traffic, other.traffic)),
        )


NOTHING = Cost(0.0, 0)
_loops: ContextVar[bool] = ContextVar("slipstream_loops", default=True)

# Costs of operations that say their own, by the primitive's name; they are given the equation.
RULES: dict[str, Callable[[Any], Cost]] = {}
# Those of them that are sooner computed again than kept.
QUICK: set[str] = set()

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
        "split",
        "expand_dims",
        "ffi_call",
        "scatter",
    ]
)
# Other looks at the same data.
_VIEWS = frozenset(
    [
        "reshape",
        "squeeze",
        "expand_dims",
        "slice",
        "split",
        "transpose",
        "broadcast_in_dim",
        "stop_gradient",
        "copy",
    ]
)
_REDUCING = ("reduce", "arg", "cum")
_APART = ("sort", "top_k", "select_and", "fft", "ffi_call", "cholesky", "eigh", "svd", "lu",
          "qr", "triangular_solve", "householder")  # fmt: skip


def size(values: Iterable[Any]) -> float:
    """Bytes of arrays or of what stands for them in a program."""
    found = 0.0
    for value in values:
        value = getattr(value, "aval", value)
        if hasattr(value, "shape") and hasattr(value, "dtype"):
            found += prod(value.shape) * getattr(value.dtype, "itemsize", 8)
    return found


def moved(amount: float, extent: float) -> tuple[float, ...]:
    """Traffic of `amount` bytes within data of `extent` bytes."""
    level = max(bisect_right(LEVELS, extent) - 1, 0)
    return tuple(amount if place == level else 0.0 for place in range(len(LEVELS)))


def loops() -> bool:
    """Whether the count under way multiplies loops out."""
    return _loops.get()


def count(jaxpr: Any, loops: bool | None = None) -> Cost:
    """Cost of a program, its own inputs and outputs included.

    Args:
        jaxpr: the program.
        loops: whether loops of known length are multiplied out, as they are if this is not given,
            or count once. A loop of unknown length counts once.
    """
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    token = _loops.set(_loops.get() if loops is None else loops)
    try:
        found = _walk(jaxpr)
    finally:
        _loops.reset(token)
    ends = [jaxpr.invars[i] for i in found.reads] + [jaxpr.outvars[i] for i in found.writes]
    amount = size(ends)
    return found.cost.plus(Cost(0.0, 0, traffic=moved(amount, amount)))


def has_loops(jaxpr: Any) -> bool:
    """Whether a program has loops, those of the programs it calls included."""
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    return any(
        equation.primitive.name in ("scan", "while") or any(map(has_loops, _inner(equation)))
        for equation in jaxpr.eqns
    )


def largest(jaxpr: Any) -> float:
    """Bytes of the largest result within a program, those of the programs it calls included."""
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    found = [size([result]) for equation in jaxpr.eqns for result in equation.outvars]
    found += [largest(inner) for equation in jaxpr.eqns for inner in _inner(equation)]
    return max(found, default=0.0)


class _Found(NamedTuple):
    """Cost of a program's equations, and which of its ends elementwise operations touch.

    What a product or a reduction reads or writes is counted there, so these ends are left.
    """

    cost: Cost
    reads: frozenset[int]
    writes: frozenset[int]


def _walk(jaxpr: Any) -> _Found:
    total = NOTHING
    views: dict[Any, Any] = {}  # a variable to the one whose data it shows
    read: set[Any] = set()
    written: set[Any] = set()
    sources: dict[Any, Any] = {}  # a variable to the counted result that it is computed from

    def roots(variables: Iterable[Any]) -> set[Any]:
        return {views.get(v, v) for v in variables if not hasattr(v, "val")}

    def follow(inputs: Iterable[Any], outputs: Iterable[Any]) -> None:
        found = [sources[v] for v in roots(inputs) if v in sources]
        for output in outputs:
            written.add(output)
            sources.update((output, s) for s in found if size([s]) >= size([output]))

    for equation in jaxpr.eqns:
        name, inputs, outputs = equation.primitive.name, equation.invars, equation.outvars
        apart = _apart(equation)
        if apart is not None:
            total = total.plus(apart)
            sources.update((output, output) for output in outputs)
        elif name in _VIEWS and not hasattr(inputs[0], "val"):
            views.update((output, views.get(inputs[0], inputs[0])) for output in outputs)
        elif inner := _inner(equation):
            if name == "scan":
                total = total.plus(_scan(equation, inner[0]))
                continue
            for program in inner:
                found = _walk(program)
                total = total.plus(found.cost)
                whole = len(program.invars) == len(inputs) and len(inner) == 1
                read |= roots([inputs[i] for i in found.reads] if whole else inputs)
                follow(inputs, [outputs[i] for i in found.writes if i < len(outputs)])
        else:
            read |= roots(inputs)
            follow(inputs, outputs)
            if name not in _FREE and outputs and hasattr(outputs[0].aval, "shape"):
                total = total.plus(Cost(float(prod(outputs[0].aval.shape)), 0))
    last = [None if hasattr(v, "val") else views.get(v, v) for v in jaxpr.outvars]
    writes: set[int] = set()
    taken: set[Any] = set()
    for place, variable in enumerate(last):
        if variable is None or variable not in written or variable in last[:place]:
            continue
        # The product that an activation follows may write the activation instead of itself.
        source = sources.get(variable)
        if source is None or source in taken:
            writes.add(place)
        taken.add(source)
    reads = frozenset(i for i, v in enumerate(jaxpr.invars) if v in read)
    return _Found(total, reads, frozenset(writes))


def _scan(equation: Any, body: Any) -> Cost:
    """A loop: what its steps carry and the slices they take go through memory."""
    parameters = equation.params
    times = parameters["length"] if _loops.get() else 1
    found = _walk(body)
    first, count = _constants_and_carry(parameters)
    carried = first + count
    kept = [body.invars[i] for i in found.reads if first <= i < carried]
    kept += [body.outvars[i] for i in found.writes if i < count]
    sliced = [body.invars[i] for i in found.reads if i >= carried]
    sliced += [body.outvars[i] for i in found.writes if i >= count]
    each = found.cost.plus(Cost(0.0, 0, 0.0, 0.0, moved(size(kept), size(kept))))
    amount = size(sliced)
    each = each.plus(Cost(0.0, 0, 0.0, 0.0, moved(amount, amount * parameters["length"])))
    return NOTHING.plus(each, times)


def _constants_and_carry(parameters: Any) -> tuple[int, int]:
    """How many inputs of a scan are constants, and how many it carries from step to step."""
    if "num_carry" in parameters:  # JAX 0.10
        return parameters["num_consts"], parameters["num_carry"]
    constants, carry, _ = parameters["ft_in"].unpack()
    return len(constants), len(carry)


def _inner(equation: Any) -> list[Any]:
    """The programs an equation calls."""
    return [
        getattr(value, "jaxpr", value)
        for entry in equation.params.values()
        for value in (entry if isinstance(entry, (tuple, list)) else (entry,))
        if hasattr(value, "eqns") or hasattr(value, "jaxpr")
    ]


def _apart(equation: Any) -> Cost | None:
    """Cost of an operation that reads and writes memory by itself; None for the others."""
    name, inputs, outputs = equation.primitive.name, equation.invars, equation.outvars
    if name in RULES:
        own = RULES[name](equation)
        return (
            own
            if own.operations
            else _whole(equation, own.flops)._replace(convolutions=own.convolutions)
        )
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        left = inputs[0].aval.shape
        flops = 2.0 * prod(outputs[0].aval.shape) * prod(left[axis] for axis in contracted)
        return _product(equation, flops)
    if name == "conv_general_dilated":
        kernel = inputs[1].aval.shape
        out_features = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
        flops = 2.0 * prod(outputs[0].aval.shape) * prod(kernel) / max(out_features, 1)
        # Zeros between the numbers of a dilated input are nothing to multiply with.
        flops /= prod(equation.params.get("lhs_dilation") or (1,))
        return _product(equation, flops)._replace(convolutions=1)
    if name.startswith(_REDUCING):
        return _whole(equation, float(prod(inputs[0].aval.shape)) if inputs else 0.0)
    if name.startswith(_APART):
        flops = 0.0 if name in _FREE else float(prod(outputs[0].aval.shape))
        return _whole(equation, flops)
    if name == "gather":  # the rows that are picked, not all there are
        amount = size(inputs[1:]) + 2 * size(outputs)
        return Cost(0.0, 0, 0.0, 1.0, moved(amount, amount))
    if name == "dynamic_update_slice":
        amount = 2 * size(inputs[1:2])
        return Cost(0.0, 0, 0.0, 1.0, moved(amount, amount))
    if name.startswith("scatter"):
        amount = size(inputs[1:]) + size(outputs)
        added = 0.0 if name in _FREE else float(prod(inputs[2].aval.shape))
        return Cost(added, 0, 0.0, 1.0, moved(amount, amount))
    return None


def _whole(equation: Any, flops: float) -> Cost:
    """An operation that reads its operands once and writes its results once."""
    amount = size([*equation.invars, *equation.outvars])
    return Cost(flops, 0, 0.0, 1.0, moved(amount, amount))


def _product(equation: Any, flops: float) -> Cost:
    narrow = all(getattr(v.aval.dtype, "itemsize", 4) <= 2 for v in equation.invars[:2])
    return _whole(equation, flops)._replace(low=flops if narrow else 0.0)

"""The graph of a functional model: the steps from its inputs to its outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from math import prod
from typing import Any

import jax

from slipstream.core.layer import Layer
from slipstream.core.operation import Operation
from slipstream.core.symbol import Node, SymbolicTensor, is_symbolic, symbols_in
from slipstream.layers.input import Input, InputLayer

# Operations whose result at one place depends on their arguments at that place alone.
_ELEMENTWISE = """Abs Absolute Add Subtract Multiply Divide TrueDivide FloorDivide Mod Power
    Negative Maximum Minimum Exp Log Log1p Expm1 Sqrt Rsqrt Square Sign Sin Cos Tan Tanh Sigmoid
    Relu ReLU Relu6 LeakyRelu Elu Selu Gelu Silu Softplus Softsign HardSigmoid Clip Cast Where
    LogicalAnd LogicalOr LogicalXor LogicalNot Less LessEqual Greater GreaterEqual Equal NotEqual
    Erf Reciprocal Round Floor Ceil OnesLike ZerosLike StopGradient Isnan Isfinite LogSigmoid"""
_ALONG_AXIS = """Mean Sum Max Min Prod Var Std Any All Argmax Argmin Amax Amin Softmax LogSoftmax
    Logsumexp Concatenate Stack Norm Normalize Cumsum Cumprod Flip Repeat Sort Argsort Split Squeeze
    CountNonzero Roll"""
_elementwise, _along_axis = frozenset(_ELEMENTWISE.split()), frozenset(_ALONG_AXIS.split())


class Graph:
    """The steps between symbolic inputs and outputs, in an order in which each can run.

    Args:
        inputs: symbolic tensors, alone or in lists, tuples or dictionaries.
        outputs: the same.

    Attributes:
        nodes: steps in order, the inputs' first.
        lines: the same steps; layers that feed nothing but the next one are together.
        operations: layers and operations, each once, those furthest from the outputs first (as
            Keras orders them, which decides the order of weights).

    Raises:
        ValueError: if an output does not follow from the inputs, or two layers share a name.
    """

    def __init__(self, inputs: Any, outputs: Any) -> None:
        _check_symbols(inputs, "inputs")
        _check_symbols(outputs, "outputs")
        self.inputs, self.outputs = inputs, outputs
        self.sources = symbols_in(inputs)
        self.results = symbols_in(outputs)
        if len({id(symbol) for symbol in self.sources}) != len(self.sources):
            raise ValueError("A functional model's inputs must all be different symbolic tensors.")
        self.nodes, self.operations = self._sort()
        self.lines = self._in_lines()
        self._check_names()

    def _sort(self) -> tuple[list[Node], list[Any]]:
        """Nodes and operations by their longest way to an output, longest first."""
        given = {id(symbol) for symbol in self.sources}
        met: dict[int, int] = {}  # operation -> order in which it was met, going backward
        finished: list[Node] = []
        state: dict[int, bool] = {}  # node -> whether all it needs is in `finished`

        def needs(node: Node) -> list[Node]:
            if any(id(symbol) in given for symbol in symbols_in(node.outputs)):
                return []
            parents = [symbol.node for symbol in symbols_in((node.args, node.kwargs))]
            return [parent for parent in parents if parent is not None]

        def visit(start: Node) -> None:
            stack = [(start, iter(needs(start)))]
            met.setdefault(id(start.operation), len(met))
            state[id(start)] = False
            while stack:
                node, parents = stack[-1]
                parent = next((p for p in parents if id(p) not in state), None)
                if parent is None:
                    stack.pop()
                    state[id(node)] = True
                    finished.append(node)
                else:
                    met.setdefault(id(parent.operation), len(met))
                    state[id(parent)] = False
                    stack.append((parent, iter(needs(parent))))

        for symbol in self.results:
            if symbol.node is not None and id(symbol.node) not in state:
                visit(symbol.node)
        for node in finished:
            reached = any(id(symbol) in given for symbol in symbols_in(node.outputs))
            if not reached and not symbols_in((node.args, node.kwargs)):
                raise ValueError(
                    f"The model's outputs depend on {node.outputs!r}, which is not among its "
                    f"inputs {self.sources}. Add it to the inputs."
                )
        depths: dict[int, int] = {}
        of_operation: dict[int, int] = {}
        for node in reversed(finished):
            operation = id(node.operation)
            depth = max(depths.get(id(node), 0), of_operation.get(operation, 0))
            depths[id(node)] = of_operation[operation] = depth
            for parent in needs(node):
                depths[id(parent)] = max(depths.get(id(parent), 0), depth + 1)
        for symbol in self.sources:  # an input that no output needs is an input still
            source = symbol.node
            if source is not None and id(source) not in depths:
                depths[id(source)] = of_operation[id(source.operation)] = 0
                met.setdefault(id(source.operation), -1)
                finished.insert(0, source)
        known = {id(node.operation): node.operation for node in finished}
        operations = [
            known[key] for key in sorted(known, key=lambda key: (-of_operation[key], met[key]))
        ]
        first = [id(symbol.node) for symbol in self.sources]
        ordered = sorted(finished, key=lambda node: 0 if id(node) in first else 1)
        return ordered, operations

    def _in_lines(self) -> list[list[Node]]:
        uses = Counter(
            id(symbol) for node in self.nodes for symbol in symbols_in((node.args, node.kwargs))
        )
        uses.update(id(symbol) for symbol in (*self.results, *self.sources))
        lines: list[list[Node]] = []
        by_end: dict[int, list[Node]] = {}  # a symbol that the next of a line may take
        for node in self.nodes:
            given = node.args[0] if len(node.args) == 1 and not node.kwargs else None
            is_layer = isinstance(node.operation, Layer) and is_symbolic(given)
            line = by_end.get(id(given)) if is_layer and uses[id(given)] == 1 else None
            if line is None:
                line = []
                lines.append(line)
            line.append(node)
            if is_layer and is_symbolic(node.outputs):
                by_end[id(node.outputs)] = line
        return lines

    def _check_names(self) -> None:
        names: dict[str, Any] = {}
        for operation in self.operations:
            if names.setdefault(operation.name, operation) is not operation:
                raise ValueError(
                    f"Two layers of the model are named {operation.name!r}: "
                    f"{names[operation.name]!r} and {operation!r}. Give each a name of its own."
                )

    @property
    def layers(self) -> list[Layer]:
        """The layers among the operations."""
        return [operation for operation in self.operations if isinstance(operation, Layer)]

    def run(
        self,
        values: list[Any],
        call: Callable[..., Any],
        call_line: Callable[..., Any] | None = None,
    ) -> Any:
        """Outputs for values of `sources`.

        Args:
            values: one for each of `sources`.
            call: runs a step, ``(operation, args, kwargs)``.
            call_line: runs layers that only feed each other, ``(layers, value)``; None for `call`.
        """
        found = {id(symbol): value for symbol, value in zip(self.sources, values)}

        def fill(tree: Any) -> Any:
            return jax.tree.map(lambda leaf: found[id(leaf)] if is_symbolic(leaf) else leaf, tree)

        steps = self.lines if call_line is not None else [[node] for node in self.nodes]
        for nodes in steps:
            first, last = nodes[0], nodes[-1]
            symbols = symbols_in(last.outputs)
            if all(id(symbol) in found for symbol in symbols):
                continue
            if call_line is not None and first is not last:
                outputs = call_line([node.operation for node in nodes], fill(first.args[0]))
            else:
                outputs = call(first.operation, fill(first.args), fill(first.kwargs))
            for symbol, value in zip(symbols, jax.tree.leaves(outputs), strict=True):
                found.setdefault(id(symbol), value)
        return fill(self.outputs)

    def on_fresh_inputs(self) -> Graph:
        """The same graph, with an `Input` in the place of each source that is none."""
        if all(_is_input(symbol) for symbol in self.sources):
            return self
        fresh = [
            symbol if _is_input(symbol) else Input(batch_shape=symbol.shape, dtype=symbol.dtype)
            for symbol in self.sources
        ]
        outputs = self.run(fresh, lambda operation, args, kwargs: operation(*args, **kwargs))
        leaves = iter(fresh)
        return Graph(jax.tree.map(lambda _: next(leaves), self.inputs), outputs)

    def rows_stay_apart(self) -> bool:
        """Whether no operation of the graph (layers speak for themselves) mixes examples."""
        return all(
            _keeps_rows(node) for node in self.nodes if not isinstance(node.operation, Layer)
        )


def call_layer(operation: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """A step on values."""
    return operation(*args, **kwargs)


def infer_layer(operation: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """A step on symbolic tensors that leaves no trace in the layer."""
    if isinstance(operation, Layer):
        return operation.compute_output_spec(*args, **kwargs)
    return operation.infer(*args, **kwargs)


def _is_input(symbol: SymbolicTensor) -> bool:
    return symbol.node is not None and isinstance(symbol.node.operation, InputLayer)


def _check_symbols(tree: Any, what: str) -> None:
    leaves: Iterable[Any] = jax.tree.leaves(tree)
    strangers = [leaf for leaf in leaves if not is_symbolic(leaf)]
    if strangers or not symbols_in(tree):
        raise ValueError(
            f"A functional model's {what} are symbolic tensors, as Input(shape=…) and layers on it "
            f"give; got {strangers[0] if strangers else tree!r}."
        )


def _keeps_rows(node: Node) -> bool:
    """Whether each row of the outputs follows from the same row of the inputs."""
    if not isinstance(node.operation, Operation):  # of the user's own: nobody knows
        return False
    symbols = symbols_in((node.args, node.kwargs))
    results = symbols_in(node.outputs)
    if any(not symbol.shape or symbol.shape[0] is not None for symbol in (*symbols, *results)):
        return False
    name, options = node.operation.entry.class_name, node.operation.options
    if name in _elementwise:
        arrays = [leaf for leaf in jax.tree.leaves(node.args) if hasattr(leaf, "shape")]
        widest = max(len(leaf.shape) for leaf in arrays)
        return all(
            len(leaf.shape) == widest if is_symbolic(leaf) else len(leaf.shape) < widest
            for leaf in arrays
        )
    if name in _along_axis:
        axis = options.get("axis", options.get("dim"))
        axes = axis if isinstance(axis, (list, tuple)) else [axis]
        rank = len((results if name == "Stack" else symbols)[0].shape)
        return all(isinstance(a, int) and a % rank != 0 for a in axes)
    if name in ("Reshape", "ExpandDims"):
        shape = options.get("newshape", options.get("shape"))
        if name == "ExpandDims":
            return options.get("axis") not in (0, -len(symbols[0].shape) - 1)
        before, after = symbols[0].shape[1:], results[0].shape[1:]
        sizes = [*before, *after]
        if not shape or shape[0] not in (-1, None) or None in sizes:
            return False
        return prod(size or 0 for size in before) == prod(size or 0 for size in after)
    if name == "GetItem":
        key = node.args[1] if len(node.args) > 1 else None
        first = key[0] if isinstance(key, (list, tuple)) and key else key
        return first == slice(None) or first is Ellipsis
    return False

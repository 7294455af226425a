"""What a model is made of: its layers, its symbolic ends, how it is built."""

from __future__ import annotations

from typing import Any

import jax

from slipstream.core.config import floatx
from slipstream.core.layer import Layer
from slipstream.core.layer_building import says_when_built
from slipstream.core.layer_shapes import shapes_of
from slipstream.core.scope import Scope, attach
from slipstream.core.signature import is_shape
from slipstream.core.symbol import SymbolicTensor
from slipstream.layers.dense_chain import call_all
from slipstream.models.entrance import enter_all
from slipstream.models.graph import Graph, call_layer, infer_layer
from slipstream.models.inputs import (
    arrange,
    check_shapes,
    fit_rank,
    input_names,
    output_names,
)
from slipstream.models.tables import columns_of, is_frame


class Structured(Layer):
    """The part of `Model` that knows its layers and runs its graph, if it has one."""

    _whole: Graph | None = None  # from the model's inputs to its outputs
    _graph: Graph | None = None  # the part that programs run: all but the layers on the host
    _entrance: Any = None  # the layers on the host, if there are any

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Run the graph of a functional model. Subclasses override it."""
        if self._graph is None:
            raise NotImplementedError(
                f"Model {type(self).__name__} has no call() of its own, nor inputs and outputs."
            )
        values = arrange(self._graph, inputs, self.name)
        masks = [None] * len(values) if mask is None else jax.tree.leaves(mask)
        values = [fit_rank(value, spec) for value, spec in zip(values, self._graph.sources)]
        for value, known in zip(values, masks):
            if known is not None:
                attach(value, "mask", known)
        return self._graph.run(values, call_layer, call_all)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs for symbolic inputs."""
        if self._whole is None or type(self).call is not Structured.call:
            return super().compute_output_spec(*args, **kwargs)
        return self._whole.run(arrange(self._whole, args[0], self.name), infer_layer)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shapes of the outputs for inputs of these shapes, batch axis included."""
        return super().compute_output_shape(input_shape)

    def _pass_mask(self, args: tuple, outputs: Any) -> None:
        """The layers inside have noted the outputs' masks."""

    def _known_output_shape(self, args: tuple, kwargs: dict) -> Any:
        return None

    @property
    def layers(self) -> list[Layer]:
        """The layers held directly; of a functional model those of its graph."""
        return self._layers

    @property
    def line(self) -> list[Layer] | None:
        """The layers, if each feeds the next one and that is all; None of other models."""
        if self._graph is None or type(self).call is not Structured.call:
            return None
        lines = self._graph.lines
        if [len(lines), len(self._graph.sources), len(self._graph.results)] != [2, 1, 1]:
            return None
        steps = [node.operation for node in lines[1]]
        whole = lines[1][-1].outputs is self._graph.results[0]
        return steps if whole and all(isinstance(step, Layer) for step in steps) else None

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbolic inputs."""
        return self._known_graph("inputs").sources

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """The symbolic outputs."""
        return self._known_graph("outputs").results

    @property
    def input(self) -> Any:
        """The symbolic inputs in the structure they were given in."""
        return self._known_graph("input").inputs

    @property
    def output(self) -> Any:
        """The symbolic outputs in the structure they were given in."""
        return self._known_graph("output").outputs

    @property
    def input_shape(self) -> Any:
        """Shapes of the inputs, batch axis included."""
        return jax.tree.map(lambda symbol: symbol.shape, self.input)

    @property
    def output_shape(self) -> Any:
        """Shapes of the outputs, batch axis included."""
        return jax.tree.map(lambda symbol: symbol.shape, self.output)

    @property
    def input_names(self) -> list[str] | None:
        """Names of the inputs, or None where the model is no functional one."""
        return None if self._whole is None else input_names(self._whole)

    @property
    def output_names(self) -> list[str] | None:
        """Names of the outputs, or None where the model is no functional one."""
        return None if self._graph is None else output_names(self._graph)

    def _known_graph(self, what: str) -> Graph:
        if self._whole is None:
            raise AttributeError(
                f"Model {self.name!r} ({type(self).__name__}) has no attribute {what!r}: only "
                "functional and Sequential models know their symbolic tensors."
            )
        return self._whole

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name or place.

        Raises:
            ValueError: unless exactly one argument is given and there is such a layer.
        """
        if (name is None) == (index is None):
            raise ValueError("get_layer takes a name or an index.")
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(
                    f"Model {self.name!r} has {len(layers)} layers; there is none at {index}."
                )
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"Model {self.name!r} has no layer named {name!r}. It has: "
            + ", ".join(layer.name for layer in layers)
        )

    @says_when_built
    def build(self, input_shape: Any = None) -> None:
        """Build all layers for inputs of these shapes, batch axis included."""
        if self.built or type(self).call is Structured.call:
            return
        sizes = jax.tree.map(
            lambda shape: jax.ShapeDtypeStruct([1 if s is None else s for s in shape], floatx()),
            input_shape,
            is_leaf=is_shape,
        )
        self.build_on(sizes)

    def _maybe_build(self, args: tuple, kwargs: dict) -> None:
        if type(self).build is not Structured.build:
            super()._maybe_build(args, kwargs)
        elif not self.built:  # the layers inside are built by the call that follows
            shapes = list(shapes_of(self, args, kwargs).values())
            self._build_shapes = {"input_shape": shapes[0]} if shapes else None
            self.built = True

    def build_on(self, x: Any) -> None:
        """Build all layers by running the model on the shapes of a batch."""
        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), x)

        def run(x: Any) -> Any:
            with Scope(training=False, dry=True).active():
                return self(x)

        jax.eval_shape(run, shapes)
        self.built = True

    def output_shapes(self, rows: int) -> Any:
        """Shapes of the outputs for so many rows if they are known without a trace, else None."""
        if self._graph is None or any(None in s.shape[1:] for s in self._graph.results):
            return None
        return jax.tree.map(
            lambda symbol: jax.ShapeDtypeStruct((rows, *symbol.shape[1:]), symbol.dtype),
            self._graph.outputs,
        )

    def takes(self, shapes: list[tuple[int, ...]]) -> bool:
        """Whether arrays of these shapes are known to fit as they are."""
        if self._graph is None or len(self._graph.sources) != len(shapes):
            return False
        wanted = [source.shape[1:] for source in self._graph.sources]
        return [shape[1:] for shape in shapes] == wanted

    def check_input(self, x: Any) -> None:
        """Raise a ValueError that shows both shapes if data cannot go in."""
        if self._graph is not None:
            check_shapes(self._graph, x, self.name)

    def _enter(self, x: Any) -> Any:
        """Data, or batches, after the layers that work on the host."""
        entrance = self._entrance
        if self._whole is not None and len(self._whole.sources) > 1 and is_frame(x):
            x = columns_of(x)
        if entrance is None or x is None:
            return x
        return enter_all(x, lambda data: entrance.enter(data, self.name))

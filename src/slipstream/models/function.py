"""`Function`: what lies between symbolic tensors, without being a model."""

from __future__ import annotations

from typing import Any

import jax

from slipstream.core.custom_operation import Operation
from slipstream.core.signature import is_shape
from slipstream.core.symbol import SymbolicTensor
from slipstream.models.graph import Graph, call_layer, infer_layer


class Function(Operation):
    """The steps between symbolic inputs and outputs, as one operation.

    Args:
        inputs: symbolic tensors, alone or in lists, tuples or dictionaries.
        outputs: symbolic tensors that follow from them, in any such structure.
        name: automatic if not given.

    Raises:
        ValueError: if an output does not follow from the inputs.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None) -> None:
        super().__init__(name)
        self._graph = Graph(inputs, outputs)

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbolic inputs."""
        return self._graph.sources

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """The symbolic outputs."""
        return self._graph.results

    @property
    def operations(self) -> list[Any]:
        """Layers and operations, each once, those nearest to the inputs first."""
        return self._graph.operations

    def call(self, inputs: Any) -> Any:
        """Outputs for arrays in the structure of the inputs.

        Raises:
            ValueError: if the structure is another.
        """
        return self._graph.run(self._arranged(inputs), call_layer)

    def compute_output_spec(self, inputs: Any) -> Any:
        """Symbolic outputs for symbolic inputs in the structure of the inputs."""
        return self._graph.run(self._arranged(inputs), infer_layer)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shapes of the outputs for inputs of these shapes."""
        specs = jax.tree.map(
            lambda spec, shape: SymbolicTensor(shape, spec.dtype),
            self._graph.inputs,
            jax.tree.unflatten(
                jax.tree.structure(self._graph.inputs),
                jax.tree.leaves(input_shape, is_leaf=is_shape),
            ),
            is_leaf=lambda leaf: is_shape(leaf) or isinstance(leaf, SymbolicTensor),
        )
        return jax.tree.map(lambda spec: spec.shape, self.compute_output_spec(specs))

    def _arranged(self, inputs: Any) -> list[Any]:
        wanted, given = (str(jax.tree.structure(x)) for x in (self._graph.inputs, inputs))
        if given != wanted:
            raise ValueError(
                f"Function {self.name!r} takes inputs in the structure {wanted}; got {given}."
            )
        return jax.tree.leaves(inputs)

    def get_config(self) -> dict[str, Any]:
        """Not possible: make a `Model` of the same inputs and outputs to save it."""
        raise NotImplementedError(
            f"Function {self.name!r} has no configuration. Make a Model of the same inputs and "
            "outputs to save it."
        )

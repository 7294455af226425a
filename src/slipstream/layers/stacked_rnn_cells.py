"""`StackedRNNCells`: several cells that work as one."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core import registry
from slipstream.core.layer import Layer
from slipstream.core.registry import register


@register("layer")
class StackedRNNCells(Layer):
    """Cells one after the other within each step: each one's output is the next one's input.

    Args:
        cells: RNN cells, first to last.

    Raises:
        ValueError: if `cells` is empty, or one of them is no RNN cell.
    """

    per_example = True

    def __init__(self, cells: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not cells:
            raise ValueError(f"StackedRNNCells {self.name!r} needs at least one cell; got none.")
        for cell in cells:
            check_cell(cell)
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        """State size of each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """Output size of the last cell."""
        return output_size(self.cells[-1])

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """A list of states for each cell."""
        return [initial_state(cell, batch_size) for cell in self.cells]

    def build(self, input_shape: Any) -> None:
        """Build the cells for inputs ``(batch, features)``."""
        for cell in self.cells:
            if not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], *_as_tuple(output_size(cell)))

    def call(
        self, inputs: Any, states: Any, training: bool = False, **kwargs: Any
    ) -> tuple[Any, list[Any]]:
        """One step of all cells: the last output and the new states."""
        new = []
        for cell, state in zip(self.cells, states, strict=True):
            state = list(state) if isinstance(state, (list, tuple)) else [state]
            inputs, state = cell(inputs, state, training=training, **kwargs)
            new.append(list(state) if isinstance(state, (list, tuple)) else [state])
        return inputs, new

    @property
    def by_sequences(self) -> bool:
        """Whether `run` is the same as `call` step by step, but faster."""
        return type(self).call is StackedRNNCells.call and all(
            getattr(cell, "by_sequences", False) and cell.compute_dtype == self.compute_dtype
            for cell in self.cells
        )

    def run(
        self,
        inputs: Any,
        states: Any,
        training: bool,
        *,
        mask: Any = None,
        return_sequences: bool = False,
        go_backwards: bool = False,
        **how: Any,
    ) -> tuple[Any, list[Any]]:
        """All steps of ``(batch, time, …)`` of one cell after those of the other.

        What comes before a row's first step that is not masked is the last cell's first state.
        """
        new = []
        for place, (cell, state) in enumerate(zip(self.cells, states, strict=True), 1):
            inputs, state = cell.run(
                inputs,
                state,
                training,
                mask=mask,
                return_sequences=return_sequences or place < len(self.cells),
                go_backwards=go_backwards,
                **how,
            )
            new.append(state)
            if go_backwards:  # outputs come in the order of the steps
                go_backwards, mask = False, None if mask is None else mask[:, ::-1]
        return inputs, new

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "cells": registry.serialize(self.cells)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """The layer that `get_config` described."""
        cells = [registry.deserialize(c, custom_objects, kind="layer") for c in config["cells"]]
        return cls(cells, **{name: v for name, v in config.items() if name != "cells"})


def check_cell(cell: Any) -> None:
    """Raise a ValueError unless `cell` is an RNN cell."""
    for name, what in (
        ("call", "a method call(inputs, states) -> (output, new states)"),
        ("state_size", "an attribute state_size (a number, or a list with one for each state)"),
    ):
        if not hasattr(cell, name):
            raise ValueError(f"An RNN cell needs {what}; got {cell!r}. Pass LSTMCell(64), say.")


def output_size(cell: Any) -> Any:
    """Size of a cell's output: its `output_size`, else the size of its first state."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size[0] if isinstance(cell.state_size, (list, tuple)) else cell.state_size
    return size


def initial_state(cell: Any, batch_size: Any) -> list[Any]:
    """States of a cell before the first step: its own choice, or zeros."""
    if hasattr(cell, "get_initial_state"):
        states = cell.get_initial_state(batch_size=batch_size)
        return list(states) if isinstance(states, (list, tuple)) else [states]
    sizes = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [cell.state_size]
    return [jnp.zeros((batch_size, size), cell.compute_dtype) for size in sizes]


def _as_tuple(size: Any) -> tuple[int, ...]:
    return tuple(size) if isinstance(size, (list, tuple)) else (size,)

"""`StatelessScope`: code that reads and writes variables, as a pure function of their values."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Self

import jax.numpy as jnp

from slipstream.core.scope import Scope
from slipstream.core.variable import Variable


class StatelessScope(Scope):
    """While it lasts, variables have the given values, and assignments stay within it.

    Args:
        state_mapping: pairs of a variable and its value.
        collect_losses: whether to keep what layers add to the loss, in `losses`.
        initialize_variables: accepted for Keras' signature.

    Raises:
        ValueError: if a pair does not start with a variable, or shapes differ.
    """

    def __init__(
        self,
        state_mapping: Iterable[tuple[Variable, Any]] | None = None,
        collect_losses: bool = False,
        initialize_variables: bool = True,
    ) -> None:
        pairs = list(state_mapping or ())
        for variable, value in pairs:
            if not isinstance(variable, Variable):
                raise ValueError(
                    f"state_mapping pairs variables with values; got {variable!r} for a variable."
                )
            if jnp.shape(value) != variable.shape:
                raise ValueError(
                    f"Variable {variable.path!r} has shape {variable.shape}; state_mapping gives "
                    f"it a value of shape {jnp.shape(value)}."
                )
        values = [jnp.asarray(value, variable.dtype) for variable, value in pairs]
        super().__init__([variable for variable, _ in pairs], values, dry=True)
        self.collect_losses = collect_losses
        self._kept = [variable for variable, _ in pairs]
        self._entered: list[AbstractContextManager] = []

    def __enter__(self) -> Self:
        context = self.active()
        context.__enter__()
        self._entered.append(context)
        return self

    def __exit__(self, *error: Any) -> None:
        self._entered.pop().__exit__(*error)
        if not self.collect_losses:
            self.losses = []

    def add_loss(self, loss: Any) -> None:
        """Add to the losses."""
        self.losses.append(loss)

    def add_update(self, update: tuple[Variable, Any]) -> None:
        """Set a variable's value within the scope."""
        variable, value = update
        self._kept.append(variable)
        self.values[id(variable)] = value

    def get_current_value(self, variable: Variable) -> Any:
        """The value a variable has within the scope, or None where it has none of its own."""
        return self.values.get(id(variable))


class SymbolicScope:
    """Marks code that only infers shapes; nothing here depends on the mark."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        return None

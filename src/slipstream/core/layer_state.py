"""The values of a layer's variables: taken out, put in, stored."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.core.layer_tracking import Tracked, declared_first
from slipstream.core.variable import Variable


class Stored(Tracked):
    """The part of `Layer` that hands out the values of its variables and takes them back."""

    built: bool
    _path: str

    def get_weights(self) -> list[np.ndarray]:
        """Values of `weights` as NumPy arrays that are the caller's own."""
        return [np.array(variable.value) for variable in self.weights]

    def set_weights(self, weights: list[Any]) -> None:
        """Set the values of `weights`, in the order of `get_weights`; all or none.

        Raises:
            ValueError: if the number or the shape of the arrays differs.
        """
        variables, arrays = self.weights, [np.asarray(value) for value in weights]
        if len(arrays) != len(variables):
            raise ValueError(
                f"Layer {self._path!r} has {len(variables)} weights; set_weights got "
                f"{len(arrays)} arrays."
                + ("" if self.built else " The layer is not built yet: call it on data first.")
            )
        for variable, value in zip(variables, arrays):
            if value.shape != variable.shape:
                raise ValueError(
                    f"Weight {variable.path!r} has shape {variable.shape}; set_weights got an "
                    f"array of shape {value.shape} for it."
                )
        for variable, value in zip(variables, arrays):
            variable.assign(value)

    def own_variables(self, transient: bool = False) -> list[Variable]:
        """The variables held directly, trainable ones first: the order in which they are saved."""
        own = declared_first(self._children())
        return own if transient else [v for v in own if not v.transient]

    def numbered_variables(self) -> list[Variable] | None:
        """What files hold of the layer itself, one entry each; None if it stores in its own way."""
        plain = type(self).save_own_variables is Stored.save_own_variables
        return self.own_variables() if plain else None

    def save_own_variables(self, store: Any) -> None:
        """Put the layer's own variables into a mapping of arrays. Subclasses may override it."""
        for index, variable in enumerate(self.own_variables()):
            store[str(index)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take the variables from such a mapping. Subclasses may override it.

        Raises:
            ValueError: if their number differs.
        """
        variables = self.own_variables()
        if len(store) != len(variables):
            raise ValueError(
                f"Layer {self._path!r} has {len(variables)} variables of its own, but the file "
                f"holds {len(store)}. Build it as it was when it was saved."
            )
        for index, variable in enumerate(variables):
            variable.assign(np.asarray(store[str(index)]))

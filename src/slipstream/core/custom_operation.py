"""`Operation`: a step of a graph of the user's own, without variables."""

from __future__ import annotations

import inspect
from typing import Any, Self

from slipstream.core.names import auto_name, snake_case
from slipstream.core.symbol import Node, infer, symbols_in


class Operation:
    """A step of a graph without variables. A subclass computes in `call`.

    To save a model with it, register the class.

    Args:
        name: automatic if not given.
    """

    _nodes: list[Node]
    _arguments: tuple[tuple, dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        self._nodes, self._arguments = [], (args, kwargs)
        return self

    def __init__(self, name: str | None = None) -> None:
        self.name = name or auto_name(snake_case(type(self).__name__))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not symbols_in((args, kwargs)):
            return self.call(*args, **kwargs)
        outputs = self.infer(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The result for arrays. Subclasses override it."""
        raise NotImplementedError(f"Operation {type(self).__name__} does not define call().")

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic results for symbolic arguments, from a trace of `call` unless overridden."""
        return infer(self.call, *args, **kwargs)

    def infer(self, *args: Any, **kwargs: Any) -> Any:
        """`compute_output_spec`, as graphs call it."""
        return self.compute_output_spec(*args, **kwargs)

    @property
    def input(self) -> Any:
        """What it was first called on to extend a graph."""
        symbols = symbols_in((self._first().args, self._first().kwargs))
        return symbols[0] if len(symbols) == 1 else symbols

    @property
    def output(self) -> Any:
        """What that call gave."""
        return self._first().outputs

    def _first(self) -> Node:
        if not self._nodes:
            raise AttributeError(f"Operation {self.name!r} was never called on a symbolic tensor.")
        return self._nodes[0]

    def get_config(self) -> dict[str, Any]:
        """Its name, and the arguments it was made with."""
        args, kwargs = self._arguments
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        return {"name": self.name, **dict(zip(names, args)), **kwargs}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The operation that `get_config` described."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

"""Operations: functions of arrays that also work on symbolic tensors.

`operation(home)` decorates a plain function of arrays. On arrays it is that function; on symbolic
tensors it adds a step to the graph. Which parameters are arrays follows from their annotation,
`Array` or `Arrays` (a sequence of arrays), or `Index` for what stands among the arrays in a saved
graph but is none; the others are options and go into the step's configuration.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any, TypeAlias, TypeVar

import jax.numpy as jnp
import numpy as np

from slipstream.core import registry
from slipstream.core.names import auto_name, camel_case, snake_case
from slipstream.core.symbol import Node, SymbolicTensor, infer_operation, symbols_in
from slipstream.core.variable import Variable

Array: TypeAlias = Any  # an array, a variable, a number or a list of numbers, or a symbol
Arrays: TypeAlias = Sequence[Any]
Index: TypeAlias = Any  # goes along with the arrays as it is: slices, whole numbers, functions
F = TypeVar("F", bound=Callable[..., Any])


class Operation:
    """One step of a graph: an operation with its options fixed.

    Args:
        entry: the decorated function.
        options: its arguments that are not arrays.
        name: automatic if not given.
    """

    def __init__(self, entry: Entry, options: dict[str, Any], name: str | None = None) -> None:
        self.entry = entry
        self.options = options
        self.name = name or auto_name(snake_case(entry.class_name))
        self._nodes: list[Node] = []

    def __call__(self, *arrays: Any, **named: Any) -> Any:
        if not symbols_in((arrays, named)):
            return self.compute(*arrays, **named)
        outputs = self.infer(*arrays, **named)
        Node(self, arrays, named, outputs)
        return outputs

    def infer(self, *arrays: Any, **named: Any) -> Any:
        """Symbolic results for symbolic tensors."""
        return infer_operation(self.compute, arrays, named, self.options)

    def compute(self, *arrays: Any, **named: Any) -> Any:
        """The result for arrays."""
        return self.entry.compute(arrays, named, self.options)

    def get_config(self) -> dict[str, Any]:
        """Name and options."""
        return {"name": self.name, **self.options}

    def __repr__(self) -> str:
        return f"<Operation {self.entry.class_name} name={self.name}>"


class Entry:
    """A function of arrays that also takes symbolic tensors; see `operation`."""

    def __init__(
        self,
        function: Callable[..., Any],
        home: str,
        class_name: str | None,
        named: Sequence[str] | None = None,
        filled: dict[str, Callable[[], Any]] | None = None,
    ) -> None:
        self.function = function
        self.home = home
        self.class_name = class_name or camel_case(function.__name__)
        self.signature = inspect.signature(function)
        parameters = self.signature.parameters
        self._kinds = {
            name: str(parameter.annotation).strip("'\"").removesuffix(" | None")
            for name, parameter in parameters.items()
        }
        self._names = list(parameters)
        self._rest = next((n for n, p in parameters.items() if p.kind is p.VAR_POSITIONAL), None)
        self._catch_all = next((n for n, p in parameters.items() if p.kind is p.VAR_KEYWORD), None)
        inputs = [n for n in self._names if self._kinds[n] in ("Array", "Arrays", "Index")]
        if named is None:
            options = [i for i, n in enumerate(self._names) if n not in inputs and not self._rest]
            first = min(options, default=len(self._names))
            named = [n for n in inputs if self._names.index(n) > first]
        self._named = set(named)
        self._filled = filled or {}
        self._ordered = [name for name in inputs if name not in self._named]
        update_wrapper(self, function)

    @property
    def module(self) -> str:
        """The module that saved models name for it."""
        if self.home == "activations":
            return "keras.src.activations.activations"
        return f"keras.src.ops.{self.home}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if _symbolic(args) or _symbolic(kwargs.values()):
            return self._record(args, kwargs)
        names, last = self._names, len(self._names) - 1
        args = tuple(self._plain(names[min(i, last)], value) for i, value in enumerate(args))
        return self.function(*args, **{n: self._plain(n, value) for n, value in kwargs.items()})

    def compute(self, inputs: Sequence[Any], named: dict[str, Any], options: dict[str, Any]) -> Any:
        """The result of a recorded step for arrays."""
        values = {**options, **{name: self._plain(name, value) for name, value in named.items()}}
        if self._rest is None:
            values.update((n, self._plain(n, v)) for n, v in zip(self._ordered, inputs))
            return self.function(**values)
        first = self._names[: self._names.index(self._rest)]
        rest = [self._plain(self._rest, value) for value in inputs]
        return self.function(*(values.pop(name) for name in first), *rest, **values)

    def _plain(self, name: str, value: Any) -> Any:
        """An array parameter's value as an array, or as a list of arrays."""
        kind = self._kinds.get(name)
        if kind == "Arrays" and isinstance(value, (list, tuple)):
            return type(value)(_array(item) for item in value)
        return _array(value) if kind in ("Array", "Arrays") else value

    def _record(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        inputs: list[Any] = []
        named: dict[str, Any] = {}
        options: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            if name == self._rest:
                inputs.extend(value)
            elif name == self._catch_all:
                (named if name in self._named else options).update(value)
            elif name in self._ordered:
                inputs.append(value)
            else:
                if value is None and name in self._filled:
                    value = self._filled[name]()
                by_name = name in self._named or symbols_in(value)
                (named if by_name else options)[name] = value
        return Operation(self, options)(*inputs, **named)

    def from_config(self, config: dict[str, Any]) -> Operation:
        """The step that `Operation.get_config` described."""
        options = {key: _tuples(value) for key, value in config.items()}
        name = options.pop("name", None)
        unknown = set(options) - set(self.signature.parameters)
        if unknown:
            raise ValueError(
                f"Operation {self.class_name} ({name!r}) has no option {sorted(unknown)}; it has "
                f"{[n for n in self._names if n not in self._ordered]}."
            )
        return Operation(self, options, name)

    def __repr__(self) -> str:
        return f"<function slipstream.ops.{self.__name__}>"  # type: ignore[attr-defined]


def operation(
    home: str,
    class_name: str | None = None,
    named: Sequence[str] | None = None,
    filled: dict[str, Callable[[], Any]] | None = None,
) -> Callable[[F], F]:
    """Make a function of arrays work on symbolic tensors too, and enter it in the registry.

    Args:
        home: last part of the module that Keras keeps the operation in (``"numpy"``, ``"nn"``
            …), which saved models name.
        class_name: its name in saved models, if not the function's in camel case.
        named: inputs that saved models pass by name, if not those that come after an option.
        filled: settings that a recorded step holds in place of options that are None.
    """

    def enter(function: F) -> F:
        entry = Entry(function, home, class_name, named, filled)
        registry.register_operation(entry)
        return entry  # type: ignore[return-value]

    return enter


def _tuples(value: Any) -> Any:
    """Lists as tuples: what is read from a file has no tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, (list, tuple)) else value


def _symbolic(values: Any) -> bool:
    for value in values:
        if type(value) is SymbolicTensor:
            return True
        if isinstance(value, (list, tuple)) and _symbolic(value):
            return True
        if isinstance(value, dict) and _symbolic(value.values()):
            return True
    return False


def _array(value: Any) -> Any:
    """Variables, NumPy arrays and lists as arrays; a plain number stays one, of a weak type."""
    if isinstance(value, Variable):
        return value.value
    if isinstance(value, (np.ndarray, np.generic, list, tuple)):
        if isinstance(value, (list, tuple)) and any(isinstance(v, Variable) for v in value):
            value = [_array(item) for item in value]
        return jnp.asarray(value)
    return value

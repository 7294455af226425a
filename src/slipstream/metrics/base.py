"""`Metric`: variables that stream over batches, and the number they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import slipstream.initializers  # noqa: F401  their names may stand for initial values
from slipstream.core import config
from slipstream.core.names import auto_name, snake_case
from slipstream.core.policy import get_policy
from slipstream.core.registry import register
from slipstream.core.scope import Scope
from slipstream.core.variable import Variable


@register("metric")
class Metric:
    """A number gathered batch by batch.

    Subclasses create their variables in `__init__` with `add_variable`, change them in
    `update_state` and read them in `result`. Both are traced into the compiled program, so they
    compute with arrays and do not branch on values.

    Args:
        dtype: type name or `DTypePolicy` (its compute type counts); `floatx()` if not given.
        name: automatic if not given.

    Attributes:
        per_example: True where a row of weight 0 changes nothing at all. A partial batch may then
            be filled up with rows that count for nothing. A subclass that overrides
            `update_state` starts from False and may say True itself.
        direction: ``"up"`` or ``"down"``, whichever is better; None where neither is.
        built: False while variables wait for the shapes of the data; see `build`.
    """

    per_example = False
    direction: str | None = None
    built = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "update_state" in vars(cls) and "per_example" not in vars(cls):
            cls.per_example = False

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or auto_name(snake_case(type(self).__name__))
        self._dtype = get_policy(dtype or config.floatx()).compute_dtype
        self._created: list[Variable] = []

    def add_variable(
        self,
        shape: Any,
        initializer: Any = None,
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """Create a variable of the metric's state; zeros unless an initializer is given.

        Raises:
            RuntimeError: if `super().__init__()` was not called first.
        """
        self._check_initialized()
        name = name or auto_name("variable")
        variable = Variable(
            _zeros if initializer is None else initializer,
            shape=tuple(shape),
            dtype=dtype or config.floatx(),
            trainable=False,
            autocast=False,
            aggregation=aggregation,
            synchronization="on_read",
            name=name,
            path=f"{self.name.replace('/', '>')}/{name}",
        )
        self._created.append(variable)
        return variable

    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = None,
        dtype: Any = None,
        name: str | None = None,
    ) -> Variable:
        """`add_variable` under its older name."""
        return self.add_variable(shape, initializer, dtype=dtype, name=name)

    def build(self, y_true_shape: Sequence[int], y_pred_shape: Sequence[int]) -> None:
        """Create the variables whose shapes follow from the data.

        The first `update_state` does so by itself; a program that carries the variables must do
        it before it is traced.
        """
        self.built = True

    def _check_initialized(self) -> None:
        if "_created" not in vars(self):
            raise RuntimeError(
                f"{type(self).__name__}.__init__() must call super().__init__() before anything "
                "else."
            )

    @property
    def dtype(self) -> str:
        """Type in which the metric computes."""
        return self._dtype

    @property
    def variables(self) -> list[Variable]:
        """The metric's variables in order of creation, then those of metrics it holds."""
        found = {id(item): item for item in _held(vars(self)) if isinstance(item, Variable)}
        for item in _held(vars(self)):
            if isinstance(item, Metric):
                found.update((id(variable), variable) for variable in item.variables)
        return list(found.values())

    def reset_state(self) -> None:
        """Set all variables to zero."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape, jnp.dtype(variable.dtype)))

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Gather one batch. Subclasses override it."""
        raise NotImplementedError(f"Metric {type(self).__name__} does not define update_state().")

    def result(self) -> Any:
        """The present value: a scalar, or a dictionary of them. Subclasses override it."""
        raise NotImplementedError(f"Metric {type(self).__name__} does not define result().")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Gather one batch and give the value so far."""
        self._check_initialized()
        self.update_state(*args, **kwargs)
        return self.result()

    # ---- the same as pure functions ----------------------------------------------------------

    def stateless_update_state(
        self, metric_variables: Sequence[Any], *args: Any, **kwargs: Any
    ) -> list[Any]:
        """`update_state` from given values of `variables` to new ones; changes nothing here."""
        scope = self._bind(metric_variables)
        with scope.active():
            self.update_state(*args, **kwargs)
        return scope.read(self.variables)

    def stateless_result(self, metric_variables: Sequence[Any]) -> Any:
        """`result` for given values of `variables`."""
        with self._bind(metric_variables).active():
            return jax.tree.map(jnp.asarray, self.result())

    def stateless_reset_state(self) -> list[Any]:
        """The values that `reset_state` would give to `variables`."""
        scope = self._bind([variable.value for variable in self.variables])
        with scope.active():
            self.reset_state()
        return scope.read(self.variables)

    def _bind(self, values: Sequence[Any]) -> Scope:
        variables = self.variables
        if len(values) != len(variables):
            raise ValueError(
                f"Metric {self.name!r} has {len(variables)} variables; metric_variables has "
                f"{len(values)} values. Pass one for each, in the order of `variables`."
            )
        return Scope(variables, [jnp.asarray(x, v.dtype) for v, x in zip(variables, values)])

    # ---- configuration -----------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The metric that `get_config` described."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _zeros(shape: Any, dtype: Any) -> np.ndarray:
    return np.zeros(shape, jnp.dtype(dtype))


def _held(value: Any) -> Iterator[Variable | Metric]:
    if isinstance(value, (Variable, Metric)):
        yield value
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from _held(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _held(item)

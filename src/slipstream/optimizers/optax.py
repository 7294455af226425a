"""The way in for optax: any of its transformations as an optimizer. optax is not imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.variable import Variable
from slipstream.optimizers.base import Optimizer


class OptaxOptimizer(Optimizer):
    """An optax `GradientTransformation`, or anything with its `init` and `update`.

    It sees the weights as a list. Its state's arrays are this optimizer's `shared` state; the
    learning rate, clipping and accumulation are part of the transformation.

    Args:
        transformation: what optax made.
        name: automatic if not given.

    Raises:
        TypeError: if `transformation` has no `init` or no `update`.
    """

    elementwise = False

    def __init__(self, transformation: Any, name: str | None = None) -> None:
        if not is_transformation(transformation):
            raise TypeError(
                f"OptaxOptimizer wraps an optax transformation; got {transformation!r}, which has "
                "no init() and update()."
            )
        super().__init__(0.0, name=name)
        self.transformation = transformation
        self._structure: Any = None
        self._keys: dict[str, Any] = {}  # name of each array -> what made it if a random key

    def init_shared(self, params: Sequence[Any]) -> dict[str, Any]:
        """The arrays of the transformation's state, each under its path."""
        state = self.transformation.init([jnp.asarray(param) for param in params])
        leaves, self._structure = jax.tree_util.tree_flatten_with_path(state)
        self._keys = {_name(path): _key_kind(leaf) for path, leaf in leaves}
        return self._named([leaf for _, leaf in leaves])

    def _named(self, leaves: Sequence[Any]) -> dict[str, Any]:
        """Plain arrays by name: random keys as their data."""
        return {
            name: jnp.asarray(leaf) if kind is None else jax.random.key_data(leaf)
            for (name, kind), leaf in zip(self._keys.items(), leaves)
        }

    def update_all(
        self,
        params: list[Any],
        grads: list[Any],
        slots: list[dict[str, Any]],
        shared: dict[str, Any],
        step: Any,
        learning_rate: Any,
    ) -> tuple[list[Any], list[dict[str, Any]], dict[str, Any]]:
        """See `UpdateRule.update_all`."""
        if self._structure is None:
            raise ValueError(
                f"Optimizer {self.name!r} is not built. Call build(variables) before transition."
            )
        leaves = [
            shared[name] if kind is None else jax.random.wrap_key_data(shared[name], impl=kind)
            for name, kind in self._keys.items()
        ]
        state = jax.tree.unflatten(self._structure, leaves)
        updates, state = self.transformation.update(grads, state, params)
        params = [param + update.astype(param.dtype) for param, update in zip(params, updates)]
        named = self._named(jax.tree.leaves(state))
        return params, slots, {n: v.astype(shared[n].dtype) for n, v in named.items()}

    @property
    def variables(self) -> list[Variable]:
        """The count of steps and the transformation's state."""
        return [self._own.iterations, *self._own.shared.values()]

    @property
    def learning_rate(self) -> Any:
        """The variable of ``optax.inject_hyperparams(…)(learning_rate=…)``.

        Raises:
            AttributeError: if the transformation keeps its learning rate to itself.
        """
        for name, variable in self._own.shared.items():
            if name.endswith("hyperparams_learning_rate"):
                return variable
        raise AttributeError(
            f"Optimizer {self.name!r} keeps its learning rate inside optax. Make it with "
            "optax.inject_hyperparams(optax.<name>)(learning_rate=…), and build it, to read or "
            "set it."
        )

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.learning_rate.assign(value)

    def get_config(self) -> dict[str, Any]:
        """Not possible: optax transformations are functions.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            f"Optimizer {self.name!r} wraps an optax transformation, which has no configuration "
            "to save. Save the weights, and compile with the same transformation after loading."
        )


def is_transformation(candidate: Any) -> bool:
    """Whether it has optax's `init` and `update`, and is none of our own optimizers."""
    if isinstance(candidate, (Optimizer, type)):
        return False
    return all(callable(getattr(candidate, name, None)) for name in ("init", "update"))


def _key_kind(leaf: Any) -> Any:
    typed = jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)
    return jax.random.key_impl(leaf) if typed else None


def _name(path: Any) -> str:
    """``[0].mu[1]`` to ``0_mu_1``."""
    keys = (getattr(k, "name", getattr(k, "key", getattr(k, "idx", k))) for k in path)
    return "_".join(str(key).replace("/", "_") for key in keys)

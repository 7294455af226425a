"""`JaxLayer` and `FlaxLayer`: functions of JAX and modules of Flax as layers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import registry
from slipstream.core.layer import Layer
from slipstream.core.random import SeedGenerator, key_from, layer_key
from slipstream.core.registry import register
from slipstream.core.signature import is_shape
from slipstream.core.variable import Variable

_CALL, _INIT = ("params", "state", "rng", "inputs", "training"), ("rng", "inputs", "training")


@register("layer")
class JaxLayer(Layer):
    """A pure function of JAX as a layer.

    Args:
        call_fn: the function. It takes ``inputs`` and, if it wants them, ``params``, ``state``,
            ``rng`` and ``training``, by these names; it gives the outputs or, with ``state``, the
            outputs and the new state.
        init_fn: makes ``params``, or ``(params, state)``, from ``rng``, ``inputs`` and, if it wants
            it, ``training``.
        params: arrays to start from in place of `init_fn`: any nested structure.
        state: the same for the state.
        seed: whole number; the random draws of every run then follow from it.
        native_serialization_platforms: accepted for Keras' signature.
        **kwargs: as in `Layer`.

    Raises:
        ValueError: if a function takes other arguments, or nothing says what to start from.
    """

    def __init__(
        self,
        call_fn: Callable[..., Any],
        init_fn: Callable[..., Any] | None = None,
        params: Any = None,
        state: Any = None,
        seed: int | None = None,
        native_serialization_platforms: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.call_fn = call_fn
        self.init_fn = init_fn
        self._takes = _arguments(call_fn, "call_fn", _CALL)
        self._init_takes = [] if init_fn is None else _arguments(init_fn, "init_fn", _INIT)
        self.seed = seed
        self.native_serialization_platforms = native_serialization_platforms
        self._generator = None if seed is None else SeedGenerator(seed)
        self._given = {"params": params, "state": state}
        self._held: dict[str, list[Variable]] = {"params": [], "state": []}
        self._structures: dict[str, Any] = {}
        wanted = [name for name in ("params", "state") if name in self._takes]
        lacking = [name for name in wanted if self._given[name] is None]
        if lacking and init_fn is None:
            raise ValueError(
                f"Layer {self.name!r} (JaxLayer): call_fn takes {' and '.join(lacking)}, but "
                "nothing says what to start from. Pass init_fn, or the arrays themselves."
            )
        if not lacking:
            self._hold(params, state)
            self.built = True

    def _hold(self, params: Any, state: Any) -> None:
        """Variables for the arrays of both."""
        for role, tree in (("params", params), ("state", state)):
            leaves, self._structures[role] = jax.tree_util.tree_flatten_with_path(tree)
            self._held[role] = [self._variable(path, leaf, role) for path, leaf in leaves]

    def _variable(self, path: Any, value: Any, role: str) -> Variable:
        value = jnp.asarray(value)
        floats = jnp.issubdtype(value.dtype, jnp.floating)
        return self.add_weight(
            shape=value.shape,
            initializer=lambda shape, dtype: value,
            dtype=value.dtype,
            trainable=role == "params" and bool(floats),
            name=_name(path) or role,
        )

    def build(self, input_shape: Any) -> None:
        """Create the variables that `init_fn` makes for inputs of this shape."""
        assert self.init_fn is not None
        inputs = jax.tree.map(
            lambda shape: jnp.zeros([1 if size is None else size for size in shape],
                                    self.compute_dtype),
            input_shape,
            is_leaf=is_shape,
        )  # fmt: skip
        seed = SeedGenerator(self.seed).seed
        given = {"rng": key_from(seed), "inputs": inputs, "training": True}
        with jax.ensure_compile_time_eval():
            made = self.init_fn(**{name: given[name] for name in self._init_takes})
        params, state = made if "state" in self._takes else (made, None)
        chosen = (given if given is not None else made for given, made in zip(
            self._given.values(), (params, state)))  # fmt: skip
        self._hold(*chosen)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """What `call_fn` gives."""
        given: dict[str, Any] = {"inputs": inputs, "training": training}
        for role in ("params", "state"):
            if role in self._takes:
                values = [variable.value for variable in self._held[role]]
                given[role] = jax.tree.unflatten(self._structures[role], values)
        if "rng" in self._takes:
            given["rng"] = layer_key(self, self._generator)
        outputs = self.call_fn(**{name: given[name] for name in self._takes})
        if "state" in self._takes:
            outputs, state = outputs
            for variable, value in zip(self._held["state"], jax.tree.leaves(state), strict=True):
                variable.assign(value)
        return outputs

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer; functions by their registered names."""
        config = super().get_config()
        config["call_fn"] = registry.serialize(self.call_fn)
        config["init_fn"] = registry.serialize(self.init_fn)
        for role, tree in self._given.items():
            config[role] = registry.serialize(tree)
        return {**config, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The layer that `get_config` described."""
        loaded = {
            name: registry.deserialize(config.get(name))
            for name in ("call_fn", "init_fn", "params", "state")
        }
        return cls(**{**config, **loaded})


@register("layer")
class FlaxLayer(JaxLayer):
    """A module of Flax (``flax.linen.Module``) as a layer.

    Args:
        module: the module. If its method takes ``training``, it is told the mode.
        method: its method, by name or itself; ``__call__`` if not given.
        variables: its variables, ``{"params": …, …}``; made by its `init` if not given.
        **kwargs: as in `Layer`.

    Raises:
        TypeError: if `module` is no module.
    """

    def __init__(self, module: Any, method: Any = None, variables: Any = None, **kwargs: Any):
        if not all(callable(getattr(module, name, None)) for name in ("init", "apply")):
            raise TypeError(
                f"FlaxLayer wraps a flax.linen.Module; got {module!r}, which has no init() and "
                "apply()."
            )
        self.module, self.method = module, method
        chosen = getattr(module, method) if isinstance(method, str) else method or module.__call__
        self._told = "training" in inspect.signature(chosen).parameters
        given = {name: dict(variables)[name] for name in variables} if variables else None
        params = None if given is None else given.pop("params", {})
        super().__init__(self._apply, self._init, params=params, state=given, **kwargs)

    def _options(self, training: bool) -> dict[str, Any]:
        return {"method": self.method, **({"training": training} if self._told else {})}

    def _apply(self, params: Any, state: Any, rng: Any, inputs: Any, training: bool) -> Any:
        changes = list(state) if training else False
        variables = {"params": params, **state}
        options = self._options(training)
        found = self.module.apply(variables, inputs, rngs=rng, mutable=changes, **options)
        outputs, new = found if changes is not False else (found, {})
        return outputs, {**state, **new}

    def _init(self, rng: Any, inputs: Any, training: bool) -> tuple[Any, Any]:
        made = dict(self.module.init(rng, inputs, **self._options(training)))
        return made.pop("params", {}), made

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer.

        Raises:
            TypeError: if the module's class has no `get_config`, or the method is no name.
        """
        if not hasattr(self.module, "get_config") or not isinstance(self.method, str | None):
            raise TypeError(
                f"Layer {self.name!r} (FlaxLayer) cannot be saved: give the class "
                f"{type(self.module).__name__} a get_config() and register it, and name the method."
            )
        config = super(JaxLayer, self).get_config()
        kept = {name: config[name] for name in ("name", "trainable", "dtype")}
        return {**kept, "module": registry.serialize(self.module), "method": self.method}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The layer that `get_config` described."""
        return cls(**{**config, "module": registry.deserialize(config["module"])})


def _arguments(function: Any, what: str, known: tuple[str, ...]) -> list[str]:
    """Names of a function's arguments, if they are among the known ones."""
    names = list(inspect.signature(function).parameters)
    strange = [name for name in names if name not in known]
    if strange or "inputs" not in names:
        raise ValueError(
            f"{what} of a JaxLayer takes inputs and, by name, any of {', '.join(known)}; got a "
            f"function of ({', '.join(names)})."
        )
    return names


def _name(path: Any) -> str:
    """``["a"][0].b`` to ``a_0_b``."""
    keys = (getattr(k, "name", getattr(k, "key", getattr(k, "idx", k))) for k in path)
    return "_".join(str(key).replace("/", "_") for key in keys)

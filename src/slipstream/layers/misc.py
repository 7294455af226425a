"""Layers of no family: the identity and a user's function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from slipstream.core import registry
from slipstream.core.layer import Layer
from slipstream.core.registry import register


@register("layer")
class Identity(Layer):
    """The input as it is, any structure of arrays."""

    keeps_dtype = True
    per_example = True
    supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Pass the input on."""
        return inputs


@register("layer")
class Lambda(Layer):
    """A function of yours as a layer.

    Args:
        function: takes the input, and ``mask`` and ``training`` if it names them.
        output_shape: accepted for Keras' signature: a shape without the batch axis, or a function
            of the input's shape. Found by tracing if not given.
        mask: mask of the output, or a function of the input and its mask.
        arguments: further keyword arguments of the function.

    A file holds the function's name only, never its code: a saved `Lambda` loads where the
    function is registered or passed as ``custom_objects={name: function}``. A lambda expression
    has no name of its own and goes by the layer's.

    Raises:
        ValueError: on loading, if the function is not given so.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.function = function
        self.arguments = arguments or {}
        self.mask = mask
        self.supports_masking = mask is not None
        self._output_shape = output_shape
        self._takes_mask, self._takes_training = _takes(function)

    def build(self, input_shape: Any) -> None:
        """Nothing to create; the shape goes into the configuration."""

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        """Apply the function."""
        arguments = dict(self.arguments)
        if self._takes_mask:
            arguments["mask"] = mask
        if self._takes_training:
            arguments["training"] = training
        return self.function(inputs, **arguments)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape given to the constructor, else the function's own."""
        if self._output_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self._output_shape):
            return tuple(self._output_shape(input_shape))
        return (input_shape[0], *self._output_shape)

    def _known_output_shape(self, args: tuple, kwargs: dict) -> Any:
        return None if self._output_shape is None else super()._known_output_shape(args, kwargs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask given to the constructor, or what its function says."""
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer, functions by name."""
        config = {
            **super().get_config(),
            "function": _by_name(self.function),
            "arguments": registry.serialize(self.arguments),
        }
        for name, value in (("output_shape", self._output_shape), ("mask", self.mask)):
            if value is not None:
                config[name] = _by_name(value) if callable(value) else registry.serialize(value)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Lambda:
        """The layer that `get_config` described."""
        config = dict(config)
        for key in ("function", "output_shape", "mask"):
            if isinstance(config.get(key), (dict, str)):
                config[key] = _find(config[key], config.get("name"), key)
        config["arguments"] = registry.deserialize(config.get("arguments") or {})
        return cls(**config)


def _takes(function: Callable[..., Any]) -> tuple[bool, bool]:
    """Whether the function names `mask` and `training` among its parameters."""
    try:
        accepted = inspect.signature(function).parameters
    except (TypeError, ValueError):  # written in C, without a signature
        return False, False
    return "mask" in accepted, "training" in accepted


def _by_name(function: Any) -> Any:
    """A function's entry in a configuration: its registered name, no code."""
    if registry.is_ours(function):
        return registry.serialize(function)
    name = registry.get_registered_name(function) if hasattr(function, "__name__") else "<lambda>"
    if name == "<lambda>":
        return {"class_name": "__lambda__", "config": None}
    return {
        "module": "builtins",
        "class_name": "function",
        "config": name,
        "registered_name": "function",
    }


def _find(config: Any, layer: str | None, argument: str) -> Any:
    """The function that a configuration names, from `custom_objects` or the registries."""
    if layer and argument == "function":
        given = registry.get_registered_object(layer)
        if given is not None:
            return given
    if isinstance(config, str):
        return registry.deserialize({"class_name": "function", "config": config})
    if config.get("class_name") == "__lambda__":
        remedy = (
            f"Pass the function as custom_objects={{{layer!r}: function}}."
            if argument == "function"
            else f"Save the model again with a named function as its {argument}."
        )
        raise ValueError(
            f"Lambda layer {layer!r} was saved with a lambda expression as its {argument}; files "
            f"hold names only, and code in them is never run. {remedy}"
        )
    name = config.get("config")
    for candidate in (name, f"Custom>{name}"):
        if (found := registry.get_registered_object(candidate)) is not None:
            return found
    raise ValueError(
        f"Lambda layer {layer!r} was saved with the function {name!r}; files hold names only, and "
        f"code in them is never run. Pass it as custom_objects={{{name!r}: function}}, or register "
        "it with @slipstream.saving.register_serializable() before loading."
    )

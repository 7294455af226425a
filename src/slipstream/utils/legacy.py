"""Serialization under its older names."""

from __future__ import annotations

from typing import Any

from slipstream.core import registry


def serialize_keras_object(instance: Any) -> Any:
    """Class name and configuration of an object, or the name of a function."""
    config = registry.serialize(instance)
    if isinstance(config, dict) and "class_name" in config:
        if config["class_name"] == "function":
            return config["config"]
        return {"class_name": config["class_name"], "config": config["config"]}
    return config


def deserialize_keras_object(
    identifier: Any,
    module_objects: dict[str, Any] | None = None,
    custom_objects: dict[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """The object that `serialize_keras_object` described.

    Raises:
        ValueError: if it names something unknown.
    """
    known = {**(module_objects or {}), **(custom_objects or {})}
    if isinstance(identifier, str):
        target = registry.get_registered_object(identifier, known)
        if target is None:
            raise ValueError(
                f"Unknown {printable_module_name}: {identifier!r}. Pass custom_objects={{name: "
                "object}."
            )
        return target() if isinstance(target, type) else target
    return registry.deserialize(identifier, known)

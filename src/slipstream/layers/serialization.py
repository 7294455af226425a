"""Layers as configurations, and back."""

from __future__ import annotations

from typing import Any

from slipstream.core import registry
from slipstream.core.layer import Layer


def serialize(layer: Layer) -> Any:
    """The configuration of a layer."""
    return registry.serialize(layer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The layer that a configuration describes.

    Raises:
        ValueError: if it describes something else, or names something unknown.
    """
    found = registry.deserialize(config, custom_objects)
    if not isinstance(found, Layer):
        raise ValueError(f"The configuration describes {found!r}, which is no layer: {config}.")
    return found

"""`Wrapper`: a layer around another one."""

from __future__ import annotations

from typing import Any

from slipstream.core import registry
from slipstream.core.layer import Layer
from slipstream.core.registry import register


@register("layer")
class Wrapper(Layer):
    """Base class of layers that change what another layer does.

    Args:
        layer: the layer inside, built together with this one.

    Raises:
        ValueError: if `layer` is no layer.
    """

    def __init__(self, layer: Layer, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        if not isinstance(layer, Layer):
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r} wraps a layer; got {layer!r}."
            )
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        """Build the layer inside for inputs of this shape."""
        if not self.layer.built:
            self.layer.build(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "layer": registry.serialize(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The layer that `get_config` described, with a new layer inside."""
        inner = config["layer"]
        if isinstance(inner, dict):
            inner = registry.deserialize(inner, kind="layer")
        return super().from_config({**config, "layer": inner})

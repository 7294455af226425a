"""`Pipeline`: layers one after the other, as one layer."""

from __future__ import annotations

from typing import Any

from slipstream.core import registry
from slipstream.core.layer import Layer
from slipstream.core.scope import current_scope
from slipstream.core.signature import accepted
from slipstream.core.symbol import symbols_in
from slipstream.layers.augmentation.drawing import Drawing
from slipstream.layers.augmentation.picture import sheet


@registry.register("layer")
class Pipeline(Layer):
    """Layers one after the other, mostly ones that prepare or augment data.

    Called on arrays outside of a model the layers augment, unless told ``training=False``.

    Args:
        layers: the layers, in order.
        name: automatic if not given.
    """

    def __init__(self, layers: Any, name: str | None = None) -> None:
        super().__init__(name=name)
        self._steps = list(layers)
        self.per_example = all(layer.per_example for layer in self._steps)
        self.keeps_dtype = all(layer.keeps_dtype for layer in self._steps)

    @property
    def layers(self) -> list[Any]:
        """The layers."""
        return self._steps

    def append(self, layer: Any) -> None:
        """Put another layer at the end."""
        self._steps.append(layer)

    def __call__(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Apply the layers to data, or extend a graph."""
        if symbols_in((args, kwargs)):
            mode = {} if training is None else {"training": training}
            return super().__call__(*args, **mode, **kwargs)
        scope = current_scope()
        if training is None and (scope is None or scope.training is None):
            training = True
        return super().__call__(*args, training=training, **kwargs)

    def call(self, inputs: Any, training: bool = True, mask: Any = None) -> Any:
        """Apply the layers."""
        for layer in self._steps:
            mode = {"training": training} if "training" in accepted(type(layer).call) else {}
            inputs = layer(inputs, **mode)
        return inputs

    def show(self, data: Any, draws: int = 4, rows: int = 4) -> Any:
        """A picture of some examples, each followed by what the layers make of it.

        See `Drawing.show`; examples are shown as the first layer that draws would show them.

        Raises:
            ValueError: if no layer draws.
        """
        first = next((layer for layer in self._steps if isinstance(layer, Drawing)), None)
        if first is None:
            raise ValueError(f"Pipeline {self.name!r} has no layer that augments, so none to show.")
        columns = [data, *(self(data, training=True) for _ in range(draws))]
        return sheet(first._panels(columns, rows))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The last layer's output shape."""
        for layer in self._steps:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def compute_output_spec(self, inputs: Any, training: bool = True, mask: Any = None) -> Any:
        """Symbolic outputs for symbolic inputs."""
        self._maybe_build((inputs,), {})
        for layer in self._steps:
            inputs = layer.compute_output_spec(inputs)
        return inputs

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {"layers": [registry.serialize(layer) for layer in self._steps], "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Pipeline:
        """The layer that `get_config` described."""
        layers = [registry.deserialize(layer) for layer in config["layers"]]
        return cls(layers, config.get("name"))

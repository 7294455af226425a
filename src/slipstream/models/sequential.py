"""`Sequential`: a stack of layers, each fed by the one before."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import registry
from slipstream.core.layer import Layer
from slipstream.core.layer_building import says_when_built
from slipstream.core.registry import register
from slipstream.core.symbol import SymbolicTensor
from slipstream.layers.dense_chain import call_all
from slipstream.layers.input import InputLayer
from slipstream.models.entrance import StackEntrance, on_host
from slipstream.models.inputs import fit_rank, fits
from slipstream.models.model import Model


@register("model")
class Sequential(Model):
    """A stack of layers, each fed by the one before.

    It is built at once if the first layer says its input's shape (an `Input`, or a layer with
    `input_shape` or `input_dim`), else on the first data.

    Args:
        layers: the layers, bottom first.
        trainable: whether optimizers update it.
        name: automatic if not given.
    """

    per_example = True
    _hosts = 0  # how many layers at the bottom work on the host

    def __init__(
        self, layers: Any = None, trainable: bool = True, name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(trainable=trainable, name=name, **kwargs)
        self._stack: list[Layer] = []
        for layer in layers or ():
            self.add(layer, rebuild=False)
        self._maybe_build_stack()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer (or an `Input`) on top.

        Raises:
            ValueError: if it is no layer, its name is taken, or an `Input` is not the first.
        """
        if isinstance(layer, SymbolicTensor) and layer.node is not None:
            layer = layer.node.operation
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Sequential {self.name!r} is made of layers; got {layer!r}. "
                + ("Call the class to make a layer." if isinstance(layer, type) else "")
            )
        if not self._stack and layer._input_shape_hint is not None:
            self._stack.append(
                InputLayer(batch_shape=layer._input_shape_hint, dtype=_input_dtype(layer))
            )
        if isinstance(layer, InputLayer) and self._stack:
            raise ValueError(
                f"Sequential {self.name!r} has an input already; Input must be the first layer."
            )
        if any(other.name == layer.name for other in self._stack):
            raise ValueError(
                f"Sequential {self.name!r} has a layer named {layer.name!r} already. Give each "
                "layer a name of its own."
            )
        self._stack.append(layer)
        self._changed()
        if rebuild:
            self._maybe_build_stack()

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the topmost layer off.

        Raises:
            ValueError: if there is none.
        """
        if not self.layers:
            raise ValueError(f"Sequential {self.name!r} has no layer to pop.")
        layer = self._stack.pop()
        self._changed()
        if rebuild:
            self._maybe_build_stack()
        return layer

    def _changed(self) -> None:
        layers = self.layers
        self._hosts = next((i for i, each in enumerate(layers) if not on_host(each)), 0)
        self._entrance = StackEntrance(layers[: self._hosts]) if self._hosts else None
        self.built = False
        self._session = None

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the `InputLayer`."""
        return [layer for layer in self._stack if not isinstance(layer, InputLayer)]

    @property
    def line(self) -> list[Layer] | None:
        """The layers, if each feeds the next one and that is all; None of other models."""
        return None if self._hosts or type(self).call is not Sequential.call else self.layers

    @property
    def _input(self) -> SymbolicTensor | None:
        first = self._stack[0] if self._stack else None
        return first.symbol if isinstance(first, InputLayer) else None

    def _maybe_build_stack(self) -> None:
        if self._input is not None and self.layers:
            self.build(self._input.shape)

    @says_when_built
    def build(self, input_shape: Any = None) -> None:
        """Build every layer for inputs of this shape, batch axis included."""
        if self._input is None:
            if input_shape is None:
                raise ValueError(
                    f"Sequential {self.name!r} does not know its input's shape. Start it with "
                    "Input(shape=…), or pass build() the shape."
                )
            self._stack.insert(0, InputLayer(batch_shape=tuple(input_shape)))
        assert self._input is not None
        spec: Any = self._input
        with self._named():
            for layer in self.layers:
                try:
                    spec = layer(spec)
                except NotImplementedError:
                    return
        self._outputs = spec
        self._build_shapes = {"input_shape": self._input.shape}
        self.built = True

    def _enter(self, x: Any) -> Any:
        if self._entrance is not None and self._input is None:
            self._stack.insert(0, InputLayer(batch_shape=(None,), dtype="string"))
        return super()._enter(x)

    def build_on(self, x: Any) -> None:
        """Build for the shape of a batch."""
        leaf = jax.tree.leaves(x)[0]
        if self._input is None:
            self._stack.insert(
                0, InputLayer(batch_shape=(None, *_columns(leaf.shape)[1:]), dtype=_float(leaf))
            )
        self.build()

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Feed the inputs through all layers."""
        spec = self._within
        outputs = inputs if spec is None else fit_rank(inputs, spec)
        return call_all(self.layers[self._hosts :], outputs)

    @property
    def _within(self) -> SymbolicTensor | None:
        """What the first layer in a program takes."""
        hosts = self._hosts
        if not hosts or self._input is None:
            return self._input
        nodes = self.layers[hosts - 1]._nodes
        return nodes[-1].outputs if nodes else None

    def takes(self, shapes: list[tuple[int, ...]]) -> bool:
        """Whether arrays of these shapes fit as they are."""
        spec = self._within
        return spec is not None and len(shapes) == 1 and shapes[0][1:] == spec.shape[1:]

    def output_shapes(self, rows: int) -> Any:
        """Shapes of the outputs for so many rows, as found when the stack was built."""
        return jax.tree.map(
            lambda symbol: jax.ShapeDtypeStruct((rows, *symbol.shape[1:]), symbol.dtype),
            self._outputs,
        )

    def check_input(self, x: Any) -> None:
        """Raise a ValueError that shows both shapes if data cannot go in."""
        spec = self._within
        if spec is None:
            return
        leaves = jax.tree.leaves(x)
        if len(leaves) != 1:
            raise ValueError(f"Sequential {self.name!r} takes one input; got {len(leaves)} arrays.")
        shape = tuple(leaves[0].shape)
        if not fits(shape, spec):
            raise ValueError(
                f"Sequential {self.name!r} wants inputs of shape {spec.shape}; got data of shape "
                f"{shape}. Reshape the data, or declare the model with Input(shape={shape[1:]})."
            )

    @property
    def input(self) -> SymbolicTensor:
        """The symbolic input."""
        return self._known(self._input)

    @property
    def output(self) -> Any:
        """The symbolic output."""
        return self._known(getattr(self, "_outputs", None))

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbolic inputs."""
        return [self.input]

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """The symbolic outputs."""
        return jax.tree.leaves(self.output)

    @property
    def input_names(self) -> list[str]:
        """Name of the input."""
        return [self.input.name]

    @property
    def output_names(self) -> list[str] | None:
        """Name of the last layer, or None before there is one."""
        return [self.layers[-1].name] if len(jax.tree.leaves(self._outputs)) == 1 else None

    def _known(self, symbol: SymbolicTensor | None) -> SymbolicTensor:
        if symbol is None:
            raise AttributeError(
                f"Sequential {self.name!r} is not built yet: call it on data, or start it with "
                "Input(shape=…)."
            )
        return symbol

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape of the output for an input of the given shape."""
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Configurations of all layers."""
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": registry.serialize(self.dtype_policy),
            "layers": [registry.serialize(layer) for layer in self._stack],
        }
        if self._input is not None:
            config["build_input_shape"] = self._input.shape
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """The model that `get_config` described."""
        layers = [registry.deserialize(layer, kind="layer") for layer in config["layers"]]
        model = cls(layers, name=config.get("name"), trainable=config.get("trainable", True))
        shape = config.get("build_input_shape")
        if shape and not model.built and model.layers:
            model.build(tuple(shape))
        return model


def _columns(shape: tuple) -> tuple:
    return shape if len(shape) > 1 else (*shape, 1)


def _float(leaf: Any) -> str | None:
    """Whole numbers keep their type, so that tokens reach an embedding exactly."""
    return None if jnp.issubdtype(leaf.dtype, jnp.floating) else str(leaf.dtype)


def _input_dtype(layer: Layer) -> str:
    return layer.compute_dtype

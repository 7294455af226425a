"""A layer on paper: its arguments, and the shapes it was built for."""

from __future__ import annotations

import inspect
from typing import Any

import jax

from slipstream.core import registry
from slipstream.core.layer_state import Stored
from slipstream.core.policy import DTypePolicy
from slipstream.core.signature import accepted, is_shape


class Configured(Stored):
    """The part of `Layer` that turns it into a dictionary and back."""

    name: str
    dtype_policy: DTypePolicy
    activity_regularizer: Any
    build: Any
    _init_arguments: tuple[tuple, dict[str, Any]]
    _build_shapes: Any

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, weights apart.

        A subclass with arguments of its own extends this dictionary; where it does not, the
        arguments it was called with are used, so they must be serializable.
        """
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": registry.serialize(self.dtype_policy),
        }
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = registry.serialize(self.activity_regularizer)
        from slipstream.core.layer import Layer

        own = type(self).__init__
        if own is not Layer.__init__ and type(self).get_config is Configured.get_config:
            args, kwargs = self._init_arguments
            bound = inspect.signature(own).bind_partial(self, *args, **kwargs).arguments
            for name, value in list(bound.items())[1:]:
                config.update(value if name == "kwargs" else {name: value})
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The layer that `get_config` described."""
        config = dict(config)
        if config.pop("quantization_config", None) is not None:
            raise ValueError(
                f"Layer {config.get('name')!r} was saved quantized, which is not supported. Save "
                "the model before quantizing it."
            )
        return cls(**config)

    def get_build_config(self) -> dict[str, Any] | None:
        """Shapes the layer was built for, or None if it has nothing to build."""
        from slipstream.core.layer import Layer

        if not self._build_shapes or type(self).build is Layer.build:
            return None
        shapes = dict(self._build_shapes)
        if len(accepted(type(self).build)) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": shapes}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build for the shapes that `get_build_config` gave."""
        if not self.built:
            config = {key: value for key, value in config.items() if value is not None}
            if not config:
                return
            shapes = jax.tree.map(tuple, config.get("shapes_dict", config), is_leaf=is_shape)
            if set(shapes) == {"input_shape"}:  # as Keras calls the first argument of any build
                shapes = {accepted(type(self).build)[0]: shapes["input_shape"]}
            self.build(**shapes)

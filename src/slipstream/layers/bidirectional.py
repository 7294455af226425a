"""`Bidirectional`: a recurrent layer and its mirror image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import registry
from slipstream.core.input_spec import InputSpec
from slipstream.core.layer import Layer
from slipstream.core.registry import register

_MERGE: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
    "concat": lambda a, b: jnp.concatenate([a, b], -1),
}
_SHARED = ("stateful", "return_sequences", "return_state")


@register("layer")
class Bidirectional(Layer):
    """Run a recurrent layer from the start and a copy from the end (Schuster and Paliwal, 1997).

    Input ``(batch, time, features)``. The outputs of both, step by step in the order of the input,
    are merged; with `return_state` the forward layer's states follow, then the backward layer's.
    Masked steps give 0 with `return_sequences`.

    Args:
        layer: a recurrent layer; a copy of it is kept.
        merge_mode: ``"concat"``, ``"sum"``, ``"mul"``, ``"ave"``, or None for both outputs apart.
        weights: initial weights, the forward layer's before the backward layer's.
        backward_layer: what runs from the end, with `go_backwards` unlike `layer`'s; a copy of
            `layer` if not given.

    Raises:
        ValueError: if `layer` is no recurrent layer, `merge_mode` is unknown, or the two layers do
            not fit together.
    """

    supports_masking = True

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        for given in (layer, backward_layer):
            if given is not None and not _is_recurrent(given):
                raise ValueError(
                    f"Bidirectional wraps a recurrent layer, such as LSTM(64); got {given!r}."
                )
        if merge_mode is not None and merge_mode not in _MERGE:
            raise ValueError(
                f"merge_mode must be one of {', '.join(map(repr, _MERGE))} or None; "
                f"got {merge_mode!r}."
            )
        kwargs.setdefault("trainable", layer.trainable)
        super().__init__(**kwargs)
        name = layer.name.removeprefix("forward_")
        self.forward_layer = _copy(layer, name=f"forward_{name}")
        if backward_layer is None:
            backward_layer = _copy(
                layer, name=f"backward_{name}", go_backwards=not layer.go_backwards
            )
        self.backward_layer = backward_layer
        self.merge_mode = merge_mode
        self._check_pair()
        for flag in _SHARED:
            setattr(self, flag, getattr(layer, flag))
        for one in (self.forward_layer, self.backward_layer):
            one.zero_output_for_mask = layer.return_sequences
        self._initial_weights = weights
        self.input_spec = layer.input_spec or InputSpec(ndim=3)

    stateful: bool
    return_sequences: bool
    return_state: bool

    @property
    def per_example(self) -> bool:  # type: ignore[override]
        """Whether rows are apart: they are, unless states pass from batch to batch."""
        return not self.stateful

    def _check_pair(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ValueError(
                f"Layer {self.name!r}: exactly one of layer and backward_layer must have "
                f"go_backwards=True; got {forward.go_backwards} for both."
            )
        for flag in _SHARED:
            if getattr(forward, flag, None) != getattr(backward, flag, None):
                raise ValueError(
                    f"Layer {self.name!r}: layer and backward_layer must have the same {flag}; got "
                    f"{getattr(forward, flag, None)} and {getattr(backward, flag, None)}."
                )

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Build both layers."""
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(sequences_shape)
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        """Merged outputs, and the last states with `return_state`."""
        forward_state = backward_state = None
        if initial_state is not None:
            forward_state, backward_state = self._halves(initial_state)
        shared = {"mask": mask, "training": training}
        forward = self.forward_layer(sequences, initial_state=forward_state, **shared)
        backward = self.backward_layer(sequences, initial_state=backward_state, **shared)
        states: tuple[Any, ...] = ()
        if self.return_state:
            (forward, *first), (backward, *second) = forward, backward
            states = (*first, *second)
        if self.return_sequences:
            late = self.backward_layer if self.backward_layer.go_backwards else self.forward_layer
            if late is self.backward_layer:
                backward = jnp.flip(backward, 1)
            else:
                forward = jnp.flip(forward, 1)
        if self.merge_mode is None:
            return (forward, backward, *states)
        output = _MERGE[self.merge_mode](forward, backward)
        return (output, *states) if states else output

    def _halves(self, initial_state: Any) -> tuple[Any, Any]:
        states = list(initial_state) if isinstance(initial_state, (list, tuple)) else []
        half = len(states) // 2
        if not states or len(states) % 2:
            raise ValueError(
                f"Layer {self.path!r} needs as many initial states for the backward layer as for "
                f"the forward layer; got {len(states)} in all. Pass a list: forward, then backward."
            )
        return states[:half], states[half:]

    @property
    def states(self) -> Any:
        """States kept by both layers of a stateful pair, or None."""
        if self.forward_layer.states is None:
            return None
        return (self.forward_layer.states, self.backward_layer.states)

    def reset_state(self) -> None:
        """Set the states of both layers to 0."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self) -> None:
        """Another name of `reset_state`."""
        self.reset_state()

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """The mask with `return_sequences`, else None; twice where outputs stay apart."""
        leaves = jax.tree.leaves(mask)
        mask = leaves[0] if leaves and self.return_sequences else None
        return mask if self.merge_mode is not None else (mask, mask)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """Shape of the merged output, or of both, and of the states with `return_state`."""
        forward = self.forward_layer.compute_output_shape(sequences_shape)
        backward = self.backward_layer.compute_output_shape(sequences_shape)
        states: tuple[Any, ...] = ()
        if self.return_state:
            (forward, *first), (backward, *second) = forward, backward
            states = (*first, *second)
        if self.merge_mode is None:
            return (forward, backward, *states)
        if self.merge_mode == "concat":
            forward = (*forward[:-1], forward[-1] + backward[-1])
        return (forward, *states) if states else forward

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "merge_mode": self.merge_mode,
            "layer": registry.serialize(self.forward_layer),
            "backward_layer": registry.serialize(self.backward_layer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """The layer that `get_config` described."""
        config = dict(config)
        for name in ("layer", "backward_layer"):
            if isinstance(config.get(name), dict):
                config[name] = registry.deserialize(config[name], custom_objects, kind="layer")
        return cls(**config)


def _is_recurrent(layer: Any) -> bool:
    return isinstance(layer, Layer) and all(
        hasattr(layer, name) for name in ("go_backwards", *_SHARED)
    )


def _copy(layer: Any, **changes: Any) -> Any:
    """A new layer of the same arguments but for `changes`."""
    config = registry.serialize(layer)["config"]
    return type(layer).from_config({**config, **changes})

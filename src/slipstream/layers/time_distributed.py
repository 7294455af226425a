"""`TimeDistributed`: one layer, applied to each step by itself."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.layers.wrapper import Wrapper


@register("layer")
class TimeDistributed(Wrapper):
    """Apply a layer to each step of a sequence: all steps of all examples in one large batch.

    Layers that keep statistics (`BatchNormalization`) are trained one step after the other.

    Input ``(batch, time, …)``, output ``(batch, time, …)``. A mask ``(batch, time, …)`` goes to
    the layer with its first two axes folded the same way, if the layer takes one.

    Args:
        layer: the layer; it sees inputs ``(batch * time, …)``.

    Raises:
        ValueError: if `layer` is no layer, or the input has less than 3 axes.
    """

    per_example = True
    supports_masking = True

    def build(self, input_shape: Any = None) -> None:
        """Build the layer for one step."""
        if not self.layer.built:
            self.layer.build(self._step_shape(input_shape))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Outputs of all steps."""
        batch, steps = inputs.shape[:2]

        def fold(x: Any) -> Any:
            return x.reshape(batch * steps, *x.shape[2:])

        options: dict[str, Any] = {"training": training}
        masked = mask is not None and mask.ndim > 2
        if training and self._learns_by_steps():
            made = [
                self.layer(inputs[:, t], **options, **({"mask": mask[:, t]} if masked else {}))
                for t in range(steps)
            ]
            return jax.tree.map(lambda *of_steps: jnp.stack(of_steps, 1), *made)
        if masked:
            options["mask"] = fold(mask)
        outputs = self.layer(fold(inputs), **options)
        return jax.tree.map(lambda y: y.reshape(batch, steps, *y.shape[1:]), outputs)

    def _learns_by_steps(self) -> bool:
        """Whether statistics are kept, which see one step after the other, as in Keras."""
        return any(not variable.declared_trainable for variable in self.layer.variables)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, time, …)`` with what the layer makes of one step."""
        inner = self.layer.compute_output_shape(self._step_shape(input_shape))
        batch, steps = input_shape[:2]
        return jax.tree.map(
            lambda shape: (batch, steps, *shape[1:]), inner, is_leaf=lambda s: isinstance(s, tuple)
        )

    def _step_shape(self, input_shape: Any) -> tuple[Any, ...]:
        if len(input_shape) < 3:
            raise ValueError(
                f"TimeDistributed {self.name!r} wants an input with at least 3 axes (batch, time, "
                f"features); got shape {tuple(input_shape)}."
            )
        return (input_shape[0], *input_shape[2:])

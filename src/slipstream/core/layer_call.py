"""One call of a layer: mode, masks and precision in place, and errors that say where."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core import masks
from slipstream.core.scope import Scope, current_scope
from slipstream.core.signature import accepted
from slipstream.core.variable import Variable


def run(layer: Any, args: tuple, kwargs: dict) -> Any:
    """The layer's `call`, with mode, mask and precision in place."""
    accepts = accepted(type(layer).call)
    scope = current_scope()
    own = scope is None
    if scope is None:
        layer._losses = []
        scope = Scope()
    outer = (scope.training, scope.autocast)
    training = (
        kwargs.pop("training", None) if "training" not in accepts else (kwargs.get("training"))
    )
    if training is None:
        training = scope.training
    scope.training = training
    if "training" in accepts:
        kwargs = {**kwargs, "training": bool(training)}
    kwargs = masks.fill_in(type(layer).call, args, kwargs)
    scope.autocast = layer.compute_dtype if layer.autocast else None
    try:
        with scope.active() if own else nullcontext():
            outputs = layer.rematerialized_call(layer.call, *args, **kwargs)(*args, **kwargs)
            if layer.activity_regularizer is not None:
                for output in jax.tree.leaves(outputs):
                    layer.add_loss(layer.activity_regularizer(output) / max(output.shape[0], 1))
        if own:
            layer._losses = scope.losses
    except Exception as error:
        locate(layer, error, args)
        raise
    finally:
        scope.training, scope.autocast = outer
    layer._pass_mask(args, outputs)
    return outputs


def run_stateless(
    layer: Any, trainable: Sequence[Any], non_trainable: Sequence[Any], args: tuple, kwargs: dict
) -> tuple[Any, list[Any], list[Any]]:
    """Outputs, new values of the non-trainable variables, and losses, for values of them all."""
    others = layer.non_trainable_variables
    outer = current_scope()
    scope = Scope(
        [*layer.trainable_variables, *others],
        [*trainable, *non_trainable],
        key=None if outer is None else outer.key,
        ordinals=None if outer is None else outer.ordinals,
    )
    if outer is not None:
        scope.draws = outer.draws  # a second call in one step draws anew
    with scope.active():
        outputs = layer(*args, **kwargs)
        losses = layer.losses
    if outer is not None:
        outer.losses, outer.regularized = losses, True
    return outputs, scope.read(others), losses


def locate(layer: Any, error: Exception, args: tuple) -> None:
    """Say in the innermost layer where an error arose."""
    if not any(note.startswith("In layer ") for note in getattr(error, "__notes__", ())):
        shapes = [getattr(leaf, "shape", leaf) for leaf in jax.tree.leaves(args)]
        error.add_note(
            f"In layer {layer.path!r} ({type(layer).__name__}), called with "
            + (f"shapes {shapes}." if len(shapes) != 1 else f"shape {shapes[0]}.")
        )


def to_array(layer: Any, value: Any) -> Any:
    """Arrays as the layer computes on them; floats in its compute type."""
    if isinstance(value, Variable):
        value = value.value
    # Python's own True and False are options, not data.
    if isinstance(value, bool) or not isinstance(
        value, (np.ndarray, jax.Array, np.generic, int, float)
    ):
        return value
    array = jnp.asarray(value)
    if layer.autocast and jnp.issubdtype(array.dtype, jnp.floating):
        array = array.astype(layer.compute_dtype)
    return array

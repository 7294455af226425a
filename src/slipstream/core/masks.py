"""Masks on their way through layers: notes on arrays, handed to `call` and passed on."""

from __future__ import annotations

import warnings
from typing import Any

import jax

from slipstream.core.scope import attach, attached
from slipstream.core.signature import accepted, arrays_of


def fill_in(call: Any, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """`kwargs` with the mask arguments that `call` takes and notes on its inputs can fill.

    A single input's mask is called ``mask``; of several, ``query``'s is ``query_mask``.
    """
    accepts = accepted(call)
    if not any(name.endswith("mask") for name in accepts):
        return kwargs
    arrays = {
        name: value
        for name, value in arrays_of(call, args, kwargs).items()
        if not name.endswith("mask")
    }
    found = dict(kwargs)
    for name, value in arrays.items():
        wanted = "mask" if len(arrays) == 1 else f"{name}_mask"
        if wanted in accepts and kwargs.get(wanted) is None:
            mask = of(value)
            if any(leaf is not None for leaf in _leaves(mask)):
                found[wanted] = mask
    return found


def pass_on(layer: Any, args: tuple, outputs: Any) -> None:
    """Note the outputs' masks on them, unless the layer's `call` has done so."""
    leaves = jax.tree.leaves(outputs)
    if not args or all(attached(leaf, "mask") is not None for leaf in leaves):
        return
    previous = of(args[0])
    if layer.supports_masking:
        masks = _leaves(layer.compute_mask(args[0], previous))
        for output, mask in zip(leaves, masks):
            if mask is not None and attached(output, "mask") is None:
                attach(output, "mask", mask)
        return
    takes = any(name.endswith("mask") for name in accepted(type(layer).call))
    if not takes and any(mask is not None for mask in _leaves(previous)):
        warnings.warn(
            f"Layer {layer.path!r} ({type(layer).__name__}) does not pass masks on, and its input "
            "has one: the layers after it see all steps.",
            stacklevel=5,
        )


def of(value: Any) -> Any:
    """The masks noted on the arrays of a structure, in the same structure."""
    return jax.tree.map(lambda leaf: attached(leaf, "mask"), value)


def _leaves(masks: Any) -> list[Any]:
    return jax.tree.leaves(masks, is_leaf=lambda value: value is None)

"""What layers that fuse modalities share: inputs by name, and which of them are there."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.layer import Layer
from slipstream.core.signature import is_shape
from slipstream.layers.dense import Dense


class Fusion(Layer):
    """A layer that is called on a list or a dictionary of inputs, one a modality.

    An input may be missing for some examples. Where it is, it gets no weight and no gradient,
    whatever it holds (NaN included). Which are there is said by

    - ``presence_mask`` of the call: ``(batch, modalities)``, or a list or dictionary of
      ``(batch,)`` arrays like the inputs; 0 or False for what is missing. What a dictionary does
      not name is there;
    - the masks of the inputs: ``(batch,)``, or ``(batch, time)`` for sequences.

    Both count. The inputs of a dictionary stand in the order of their sorted keys.

    A subclass computes in `_fuse` from arrays, at 0 where they are missing, and masks, None for an
    input that is always there.
    """

    per_example = True
    _least = 2

    def call(self, inputs: Any, presence_mask: Any = None, mask: Any = None) -> Any:
        """Fuse the inputs."""
        return self._fuse(*self._gather(inputs, presence_mask, mask))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Steps at which any input is there, if each has a mask over time; else None."""
        masks = [] if mask is None else in_order(mask)
        if not masks or any(one is None or one.ndim != 2 for one in masks):
            return None
        return functools.reduce(jnp.logical_or, masks)

    def _fuse(self, arrays: list[Any], present: list[Any]) -> Any:
        raise NotImplementedError

    def _gather(self, inputs: Any, presence: Any, mask: Any) -> tuple[list[Any], list[Any]]:
        """The inputs in order, at 0 where they are missing, and the masks of what is there."""
        arrays = in_order(inputs)
        present = [
            self._present(array, *said)
            for array, *said in zip(
                arrays,
                self._spread_presence(presence, inputs),
                [None] * len(arrays) if mask is None else in_order(mask),
            )
        ]
        arrays = [
            array if there is None else jnp.where(widened(there, array), array, 0)
            for array, there in zip(arrays, present)
        ]
        return arrays, present

    def _spread_presence(self, presence: Any, inputs: Any) -> list[Any]:
        """One entry of `presence` for each input."""
        count = len(in_order(inputs))
        if presence is None:
            return [None] * count
        if isinstance(presence, (list, tuple, dict)):
            if isinstance(presence, dict) and isinstance(inputs, dict):
                if unknown := sorted(set(presence) - set(inputs)):
                    raise ValueError(
                        f"{type(self).__name__} layer {self.path!r}: presence_mask names "
                        f"{unknown[0]!r}, which is no input. Inputs: {sorted(inputs)}."
                    )
                said = [presence.get(name) for name in sorted(inputs)]
            else:
                said = in_order(presence)
        else:
            said = list(jnp.moveaxis(presence, -1, 0)) if presence.ndim == 2 else []
        if len(said) != count:
            shapes = jax.tree.map(lambda leaf: leaf.shape, presence)
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} has {count} inputs; presence_mask must "
                f"be (batch, {count}), or one (batch,) array for each. Got {shapes}."
            )
        return said

    def _present(self, array: Any, said: Any, mask: Any) -> Any:
        """Both accounts of what is there as one bool mask over leading axes, or None."""
        joint = None
        for one in (said, mask):
            if one is None:
                continue
            one = jnp.asarray(one).astype(bool)
            if one.ndim > 1 and one.shape[-1] == 1 and one.ndim == array.ndim:
                one = one[..., 0]
            if not 1 <= one.ndim < array.ndim or one.shape != array.shape[: one.ndim]:
                raise ValueError(
                    f"{type(self).__name__} layer {self.path!r}: a mask of shape {one.shape} does "
                    f"not go with an input of shape {array.shape}; it must have its leading axes, "
                    "(batch,) or (batch, time)."
                )
            if joint is None:
                joint = one
            else:
                rank = max(joint.ndim, one.ndim)
                joint = widened(joint, rank) & widened(one, rank)
        return joint

    # ---- shapes ------------------------------------------------------------------------------

    def _shapes(self, input_shape: Any) -> list[tuple]:
        """The shapes of the inputs in order, checked for their number and their last sizes."""
        several = isinstance(input_shape, (list, tuple, dict)) and not is_shape(input_shape)
        shapes = [tuple(shape) for shape in in_order(input_shape)] if several else []
        if len(shapes) < self._least:
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} is called on a list or dictionary of "
                f"at least {self._least} inputs; got shape{'s' if several else ''} {input_shape}."
            )
        if any(len(shape) < 2 or shape[-1] is None for shape in shapes):
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} needs inputs (batch, …, features) "
                f"whose last size is known; got shapes {shapes}."
            )
        return shapes

    def _aligned(self, input_shape: Any) -> tuple:
        """The leading axes that all inputs share.

        Raises:
            ValueError: if they do not.
        """
        shapes = self._shapes(input_shape)
        sizes = [set(each) - {None} for each in zip(*(shape[:-1] for shape in shapes))]
        if len({len(shape) for shape in shapes}) > 1 or any(len(known) > 1 for known in sizes):
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} needs inputs that differ in their last "
                f"size only; got shapes {shapes}. Pool sequences first, or use "
                "CrossAttentionFusion, which takes any lengths."
            )
        return tuple(known.pop() if known else None for known in sizes)

    def _dense(self, name: str, units: int, shape: tuple, **arguments: Any) -> Dense:
        """A built `Dense` of this layer."""
        layer = Dense(units, name=name, dtype=self.dtype_policy, **arguments)
        layer.build_from_config({"input_shape": shape})
        return layer

    def _count(self, argument: str, value: Any) -> int:
        """A whole number of at least 1."""
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r}: {argument} must be a whole number of "
                f"at least 1; got {value!r}."
            )
        return value


def in_order(inputs: Any) -> list[Any]:
    """The entries of a list, or those of a dictionary by sorted keys."""
    return [inputs[name] for name in sorted(inputs)] if isinstance(inputs, dict) else list(inputs)


def like(inputs: Any, values: list[Any]) -> Any:
    """The values in the form of the inputs, list or dictionary."""
    return dict(zip(sorted(inputs), values)) if isinstance(inputs, dict) else values


def widened(mask: Any, array: Any) -> Any:
    """The mask with axes of size 1 behind, as many axes in all as the array (or number) has."""
    rank = array if isinstance(array, int) else array.ndim
    return mask.reshape(mask.shape + (1,) * (rank - mask.ndim))


def filled(present: list[Any], arrays: list[Any]) -> list[Any]:
    """The masks with a last axis, ``(batch, …, 1)`` bool; all True where there was none."""
    return [
        jnp.ones((*array.shape[:-1], 1), bool)
        if there is None
        else jnp.broadcast_to(widened(there, array), (*array.shape[:-1], 1))
        for there, array in zip(present, arrays)
    ]

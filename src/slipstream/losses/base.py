"""`Loss`: values per example, weighted, masked and reduced."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from slipstream.core import config, registry
from slipstream.core.names import auto_name, nearest, snake_case
from slipstream.core.policy import get_policy
from slipstream.core.registry import register
from slipstream.core.scope import attached
from slipstream.core.variable import Variable
from slipstream.losses.arrays import derive, match_ranks, to_array
from slipstream.losses.reduction import REDUCTIONS, masked_mean, reduce_weighted

F = TypeVar("F", bound=Callable[..., Any])


def row_wise(function: F | None = None, *, averages: bool = False) -> Any:
    """Mark a loss function whose value for one example depends on that example alone.

    Args:
        function: the loss function.
        averages: whether it is the mean of a value per element over the last axis, so that for
            predictions of shape ``(batch,)`` it is the mean over the batch.
    """
    if function is None:
        return lambda function: row_wise(function, averages=averages)
    function.per_example = True  # type: ignore[attr-defined]
    function.averages = averages  # type: ignore[attr-defined]
    return function


def keeps_rows_apart(axis: Any) -> bool:
    """Whether reducing over `axis` leaves the batch axis alone, however many axes there are."""
    if axis is None:
        return False
    return all(a == -1 or a > 0 for a in (axis if isinstance(axis, (list, tuple)) else (axis,)))


@register("loss")
class Loss:
    """Compares predictions with targets. Subclasses define `call`.

    Args:
        name: automatic if not given.
        reduction: ``"sum_over_batch_size"`` or ``"mean"`` (divide by the number of values),
            ``"mean_with_sample_weight"`` (divide by the sum of the weights), ``"sum"``, or
            ``"none"`` or None for the values themselves.
        dtype: type in which the loss is computed, `floatx()` if not given.

    Attributes:
        per_example: True where the value of one example depends on that example alone. A partial
            batch may then be filled up with rows that a mask takes out again. A subclass that
            overrides `call` starts from False and may say True itself.

    Raises:
        ValueError: if the reduction is unknown.
    """

    per_example = False
    averages = False  # whether the values are a mean over the last axis
    _pointwise = False  # whether the values for one place on all other axes are independent

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = vars(cls)
        if ("call" in own or "fn" in own) and "per_example" not in own:
            cls.per_example = False

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        if reduction is not None and reduction not in REDUCTIONS:
            raise ValueError(f"Unknown reduction {reduction!r}. {nearest(reduction, REDUCTIONS)}")
        self.name = name or auto_name(snake_case(type(self).__name__))
        self.reduction = reduction
        self._dtype: str = get_policy(dtype or config.floatx()).compute_dtype

    @property
    def dtype(self) -> str:
        """Type in which the loss is computed."""
        return self._dtype

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The values before reduction, ``(batch, …)``. Subclasses override it."""
        raise NotImplementedError(f"Loss {type(self).__name__} does not define call().")

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> Any:
        """The loss, weighted, masked and reduced.

        Args:
            y_true: targets, an array or a nested structure of arrays.
            y_pred: predictions, likewise.
            sample_weight: factors that broadcast to the values, ``(batch,)`` mostly.
            mask: bool, the leading axes of the values, ``(batch,)`` or ``(batch, time)``: what is
                False counts neither in the sum nor in the divisor, whatever `y_pred` holds
                there. A mask that a layer attached to `y_pred` takes out what it does as well.

        Returns:
            A scalar, or the values where the reduction is ``"none"`` or None.

        Raises:
            ValueError: if weights or mask do not fit the values.
        """
        masks = [mask, _attached_mask(y_pred)]
        masks = [jnp.asarray(each).astype(bool) for each in masks if each is not None]
        y_true = jax.tree.map(self._to_array, y_true, is_leaf=_is_numbers)
        y_pred = jax.tree.map(self._to_array, y_pred, is_leaf=_is_numbers)
        values = self._call_masked(y_true, y_pred, masks) if masks else self.call(y_true, y_pred)
        ignored = attached(values, "mask")  # a class that the loss is told to ignore
        if ignored is not None:
            masks.append(ignored)
        return reduce_weighted(to_array(values, self.dtype), sample_weight, masks, self.reduction)

    def _to_array(self, value: Any) -> Any:
        return to_array(value.value if isinstance(value, Variable) else value, self.dtype)

    def _call_masked(self, y_true: Any, y_pred: Any, masks: list[Any]) -> Any:
        """`call` on inputs in which nothing that is masked can reach the loss or its gradient."""
        for mask in masks:
            y_pred = jax.tree.map(partial(self._shield, mask=mask, fill=0.5), y_pred)
            y_true = jax.tree.map(partial(self._shield, mask=mask, fill=1), y_true)
        if self.averages and all(array.ndim == 1 for array in (y_true, y_pred, *masks)):
            wide = derive(y_pred, lambda array: array[:, None])
            return masked_mean(self.call(y_true[:, None], wide), masks)
        values = self.call(y_true, y_pred)
        if self.per_example and values.ndim == 0:
            raise ValueError(
                f"Loss {self.name!r} gave a single value for y_pred of shape {y_pred.shape}, so a "
                "mask cannot take examples out. Give y_pred a last axis: (batch, 1)."
            )
        return values

    def _shield(self, leaf: Any, mask: Any, fill: float) -> Any:
        wide = mask.reshape(mask.shape + (1,) * (leaf.ndim - mask.ndim))
        if any(m not in (1, n) for m, n in zip(wide.shape, leaf.shape)) or wide.ndim > leaf.ndim:
            return leaf
        if not (self.per_example and (mask.ndim == 1 or self._pointwise)):
            # What is masked may take part in other values: only what would spoil them goes.
            wide = wide | jnp.isfinite(leaf)
        return derive(leaf, lambda array: jnp.where(wide, array, jnp.asarray(fill, array.dtype)))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal loss."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The loss with these arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, reduction={self.reduction}>"


def _attached_mask(y_pred: Any) -> Any:
    masks = [attached(leaf, "mask") for leaf in jax.tree.leaves(y_pred)]
    return masks[0] if len(masks) == 1 else None


def _is_numbers(value: Any) -> bool:
    """Whether a list is an array written out, not a structure of arrays."""
    if isinstance(value, list):
        return bool(value) and all(_is_numbers(item) for item in value)
    return isinstance(value, (bool, int, float))


@register("loss")
class LossFunctionWrapper(Loss):
    """A loss from a function ``(y_true, y_pred, **kwargs) -> values``.

    Args:
        fn: the function. Ranks ``(n,)`` and ``(n, 1)`` are matched before it is called.
        reduction, name, dtype: see `Loss`.
        **kwargs: passed on to `fn`.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self._fn_kwargs = kwargs
        axis = kwargs.get("axis", -1)
        if type(self) is LossFunctionWrapper:
            self.per_example = getattr(fn, "per_example", False)
        if not keeps_rows_apart(axis):
            self.per_example = False
        own_fn = hasattr(type(self), "fn")
        if not own_fn:
            self.fn = fn
        if not own_fn and type(self).call is LossFunctionWrapper.call and axis == -1:
            self.averages = getattr(fn, "averages", False)
            self._pointwise = hasattr(fn, "averages")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The values of the function."""
        structure: Any = jax.tree.structure(y_true)
        if structure == jax.tree.structure(y_pred):
            leaves = zip(jax.tree.leaves(y_true), jax.tree.leaves(y_pred))
            pairs = [match_ranks(t, p) for t, p in leaves]
            y_true = jax.tree.unflatten(structure, [t for t, _ in pairs])
            y_pred = jax.tree.unflatten(structure, [p for _, p in pairs])
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "fn": registry.serialize(self.fn),
            **registry.serialize_dict(self._fn_kwargs),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        config = {
            key: registry.deserialize(value, kind="loss" if key == "fn" else None)
            for key, value in config.items()
        }
        return cls(**config)


class NamedLoss(LossFunctionWrapper):
    """A loss whose class stands for its function."""

    per_example = True

    def get_config(self) -> dict[str, Any]:
        return {**Loss.get_config(self), **self._fn_kwargs}

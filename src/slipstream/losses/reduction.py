"""Weights, masks and reductions of loss values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from slipstream.losses.arrays import match_ranks

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none")


def reduce_weighted(
    values: Any, sample_weight: Any, masks: Sequence[Any], reduction: str | None
) -> Any:
    """Weight, mask and reduce the values of a loss.

    Args:
        values: ``(batch, …)``.
        sample_weight: factors that broadcast to the values, or None.
        masks: bool arrays over leading axes of the values; only what all leave counts.
        reduction: one of `REDUCTIONS` or None.

    Raises:
        ValueError: if the weights or a mask do not fit the values.
    """
    weight = None
    if sample_weight is not None:
        weight = jnp.asarray(sample_weight).astype(values.dtype)
        values, weight = match_ranks(values, weight)
        try:
            values = values * weight
        except (TypeError, ValueError):
            raise ValueError(
                f"sample_weight has shape {weight.shape}, which does not broadcast to the loss "
                f"values of shape {values.shape}. For one weight per example give it shape "
                f"{(values.shape[0],) + (1,) * (values.ndim - 1)}."
            ) from None
    if values.ndim == 0:
        return values
    mask = _joint_mask(masks, values)
    if mask is not None:
        values = jnp.where(mask, values, 0)
    if reduction in (None, "none"):
        return values
    total = jnp.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and weight is not None:
        divisor = jnp.sum(weight if mask is None else jnp.where(mask, weight, 0))
    elif mask is None:
        return total / max(values.size, 1)
    else:
        divisor = jnp.sum(mask, dtype=values.dtype) * (values.size // max(mask.size, 1))
    return _ratio(total, divisor)


def masked_mean(values: Any, masks: Sequence[Any]) -> Any:
    """Mean of those values that all masks over their leading axes leave."""
    return reduce_weighted(values, None, masks, "mean")


def _ratio(total: Any, divisor: Any) -> Any:
    """Their ratio, and 0 where there is nothing to divide by."""
    empty = divisor == 0
    return jnp.where(empty, 0, total / jnp.where(empty, 1, divisor))


def _joint_mask(masks: Sequence[Any], values: Any) -> Any:
    """All masks in one, with as many axes as the values, or None."""
    joint = None
    for mask in masks:
        if mask.ndim == values.ndim + 1 and mask.shape[-1] == 1:
            mask = mask[..., 0]
        wide = mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim))
        if wide.ndim > values.ndim or any(
            m not in (1, n) for m, n in zip(wide.shape, values.shape)
        ):
            raise ValueError(
                f"The mask has shape {mask.shape}, which does not cover the loss values of shape "
                f"{values.shape}: it must have their leading axes. If y_true and y_pred are "
                "(batch, time), give them a last axis of size 1 for one value per time step."
            )
        joint = wide if joint is None else joint & wide
    return joint

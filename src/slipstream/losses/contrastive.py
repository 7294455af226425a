"""`InfoNCE`: which of the batch's others belongs to this one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.core.scope import attach
from slipstream.losses.arrays import floats
from slipstream.losses.base import NamedLoss


@register("loss")
def info_nce(y_true: Any, y_pred: Any) -> Any:
    """Cross-entropy of finding an example's other modalities among those of the batch (CLIP).

    For two modalities this is the symmetric loss of Radford et al. (2021), InfoNCE (van den Oord
    et al., 2018) both ways; for more, the mean over all ordered pairs. Dot products are the
    logits: `layers.JointEmbedding` gives embeddings of that kind, its temperature included.

    Args:
        y_true: which examples show the same thing, ``(batch,)`` or ``(batch, 1)`` whole numbers
            below 2**24: all examples of one number are right answers to one another, each as
            likely. With ``np.arange(examples)`` only an example's own modalities are.
        y_pred: embeddings, ``(batch, modalities, features)``; all 0 where a modality is missing,
            which is then neither asked for nor an answer.

    Returns:
        Values ``(batch,)``; 0 for an example of which fewer than two modalities are there. The
        loss class does not count such an example in the mean.

    Raises:
        ValueError: if the shapes are others.
    """
    y_pred = floats(y_pred, wide=True)
    numbers = jnp.reshape(jnp.asarray(y_true), -1)
    if y_pred.ndim != 3 or y_pred.shape[1] < 2 or numbers.size != y_pred.shape[0]:
        raise ValueError(
            "info_nce compares embeddings (batch, modalities, features) of at least 2 modalities "
            f"by one number for each example; got y_pred {y_pred.shape} and y_true "
            f"{jnp.shape(y_true)}. JointEmbedding makes such embeddings."
        )
    present = jnp.any(y_pred != 0, -1).T  # modalities, batch
    logits = jnp.einsum("iaf,jbf->abij", y_pred, y_pred)
    answers = present[None, :, None, :]
    right = (numbers[:, None] == numbers) & answers
    count = jnp.sum(right, -1)
    asked = present[:, None, :] & (count > 0) & ~jnp.eye(len(present), dtype=bool)[:, :, None]
    # A row without answers would have no finite logit; it does not count anyway.
    shares = jax.nn.log_softmax(jnp.where(answers | ~answers.any(-1, keepdims=True), logits, -1e30))
    found = -jnp.sum(jnp.where(right, shares, 0), -1) / jnp.maximum(count, 1)
    pairs = jnp.sum(asked, (0, 1))
    values = jnp.sum(jnp.where(asked, found, 0), (0, 1)) / jnp.maximum(pairs, 1)
    attach(values, "mask", pairs > 0)
    return values


@register("loss")
class InfoNCE(NamedLoss):
    """See `info_nce`. Each example is compared with the others of its batch."""

    per_example = False

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "info_nce",
        dtype: Any = None,
    ) -> None:
        super().__init__(info_nce, reduction, name, dtype)

    def _call_masked(self, y_true: Any, y_pred: Any, masks: list[Any]) -> Any:
        """`call`, with what is masked neither asked for nor an answer."""
        for mask in masks:
            wide = mask.reshape(mask.shape + (1,) * (y_pred.ndim - mask.ndim))
            y_pred = jnp.where(wide, y_pred, 0)
        return self.call(y_true, y_pred)

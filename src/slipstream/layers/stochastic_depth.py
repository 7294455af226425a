"""`StochasticDepth`: whole branches left out at random while training."""

from __future__ import annotations

from typing import Any

from slipstream.core.registry import register
from slipstream.layers.regularization import Dropout


@register("layer", "DropPath")
class StochasticDepth(Dropout):
    """Leave a residual branch out for some examples while training (Huang et al., 2016).

    Put it at the end of a branch, before the sum: ``Add()([x, StochasticDepth(0.1)(branch)])``.
    Each example keeps or loses the whole of its branch; what is kept is scaled by
    ``1 / (1 - rate)``, so the expected sum stays the same. Deeper branches usually get a higher
    rate, rising evenly from 0.

    Args:
        rate: share of the examples that lose the branch, from 0 to 1.
        seed: makes this layer's draws independent of its place in the model.

    Raises:
        ValueError: if `rate` is not between 0 and 1.
    """

    def __init__(self, rate: float = 0.5, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed=seed, **kwargs)

    def _mask_shape(self, shape: tuple) -> tuple:
        return (*shape[:1], *(1,) * (len(shape) - 1))

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        config = super().get_config()
        del config["noise_shape"]
        return config

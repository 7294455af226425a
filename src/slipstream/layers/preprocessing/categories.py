"""`CategoryEncoding`: category numbers as vectors."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.layers.preprocessing.encoding import encode, encoded_shape
from slipstream.layers.preprocessing.host import no_sparse, one_of


@register("layer")
class CategoryEncoding(Layer):
    """Category numbers ``(batch, terms)`` as vectors ``(batch, num_tokens)``.

    Args:
        num_tokens: number of categories.
        output_mode: ``"multi_hot"``: 1 where a category is among the terms; ``"count"``: how often
            it is; ``"one_hot"``: a vector for each term, ``(batch, terms, num_tokens)``, or
            ``(batch, num_tokens)`` where there is one term.
        sparse: not supported.

    `call` takes `count_weights`, shaped as the input: what each term counts.

    Raises:
        ValueError: if num_tokens is missing, or a number is not below it (checked where the
            layer is called on data itself; inside a program such numbers count for nothing).
    """

    per_example = True

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(num_tokens, (int, np.integer)) or num_tokens < 1:
            raise ValueError(
                f"CategoryEncoding layer {self.name!r}: num_tokens must be the number of "
                f"categories, at least 1; got {num_tokens!r}. Where it is not known, use "
                "IntegerLookup."
            )
        no_sparse(self, sparse)
        self.num_tokens = int(num_tokens)
        self.output_mode = one_of(
            self, "output_mode", output_mode, ("multi_hot", "one_hot", "count")
        )

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        """Encode category numbers."""
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                f"CategoryEncoding layer {self.path!r}: count_weights needs output_mode='count'; "
                f"it is {self.output_mode!r}."
            )
        inputs = jnp.asarray(inputs)
        if inputs.size and not isinstance(inputs, jax.core.Tracer):
            low, high = int(inputs.min()), int(inputs.max())
            if low < 0 or high >= self.num_tokens:
                raise ValueError(
                    f"CategoryEncoding layer {self.path!r} takes numbers from 0 to "
                    f"{self.num_tokens - 1}; got {low} to {high}. Raise num_tokens, or map the "
                    "numbers first with IntegerLookup."
                )
        weights = None if count_weights is None else jnp.asarray(count_weights)
        return encode(
            inputs.astype("int32"), self.num_tokens, self.output_mode, self.compute_dtype, weights
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, num_tokens)``; with ``"one_hot"`` ``(batch, …, num_tokens)``."""
        return encoded_shape(input_shape, self.num_tokens, self.output_mode)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "num_tokens": self.num_tokens,
            "output_mode": self.output_mode,
        }

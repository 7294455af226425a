"""Layers that give each whole number a vector."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.core import registry
from slipstream.core.registry import register
from slipstream.core.scope import attach, attached
from slipstream.kernels.embedding import look_up
from slipstream.layers import weight_arguments
from slipstream.layers.lora import Adaptable
from slipstream.layers.spatial import is_count


@register("layer")
class Embedding(Adaptable):
    """A row of a trained table for each whole number.

    Args:
        input_dim: number of rows; inputs are 0 to ``input_dim - 1``.
        output_dim: size of a row.
        embeddings_initializer: initial values of `embeddings`, ``(input_dim, output_dim)``.
        embeddings_regularizer, activity_regularizer: penalties.
        embeddings_constraint: projection after each update.
        mask_zero: whether 0 means "nothing here" and is masked for the layers after this one.
        weights: initial table, or a list of it.
        lora_rank, lora_alpha: freeze the table and train a product of this rank beside it; see
            `enable_lora`.

    Input ``(batch, …)`` of whole numbers, output ``(batch, …, output_dim)``. A number outside the
    table gives NaN; a negative one counts from the end, as in NumPy.

    Raises:
        ValueError: if a size is not a whole number of at least 1.
    """

    per_example = True
    _main = "embeddings"

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        input_length: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (("input_dim", input_dim), ("output_dim", output_dim)):
            if not is_count(value):
                raise ValueError(
                    f"{type(self).__name__} layer {self.name!r}: {name} must be a whole number of "
                    f"at least 1; got {value!r}."
                )
        # Numbers that arrive as floats stay exact, and rows are picked before they are cast.
        self.autocast = False
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self._initial = weights
        weight_arguments.keep(
            self,
            "embeddings",
            embeddings_initializer,
            embeddings_regularizer,
            embeddings_constraint,
        )
        self._keep_lora(lora_rank, lora_alpha)

    @property
    def embeddings(self) -> Any:
        """The table, with what LoRA adds to it."""
        return self._adapted()

    def build(self, input_shape: Any = None) -> None:
        """Create the table."""
        self._embeddings = weight_arguments.create(
            self, "embeddings", (self.input_dim, self.output_dim)
        )
        if self._initial is not None:
            initial = self._initial
            self._embeddings.assign(initial[0] if isinstance(initial, (list, tuple)) else initial)
        self._build_lora()

    def call(self, inputs: Any) -> Any:
        """Look the rows up."""
        if inputs.dtype not in (jnp.int32, jnp.uint32):
            inputs = inputs.astype(jnp.int32)
        outputs = look_up(self._embeddings.value, inputs)
        if self.lora_enabled:
            a, b, scale = self._lora()
            outputs = outputs + scale * (look_up(a, inputs) @ b)
        return outputs.astype(self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where the input is not 0, with `mask_zero`."""
        return jnp.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, …, output_dim)``."""
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            **weight_arguments.describe(self, "embeddings"),
            "activity_regularizer": registry.serialize(self.activity_regularizer),
            "mask_zero": self.mask_zero,
            "quantization_config": None,
            **self._lora_config(),
        }


@register("layer")
class ReversibleEmbedding(Embedding):
    """An embedding that also maps vectors back to a score for each row.

    Args:
        input_dim, output_dim: as in `Embedding`.
        tie_weights: whether the way back uses the same table, transposed; else it has one of its
            own, `reverse_embeddings` ``(output_dim, input_dim)``.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint, mask_zero: as in
            `Embedding`.
        reverse_dtype: type in which the way back is computed; the layer's if not given.
        logit_soft_cap: keeps scores between plus and minus this: ``cap * tanh(x / cap)``.

    With ``reverse=True`` the input is ``(batch, …, output_dim)`` and the output
    ``(batch, …, input_dim)``.
    """

    per_example = True

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer,
            embeddings_regularizer,
            embeddings_constraint,
            mask_zero,
            **kwargs,
        )
        self.tie_weights = tie_weights
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap

    def build(self, input_shape: Any = None) -> None:
        """Create the table, and the one for the way back if it has its own."""
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                (self.output_dim, self.input_dim),
                self.embeddings_initializer,  # type: ignore[attr-defined]
                name="reverse_embeddings",
            )

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        """Look rows up, or score all rows."""
        if not reverse:
            return super().call(inputs)
        dtype = jnp.dtype(self.reverse_dtype or self.compute_dtype)
        if self.tie_weights:
            kernel = jnp.asarray(self.embeddings).astype(dtype).T
        else:
            kernel = self.reverse_embeddings.value.astype(dtype)
        logits = inputs.astype(dtype) @ kernel
        if self.logit_soft_cap is not None:
            logits = self.logit_soft_cap * jnp.tanh(logits / self.logit_soft_cap)
        if (mask := attached(inputs, "mask")) is not None:
            attach(logits, "mask", mask)
        return logits

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where the input is not 0, with `mask_zero`; on the way back, the input's mask."""
        back = inputs.shape[-1:] == (self.output_dim,) and not np.issubdtype(
            inputs.dtype, np.integer
        )
        return previous_mask if back else super().compute_mask(inputs)

    def compute_output_shape(self, input_shape: Any, reverse: bool = False) -> Any:
        """``(batch, …, output_dim)``, or ``(batch, …, input_dim)`` on the way back."""
        return (
            (*input_shape[:-1], self.input_dim)
            if reverse
            else super().compute_output_shape(input_shape)
        )

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        own = {
            "tie_weights": self.tie_weights,
            "reverse_dtype": self.reverse_dtype,
            "logit_soft_cap": self.logit_soft_cap,
        }
        return {**super().get_config(), **own}

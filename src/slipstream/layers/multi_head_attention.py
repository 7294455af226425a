"""Attention in several heads, each with projections of its own."""

from __future__ import annotations

from typing import Any

from slipstream.core.registry import register
from slipstream.layers.projected_attention import ProjectedAttention
from slipstream.layers.spatial import is_count


@register("layer")
class MultiHeadAttention(ProjectedAttention):
    """Attention in several heads (Vaswani et al. 2017).

    Args:
        num_heads: number of heads.
        key_dim: size of a head's query and key.
        value_dim: size of a head's value; `key_dim` if not given.
        dropout: share of the scores to drop while training.
        use_bias: whether the projections have a bias.
        output_shape: sizes of the output's last axes; the query's last size if not given.
        attention_axes: axes that are attended over; all but the first and the last if not given.
        sliding_window: how far apart, this distance excluded, query and key may be.
        flash_attention: accepted for Keras' signature; a fused kernel is used wherever one fits.
        use_gate: whether to multiply the heads' outputs by a sigmoid gate of the query.
        kernel_initializer, bias_initializer: initial values of all projections.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties on them.
        kernel_constraint, bias_constraint: projections after each update.
        seed: makes this layer's draws independent of its place in the model.

    See `call` for inputs and output.

    Raises:
        ValueError: if a size is not a whole number of at least 1, or shapes do not fit.
    """

    per_example = True

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_heads, num_heads, key_dim, key_dim if value_dim is None else value_dim, dropout,
            use_bias, output_shape, attention_axes, sliding_window, flash_attention, use_gate, seed,
            {
                "kernel_initializer": kernel_initializer,
                "bias_initializer": bias_initializer,
                "kernel_regularizer": kernel_regularizer,
                "bias_regularizer": bias_regularizer,
                "activity_regularizer": activity_regularizer,
                "kernel_constraint": kernel_constraint,
                "bias_constraint": bias_constraint,
            },
            **kwargs,
        )  # fmt: skip
        sizes = {"num_heads": num_heads, "key_dim": key_dim, "value_dim": self._value_dim}
        for name, value in sizes.items():
            if not is_count(value):
                raise ValueError(self._bad(name, value))

    num_heads = property(lambda self: self._heads, doc="Number of heads.")
    key_dim = property(lambda self: self._key_dim, doc="Size of a head's query and key.")
    value_dim = property(lambda self: self._value_dim, doc="Size of a head's value.")
    attention_axes = property(lambda self: self._attention_axes, doc="Axes attended over.")

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        own = {
            "num_heads": self._heads,
            "key_dim": self._key_dim,
            "value_dim": self._value_dim,
            "output_shape": self._output_shape,
            "attention_axes": self._attention_axes,
        }
        return {**super().get_config(), **own}


@register("layer", name="GroupQueryAttention")
class GroupedQueryAttention(ProjectedAttention):
    """Attention in which groups of query heads share key and value heads (Ainslie et al. 2023).

    Args:
        head_dim: size of a head's query, key and value.
        num_query_heads: number of query heads.
        num_key_value_heads: number of key and value heads, a divisor of `num_query_heads`.

    The other arguments, inputs and output are as in `MultiHeadAttention`.

    Raises:
        ValueError: if a size is not a whole number of at least 1, or the heads do not divide.
    """

    per_example = True
    _prefix = "_"

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_query_heads, num_key_value_heads, head_dim, head_dim, dropout,
            use_bias, None, (1,), sliding_window, flash_attention, use_gate, seed,
            {
                "kernel_initializer": kernel_initializer,
                "bias_initializer": bias_initializer,
                "kernel_regularizer": kernel_regularizer,
                "bias_regularizer": bias_regularizer,
                "activity_regularizer": activity_regularizer,
                "kernel_constraint": kernel_constraint,
                "bias_constraint": bias_constraint,
            },
            **kwargs,
        )  # fmt: skip
        sizes = {
            "head_dim": head_dim,
            "num_query_heads": num_query_heads,
            "num_key_value_heads": num_key_value_heads,
        }
        for name, value in sizes.items():
            if not is_count(value):
                raise ValueError(self._bad(name, value))
        if num_query_heads % num_key_value_heads:
            raise ValueError(
                f"GroupQueryAttention layer {self.name!r}: num_key_value_heads must divide "
                f"num_query_heads; got {num_key_value_heads} and {num_query_heads}."
            )

    head_dim = property(lambda self: self._key_dim, doc="Size of a head's query, key and value.")
    num_query_heads = property(lambda self: self._heads, doc="Number of query heads.")
    num_key_value_heads = property(lambda self: self._key_heads, doc="Number of key heads.")

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        own = {
            "head_dim": self._key_dim,
            "num_query_heads": self._heads,
            "num_key_value_heads": self._key_heads,
        }
        return {**super().get_config(), **own}


GroupQueryAttention = GroupedQueryAttention  # Keras exports it under this name

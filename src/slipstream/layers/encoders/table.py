"""Encoder of rows of a table: numbers and categories."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.layers.batch_normalization import BatchNormalization
from slipstream.layers.dense import Dense
from slipstream.layers.embedding import Embedding
from slipstream.layers.encoders.base import MOMENTUM, Encoder
from slipstream.layers.regularization import Dropout


@register("layer")
class TableMLP(Encoder):
    """Dense layers on a row of a table, its categories embedded and its numbers normalized.

    Args:
        features: size of the output vector.
        category_sizes: number of values of each column of categories, none if not given.
        embedding_dim: size of a category's vector.
        widths: sizes of the hidden layers.
        dropout: share to drop after each hidden layer while training.

    Input: numbers ``(batch, columns)``; or a dictionary with ``"numbers"`` and ``"categories"``
    ``(batch, columns)``, whole numbers from 0. Output ``(batch, features)``. A number that is NaN
    is taken as missing: it counts as the mean of its column, and a flag tells the network. (`fit`
    refuses NaN unless ``slipstream.config.set_check_data(False)`` was called.)

    Raises:
        ValueError: if a number is not a whole one of at least 1, or the inputs do not fit
            `category_sizes`.
    """

    per_example = True
    _arguments = ("category_sizes", "embedding_dim", "widths", "dropout")

    def __init__(
        self,
        features: int,
        category_sizes: Any = (),
        embedding_dim: int = 8,
        widths: Any = (128,),
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(features, **kwargs)
        if self.return_tokens:
            raise ValueError(f"TableMLP layer {self.name!r} has no tokens to return.")
        self.category_sizes = (
            self._counts("category_sizes", category_sizes) if category_sizes else ()
        )
        self.embedding_dim = self._count("embedding_dim", embedding_dim)
        self.widths = self._counts("widths", widths)
        self.dropout = dropout

    def _check_shape(self, input_shape: Any) -> None:
        shapes = input_shape if isinstance(input_shape, dict) else {"numbers": input_shape}
        wanted = {"categories", "numbers"} if isinstance(input_shape, dict) else {"numbers"}
        count = shapes["categories"][-1] if "categories" in shapes else 0
        if (
            not wanted >= set(shapes)
            or not shapes
            or any(len(shape) != 2 or shape[-1] is None for shape in shapes.values())
            or count != len(self.category_sizes)
        ):
            raise ValueError(
                f"TableMLP layer {self.path!r} takes 'numbers' (batch, columns) and 'categories' "
                f"(batch, {len(self.category_sizes)}), one column for each of category_sizes; got "
                f"{input_shape}."
            )

    def _create(self, input_shape: Any) -> None:
        if not isinstance(input_shape, dict) or "numbers" in input_shape:
            shape = input_shape["numbers"] if isinstance(input_shape, dict) else input_shape
            self._norm = self._part(
                BatchNormalization, momentum=MOMENTUM, center=False, scale=False, name="norm"
            )
            self._norm.build_from_config({"input_shape": tuple(shape)})
        self._embeddings = [
            self._part(Embedding, size, self.embedding_dim, name=f"category_{i}")
            for i, size in enumerate(self.category_sizes)
        ]
        self._hidden = [
            self._part(Dense, width, "relu", name=f"hidden_{i}")
            for i, width in enumerate(self.widths)
        ]
        self._dropouts = [
            self._part(Dropout, self.dropout, name=f"dropout_{i}") for i in range(len(self.widths))
        ]

    def _tokens(self, inputs: Any, training: bool) -> Any:
        given = inputs if isinstance(inputs, dict) else {"numbers": inputs}
        columns = []
        if "numbers" in given:
            numbers = given["numbers"].astype(self.compute_dtype)
            unknown = jnp.isnan(numbers)
            mean = self._norm.moving_mean.value.astype(numbers.dtype)
            known = self._norm(jnp.where(unknown, mean, numbers))
            columns += [jnp.where(unknown, 0, known), unknown.astype(numbers.dtype)]
        if "categories" in given:
            numbers = given["categories"].astype("int32")
            columns += [layer(numbers[:, i]) for i, layer in enumerate(self._embeddings)]
        x = jnp.concatenate(columns, -1)
        for layer, dropout in zip(self._hidden, self._dropouts):
            x = dropout(layer(x))
        return x[:, None]

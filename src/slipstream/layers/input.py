"""`Input`: where data enters a model."""

from __future__ import annotations

from typing import Any

from slipstream.core.layer import Layer
from slipstream.core.names import auto_name
from slipstream.core.registry import register
from slipstream.core.symbol import Node, SymbolicTensor


@register("layer")
class InputLayer(Layer):
    """The entry of a model: passes its input on.

    Args:
        shape: shape of one example; sizes may be None.
        batch_size: fixed size of the batch axis, if it is one.
        dtype: element type; `floatx()` if not given.
        batch_shape: shape with the batch axis, in place of `shape`.
        name: automatic if not given.
        optional: whether the model may be called without this input.

    Raises:
        ValueError: unless exactly one of `shape` and `batch_shape` is given.
    """

    per_example = True

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: SymbolicTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        policy = None if isinstance(dtype, str) and dtype == "string" else dtype
        super().__init__(name=name or auto_name("input_layer"), dtype=policy, **kwargs)
        if input_tensor is not None:
            batch_shape, dtype = input_tensor.shape, input_tensor.dtype
        if (shape is None) == (batch_shape is None):
            raise ValueError(
                f"Input {self.name!r}: give shape=… or batch_shape=…, and not both; "
                f"got shape={shape}, batch_shape={batch_shape}."
            )
        if sparse or ragged:
            raise ValueError(f"Input {self.name!r}: sparse and ragged inputs are not supported.")
        if batch_shape is None:
            shape = (shape,) if isinstance(shape, int) else tuple(shape)
            batch_shape = (batch_size, *shape)
        self.batch_shape = tuple(batch_shape)
        self.optional = optional
        self.built = True
        self.symbol = SymbolicTensor(self.batch_shape, dtype, name=self.name)
        Node(self, (), {}, self.symbol)

    def call(self, inputs: Any) -> Any:
        """The input itself."""
        return inputs

    @property
    def dtype(self) -> str:
        """Type of the data."""
        return self.symbol.dtype

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            "batch_shape": self.batch_shape,
            "dtype": self.symbol.dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": self.optional,
        }


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: SymbolicTensor | None = None,
    optional: bool = False,
) -> SymbolicTensor:
    """The symbolic tensor at which a model begins; arguments as in `InputLayer`."""
    return InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        input_tensor=tensor,
        optional=optional,
        name=name,
    ).symbol

"""`Hashing` and `HashedCrossing`: categories by hash, where no vocabulary is kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.core.registry import register
from slipstream.layers.preprocessing.encoding import encode, encoded_shape
from slipstream.layers.preprocessing.fingerprint import chain64, fingerprint64, keyed_hash64
from slipstream.layers.preprocessing.host import HostLayer, as_text, no_sparse, one_of

_REMEMBERED = 2**17  # values
_CROSSING_START = 0xDECAFCAFFE  # what Keras' crossings start from


def check_salt(layer: Any, salt: Any) -> tuple[int, int] | None:
    """A salt as a pair of numbers, or None.

    Raises:
        ValueError: if it is neither a whole number nor two of them.
    """
    if salt is None:
        return None
    pair = (salt, salt) if isinstance(salt, (int, np.integer)) else salt
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ValueError(
            f"{type(layer).__name__} layer {layer.name!r}: salt must be a whole number or two of "
            f"them; got {salt!r}."
        )
    return int(pair[0]), int(pair[1])


def hash_text(text: str, salt: tuple[int, int] | None) -> int:
    """64-bit hash of a text: FarmHash's fingerprint, or SipHash with a salt."""
    data = text.encode()
    return fingerprint64(data) if salt is None else keyed_hash64(data, salt)


def _bins(layer: Any, num_bins: Any) -> int:
    if not isinstance(num_bins, (int, np.integer)) or num_bins < 1:
        raise ValueError(
            f"{type(layer).__name__} layer {layer.name!r}: num_bins must be a whole number of at "
            f"least 1; got {num_bins!r}."
        )
    return int(num_bins)


class _Bins(dict[Any, int]):
    """The bin of each value that has come so far; a new one is hashed."""

    def __init__(self, layer: Hashing) -> None:
        super().__init__()
        self.mask_value, self.salt = layer.mask_value, layer.salt
        self.first = int(self.mask_value is not None)
        self.free = layer.num_bins - self.first

    def __missing__(self, value: Any) -> int:
        masked = self.first and (value == self.mask_value or not self.free)
        found = 0 if masked else self.first + hash_text(str(value), self.salt) % self.free
        self[value] = found
        return found


@register("layer")
class Hashing(HostLayer):
    """Text or integers as bin numbers, by a hash that never changes.

    Args:
        num_bins: number of bins.
        mask_value: value that goes to bin 0 by itself; the others take the bins from 1 on.
        salt: one or two whole numbers: another hash, SipHash in place of FarmHash.
        output_mode: ``"int"``, or as in `CategoryEncoding`.
        sparse: not supported.

    Raises:
        ValueError: if num_bins or salt make no sense, or the input is neither text nor numbers.
    """

    _untracked = frozenset({"_bins_of"})  # plain data, and much of it

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("dtype") is None and output_mode == "int":
            kwargs["dtype"] = "int64"
        super().__init__(**kwargs)
        self.num_bins = _bins(self, num_bins)
        self.mask_value = mask_value
        self.salt = check_salt(self, salt)
        self.output_mode = one_of(
            self, "output_mode", output_mode, ("int", "one_hot", "multi_hot", "count")
        )
        no_sparse(self, sparse)
        self._bins_of = _Bins(self)

    @property
    def output_dtype(self) -> str:
        """``"int32"`` for bin numbers."""
        return "int32" if self.output_mode == "int" else self.compute_dtype

    def call(self, inputs: Any) -> Any:
        """Bin numbers of text or integers."""
        values = np.asarray(inputs)
        if values.dtype.kind == "f":
            values = values.astype(np.int64)
        if values.dtype.kind not in "iu":
            values = as_text(values, self)
        if len(self._bins_of) > _REMEMBERED:
            self._bins_of = _Bins(self)
        bins = map(self._bins_of.__getitem__, values.ravel().tolist())
        indices = np.fromiter(bins, np.int32, values.size).reshape(values.shape)
        return encode(indices, self.num_bins, self.output_mode, self.output_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape, or as in `CategoryEncoding`."""
        return encoded_shape(input_shape, self.num_bins, self.output_mode)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "num_bins": self.num_bins,
            "salt": None if self.salt is None else list(self.salt),
            "mask_value": self.mask_value,
            "output_mode": self.output_mode,
            "sparse": False,
        }


@register("layer")
class HashedCrossing(HostLayer):
    """Several features together as one category, by hash.

    Called on a tuple or list of at least two arrays of text or integers, each ``()``, ``(batch,)``
    or ``(batch, 1)``.

    Args:
        num_bins: number of bins.
        output_mode: ``"int"`` or ``"one_hot"``.
        sparse: not supported.

    Raises:
        ValueError: if num_bins makes no sense, or the inputs do not fit together.
    """

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        if dtype is None and output_mode == "int":
            dtype = "int64"
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.num_bins = _bins(self, num_bins)
        self.output_mode = one_of(self, "output_mode", output_mode, ("int", "one_hot"))
        no_sparse(self, sparse)

    @property
    def output_dtype(self) -> str:
        """``"int32"`` for bin numbers."""
        return "int32" if self.output_mode == "int" else self.compute_dtype

    def call(self, inputs: Any) -> Any:
        """Bin numbers of the combinations."""
        if not isinstance(inputs, (tuple, list)) or len(inputs) < 2:
            raise ValueError(
                f"HashedCrossing layer {self.path!r} crosses at least two inputs; got {inputs!r}."
            )
        columns = [np.asarray(column) for column in inputs]
        shape = columns[0].shape
        if any(column.shape != shape for column in columns) or not (
            len(shape) < 2 or (len(shape) == 2 and shape[1] == 1)
        ):
            raise ValueError(
                f"HashedCrossing layer {self.path!r}: all inputs must have one shape, (), (batch,) "
                f"or (batch, 1); got {[column.shape for column in columns]}."
            )
        bins = np.empty(columns[0].size, np.int32)
        rows = zip(*(self._fingerprints(column) for column in columns))
        for place, row in enumerate(rows):
            crossed = _CROSSING_START
            for fingerprint in row:
                crossed = chain64(crossed, fingerprint)
            bins[place] = crossed % self.num_bins
        return encode(bins.reshape(shape), self.num_bins, self.output_mode, self.output_dtype)

    def _fingerprints(self, column: np.ndarray) -> list[int]:
        """Integers stand for themselves, text for its fingerprint."""
        if column.dtype.kind in "iu":
            return column.ravel().tolist()
        if column.dtype.kind == "f":
            raise ValueError(
                f"HashedCrossing layer {self.path!r} takes text or integers; got {column.dtype}. "
                "Discretize numbers first."
            )
        texts = as_text(column, self).ravel().tolist()
        known = {text: fingerprint64(text.encode()) for text in set(texts)}
        return [known[text] for text in texts]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of one input; with ``"one_hot"`` the bins are the last axis."""
        first = input_shape[0] if input_shape and _nested(input_shape) else input_shape
        return encoded_shape(first, self.num_bins, self.output_mode)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            "num_bins": self.num_bins,
            "output_mode": self.output_mode,
            "sparse": False,
            "name": self.name,
            "dtype": self.dtype,
        }


def _nested(shape: Any) -> bool:
    return any(isinstance(part, (tuple, list)) for part in shape)

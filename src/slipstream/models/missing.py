"""What stands for missing values in the columns of a `FeatureSpace`."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.core import registry
from slipstream.core.registry import register
from slipstream.layers import TextVectorization
from slipstream.layers.preprocessing.host import HostLayer

MISSING_TEXT = "[MISSING]"
MISSING_NUMBER = -(2**31)  # of whole numbers that stand for kinds


class _OfNumbers(HostLayer):
    """Base of layers for a column of numbers: on the host, as no NaN may go into a program."""

    output_dtype = "float32"

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape


@register("layer")
class FillMissing(_OfNumbers):
    """Numbers with one in place of missing ones.

    Args:
        value: the number.
    """

    def __init__(self, value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value = float(value)

    def call(self, inputs: Any) -> np.ndarray:
        """The numbers, filled."""
        values = numbers(inputs)
        return np.where(np.isnan(values), np.float32(self.value), values)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "value": self.value}


@register("layer")
class IsMissing(_OfNumbers):
    """1 where a number is missing, else 0."""

    def call(self, inputs: Any) -> np.ndarray:
        """The ones and zeros."""
        return np.isnan(numbers(inputs)).astype(np.float32)


@register("layer")
class MissingKind(HostLayer):
    """A layer for kinds or texts, in which a missing entry is a kind of its own, or an empty text.

    Args:
        layer: a layer that works on the host: a lookup, a hash, or `TextVectorization`.
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = registry.deserialize(layer, kind="layer") if isinstance(layer, dict) else layer

    def call(self, inputs: Any) -> Any:
        """What the layer makes of the entries, missing ones filled."""
        return self.layer(filled(inputs, self.layer))

    @property
    def output_dtype(self) -> str:
        """That of the layer."""
        return self.layer.output_dtype

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the layer."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "layer": registry.serialize(self.layer)}


def missing_in(values: np.ndarray) -> np.ndarray:
    """Which entries are missing: NaN, None, or what pandas puts there."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind != "O":
        return np.zeros(values.shape, bool)
    found = [_absent(item) for item in values.ravel().tolist()]
    return np.array(found, bool).reshape(values.shape)


def _absent(item: Any) -> bool:
    return item is None or str(item) in ("<NA>", "NaT") or bool(item != item)


def filled(values: Any, layer: Any) -> np.ndarray:
    """A column of kinds or texts, with what stands for missing entries."""
    values = np.asarray(values)
    gaps = missing_in(values)
    if not gaps.any():
        return values
    known = values[~gaps].tolist()
    if values.dtype.kind == "f" or (known and not isinstance(known[0], (str, bytes))):
        found = np.full(values.shape, MISSING_NUMBER, np.int64)
        found[~gaps] = np.asarray(known, np.float64).astype(np.int64)
        return found
    texts = values.astype(object)
    texts[gaps] = "" if isinstance(layer, TextVectorization) else MISSING_TEXT
    return texts


def numbers(values: Any) -> np.ndarray:
    """A column of numbers, float32, with NaN for what is missing."""
    values = np.asarray(values)
    if values.dtype.kind == "O":
        gaps = missing_in(values)
        found = np.full(values.shape, np.nan, np.float32)
        found[~gaps] = values[~gaps].astype(np.float32)
        return found
    return values.astype(np.float32)

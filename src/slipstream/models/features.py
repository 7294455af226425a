"""`Feature` and `Cross`: what a `FeatureSpace` does with one column, and with several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slipstream.core import registry
from slipstream.core.layer import Layer
from slipstream.core.names import auto_name, nearest
from slipstream.core.registry import register
from slipstream.layers import (
    Discretization,
    Hashing,
    IntegerLookup,
    Normalization,
    Rescaling,
    StringLookup,
)

_MODULE = "keras.src.layers.preprocessing.feature_space"
# Name of a kind of feature: type of the column, layer, form of the output.
_KINDS: dict[str, tuple[str, Any, str]] = {
    "float": ("float32", None, "float"),
    "float_rescaled": ("float32", Rescaling, "float"),
    "float_normalized": ("float32", Normalization, "float"),
    "float_discretized": ("float32", Discretization, "one_hot"),
    "integer_categorical": ("int32", IntegerLookup, "one_hot"),
    "string_categorical": ("string", StringLookup, "one_hot"),
    "integer_hashed": ("int32", Hashing, "one_hot"),
    "string_hashed": ("string", Hashing, "one_hot"),
}


@register("layer", module=_MODULE)
class TFDIdentity(Layer):
    """Passes a column of numbers on."""

    per_example = True

    def call(self, x: Any) -> Any:
        """The column."""
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the column."""
        return input_shape


@register("layer", module=_MODULE)
class Feature:
    """What is done with one column.

    Args:
        dtype: type of the column, ``"string"`` for text.
        preprocessor: layer that takes the column, or its configuration.
        output_mode: ``"float"``, ``"int"`` or ``"one_hot"``.

    Raises:
        ValueError: for another mode.
    """

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str) -> None:
        if output_mode not in ("float", "int", "one_hot"):
            raise ValueError(
                "output_mode of a feature must be 'float', 'int' or 'one_hot'; got "
                f"{output_mode!r}."
            )
        self.dtype = dtype
        if isinstance(preprocessor, dict):
            preprocessor = registry.deserialize(preprocessor, kind="layer")
        self.preprocessor = preprocessor
        self.output_mode = output_mode

    @property
    def learns(self) -> bool:
        """Whether its layer has to see data first."""
        layer = self.preprocessor
        if isinstance(layer, Normalization):
            return layer.input_mean is None
        if isinstance(layer, Discretization):
            return not layer.bin_boundaries
        if isinstance(layer, (IntegerLookup, StringLookup)):
            return layer.vocabulary_size() <= layer.num_oov_indices + (layer.mask_token is not None)
        return hasattr(layer, "adapt")

    @property
    def numeric(self) -> bool:
        """Whether the column holds quantities, rather than kinds or texts."""
        return str(self.dtype).startswith(("float", "bfloat"))

    @property
    def size(self) -> int:
        """Number of kinds, for an output of ones and zeros.

        Raises:
            ValueError: if its layer gives no kinds.
        """
        layer = self.preprocessor
        if isinstance(layer, Discretization):
            return len(layer.bin_boundaries or ()) + 1
        for name in ("vocabulary_size", "num_bins", "num_tokens"):
            if (found := getattr(layer, name, None)) is not None:
                return int(found() if callable(found) else found)
        raise ValueError(
            f"Layer {layer!r} does not say how many kinds it tells apart, so output_mode='one_hot' "
            "cannot be used with it."
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal feature."""
        return {
            "dtype": self.dtype,
            "preprocessor": registry.serialize(self.preprocessor),
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Feature:
        """The feature with these arguments."""
        return cls(**config)


@register("layer", module=_MODULE)
class Cross:
    """Several columns hashed together.

    Args:
        feature_names: names of the features.
        crossing_dim: number of bins.
        output_mode: ``"int"`` or ``"one_hot"``.

    Raises:
        ValueError: for another mode.
    """

    def __init__(
        self, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot"
    ) -> None:
        if output_mode not in ("int", "one_hot"):
            raise ValueError(
                f"output_mode of a cross must be 'int' or 'one_hot'; got {output_mode!r}."
            )
        self.feature_names = tuple(feature_names)
        self.crossing_dim = crossing_dim
        self.output_mode = output_mode

    @property
    def name(self) -> str:
        """``a_X_b`` for the features ``a`` and ``b``."""
        return "_X_".join(self.feature_names)

    @property
    def size(self) -> int:
        """Number of bins."""
        return self.crossing_dim

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal cross."""
        return {
            "feature_names": self.feature_names,
            "crossing_dim": self.crossing_dim,
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Cross:
        """The cross with these arguments."""
        return cls(**config)


def named(
    kind: str, name: str | None = None, output_mode: str | None = None, **arguments: Any
) -> Feature:
    """A feature of one of the known kinds."""
    dtype, layer, usual = _KINDS[kind]
    own_name = f"{name or auto_name(kind)}_preprocessor"
    preprocessor = (layer or TFDIdentity)(name=own_name, **arguments)
    return Feature(dtype, preprocessor, output_mode or usual)


def parsed(key: str, feature: Any, sizes: dict[str, int]) -> Feature:
    """A feature from itself, its configuration or the name of its kind.

    Args:
        key: name of the column.
        feature: what stands for the feature.
        sizes: number of bins of kinds that need one, by the last part of their names.

    Raises:
        ValueError: if it is none of these.
    """
    if isinstance(feature, dict):
        feature = registry.deserialize(feature)
    if isinstance(feature, Feature):
        return feature
    if feature not in _KINDS:
        raise ValueError(f"Feature {key!r}: {feature!r} is no kind. {nearest(feature, _KINDS)}")
    bins = sizes.get(feature.rpartition("_")[2])
    arguments: dict[str, Any] = {} if bins is None else {"num_bins": bins}
    return named(feature, key, None, **arguments)

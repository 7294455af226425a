"""`FeatureSpace`: the columns of a table, and how each becomes numbers."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from slipstream.core import registry
from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.core.symbol import symbols_in
from slipstream.layers import CategoryEncoding, HashedCrossing, Input
from slipstream.models import saving
from slipstream.models.features import Cross, Feature, named, parsed
from slipstream.models.missing import (
    FillMissing,
    IsMissing,
    MissingKind,
    filled,
    missing_in,
    numbers,
)
from slipstream.models.tables import all_rows, as_array, columns_of


@register("layer", module="keras.utils")
class FeatureSpace(Layer):
    """Columns of a table to numbers: scaled, cut into bins, looked up, hashed or crossed.

    Columns are given as a dictionary, a DataFrame, or batches of dictionaries; each column is
    ``(rows,)`` or ``(rows, 1)``, and may be a plain value for a single row.

    Columns in which `adapt` meets missing values (NaN, None) may have them later too: a missing
    number counts as the mean of the others, and one more column tells where it was (not for
    ``"int"`` outputs); a missing kind is a kind of its own; a missing text is an empty one.

    Args:
        features: for each column a `Feature` (see the class methods), or the name of one, such as
            ``"float_normalized"`` or ``"string_categorical"``.
        output_mode: ``"concat"`` for one array ``(rows, width)``, or ``"dict"`` for one each.
        crosses: groups of columns that are hashed together: names, or what `cross` makes.
        crossing_dim: number of bins of crosses that are given by names.
        hashing_dim: number of bins of hashed features that are given by name.
        num_discretization_bins: number of bins of discretized features that are given by name.
        name: automatic if not given.
        missing: whether every column may have missing values later, also if none were met. Kinds
            that are missing then count as unknown ones, and numbers as the mean.

    Raises:
        ValueError: if there are no features, one is unknown, or a cross names no feature.
    """

    _untracked = frozenset({"features", "crosses", "_inputs", "_fillers", "_tellers", "_gaps"})

    def __init__(
        self,
        features: Mapping[str, Any],
        output_mode: str = "concat",
        crosses: Iterable[Any] | None = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
        missing: bool = False,
    ) -> None:
        super().__init__(name=name)
        if not features:
            raise ValueError("A FeatureSpace needs at least one feature.")
        if output_mode not in ("concat", "dict"):
            raise ValueError(f"output_mode must be 'concat' or 'dict'; got {output_mode!r}.")
        self.output_mode = output_mode
        self.crossing_dim = crossing_dim
        self.hashing_dim = hashing_dim
        self.num_discretization_bins = num_discretization_bins
        sizes = {"hashed": hashing_dim, "discretized": num_discretization_bins}
        self.features: dict[str, Feature] = {
            key: parsed(key, feature, sizes) for key, feature in features.items()
        }
        self.crosses: list[Cross] = [self._crossed(cross) for cross in crosses or ()]
        self.preprocessors = {key: each.preprocessor for key, each in self.features.items()}
        self.crossers = {
            cross.name: HashedCrossing(cross.crossing_dim, name=cross.name)
            for cross in self.crosses
        }
        self._encoders: dict[str, CategoryEncoding] = {}
        self._inputs: dict[str, Any] | None = None
        self.missing = bool(missing)
        # Of columns that may have gaps: the number that fills them (None for kinds and texts), and
        # whether gaps were met.
        self._gaps: dict[str, tuple[builtins.float | None, bool]] = {}
        self._fillers: dict[str, Any] = {}
        self._tellers: dict[str, IsMissing] = {}
        self._learning = [key for key, each in self.features.items() if each.learns]
        self._adapted = not self._learning

    def _crossed(self, cross: Any) -> Cross:
        if isinstance(cross, dict):
            cross = registry.deserialize(cross)
        if not isinstance(cross, Cross):
            cross = Cross(tuple(cross), self.crossing_dim)
        strange = [name for name in cross.feature_names if name not in self.features]
        if strange:
            raise ValueError(
                f"A cross names {strange}, which are not among the features {list(self.features)}."
            )
        return cross

    # ---- kinds of features -------------------------------------------------------------------

    @classmethod
    def feature(cls, dtype: str, preprocessor: Any, output_mode: str) -> Feature:
        """A feature with a layer of one's own: ``"float"``, ``"int"`` or ``"one_hot"`` output."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Numbers as they are."""
        return named("float", name)

    @classmethod
    def float_rescaled(
        cls, scale: Any = 1.0, offset: Any = 0.0, name: str | None = None
    ) -> Feature:
        """Numbers times `scale`, plus `offset`."""
        return named("float_rescaled", name, scale=scale, offset=offset)

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Numbers with mean 0 and variance 1, as `adapt` finds them."""
        return named("float_normalized", name)

    @classmethod
    def float_discretized(
        cls,
        num_bins: int,
        bin_boundaries: Any = None,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Numbers as bins, between given boundaries or quantiles that `adapt` finds."""
        bins = {"num_bins": num_bins} if bin_boundaries is None else {}
        return named("float_discretized", name, output_mode, bin_boundaries=bin_boundaries, **bins)

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Whole numbers that stand for kinds, which `adapt` collects."""
        return named(
            "integer_categorical", name, output_mode, max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
        )  # fmt: skip

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Texts that stand for kinds, which `adapt` collects."""
        return named(
            "string_categorical", name, output_mode, max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
        )  # fmt: skip

    @classmethod
    def integer_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Whole numbers hashed into bins."""
        return named("integer_hashed", name, output_mode, num_bins=num_bins)

    @classmethod
    def string_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Texts hashed into bins."""
        return named("string_hashed", name, output_mode, num_bins=num_bins)

    @classmethod
    def cross(
        cls, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot"
    ) -> Cross:
        """Several features hashed together."""
        return Cross(tuple(feature_names), crossing_dim, output_mode)

    # ---- learning from data ------------------------------------------------------------------

    def adapt(self, dataset: Any) -> None:
        """Learn scales, bins, vocabularies and what fills gaps from columns of data.

        What it learned before is forgotten. Pass the training part alone.

        Raises:
            ValueError: if a column is missing, or has missing values only.
        """
        columns = all_rows(dataset)
        gaps: dict[str, tuple[builtins.float | None, bool]] = {}
        for key, feature in self.features.items():
            if key not in columns:
                if key in self._learning:
                    raise ValueError(f"The data have no column {key!r}; they have {list(columns)}.")
                continue
            values = np.asarray(columns[key]).reshape(-1, 1)
            absent = missing_in(values)
            met = bool(absent.any())
            if met and absent.all():
                raise ValueError(f"Column {key!r} has missing values only. Leave it out.")
            if feature.numeric:
                values = numbers(values[~absent].reshape(-1, 1))
            else:
                values = filled(values, feature.preprocessor)
            if met or self.missing:
                mean = builtins.float(values.mean(dtype=np.float64)) if feature.numeric else None
                gaps[key] = mean, met
            if key in self._learning:
                self.preprocessors[key].adapt(values)
        self._fill(gaps)
        self._encoders = {}
        self._adapted = True
        self._inputs = None

    def _fill(self, gaps: dict[str, tuple[builtins.float | None, bool]]) -> None:
        """Make the layers that stand before and beside columns with gaps."""
        self._gaps = gaps
        self._fillers = {
            key: FillMissing(value, name=f"{key}_fill")
            if value is not None
            else MissingKind(self.preprocessors[key], name=f"{key}_kinds")
            for key, (value, _) in gaps.items()
        }
        self._tellers = {
            key: IsMissing(name=f"{key}_missing")
            for key, (value, met) in gaps.items()
            if value is not None and met and self.features[key].output_mode != "int"
        }

    def _check_adapted(self) -> None:
        if not self._adapted:
            raise ValueError(
                f"FeatureSpace {self.name!r} has to see data first: call adapt(data) before it "
                "is used."
            )

    # ---- encoding ----------------------------------------------------------------------------

    def __call__(self, data: Any, **kwargs: Any) -> Any:
        """Encoded columns, for arrays, plain values of one row, or symbolic tensors."""
        self._check_adapted()
        columns = columns_of(data)
        missing = [key for key in self.features if key not in columns]
        if missing:
            raise ValueError(f"FeatureSpace {self.name!r} got no column {missing}.")
        if symbols_in(columns):
            return self._encode({key: columns[key] for key in self.features})
        given = {
            key: as_array(numbers(columns[key]) if each.numeric else columns[key])
            for key, each in self.features.items()
        }
        single = all(value.ndim == 0 for value in given.values())
        with_rows = {
            key: value.reshape(-1, 1) if value.ndim < 2 else value for key, value in given.items()
        }
        self.built = True
        outputs = self._encode(with_rows)
        return jax.tree.map(lambda leaf: leaf[0], outputs) if single else outputs

    def _encode(self, columns: dict[str, Any]) -> Any:
        found = {key: self._preprocessed(key, value) for key, value in columns.items()}
        for cross in self.crosses:
            parts = [found[name] for name in cross.feature_names]
            found[cross.name] = self.crossers[cross.name](parts)
        encoded = {key: self._finished(key, value) for key, value in found.items()}
        from slipstream import ops

        for key, teller in self._tellers.items():
            encoded[key] = ops.concatenate([encoded[key], teller(columns[key])], axis=-1)
        if self.output_mode == "dict":
            return encoded
        return ops.concatenate(list(encoded.values()), axis=-1)

    def _preprocessed(self, key: str, value: Any) -> Any:
        filler = self._fillers.get(key)
        if isinstance(filler, MissingKind):
            return filler(value)
        return self.preprocessors[key](value if filler is None else filler(value))

    def _finished(self, key: str, value: Any) -> Any:
        """A preprocessed column in the form its feature asks for."""
        spec = self.features.get(key) or next(c for c in self.crosses if c.name == key)
        if spec.output_mode == "one_hot":
            if key not in self._encoders:
                self._encoders[key] = CategoryEncoding(
                    spec.size, output_mode="multi_hot", name=f"{key}_encoding"
                )
            return self._encoders[key](value)
        if self.output_mode == "concat" and spec.output_mode == "int":
            raise ValueError(
                f"Feature {key!r} gives whole numbers, which cannot stand in one array with the "
                "rest. Use output_mode='one_hot' for it, or output_mode='dict' for the space."
            )
        return value

    def get_inputs(self) -> dict[str, Any]:
        """A symbolic input ``(batch, 1)`` for each column."""
        self._check_adapted()
        if self._inputs is None:
            self._inputs = {
                key: Input((1,), dtype=each.dtype, name=key) for key, each in self.features.items()
            }
        return self._inputs

    def get_encoded_features(self) -> Any:
        """What follows from `get_inputs`, for a functional model.

        A space with crosses is applied to the data instead: what is crossed is looked up first,
        and both happen outside of programs.

        Raises:
            ValueError: if there are crosses.
        """
        if self.crosses:
            raise ValueError(
                f"FeatureSpace {self.name!r} crosses columns, which cannot be part of a model. "
                "Call it on the data, and train on what it gives."
            )
        return self(self.get_inputs())

    # ---- saving ------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal space, what it learned apart."""
        return {
            "features": {key: registry.serialize(each) for key, each in self.features.items()},
            "output_mode": self.output_mode,
            "crosses": [registry.serialize(cross) for cross in self.crosses],
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
            "name": self.name,
            **({"missing": True} if self.missing else {}),  # Keras has no such argument
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FeatureSpace:
        """The space that `get_config` described."""
        return cls(**config)

    def get_build_config(self) -> dict[str, Any] | None:
        """Whether it has seen data, and what fills the gaps in them."""
        gaps = {key: list(gap) for key, gap in self._gaps.items()}
        return {"adapted": self._adapted, **({"gaps": gaps} if gaps else {})}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Take over that it has seen data, and what fills the gaps."""
        self._adapted = bool(config.get("adapted", True))
        given = config.get("gaps", {})
        self._fill({key: (given[key][0], given[key][1]) for key in self.features if key in given})

    def get_compile_config(self) -> None:
        """None: it is never compiled."""

    def save(self, filepath: Any) -> None:
        """Write it to a ``.keras`` file, which `load_model` reads."""
        self._check_adapted()
        self.built = True
        saving.save_model(self, filepath)

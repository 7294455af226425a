"""`Discretization`: which of several ranges a number lies in."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.layers.preprocessing.encoding import encode, encoded_shape
from slipstream.layers.preprocessing.host import batches_of, no_sparse, one_of


@register("layer")
class Discretization(Layer):
    """Numbers as the ranges they lie in: bin ``i`` is ``boundary[i - 1] <= x < boundary[i]``.

    Args:
        bin_boundaries: where one bin ends and the next begins, ascending; there is a bin below
            the first and one from the last on.
        num_bins: in place of boundaries: `adapt` chooses them so that the bins hold about as many
            of the data each.
        epsilon: kept for Keras' signature; the quantiles of `adapt` are exact.
        output_mode: ``"int"``, or ``"one_hot"``, ``"multi_hot"`` or ``"count"`` as in
            `CategoryEncoding`.
        sparse: not supported.

    Raises:
        ValueError: unless one of bin_boundaries and num_bins is given, or if the layer is called
            before `adapt`.
    """

    per_example = True

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype, **kwargs)
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError(
                f"Discretization layer {self.name!r}: give bin_boundaries, or give num_bins and "
                f"call adapt(data); got bin_boundaries={bin_boundaries} and num_bins={num_bins}."
            )
        if num_bins is not None and num_bins < 1:
            raise ValueError(
                f"Discretization layer {self.name!r}: num_bins must be at least 1; got {num_bins}."
            )
        no_sparse(self, sparse)
        self.num_bins = num_bins
        self.epsilon = epsilon
        self.output_mode = one_of(
            self, "output_mode", output_mode, ("int", "one_hot", "multi_hot", "count")
        )
        self.bin_boundaries: list[float] | None = None
        if bin_boundaries is not None:
            self._set_boundaries(bin_boundaries)
        self._seen: list[np.ndarray] = []

    def _set_boundaries(self, values: Any) -> None:
        boundaries = [float(value) for value in values]
        if boundaries != sorted(boundaries):
            raise ValueError(
                f"Discretization layer {self.name!r}: bin_boundaries must ascend; got {boundaries}."
            )
        self.bin_boundaries = boundaries

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Choose the boundaries from data: an array, or an iterable of batches.

        Raises:
            ValueError: if the boundaries were given, or there is no data.
        """
        self.reset_state()
        for step, batch in enumerate(batches_of(data)):
            if step == steps:
                break
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Add a batch to the data of `adapt`."""
        if self.num_bins is None:
            raise ValueError(
                f"Discretization layer {self.name!r} was given bin_boundaries, so there is nothing "
                "for adapt() to learn. Give num_bins instead."
            )
        values = np.asarray(data, np.float32).ravel()
        if np.isnan(values).any():
            raise ValueError(
                f"Discretization layer {self.name!r}: the data of adapt() hold NaN, which has no "
                "place among quantiles. Fill or drop missing values first."
            )
        self._seen.append(values)

    def finalize_state(self) -> None:
        """Take the boundaries from the data seen since `reset_state`."""
        values = np.sort(np.concatenate(self._seen)) if self._seen else np.empty(0, np.float32)
        self._seen = []
        if not values.size or self.num_bins is None:
            raise ValueError(f"Discretization layer {self.name!r}: adapt() got no data.")
        # Value i of n ends the share (i + 1) / n of the data; between two it is interpolated.
        shares = np.arange(1, len(values) + 1) / len(values)
        wanted = np.arange(1, self.num_bins) / self.num_bins
        self.bin_boundaries = np.interp(wanted, shares, values).astype(np.float32).tolist()

    def reset_state(self) -> None:
        """Forget what `adapt` has seen and learnt."""
        self._seen = []
        if self.num_bins is not None:
            self.bin_boundaries = None

    def _boundaries(self) -> list[float]:
        if self.bin_boundaries is None:
            raise ValueError(
                f"Discretization layer {self.path!r} has no boundaries yet. Call adapt(data) "
                "first, or give bin_boundaries."
            )
        return self.bin_boundaries

    def call(self, inputs: Any) -> Any:
        """The bins of the inputs."""
        boundaries = jnp.asarray(np.asarray(self._boundaries(), np.float32))
        values = jnp.asarray(inputs).astype(jnp.float32)
        bins = jnp.searchsorted(boundaries, values, side="right").astype("int32")
        return encode(bins, len(boundaries) + 1, self.output_mode, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape, or as in `CategoryEncoding`."""
        depth = self.num_bins if self.bin_boundaries is None else len(self.bin_boundaries) + 1
        return encoded_shape(input_shape, depth, self.output_mode)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic output: bin numbers are int32."""
        spec = super().compute_output_spec(*args, **kwargs)
        if self.output_mode == "int":
            spec.dtype = "int32"
        return spec

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer, boundaries that were learnt included."""
        return {
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
            "sparse": False,
            "name": self.name,
            "dtype": self.dtype,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Discretization:
        """The layer that `get_config` described."""
        config = dict(config)
        learnt = config.get("bin_boundaries") if config.get("num_bins") is not None else None
        if learnt is not None:
            config["bin_boundaries"] = None
        layer = cls(**config)
        if learnt is not None:
            layer._set_boundaries(learnt)
        return layer

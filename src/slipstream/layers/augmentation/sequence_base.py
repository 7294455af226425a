"""What layers that change sounds, series and texts share: the form of their inputs."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.layers.augmentation.drawing import Drawing
from slipstream.layers.augmentation.panels import sequences


class SequenceDrawing(Drawing):
    """A layer that changes sequences at random while training and passes them on otherwise.

    Input: an array, or a dictionary with it under ``"inputs"`` and, where wanted, ``"labels"``;
    output in the same form. Other keys pass through. See `Drawing` for chance.

    A subclass says in `_change` what becomes of the inputs and labels.
    """

    _axes = "(batch, time) or (batch, time, channels)"
    _ranks: tuple[int, ...] = (2, 3)

    def _change(self, known: dict[str, Any], key: Any) -> dict[str, Any]:
        """The inputs, and labels if there are any, as they are in training."""
        raise NotImplementedError

    def _keep(self, known: dict[str, Any]) -> dict[str, Any]:
        """The same otherwise."""
        return known

    def _prepared(self, inputs: Any) -> Any:
        return inputs

    def _finished(self, inputs: Any, given: Any) -> Any:
        return inputs

    def _whole(self, data: Any, key: Any, training: bool) -> Any:
        """Change data in the form in which they came."""
        given = dict(data) if isinstance(data, dict) else {"inputs": data}
        inputs = given.get("inputs")
        if inputs is None:
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} wants an array under 'inputs'; got a "
                f"dictionary with {sorted(given)}."
            )
        if inputs.ndim not in self._ranks:
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} takes inputs {self._axes}; got shape "
                f"{inputs.shape}."
            )
        known = {name: given[name] for name in ("inputs", "labels") if given.get(name) is not None}
        known["inputs"] = self._prepared(inputs)
        known = self._change(known, key) if training else self._keep(known)
        known["inputs"] = self._finished(known["inputs"], inputs)
        whole = isinstance(data, dict) or set(known) != {"inputs"}
        return {**given, **known} if whole else known["inputs"]

    def _panels(self, columns: list[Any], rows: int) -> list[list[Any]]:
        return sequences([inputs_of(data) for data in columns], rows)


class SignalDrawing(SequenceDrawing):
    """A layer on numbers over time, ``(batch, time)`` or ``(batch, time, channels)``.

    A subclass says in `_draw` what it draws and in `_signal` what becomes of ``(batch, time,
    channels)`` floats.
    """

    def _draw(self, key: Any, shape: tuple[int, int, int]) -> Any:
        """What is drawn for signals of this shape; arrays with a row for each example."""
        raise NotImplementedError

    def _signal(self, signal: Any, draw: Any) -> Any:
        raise NotImplementedError

    def _labels(self, labels: Any, draw: Any) -> Any:
        return labels

    def _prepared(self, inputs: Any) -> Any:
        return inputs.astype(jnp.promote_types(self.compute_dtype, jnp.float32))

    def _finished(self, inputs: Any, given: Any) -> Any:
        return inputs.astype(self.compute_dtype)

    def _change(self, known: dict[str, Any], key: Any) -> dict[str, Any]:
        signal = known["inputs"]
        flat = signal.ndim == 2
        signal = signal[..., None] if flat else signal
        draw = self._draw(key, signal.shape)
        changed = self._signal(signal, draw)
        result = {**known, "inputs": changed[..., 0] if flat else changed}
        if "labels" in known:
            result["labels"] = self._labels(known["labels"], draw)
        return result


def inputs_of(data: Any) -> Any:
    """The array in data as a layer takes or gives them."""
    return data["inputs"] if isinstance(data, dict) else data


def two_ends(layer: Any, argument: str, value: Any, lowest: float, highest: float) -> tuple:
    """A range to draw from: two numbers in order; one number stands for itself alone.

    Raises:
        ValueError: if a number lies out of `lowest` to `highest`, or there are more than two.
    """
    both = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2 or not all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and lowest <= v <= highest
        for v in both
    ):
        raise layer._fault(argument, f"one or two numbers from {lowest} to {highest}", value)
    return tuple(sorted(both))


def per_step(numbers: Any) -> Any:
    """``(batch,)`` numbers as ``(batch, 1, 1)``."""
    return numbers[:, None, None]


def read_at(signal: Any, places: Any) -> Any:
    """A signal ``(batch, time, channels)`` at places ``(batch, steps)``, straight lines between.

    Places beyond the ends are read at the ends.
    """
    last = signal.shape[1] - 1
    places = jnp.clip(places, 0, last)
    first = jnp.floor(places).astype(jnp.int32)
    share = (places - first)[..., None].astype(signal.dtype)
    second = jnp.minimum(first + 1, last)
    a, b = (jnp.take_along_axis(signal, i[..., None], 1) for i in (first, second))
    return a + share * (b - a)

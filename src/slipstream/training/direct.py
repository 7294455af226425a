"""Predictions of dense networks without a program.

To start a program takes longer than a few rows of a small network, and a program reads rows only
where they lie on a boundary.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.kernels import native
from slipstream.kernels.dense_chain import Network
from slipstream.layers.dense_chain import Plan, plan_of
from slipstream.layers.regularization import Noise
from slipstream.training.state import LiveState

_MOST = 2**22  # weights, which are kept a second time
_LARGE = 2**17  # weights; of a few rows, each layer has several threads to itself in a program
_FEW = 192  # rows


class Direct:
    """Outputs from the present values of the variables, for models that are dense layers alone.

    Args:
        plan: the layers.
        live: the values.
    """

    def __init__(self, plan: Plan, live: LiveState) -> None:
        self._plan, self._live = plan, live
        self._least = 1 if live.packing.ends[-1] < _LARGE else _FEW
        self._weights: Any = None
        self._network: Network | None = None

    @classmethod
    def of(cls, model: Any, live: LiveState) -> Direct | None:
        """None for models that cannot do without a program."""
        # What disturbs in training passes everything on here.
        layers = [layer for layer in model.line or () if type(layer).call is not Noise.call]
        variables = [variable for layer in layers for variable in layer.variables]
        plan = plan_of(layers)
        if (
            plan is None
            or [symbol.dtype for symbol in model.inputs] != ["float32"]
            or model.overrides("predict_step")
            or [*map(id, variables)] != [*map(id, live.trainable)]
            or live.packing.ends[-1] > _MOST
            or not native.functions()
        ):
            return None
        return cls(plan, live)

    def __call__(self, x: np.ndarray) -> np.ndarray | None:
        """Outputs for float32 rows that fit the model; None if a program should find them."""
        if len(x) < self._least or not x.flags.c_contiguous or not native.functions():
            return None
        weights = self._live.current().trainable
        if weights is not self._weights:  # they have changed
            self._weights, self._network = weights, self._load(weights)
        return None if self._network is None else self._network(x)

    def _load(self, weights: list[Any]) -> Network | None:
        if any([d.platform for d in array.devices()] != ["cpu"] for array in weights):
            return None
        packing = self._live.packing
        places = [array.block_until_ready().unsafe_buffer_pointer() for array in weights]
        if packing.active:
            places = [places[0] + 4 * start for start in (0, *packing.ends[:-1])]
        rest = iter(places)
        sizes, activations, biased = self._plan
        pairs = [(next(rest), next(rest) if has_bias else 0) for has_bias in biased]
        return Network(sizes, activations, [place for pair in pairs for place in pair])

"""Recurrent layers, and a layer at each step."""

from __future__ import annotations

from bench.layers.rows.images import convolution
from bench.layers.rows.row import Row

_SEQUENCES, _FRAMES = (32, 64, 64), (4, 8, 16, 16, 8)
_UNITS = {"units": 128}
_ALL = {"return_sequences": True}
_RECURRENT = {**_UNITS, **_ALL}

ROWS = [
    Row("SimpleRNN", "64→128", _SEQUENCES, _RECURRENT),
    Row("LSTM", "64→128", _SEQUENCES, _RECURRENT),
    Row("GRU", "64→128", _SEQUENCES, _RECURRENT),
    Row("Bidirectional", "LSTM 64→2×128, masked", _SEQUENCES, wraps=(("LSTM", _RECURRENT),),
        masked=True),
    Row("RNN", "two stacked LSTM cells, 64→128→128", _SEQUENCES, _ALL,
        wraps=(("LSTMCell", _UNITS), ("LSTMCell", _UNITS))),
    Row("RNN", "a cell of one's own, 64→128", _SEQUENCES, _ALL, wraps=(("MinimalCell", _UNITS),)),
    Row("ConvLSTM1D", "3, 16→32", (8, 16, 32, 16), convolution(32, 3)),
    Row("ConvLSTM2D", "3×3, 8→16", _FRAMES, convolution(16, 3)),
    Row("TimeDistributed", "Conv2D 3×3, 8→16", _FRAMES, wraps=(("Conv2D", convolution(16, 3)),)),
]  # fmt: skip

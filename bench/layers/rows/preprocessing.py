"""Preparation of tables, pictures and sound."""

from __future__ import annotations

from bench.layers.rows.row import Row

_TABLE, _PICTURES = (4096, 64), (16, 128, 128, 3)
_MEANS = [0.01 * column for column in range(64)]
_VARIANCES = [1 + 0.1 * column for column in range(64)]
_EDGES = [0.25 * edge for edge in range(-8, 9)]
_WORDS = [f"word{number}" for number in range(0, 2000, 2)]

ROWS = [
    Row("Normalization", "", _TABLE, {"mean": _MEANS, "variance": _VARIANCES}),
    Row("Rescaling", "", _PICTURES, {"scale": 1 / 127.5, "offset": -1.0}),
    Row("Discretization", "18 bins", _TABLE, {"bin_boundaries": _EDGES}, forward_only=True),
    Row("CategoryEncoding", "128 categories, several a row", (1024, 16), {"num_tokens": 128},
        ids=128, forward_only=True),
    Row("IntegerLookup", "1000 known", (1024, 16), {"vocabulary": list(range(0, 2000, 2))},
        ids=2000, host=True),
    Row("Hashing", "100 bins", (1024, 16), {"num_bins": 100}, ids=2000, host=True),
    Row("StringLookup", "1000 known", (4096,), {"vocabulary": _WORDS}, words=1, host=True),
    Row("TextVectorization", "20 words each", (256,),
        {"vocabulary": _WORDS, "output_sequence_length": 20}, words=20, host=True),
    Row("Resizing", "to 96×96", _PICTURES, {"height": 96, "width": 96}),
    Row("CenterCrop", "96×96", _PICTURES, {"height": 96, "width": 96}, least=128),
    Row("STFTSpectrogram", "400 samples, every 160", (8, 16000, 1),
        {"mode": "psd", "frame_length": 400, "frame_step": 160, "fft_length": 512}, least=1000),
    Row("MelSpectrogram", "64 bands", (16, 16000),
        {"fft_length": 512, "sequence_stride": 256, "num_mel_bins": 64}),
]  # fmt: skip

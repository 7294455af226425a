"""Dense layers, embeddings, normalization of features, and activations."""

from __future__ import annotations

from bench.layers.rows.row import Row

_FEATURES = (32, 128, 256)

ROWS = [
    Row("Dense", "784→512, relu", (256, 784), {"units": 512, "activation": "relu"}),
    Row("Dense", "256→1024, on sequences", (16, 128, 256), {"units": 1024}),
    Row("EinsumDense", "btf,fhd→bthd, 8 heads", (16, 128, 256),
        {"equation": "btf,fhd->bthd", "output_shape": (None, 8, 32), "bias_axes": "hd"}),
    Row("Embedding", "20000 words, 128 features", (64, 128),
        {"input_dim": 20_000, "output_dim": 128}, ids=20_000),
    Row("LayerNormalization", "", _FEATURES),
    Row("RMSNormalization", "", _FEATURES),
    Row("UnitNormalization", "", _FEATURES),
    Row("Softmax", "", (8, 8, 128, 128)),
    Row("LeakyReLU", "0.3", _FEATURES, {"negative_slope": 0.3}),
    *(
        Row("Activation", name, _FEATURES, {"activation": name})
        for name in ("gelu", "sigmoid", "tanh", "silu", "softplus", "mish", "elu")
    ),
]  # fmt: skip

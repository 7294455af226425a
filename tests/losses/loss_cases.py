"""One table of losses, shared by the tests: constructor arguments, targets and predictions."""

from __future__ import annotations

import keras
import keras.src.backend as keras_backend
import numpy as np

import slipstream.losses as losses

ROWS, CLASSES = 6, 5
_rng = np.random.default_rng(7)


def _simplex(shape):
    p = _rng.random(shape).astype("float32") + 0.05
    return p / p.sum(-1, keepdims=True)


NORMAL = _rng.normal(size=(ROWS, CLASSES)).astype("float32")
LOGITS = 2 * _rng.normal(size=(ROWS, CLASSES)).astype("float32")
POSITIVE = (_rng.random((ROWS, CLASSES)) + 0.1).astype("float32")
UNIT = (_rng.random((ROWS, CLASSES)) * 0.9 + 0.05).astype("float32")
SIMPLEX = _simplex((ROWS, CLASSES))
OTHER_SIMPLEX = _simplex((ROWS, CLASSES))
BITS = _rng.integers(0, 2, (ROWS, CLASSES)).astype("float32")
LABELS = _rng.integers(0, CLASSES, ROWS)
ONE_HOT = np.eye(CLASSES, dtype="float32")[LABELS]
DIRECTIONS = NORMAL / np.linalg.norm(NORMAL, axis=-1, keepdims=True)
IMAGES = _rng.random((ROWS, 3, 4, 2)).astype("float32")
REGIONS = _rng.integers(0, 2, (ROWS, 3, 4, 2)).astype("float32")
SPEECH = _rng.normal(size=(ROWS, 7, CLASSES)).astype("float32")
WORDS = np.array([[1, 2, 2], [3, 0, 0], [1, 2, 3], [4, 4, 0], [0, 0, 0], [2, 1, 2]])

# class name, arguments, y_true, y_pred
CASES = [
    ("MeanSquaredError", {}, NORMAL, LOGITS),
    ("MeanAbsoluteError", {}, NORMAL, LOGITS),
    ("MeanAbsolutePercentageError", {}, NORMAL, LOGITS),
    ("MeanSquaredLogarithmicError", {}, POSITIVE, UNIT),
    ("Huber", {}, NORMAL, LOGITS),
    ("Huber", {"delta": 0.3}, NORMAL, LOGITS),
    ("LogCosh", {}, NORMAL, LOGITS),
    ("CosineSimilarity", {}, NORMAL, LOGITS),
    ("Hinge", {}, BITS, LOGITS),
    ("Hinge", {}, 2 * BITS - 1, LOGITS),
    ("SquaredHinge", {}, BITS, LOGITS),
    ("CategoricalHinge", {}, ONE_HOT, LOGITS),
    ("Poisson", {}, POSITIVE, UNIT),
    ("KLDivergence", {}, SIMPLEX, OTHER_SIMPLEX),
    ("BinaryCrossentropy", {}, BITS, UNIT),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, BITS, UNIT),
    ("BinaryCrossentropy", {"from_logits": True}, BITS, LOGITS),
    ("BinaryCrossentropy", {"axis": 1}, REGIONS, IMAGES),
    ("BinaryFocalCrossentropy", {}, BITS, UNIT),
    ("BinaryFocalCrossentropy", {"gamma": 0.0}, BITS, UNIT),
    (
        "BinaryFocalCrossentropy",
        {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5, "label_smoothing": 0.1},
        BITS,
        UNIT,
    ),
    ("BinaryFocalCrossentropy", {"from_logits": True}, BITS, LOGITS),
    ("CategoricalCrossentropy", {}, ONE_HOT, SIMPLEX),
    ("CategoricalCrossentropy", {}, OTHER_SIMPLEX, 3 * SIMPLEX),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, ONE_HOT, SIMPLEX),
    ("CategoricalCrossentropy", {"from_logits": True}, ONE_HOT, LOGITS),
    ("CategoricalCrossentropy", {"axis": 1, "from_logits": True}, REGIONS, IMAGES),
    ("CategoricalFocalCrossentropy", {}, ONE_HOT, SIMPLEX),
    (
        "CategoricalFocalCrossentropy",
        {"alpha": [0.1, 0.2, 0.3, 0.4, 0.5], "gamma": 1.5, "label_smoothing": 0.1},
        ONE_HOT,
        SIMPLEX,
    ),
    ("CategoricalFocalCrossentropy", {"from_logits": True}, ONE_HOT, LOGITS),
    ("SparseCategoricalCrossentropy", {}, LABELS, SIMPLEX),
    ("SparseCategoricalCrossentropy", {}, LABELS[:, None], 3 * SIMPLEX),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, LABELS, LOGITS),
    ("SparseCategoricalCrossentropy", {"ignore_class": int(LABELS[1])}, LABELS, SIMPLEX),
    (
        "SparseCategoricalCrossentropy",
        {"from_logits": True, "ignore_class": -1},
        np.where(np.arange(ROWS) < 2, -1, LABELS),
        LOGITS,
    ),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.3}, LABELS, SIMPLEX),
    ("Dice", {}, REGIONS, IMAGES),
    ("Dice", {"axis": (1, 2, 3)}, REGIONS, IMAGES),
    ("Tversky", {"alpha": 0.3, "beta": 0.6}, REGIONS, IMAGES),
    ("Tversky", {"alpha": 0.3, "beta": 0.6, "axis": (1, 2, 3)}, REGIONS, IMAGES),
    ("Circle", {"gamma": 8.0}, LABELS, DIRECTIONS),
    ("Circle", {"gamma": 8.0, "remove_diagonal": False}, LABELS, DIRECTIONS),
    ("CTC", {}, WORDS, SPEECH),
]


def case_id(case):
    name, arguments = case[:2]
    return name + "".join(f"-{key}={value}" for key, value in arguments.items())


IDS = [f"{i}-{case_id(case)}" for i, case in enumerate(CASES)]


def ours(name, /, **arguments):
    return getattr(losses, name)(**arguments)


def keras_loss(name, /, **arguments):
    return getattr(keras.losses, name)(**arguments)


def with_keras_mask(array, mask):
    """The array with a mask as Keras' own layers attach it."""
    array = keras.ops.convert_to_tensor(array)
    keras_backend.set_keras_mask(array, keras.ops.convert_to_tensor(mask))
    return array

"""One table of metrics and options, with the kind of data each is for."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

CLASSES = 4


class Case(NamedTuple):
    """A class, its arguments and the kind of data it takes."""

    name: str
    data: str
    arguments: dict[str, Any]

    def make(self, module: Any) -> Any:
        """The metric, from our module or Keras'."""
        return getattr(module, self.name)(**self.arguments)

    def __str__(self) -> str:
        said = ",".join(f"{key}={value}" for key, value in self.arguments.items())
        return f"{self.name}({said})-{self.data}"


def rows(kind: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions of `count` rows."""
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(CLASSES), count).astype("float32")
    labels = rng.integers(0, CLASSES, count)
    one_hot = np.eye(CLASSES, dtype="float32")[labels]
    real = rng.normal(size=(2, count, 3)).astype("float32")
    chances = rng.uniform(size=(count, CLASSES)).astype("float32")
    several = rng.integers(0, 2, (count, CLASSES)).astype("float32")
    steps = rng.dirichlet(np.ones(CLASSES), (count, 3)).astype("float32")
    step_labels = rng.integers(0, CLASSES, (count, 3))
    y_true, y_pred = {
        "real": (real[0], real[1]),
        "column": (real[0, :, 0], real[1, :, :1]),
        "positive": (abs(real[0]), abs(real[1])),
        "signs": (np.sign(real[0]), real[1]),
        "binary": (several[:, :1], chances[:, :1]),
        "vector": (several[:, 0], chances[:, :1]),
        "vectors": (several[:, 0], chances[:, 0]),
        "logits": (several[:, :1], 3 * real[1, :, :1]),
        "several": (several, chances),
        "tenths": (several, np.round(chances, 1)),
        "distribution": (scores[::-1].copy(), scores),
        "one_hot": (one_hot, scores),
        "labels": (labels, scores),
        "label_column": (labels[:, None], scores),
        "steps": (step_labels, steps),
        "one_hot_steps": (np.eye(CLASSES, dtype="float32")[step_labels], steps),
        "ids": (labels, np.argsort(-scores, axis=-1)),
        "classes": (labels, rng.integers(0, CLASSES, count)),
        "maps": (step_labels, np.argmax(steps, axis=-1)),
        "class_first": (np.swapaxes(np.eye(CLASSES)[step_labels], 1, 2), np.swapaxes(steps, 1, 2)),
    }[kind]
    return y_true, y_pred


def _cases() -> list[Case]:
    table: list[tuple[str, str, dict[str, Any]]] = [
        ("Accuracy", "classes", {}),
        ("BinaryAccuracy", "vector", {}),
        ("BinaryAccuracy", "several", {"threshold": 0.3}),
        ("CategoricalAccuracy", "one_hot", {}),
        ("CategoricalAccuracy", "one_hot_steps", {}),
        ("SparseCategoricalAccuracy", "labels", {}),
        ("SparseCategoricalAccuracy", "label_column", {}),
        ("SparseCategoricalAccuracy", "steps", {}),
        ("TopKCategoricalAccuracy", "one_hot", {"k": 2}),
        ("TopKCategoricalAccuracy", "one_hot_steps", {"k": 3}),
        ("SparseTopKCategoricalAccuracy", "label_column", {"k": 2}),
        ("SparseTopKCategoricalAccuracy", "steps", {"k": 2}),
        ("SparseTopKCategoricalAccuracy", "ids", {"k": 2, "from_sorted_ids": True}),
        ("MeanSquaredError", "real", {}),
        ("RootMeanSquaredError", "real", {}),
        ("RootMeanSquaredError", "column", {}),
        ("MeanAbsoluteError", "real", {}),
        ("MeanAbsolutePercentageError", "real", {}),
        ("MeanSquaredLogarithmicError", "positive", {}),
        ("LogCoshError", "real", {}),
        ("CosineSimilarity", "real", {}),
        ("CosineSimilarity", "one_hot_steps", {"axis": 1}),
        ("R2Score", "real", {}),
        ("R2Score", "column", {"num_regressors": 2}),
        ("R2Score", "real", {"class_aggregation": None}),
        ("R2Score", "real", {"class_aggregation": "variance_weighted_average"}),
        ("PearsonCorrelation", "real", {}),
        ("ConcordanceCorrelation", "real", {}),
        ("PearsonCorrelation", "one_hot_steps", {"axis": (1, 2)}),
        ("Hinge", "signs", {}),
        ("Hinge", "several", {}),
        ("SquaredHinge", "signs", {}),
        ("CategoricalHinge", "one_hot", {}),
        ("KLDivergence", "distribution", {}),
        ("Poisson", "positive", {}),
        ("BinaryCrossentropy", "several", {"label_smoothing": 0.2}),
        ("BinaryCrossentropy", "binary", {}),
        ("BinaryCrossentropy", "logits", {"from_logits": True}),
        ("CategoricalCrossentropy", "one_hot", {"label_smoothing": 0.1}),
        ("CategoricalCrossentropy", "class_first", {"axis": 1}),
        ("SparseCategoricalCrossentropy", "labels", {}),
        ("SparseCategoricalCrossentropy", "steps", {"from_logits": True, "ignore_class": 1}),
        ("TruePositives", "several", {}),
        ("FalsePositives", "vector", {}),
        ("TrueNegatives", "several", {"thresholds": [0.7, 0.2]}),
        ("FalseNegatives", "tenths", {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}),
        ("Precision", "binary", {}),
        ("Precision", "several", {"thresholds": [0.2, 0.9]}),
        ("Precision", "several", {"top_k": 2}),
        ("Precision", "several", {"top_k": 3, "class_id": 1, "thresholds": 0.4}),
        ("Precision", "one_hot_steps", {"class_id": 2, "thresholds": 0.3}),
        ("Recall", "binary", {"thresholds": 0.25}),
        ("Recall", "several", {"top_k": 1}),
        ("Recall", "several", {"class_id": 3}),
        ("SensitivityAtSpecificity", "binary", {"specificity": 0.6, "num_thresholds": 21}),
        ("SensitivityAtSpecificity", "tenths", {"specificity": 0.5, "num_thresholds": 21}),
        ("SpecificityAtSensitivity", "binary", {"sensitivity": 0.4, "num_thresholds": 1}),
        (
            "SpecificityAtSensitivity",
            "several",
            {"sensitivity": 0.5, "class_id": 0, "num_thresholds": 21},
        ),
        ("PrecisionAtRecall", "several", {"recall": 0.5, "num_thresholds": 21}),
        ("RecallAtPrecision", "several", {"precision": 0.5, "num_thresholds": 2}),
        ("F1Score", "one_hot", {}),
        ("F1Score", "several", {"threshold": 0.4, "average": "macro"}),
        ("FBetaScore", "several", {"beta": 2.0, "average": "micro"}),
        ("FBetaScore", "several", {"beta": 0.5, "average": "weighted", "threshold": 0.6}),
        ("IoU", "classes", {"num_classes": 4, "target_class_ids": [0, 2]}),
        ("IoU", "labels", {"num_classes": 4, "target_class_ids": [3], "sparse_y_pred": False}),
        ("BinaryIoU", "several", {"target_class_ids": [1], "threshold": 0.3}),
        ("MeanIoU", "maps", {"num_classes": 6, "ignore_class": 1}),
        ("MeanIoU", "classes", {"num_classes": 4, "dtype": "float32"}),
        ("OneHotIoU", "one_hot", {"num_classes": 4, "target_class_ids": [1, 2]}),
        ("OneHotMeanIoU", "one_hot_steps", {"num_classes": 4}),
    ]
    table += [
        ("AUC", "vector", {}),
        ("AUC", "binary", {"num_thresholds": 21, "curve": "PR"}),
        ("AUC", "several", {"num_thresholds": 2}),
        ("AUC", "logits", {"from_logits": True, "num_thresholds": 21}),
        ("AUC", "tenths", {"thresholds": [0.4, 0.3, 0.9]}),
        ("AUC", "several", {"thresholds": [0.25, 0.5, 0.75], "curve": "PR"}),
        ("AUC", "several", {"label_weights": [0.5, 1.0, 0.0, 2.0], "num_thresholds": 21}),
        (
            "AUC",
            "several",
            {"multi_label": True, "num_labels": 4, "num_thresholds": 21},
        ),
        (
            "AUC",
            "several",
            {
                "multi_label": True,
                "thresholds": [0.2, 0.6],
                "curve": "PR",
                "label_weights": [1.0, 1.0, 0.0, 2.0],
            },
        ),
    ]
    return [Case(*entry) for entry in table]


CASES = _cases()
# One case a class and kind of data, for tests that compile.
COMPILED = list({(case.name, case.data): case for case in CASES}.values())


def weights_for(case: Case, count: int, seed: int) -> tuple[Any, Any]:
    """Weights for our metric and for Keras', whose IoU wants one flat weight for each label."""
    rng = np.random.default_rng(seed)
    if case.name == "SparseCategoricalCrossentropy" and "ignore_class" in case.arguments:
        return None, None  # ours go on counting the ignored targets, see the test of that name
    if "IoU" not in case.name:
        each_step = "class_id" in case.arguments and "steps" in case.data  # Keras asks for it
        weights = rng.integers(1, 9, (count, 3) if each_step else count) / 4
        return weights, weights
    several = {"maps": 3, "one_hot_steps": 3, "several": CLASSES}
    weights = rng.integers(1, 4, (count, several.get(case.data, 1)))
    return weights, weights.ravel()

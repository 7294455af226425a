"""Small classic sets, in the files that scikit-learn is installed with."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from slipstream.datasets.base import Dataset, Entry, package_folder

_UCI = "UCI Machine Learning Repository"
_CELL = (
    "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity",
    "concave points", "symmetry", "fractal dimension",
)  # fmt: skip
_FEATURES = {
    "breast_cancer": (
        *(f"mean {name}" for name in _CELL),
        *(f"{name} error" for name in _CELL),
        *(f"worst {name}" for name in _CELL),
    ),
    "diabetes": ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),
    "iris": ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"),
    "wine": (
        "alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols",
        "flavanoids", "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue",
        "od280/od315_of_diluted_wines", "proline",
    ),
}  # fmt: skip


def _dataset(
    entry: Entry, x: np.ndarray, y: np.ndarray, classes: tuple[str, ...] | None
) -> Dataset:
    if len(x) != len(y):
        raise ValueError(f"it has {len(x):,} rows and {len(y):,} targets")
    return Dataset(
        name=entry.name,
        title=entry.title,
        x=x,
        y=y,
        classes=classes,
        features=_FEATURES.get(entry.name),
        source=entry.source,
        licence=entry.licence,
    )


def _read_table(entry: Entry, folder: Path) -> Dataset:
    """A CSV whose first line holds the numbers of rows and columns and the names of the classes."""
    with open(folder / entry.files[0], encoding="ascii") as file:
        rows, columns, *classes = file.readline().strip().split(",")
        table = np.loadtxt(file, delimiter=",", ndmin=2)
    if table.shape != (int(rows), int(columns) + 1):
        raise ValueError(f"it declares {rows} rows of {columns} columns; got {table.shape}")
    return _dataset(
        entry, table[:, :-1].astype(np.float32), table[:, -1].astype(np.int32), tuple(classes)
    )


def _read_digits(entry: Entry, folder: Path) -> Dataset:
    with gzip.open(folder / entry.files[0], "rt", encoding="ascii") as file:
        table = np.loadtxt(file, delimiter=",", ndmin=2)
    x = table[:, :-1].astype(np.uint8).reshape(-1, 8, 8)
    return _dataset(entry, x, table[:, -1].astype(np.int32), tuple("0123456789"))


def _read_diabetes(entry: Entry, folder: Path) -> Dataset:
    x, y = (np.loadtxt(folder / file, np.float32) for file in entry.files)
    return _dataset(entry, x, y, None)


def _entry(name: str, title: str, read: object, *files: str, source: str = _UCI) -> Entry:
    return Entry(
        name=name,
        title=title,
        source=f"{source}, as packed with scikit-learn",
        licence="BSD-3-Clause (package)",
        files=files,
        places=lambda: package_folder("sklearn", "datasets", "data"),
        command="pip install scikit-learn",
        read=read,  # type: ignore[arg-type]
    )


ENTRIES = [
    _entry("digits", "1,797 handwritten digits, 8 × 8 grey", _read_digits, "digits.csv.gz"),
    _entry(
        "breast_cancer", "569 tumours, 30 measurements, malignant or benign", _read_table,
        "breast_cancer.csv",
    ),
    _entry("wine", "178 wines, 13 measurements, 3 growers", _read_table, "wine_data.csv"),
    _entry("iris", "150 flowers, 4 measurements, 3 species", _read_table, "iris.csv"),
    _entry(
        "diabetes", "442 patients, 10 measurements, progression after a year (regression)",
        _read_diabetes, "diabetes_data_raw.csv.gz", "diabetes_target.csv.gz",
        source="Efron, Hastie, Johnstone and Tibshirani, 2004",
    ),
]  # fmt: skip

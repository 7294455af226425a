"""scikit-learn's MLPClassifier."""

from __future__ import annotations

import warnings
from typing import Any

from bench.workloads import Workload


def fit(workload: Workload) -> Any:
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")
    x, y = workload.data()

    def run() -> float:
        model = MLPClassifier(
            workload.hidden,
            batch_size=workload.batch,
            max_iter=workload.epochs,
            n_iter_no_change=workload.epochs + 1,
            tol=0.0,
            alpha=0.0,
        )
        return float(model.fit(x, y.ravel()).loss_)

    return run


def predictor(workload: Workload) -> Any:
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")
    model = MLPClassifier(workload.hidden, max_iter=1).fit(*_flat(workload))
    return lambda x: model.predict_proba(x)


def _flat(workload: Workload) -> Any:
    x, y = workload.data()
    return x, y.ravel()

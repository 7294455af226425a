"""The same numbers and states as Keras, batch after batch."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from metric_cases import CASES, rows, weights_for

from slipstream import metrics

ROWS = 6


def close(ours, theirs, name):
    loose = 1e-5 if name == "AUC" else 1e-6
    np.testing.assert_allclose(ours, theirs, rtol=2 * loose, atol=loose, err_msg=name)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_results_and_states_follow_keras_over_batches(case):
    ours, theirs = case.make(metrics), case.make(keras.metrics)
    for seed, weighted in enumerate([False, True, False]):
        y_true, y_pred = rows(case.data, ROWS, seed)
        mine, other = weights_for(case, ROWS, seed) if weighted else (None, None)
        ours.update_state(y_true, y_pred, mine)
        theirs.update_state(y_true, y_pred, other)
    close(ours.result(), theirs.result(), case.name)
    assert np.shape(ours.result()) == np.shape(theirs.result())
    assert [v.name for v in ours.variables] == [v.name for v in theirs.variables]
    for mine, other in zip(ours.variables, theirs.variables):
        assert (mine.shape, mine.dtype) == (tuple(other.shape), other.dtype)
        close(mine, other, case.name)
    ours.reset_state()
    theirs.reset_state()
    close(ours.result(), theirs.result(), case.name)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("method", ["interpolation", "minoring", "majoring"])
@pytest.mark.parametrize("curve", ["ROC", "PR", "PRGAIN"])
def test_areas_under_every_curve(curve, method, multi_label):
    arguments = {"num_thresholds": 12, "curve": curve, "summation_method": method}
    if multi_label:
        arguments |= {"multi_label": True, "num_labels": 3}
    ours, theirs = metrics.AUC(**arguments), keras.metrics.AUC(**arguments)
    rng = np.random.default_rng(0)
    found = rng.integers(0, 4, (2, 12, 3)).astype("float32").cumsum(1)
    found[:, :4, 0] = 0  # no true positives at high thresholds, none at all above the fourth
    above, under = found[:, ::-1], found[:, -1:] - found[:, ::-1]
    if not multi_label:
        above, under = above[..., 1], under[..., 1]
    for name, values in zip(
        ("true_positives", "false_positives", "true_negatives", "false_negatives"),
        (above[0], above[1], under[1], under[0]),
    ):
        getattr(ours, name).assign(values)
        getattr(theirs, name).assign(values)
    close(ours.result(), theirs.result(), "AUC")

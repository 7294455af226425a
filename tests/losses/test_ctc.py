"""CTC beside the sum over all alignments, written out."""

import itertools

import jax
import keras
import numpy as np
import pytest

import slipstream.losses as losses

LABELINGS = [[1], [1, 2], [2, 2], [1, 2, 1], [1, 1, 2], []]
logits = np.random.default_rng(5).normal(size=(len(LABELINGS), 5, 3)).astype("float32")
padded = np.array([labels + [0] * (3 - len(labels)) for labels in LABELINGS])


def _collapse(path):
    return [label for label, _ in itertools.groupby(path) if label]


def _enumerated(labels, scores):
    """Minus the log of the summed probability of all paths that read `labels`, in float64."""
    scores = scores.astype("float64")
    logp = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    steps = range(len(scores))
    paths = itertools.product(range(scores.shape[1]), repeat=len(scores))
    total = sum(
        np.exp(sum(logp[t, path[t]] for t in steps)) for path in paths if _collapse(path) == labels
    )
    return -np.log(total)


def test_values_are_the_sum_over_all_alignments():
    wanted = [_enumerated(labels, scores) for labels, scores in zip(LABELINGS, logits)]
    np.testing.assert_allclose(losses.ctc(padded, logits), wanted, rtol=1e-5)


def test_gradients_equal_finite_differences():
    gradient = np.asarray(jax.jit(jax.grad(lambda x: losses.ctc(padded, x).sum()))(logits))
    step = 1e-5
    for i, t, c in [(0, 0, 0), (1, 2, 1), (2, 2, 0), (3, 4, 1), (4, 1, 2), (5, 3, 0)]:
        ends = []
        for sign in (1, -1):
            moved = logits[i].astype("float64")
            moved[t, c] += sign * step
            ends.append(_enumerated(LABELINGS[i], moved))
        np.testing.assert_allclose(gradient[i, t, c], (ends[0] - ends[1]) / (2 * step), atol=2e-5)


@pytest.mark.parametrize("labels", [[1, 1, 1, 2], [1, 2, 1, 2, 1, 2]])
def test_labels_that_do_not_fit_cost_much_and_stay_finite(labels):
    cost = jax.jit(jax.value_and_grad(lambda x: losses.ctc(np.array([labels]), x)[0]))
    value, gradient = cost(logits[:1])
    wanted = keras.losses.ctc(np.array([labels]), logits[:1])[0]
    assert float(value) > 9e4 and float(wanted) > 9e4
    assert np.isfinite(gradient).all()


def test_labels_of_no_length_and_padding():
    no_labels = losses.ctc(np.zeros((len(logits), 0), int), logits)
    np.testing.assert_allclose(no_labels, losses.ctc(np.zeros_like(padded), logits), rtol=1e-6)
    wider = np.pad(padded, ((0, 0), (0, 4)))
    np.testing.assert_allclose(losses.ctc(wider, logits), losses.ctc(padded, logits), rtol=1e-6)

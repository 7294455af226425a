"""InfoNCE beside its formula in float64, with missing modalities, masks and weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slipstream import layers, losses, metrics
from slipstream.models import Model
from slipstream.optimizers import Adam


def embeddings(rng, batch=6, modalities=2, features=4):
    return rng.normal(size=(batch, modalities, features)).astype("float32")


def formula(numbers, y):
    """Mean over anchors, modalities and right answers, in loops."""
    y = y.astype("float64")
    there = (y != 0).any(-1)
    rows = []
    for i, number in enumerate(numbers):
        found = []
        for a in range(y.shape[1]):
            for b in range(y.shape[1]):
                answers = np.flatnonzero(there[:, b])
                right = [j for j in answers if numbers[j] == number]
                if a == b or not there[i, a] or not right:
                    continue
                logits = {j: y[i, a] @ y[j, b] for j in answers}
                total = np.log(sum(np.exp(v) for v in logits.values()))
                found.append(np.mean([total - logits[j] for j in right]))
        if found:
            rows.append(np.mean(found))
    return np.mean(rows) if rows else 0.0


def test_two_modalities_give_the_loss_of_clip(rng):
    y = embeddings(rng)
    logits = y[:, 0].astype("float64") @ y[:, 1].T

    def crossentropy(logits):
        return np.mean(np.log(np.exp(logits).sum(1)) - np.diag(logits))

    expected = (crossentropy(logits) + crossentropy(logits.T)) / 2
    np.testing.assert_allclose(losses.InfoNCE()(np.arange(6), y), expected, rtol=1e-5)
    np.testing.assert_allclose(losses.InfoNCE()(np.arange(6)[:, None] + 90, y), expected, rtol=1e-5)


@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("numbers", [[0, 1, 2, 3, 4, 5], [1, 1, 0, 2, 0, 1], [0] * 6], ids=str)
def test_values_are_those_of_the_formula(rng, modalities, numbers):
    y = embeddings(rng, modalities=modalities)
    loss = losses.InfoNCE()
    np.testing.assert_allclose(loss(numbers, y), formula(numbers, y), rtol=1e-5)
    y[[0, 3], 1] = 0
    y[4] = 0
    np.testing.assert_allclose(loss(numbers, y), formula(numbers, y), rtol=1e-5)
    slopes = jax.grad(lambda y: loss(np.array(numbers), y))(jnp.asarray(y))
    assert np.isfinite(slopes).all() and np.all(np.asarray(slopes)[4] == 0)


def test_masked_rows_are_neither_asked_for_nor_answers(rng):
    y, loss = embeddings(rng), losses.InfoNCE()
    mask = np.array([1, 1, 0, 1, 0, 1], bool)
    spoilt = np.where(mask[:, None, None], y, np.nan)
    expected = formula(np.arange(6)[mask], y[mask])
    np.testing.assert_allclose(loss(np.arange(6), spoilt, mask=mask), expected, rtol=1e-5)
    weights = np.array([2.0, 0, 1, 1, 1, 1])
    values = losses.InfoNCE(reduction="none")(np.arange(6), y)
    np.testing.assert_allclose(
        loss(np.arange(6), y, sample_weight=weights), np.mean(values * weights), rtol=1e-5
    )
    assert float(loss(np.arange(6), np.zeros_like(y))) == 0


@pytest.mark.parametrize("shape", [(6, 4), (6, 1, 4), (5, 2, 4)])
def test_other_shapes_are_named(rng, shape):
    with pytest.raises(ValueError, match="JointEmbedding makes such"):
        losses.InfoNCE()(np.arange(6), np.ones(shape, "f"))


def test_training_brings_pairs_together(rng):
    seen = rng.normal(size=(90, 5)).astype("f")
    heard = np.tanh(seen @ rng.normal(size=(5, 7))).astype("f")
    ends = [layers.Input((5,)), layers.Input((7,))]
    towers = [layers.Dense(16, activation="relu")(end) for end in ends]
    model = Model(ends, {"joint": layers.JointEmbedding(8)(towers)})
    model.compile(Adam(0.01), {"joint": losses.InfoNCE()}, metrics={"joint": [metrics.RecallAtK()]})
    # 90 is no multiple of 32: the last batch is smaller.
    history = model.fit(
        [seen, heard], {"joint": np.arange(90)}, batch_size=32, epochs=60, verbose=0
    )
    found = history.history["loss"]
    assert found[-1] < 0.5 * found[0]
    recall = history.history[next(name for name in history.history if "recall" in name)]
    assert recall[-1] > 0.6 > 0.3 > recall[0]
    scale = next(w for w in model.trainable_variables if w.name == "log_scale")
    assert float(scale) != pytest.approx(-np.log(0.07))
    again = losses.deserialize(losses.serialize(losses.InfoNCE(reduction="sum")))
    assert type(again) is losses.InfoNCE and again.reduction == "sum"

"""Fusion of modalities: what is missing has no say, and what is there is weighed as stated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity import data

from slipstream import layers
from slipstream.core import registry
from slipstream.core.random import key_from
from slipstream.core.scope import Scope, attach, attached
from slipstream.models import Model, load_model

CASES = {
    "concat": lambda: layers.ConcatFusion(4, activation="tanh"),
    "gated": lambda: layers.GatedFusion(4),
    "low_rank": lambda: layers.LowRankFusion(4, rank=3),
    "film": lambda: layers.FiLM(target="b"),
    "attention": lambda: layers.CrossAttentionFusion(4, num_heads=2),
    "attention_of_one": lambda: layers.CrossAttentionFusion(4, num_heads=2, target="a"),
    "late": lambda: layers.LateFusion(weighted=True),
    "joint": lambda: layers.JointEmbedding(4),
}
SHAPES = {"a": (5, 3), "b": (5, 6), "c": (5, 1)}
# Which of a, b and c each example has.
THERE = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0], [0, 1, 1], [0, 0, 0]])


def inputs(name):
    return {k: data((5, 4) if name == "late" else shape, ord(k)) for k, shape in SHAPES.items()}


def stirred(layer):
    """The layer with weights that are not at their special initial values."""
    numbers = np.random.default_rng(3)
    layer.set_weights([w + 0.5 * numbers.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def built(name):
    layer = CASES[name]()
    layer(inputs(name))
    return stirred(layer)


@pytest.mark.parametrize("name", CASES)
def test_what_is_missing_has_no_weight_and_no_gradient(name):
    layer, x = built(name), inputs(name)
    there = dict(zip("abc", THERE.T.astype(bool)))
    variables = layer.trainable_variables

    def loss(x, values):
        with Scope(variables, values).active():
            return jnp.sum(jnp.sin(layer(x, presence_mask=THERE)))

    values = [v.value for v in variables]
    first, slopes = jax.jit(jax.value_and_grad(loss, (0, 1)))(x, values)
    for key, known in there.items():
        assert np.all(np.asarray(slopes[0][key])[~known] == 0)
    assert any(np.any(np.asarray(slope)[known] != 0) for slope, known in
               [(slopes[0][key], there[key]) for key in "abc"])  # fmt: skip
    spoilt = {k: np.where(there[k][:, None], v, np.nan).astype("f") for k, v in x.items()}
    second, again = jax.jit(jax.value_and_grad(loss, (0, 1)))(spoilt, values)
    assert first == second
    jax.tree.map(np.testing.assert_array_equal, slopes, again)


@pytest.mark.parametrize("name", CASES)
def test_all_ways_to_say_what_is_there_agree(name):
    layer, x = built(name), inputs(name)
    expected = np.asarray(layer(x, presence_mask=THERE))
    assert np.isfinite(expected).all()
    columns = dict(zip("abc", THERE.T))
    np.testing.assert_array_equal(layer(x, presence_mask=columns), expected)
    np.testing.assert_array_equal(layer(x, presence_mask=list(THERE.T.astype("f"))), expected)
    masked = {k: jnp.asarray(v) for k, v in x.items()}
    for key, column in columns.items():
        attach(masked[key], "mask", jnp.asarray(column, bool))
    np.testing.assert_array_equal(layer(masked), expected)
    np.testing.assert_array_equal(
        layer(x, presence_mask=np.ones((5, 3))), np.asarray(layer(x)), strict=True
    )
    np.testing.assert_allclose(layer(x)[:1], expected[:1], rtol=1e-5, atol=1e-6)
    # A row does not depend on the others.
    part = layer({k: v[1:3] for k, v in x.items()}, presence_mask=THERE[1:3])
    np.testing.assert_allclose(part, expected[1:3], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_models_are_saved_and_loaded(name, tmp_path):
    x = inputs(name)
    ends = {k: layers.Input(v.shape[1:], name=k) for k, v in x.items()}
    there = layers.Input((3,), name="there")
    layer = CASES[name]()
    outputs = layer(ends, presence_mask=there)
    model = Model({**ends, "there": there}, outputs)
    stirred(model)
    fed = {**x, "there": THERE.astype("f")}
    found = model.predict(fed, verbose=0)
    assert outputs.shape == (None, *found.shape[1:])
    model.save(tmp_path / "fused.keras")
    np.testing.assert_array_equal(
        load_model(tmp_path / "fused.keras").predict(fed, verbose=0), found
    )
    np.testing.assert_allclose(layer(x, presence_mask=THERE), found, rtol=1e-5, atol=1e-6)
    again = registry.deserialize(registry.serialize(layer))
    assert again.get_config() == layer.get_config()
    low = registry.deserialize({**registry.serialize(layer)})
    low = type(layer).from_config({**low.get_config(), "dtype": "mixed_bfloat16"})
    assert str(low(x, presence_mask=THERE).dtype) == "bfloat16"


@pytest.mark.parametrize("name", ["concat", "gated", "low_rank", "late"])
def test_sequences_are_fused_step_by_step(name):
    x = [data((2, 3, 4)), data((2, 3, 4), 1)]
    layer = CASES[name]()
    mask = np.array([[1, 1, 0], [1, 0, 1]])
    whole = layer(x, presence_mask=[mask, np.ones((2, 3))])
    stirred(layer)
    whole = layer(x, presence_mask=[mask, np.ones((2, 3))])
    for step in range(3):
        part = layer([v[:, step] for v in x], presence_mask=[mask[:, step], np.ones(2)])
        np.testing.assert_allclose(whole[:, step], part, rtol=1e-5, atol=1e-6)
    assert layer.compute_output_shape([(None, 3, 4), (None, 3, 4)]) == (None, *whole.shape[1:])


def test_padding_of_sequences_is_known_to_the_layers_after():
    x = [jnp.asarray(data((2, 4, 3), seed)) for seed in (1, 2)]
    masks = np.array([[[1, 1, 0, 0], [1, 0, 0, 0]], [[1, 0, 0, 0], [1, 1, 1, 0]]], bool)
    for one, mask in zip(x, masks):
        attach(one, "mask", jnp.asarray(mask))
    layer, mean = layers.GatedFusion(5), layers.GlobalAveragePooling1D()
    outputs = layer(x)
    np.testing.assert_array_equal(attached(outputs, "mask"), masks.any(0))
    found = np.asarray(mean(outputs))
    for row, steps in enumerate((2, 3)):
        expected = np.asarray(outputs)[row, :steps].mean(0)
        np.testing.assert_allclose(found[row], expected, rtol=1e-5, atol=1e-6)
    # Where one input has no padding, no step is padding.
    assert attached(layer([x[0], jnp.array(x[1])]), "mask") is None


def test_concatenation_is_a_scaled_sum():
    layer, x = built("concat"), inputs("concat")
    bias, kernel = (np.asarray(w) for w in layer.get_weights())
    parts = np.split(kernel, [3, 9])
    sums = [x[k] @ part for k, part in zip("abc", parts)]
    expected = np.tanh((sums[0] + sums[2]) * 3 / 2 + bias)[1]
    np.testing.assert_allclose(layer(x, presence_mask=THERE)[1], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer(x), np.tanh(sum(sums) + bias), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer(x, presence_mask=THERE)[4], np.tanh(bias), rtol=1e-5)


def test_gates_of_what_is_there_sum_to_one():
    layer = layers.GatedFusion(4, return_gates=True)
    x = inputs("gated")
    layer(x)
    outputs, gates = stirred(layer)(x, presence_mask=THERE)
    assert gates.shape == (5, 3, 4)
    np.testing.assert_allclose(np.sum(gates, 1)[:4], 1, rtol=1e-5)
    assert np.all(np.asarray(gates)[THERE == 0] == 0) and np.all(np.asarray(outputs)[4] == 0)
    # Two inputs: z * tanh(a) + (1 - z) * tanh(b) with a sigmoid gate (Arevalo et al.).
    two = layers.GatedFusion(2, return_gates=True)
    a, b = data((3, 2)), data((3, 5), 1)
    outputs, gates = two([a, b])
    ka, ba, kb, bb, kg, bg = (np.asarray(w) for w in two.get_weights())
    logits = (np.concatenate([a, b], 1) @ kg + bg).reshape(3, 2, 2)
    z = 1 / (1 + np.exp(logits[:, 1] - logits[:, 0]))
    expected = z * np.tanh(a @ ka + ba) + (1 - z) * np.tanh(b @ kb + bb)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


def test_low_rank_fusion_is_a_multilinear_tensor():
    layer = layers.LowRankFusion(3, rank=2)
    a, b = data((4, 2)), data((4, 5), 1)
    layer([a, b])
    bias, *factors = (np.asarray(w) for w in stirred(layer).get_weights())
    widened = [np.concatenate([v, np.ones((4, 1))], 1) for v in (a, b)]
    first, second = (
        np.concatenate([factors[i], factors[i + 1][None]]).reshape(-1, 2, 3) for i in (0, 2)
    )
    tensor = np.einsum("iru,jru->iju", first, second) / 2
    expected = np.einsum("bi,bj,iju->bu", *widened, tensor) + bias
    np.testing.assert_allclose(layer([a, b]), expected, rtol=1e-4, atol=1e-4)
    alone = np.mean((widened[0] @ first.reshape(3, -1)).reshape(4, 2, 3), 1) + bias
    found = layer([a, b], presence_mask=np.tile([1, 0], (4, 1)))
    np.testing.assert_allclose(found, alone, rtol=1e-4, atol=1e-4)


def test_film_scales_and_shifts_channels_and_begins_with_the_identity():
    x, condition = data((2, 3, 4, 5)), data((2, 6), 1)
    layer = layers.FiLM()
    np.testing.assert_array_equal(layer([x, condition]), x)
    kernel, bias = (np.asarray(w) for w in stirred(layer).get_weights())
    scale, shift = np.split(condition @ kernel + bias, 2, -1)
    expected = (1 + scale)[:, None, None] * x + shift[:, None, None]
    np.testing.assert_allclose(layer([x, condition]), expected, rtol=1e-4, atol=1e-5)
    found = layer([x, condition], presence_mask=np.array([[1, 0], [0, 1]]))
    np.testing.assert_array_equal(found[0], x[0])
    assert np.all(np.asarray(found[1]) == 0)


def test_late_fusion_averages_what_is_there():
    x, layer = inputs("late"), layers.LateFusion()
    found = np.asarray(layer(x, presence_mask=THERE))
    stacked = np.stack([x[k] for k in "abc"], 1)
    for row in range(4):
        expected = stacked[row][THERE[row] == 1].mean(0)
        np.testing.assert_allclose(found[row], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found[4], 0)
    whole = layer([np.array([[1], [2]]), np.array([[4], [5]])])  # whole numbers have a mean, too
    np.testing.assert_array_equal(whole, [[2.5], [3.5]])


def test_attention_sees_no_padding_and_any_order_of_tokens():
    tokens, vector = jnp.asarray(data((2, 5, 3))), data((2, 4), 1)
    layer = layers.CrossAttentionFusion(8, num_heads=2)
    layer([tokens, vector])
    stirred(layer)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    attach(tokens, "mask", jnp.asarray(mask))
    found = layer([tokens, vector])
    np.testing.assert_allclose(found[:1], layer([tokens[:1, :3], vector[:1]]), rtol=1e-4, atol=1e-5)
    turned = layer([jnp.asarray(np.asarray(tokens)[1:, ::-1]), vector[1:]])
    np.testing.assert_allclose(found[1:], turned, rtol=1e-4, atol=1e-5)
    asking = layers.CrossAttentionFusion(8, num_heads=2, target=0)
    outputs = asking([tokens, vector])
    assert outputs.shape == (2, 5, 8)
    assert np.all(np.asarray(outputs)[~mask] == 0) and np.all(np.asarray(outputs)[mask].any(-1))


def test_joint_embeddings_have_one_length_and_the_stated_temperature():
    layer, x = layers.JointEmbedding(6, temperature=0.25), inputs("joint")
    found = np.asarray(layer(x, presence_mask=THERE))
    np.testing.assert_allclose(np.square(found).sum(-1)[THERE == 1], 4, rtol=1e-5)
    assert np.all(found[THERE == 0] == 0)
    layer.log_scale.assign(50.0)
    np.testing.assert_allclose(np.square(np.asarray(layer(x))).sum(-1), 100, rtol=1e-4)


# ---- dropout of modalities -------------------------------------------------------------------


def dropped(rate, present=None, rows=20_000, **arguments):
    """Which of three inputs of ones are kept, and the values of the kept ones."""
    layer = layers.ModalityDropout(rate, seed=1, **arguments)
    x = [np.ones((rows, 1), "f")] * 3
    with Scope(training=True, key=key_from(0)).active():
        outputs = layer(x, presence_mask=present, training=True)
    return np.concatenate([np.asarray(v) for v in outputs], 1)


@pytest.mark.parametrize("rate", [0.3, 0.8, 1.0])
def test_modalities_are_dropped_at_the_rate_and_one_is_kept(rate):
    kept = dropped(rate) > 0
    assert kept.any(1).all()
    chance = 1 - rate + rate**3 / 3
    np.testing.assert_allclose(kept.mean(0), chance, atol=0.015)
    several = kept.sum(1) > 1
    assert several.any() == (rate < 1)
    # Where the third is missing, two share what is to be kept.
    present = np.tile([1, 1, 0], (20_000, 1))
    kept = dropped(rate, present) > 0
    assert kept[:, :2].any(1).all() and not kept[:, 2].any()
    np.testing.assert_allclose(kept.mean(0)[:2], 1 - rate + rate**2 / 2, atol=0.015)


def test_scaled_modality_dropout_keeps_the_expected_value():
    present = np.random.default_rng(0).integers(0, 2, (60_000, 3))
    values = dropped(0.6, present, 60_000, scale=True)
    for column in range(3):
        for count in (1, 2, 3):
            chosen = (present[:, column] == 1) & (present.sum(1) == count)
            np.testing.assert_allclose(values[chosen, column].mean(), 1, atol=0.04)


def test_what_is_dropped_is_marked_for_the_next_layer():
    x = [data((400, 3)), data((400, 3), 1)]
    drop, fuse = layers.ModalityDropout(0.5, seed=3), layers.LateFusion()

    def run(*x):
        with Scope(training=True, key=key_from(5)).active():
            kept = drop(list(x), training=True)
            return kept, fuse(kept)

    kept, fused = jax.jit(run)(*x)
    there = np.stack([np.asarray(v).any(1) for v in kept], 1)
    assert 0.2 < (there.sum(1) == 1).mean() < 0.8
    total = sum(np.asarray(v) for v in kept)
    np.testing.assert_allclose(fused, total / there.sum(1, keepdims=True), rtol=1e-5, atol=1e-6)


def test_modality_dropout_is_off_at_prediction_and_draws_anew_each_step():
    x = {"a": data((50, 3)), "b": data((50, 3), 1)}
    ends = {k: layers.Input((3,)) for k in x}
    layer = layers.ModalityDropout(0.5)
    model = Model(ends, layers.LateFusion()(layer(ends)))
    plain = (x["a"] + x["b"]) / 2
    np.testing.assert_allclose(model.predict(x, verbose=0), plain, rtol=1e-5, atol=1e-6)

    def draw(key):
        with Scope(training=True, key=key_from(key)).active():
            return np.asarray(model(x, training=True))

    assert np.array_equal(draw(1), draw(1)) and not np.array_equal(draw(1), draw(2))
    again = layers.ModalityDropout.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


# ---- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "x", "presence", "said"),
    [
        (lambda: layers.GatedFusion(4, name="g"), np.ones((2, 3)), None, "at least 2 inputs"),
        (lambda: layers.GatedFusion(4, name="g"), [np.ones((2, 3))], None, "'g'.*at least 2"),
        (
            lambda: layers.ConcatFusion(4, name="g"),
            [np.ones((2, 3)), np.ones((2, 5, 3))],
            None,
            r"last size only.*\(2, 5, 3\).*CrossAttentionFusion",
        ),
        (
            lambda: layers.LateFusion(name="g"),
            [np.ones((2, 3)), np.ones((2, 4))],
            None,
            "one shape",
        ),
        (
            lambda: layers.LateFusion(name="g"),
            [np.ones((2, 3)), np.ones((2, 3))],
            np.ones((2, 3)),
            r"2 inputs.*\(batch, 2\).*\(2, 3\)",
        ),
        (
            lambda: layers.LateFusion(name="g"),
            [np.ones((2, 3)), np.ones((2, 3))],
            [np.ones(3), np.ones(3)],
            r"mask of shape \(3,\)",
        ),
        (
            lambda: layers.LateFusion(name="g"),
            {"a": np.ones((2, 3)), "b": np.ones((2, 3))},
            {"A": np.ones(2)},
            "names 'A'.*'a', 'b'",
        ),
        (
            lambda: layers.FiLM(name="g"),
            {"a": np.ones((2, 3)), "b": np.ones((2, 3))},
            None,
            "by key.*'a', 'b'",
        ),
        (
            lambda: layers.FiLM("c", name="g"),
            {"a": np.ones((2, 3)), "b": np.ones((2, 3))},
            None,
            "no input 'c'",
        ),
        (
            lambda: layers.FiLM(name="g"),
            [np.ones((2, 3)), np.ones((2, 4, 3))],
            None,
            "Pool it first",
        ),
        (
            lambda: layers.CrossAttentionFusion(4, name="g"),
            [np.ones((2, 3)), np.ones((2, 4, 4, 3))],
            None,
            "Reshape pictures",
        ),
        (
            lambda: layers.JointEmbedding(4, name="g"),
            [np.ones((2, 3)), np.ones((2, 4, 3))],
            None,
            "Pool",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_named(make, x, presence, said):
    with pytest.raises(ValueError, match=said):
        make()(x, presence_mask=presence)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: layers.ConcatFusion(0), "units.*at least 1; got 0"),
        (lambda: layers.LowRankFusion(4, rank=1.5), "rank"),
        (lambda: layers.CrossAttentionFusion(6, num_heads=4), "divide units"),
        (lambda: layers.JointEmbedding(4, temperature=0), "temperature"),
        (lambda: layers.ModalityDropout(1.5), "between 0 and 1"),
    ],
)
def test_arguments_that_mean_nothing_are_named(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_an_empty_batch_stays_empty():
    for name in ("concat", "gated", "low_rank", "attention", "joint"):
        x = {k: v[:0] for k, v in inputs(name).items()}
        assert built(name)(x, presence_mask=THERE[:0]).shape[0] == 0

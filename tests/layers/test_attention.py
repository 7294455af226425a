"""Attention layers, against Keras."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import parity
import pytest

from slipstream import layers
from slipstream.core import registry
from slipstream.core.scope import attach, attached
from slipstream.kernels.attention import attend, fused

QUERY, VALUE, KEY = parity.data([(2, 4, 6), (2, 3, 6), (2, 3, 6)])
QUERY_MASK = np.array([[1, 1, 0, 0], [1, 1, 1, 1]], bool)
VALUE_MASK = np.array([[1, 1, 0], [1, 0, 0]], bool)
SEEN = np.array([[[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]]] * 2, bool)  # one row sees nothing
GRID = parity.data((2, 3, 4, 5))
SEEN_GRID = np.arange(2 * 12 * 8).reshape(2, 3, 4, 2, 4) % 3 > 0

LISTS = [
    ("Attention", {}, [QUERY, VALUE], {}),
    ("Attention", {"use_scale": True}, [QUERY, VALUE, KEY], {"use_causal_mask": True}),
    ("Attention", {"score_mode": "concat"}, [QUERY, VALUE], {"return_attention_scores": True}),
    (
        "Attention",
        {"score_mode": "concat", "use_scale": True},
        [QUERY, VALUE],
        {"mask": [QUERY_MASK, VALUE_MASK]},
    ),
    ("Attention", {}, [QUERY, VALUE], {"mask": [None, np.zeros((2, 3), bool)]}),
    ("Attention", {}, [QUERY[:, :1], VALUE[:, :1], KEY[:, :1]], {}),
    ("AdditiveAttention", {}, [QUERY, VALUE], {"mask": [QUERY_MASK, VALUE_MASK]}),
    ("AdditiveAttention", {"use_scale": False}, [QUERY, VALUE, KEY], {"use_causal_mask": True}),
]
HEADS = [
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, QUERY, {"value": VALUE}),
    (
        "MultiHeadAttention",
        {"num_heads": 1, "key_dim": 3, "value_dim": 5, "output_shape": (7, 2), "use_bias": False},
        QUERY,
        {"value": VALUE, "key": KEY[..., :2], "return_attention_scores": True},
    ),
    (
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3, "use_gate": True, "kernel_regularizer": "l2"},
        QUERY,
        {"value": VALUE, "value_mask": VALUE_MASK, "use_causal_mask": True},
    ),
    (
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3, "dropout": 0.1, "seed": 1},
        QUERY,
        {"value": VALUE, "attention_mask": SEEN},
    ),
    (
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3},
        QUERY,
        {"value": VALUE, "attention_mask": SEEN, "key_mask": VALUE_MASK},
    ),
    (
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3, "sliding_window": 2},
        QUERY,
        {"value": QUERY, "return_attention_scores": True},
    ),
    (
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3, "attention_axes": 2},
        GRID,
        {"value": GRID, "return_attention_scores": True},
    ),
    (
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3, "attention_axes": (1, 2)},
        GRID,
        {"value": GRID[:, :2], "attention_mask": SEEN_GRID},
    ),
    (
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3, "attention_axes": 1},
        GRID,
        {"value": GRID},
    ),
    (
        "GroupQueryAttention",
        {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2},
        QUERY,
        {"value": VALUE, "attention_mask": SEEN},
    ),
    (
        "GroupQueryAttention",
        {
            "head_dim": 3,
            "num_query_heads": 3,
            "num_key_value_heads": 1,
            "use_gate": True,
            "use_bias": False,
        },
        QUERY,
        {"value": VALUE, "return_attention_scores": True, "attention_mask": SEEN},
    ),
    (
        "GroupQueryAttention",
        {"head_dim": 3, "num_query_heads": 2, "num_key_value_heads": 2, "sliding_window": 1},
        QUERY,
        {"value": QUERY, "use_causal_mask": True},
    ),
]  # fmt: skip


def _unnamed(config):
    return {**config, "name": ""}


@pytest.mark.parametrize(("name", "arguments", "x", "call"), LISTS + HEADS)
class TestEveryLayer:
    def test_values_and_gradients(self, name, arguments, x, call):
        # Where nothing is seen Keras' scores still have a gradient, though no influence.
        blind = name == "Attention" and call.get("mask") and not np.any(call["mask"][1])
        wanted = not blind and "return_attention_scores" not in call
        parity.check_values_and_gradients(name, arguments, x, gradients=wanted, **call)

    def test_shapes(self, name, arguments, x, call):
        call = {key: value for key, value in call.items() if "mask" not in key}
        real = getattr(layers, name)(**arguments)(x, **call)
        options = {key: value for key, value in call.items() if isinstance(value, bool)}
        arrays = {key: value for key, value in call.items() if key not in options}
        symbols = jax.tree.map(lambda array: layers.Input(array.shape[1:]), (x, arrays))
        again = getattr(layers, name)(**arguments)
        for spec, leaf in zip(
            jax.tree.leaves(again(symbols[0], **symbols[1], **options)),
            jax.tree.leaves(real),
            strict=True,
        ):
            assert (spec.shape, spec.dtype) == ((None, *leaf.shape[1:]), "float32")

    def test_weights_and_configuration(self, name, arguments, x, call):
        ours, theirs = parity.pair(name, arguments, x, **call)
        assert [w.path.split("/")[1:] for w in ours.weights] == [
            w.path.split("/")[1:] for w in theirs.weights
        ]
        assert ours.supports_masking == theirs.supports_masking
        np.testing.assert_allclose(ours.losses, [float(loss) for loss in theirs.losses], rtol=1e-5)
        mine, other = registry.serialize(ours), keras.saving.serialize_keras_object(theirs)
        for part in ("config", "build_config"):
            assert parity.plain(_unnamed(mine[part])) == parity.plain(_unnamed(other[part]))
        again = registry.deserialize(other)  # Keras' configuration builds our layer
        assert again.built and registry.serialize(again) == {**mine, "config": other["config"]}


@pytest.mark.parametrize(
    ("name", "arguments", "x", "call"), LISTS[1:4:2] + HEADS[2:6:3] + HEADS[-1:]
)
def test_policies(name, arguments, x, call):
    parity.check_policies(name, arguments, x, **call)


def test_masks_of_the_inputs_count_and_pass_on():
    ids = np.array([[1, 2, 3, 0], [1, 0, 0, 0]])
    inputs = keras.Input((4,), dtype="int32")
    for name, arguments in (
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}),
        ("GroupQueryAttention", {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}),
        ("Attention", {}),
    ):
        embed, their_embed = parity.pair(
            "Embedding", {"input_dim": 5, "output_dim": 6, "mask_zero": True}, ids
        )
        ours, theirs = getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)
        their_x = their_embed(inputs)
        x = embed(ids)
        listed = name == "Attention"
        model = keras.Model(
            inputs, theirs([their_x, their_x]) if listed else theirs(their_x, their_x)
        )
        mine = ours([x, x]) if listed else ours(x, x)
        parity.share_weights(ours, theirs)
        mine = ours([x, x]) if listed else ours(x, x)
        np.testing.assert_allclose(mine, model(ids), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(attached(mine, "mask"), ids != 0)


def test_a_given_query_mask_acts_like_one_on_the_query():
    layer = layers.MultiHeadAttention(2, 3)
    noted = jnp.asarray(QUERY)
    attach(noted, "mask", QUERY_MASK)
    given = layer(QUERY, VALUE, query_mask=QUERY_MASK, return_attention_scores=True)
    implied = layer(noted, VALUE, return_attention_scores=True)
    parity.close(given, implied, 1e-6, 1e-6)
    np.testing.assert_array_equal(given[1][0, :, 2:], 0)


def test_different_value_size_without_scores():
    """Keras 3.15 on JAX fails here; with scores it does not, so that is the reference."""
    ours, theirs = parity.pair(
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3, "value_dim": 5},
        QUERY,
        value=VALUE,
        return_attention_scores=True,
    )
    expected = theirs(QUERY, VALUE, return_attention_scores=True)[0]
    np.testing.assert_allclose(ours(QUERY, VALUE), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        layers.MultiHeadAttention(2, 3, dropout=0.5),
        layers.Attention(dropout=0.5),
    ],
)
def test_dropout_of_scores_keeps_the_expected_output(layer):
    query, value = (np.repeat(array[:1], 4000, 0) for array in (QUERY, VALUE))

    def call(**options):
        if isinstance(layer, layers.Attention):
            return layer([query, value], **options)
        return layer(query, value, **options)

    still, dropped = np.asarray(call()), np.asarray(call(training=True))
    assert np.abs(dropped - still).max() > 0.1
    np.testing.assert_allclose(dropped.mean(0), still.mean(0), atol=0.1)
    scores = np.asarray(call(training=True, return_attention_scores=True)[1])
    if isinstance(layer, layers.Attention):
        assert abs((scores == 0).mean() - 0.5) < 0.02  # as in Keras, after dropout
    else:
        np.testing.assert_allclose(scores.sum(-1), 1, rtol=1e-5)  # as in Keras, before


# ---- the kernel ----------------------------------------------------------------------------------


def exact(query, key, value, mask, bias, scale):
    """Attention in float64, one head at a time."""
    group = query.shape[2] // key.shape[2]
    outputs = np.zeros((*query.shape[:3], value.shape[-1]))
    for head in range(query.shape[2]):
        q, k, v = query[:, :, head], key[:, :, head // group], value[:, :, head // group]
        logits = scale * q.astype("d") @ k.astype("d").swapaxes(1, 2) + bias[:, head]
        logits = np.where(mask[:, head], logits, -np.inf)
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        outputs[:, :, head] = weights / weights.sum(-1, keepdims=True) @ v
    return outputs


@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_the_kernel_is_attention_in_float64(key_heads):
    query, key, value = parity.data([(2, 5, 4, 3), (2, 6, key_heads, 3), (2, 6, key_heads, 2)])
    bias = parity.data((2, 4, 5, 6), 9)
    mask = parity.data((2, 4, 5, 6), 8) > -1
    mask[..., 0] = True
    causal = mask & np.tri(5, 6, dtype=bool)
    for scale in (None, 0.3):
        for options, seen in (({"mask": mask}, mask), ({"mask": mask, "causal": True}, causal)):
            outputs = attend(query, key, value, bias=bias, scale=scale, **options)
            expected = exact(query, key, value, seen, bias, scale or 3**-0.5)
            np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("empty", ["mean", "zero"])
def test_a_row_that_sees_nothing_has_finite_values_and_no_gradient(empty):
    query, key, value = map(jnp.asarray, parity.data([(1, 2, 1, 3), (1, 4, 1, 3), (1, 4, 1, 3)]))
    mask = np.array([[True] * 4, [False] * 4])

    def run(query, key, value):
        return attend(query, key, value, mask=mask, empty=empty)

    outputs = run(query, key, value)
    expected = np.asarray(value).mean((0, 1, 2)) if empty == "mean" else np.zeros(3)
    np.testing.assert_allclose(outputs[0, 1, 0], expected, rtol=1e-6)
    gradients = jax.grad(lambda *a: jnp.sum(run(*a) ** 2), (0, 1, 2))(query, key, value)
    assert all(np.isfinite(g).all() for g in gradients)
    np.testing.assert_array_equal(gradients[0][0, 1], 0)


@pytest.mark.parametrize("shape", [(3, 4), (1, 1, 3, 4), (2, 1, 1, 4), (2, 2, 3, 1)])
def test_the_fused_form_takes_every_mask_that_the_reference_takes(shape):
    arrays = parity.data([(2, 3, 2, 8), (2, 4, 1, 8), (2, 4, 1, 8)])
    mask, bias = parity.data(shape, 6) > -0.5, parity.data(shape, 7)
    if shape[-2] > 1:
        mask[..., 1, :] = False  # a query that sees no key
    weights = parity.data((2, 3, 2, 8), 8)
    for causal in (False, True):
        how = {"scale": 8**-0.5, "causal": causal}

        def mine(*qkv, how=how):
            return attend(*qkv, mask=mask, bias=bias, **how)

        def other(*qkv, how=how):
            return fused(*qkv, mask, bias, **how, implementation="xla")

        for one, two in zip(
            jax.tree.leaves(jax.vjp(mine, *arrays)[1](weights)),
            jax.tree.leaves(jax.vjp(other, *arrays)[1](weights)),
        ):
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(mine(*arrays), other(*arrays), rtol=1e-4, atol=1e-5)


def test_low_precision_is_summed_in_float32():
    query, key, value = (a.astype(jnp.bfloat16) for a in parity.data([(1, 300, 1, 64)] * 3))
    low = attend(query, key, value)
    assert low.dtype == jnp.bfloat16
    high = attend(*(a.astype("f") for a in (query, key, value)))
    np.testing.assert_allclose(low.astype("f"), high, atol=0.01)


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Attention(score_mode="sum"), "'dot' or 'concat'; got 'sum'"),
        (lambda: layers.Attention()(QUERY), "list of 2 or 3 inputs"),
        (lambda: layers.Attention()([QUERY]), "got 1 of them"),
        (lambda: layers.Attention()([QUERY, VALUE], mask=[QUERY_MASK]), "mask is a list"),
        (lambda: layers.Attention()([QUERY, VALUE], mask=VALUE_MASK), "mask is a list"),
        (lambda: layers.MultiHeadAttention(0, 3), "num_heads must be .* got 0"),
        (lambda: layers.MultiHeadAttention(2, 0), "key_dim must be"),
        (lambda: layers.MultiHeadAttention(2, 3, value_dim=0), "value_dim must be"),
        (lambda: layers.MultiHeadAttention(2, 3, sliding_window=0), "sliding_window must be"),
        (lambda: layers.MultiHeadAttention(2, 3, dropout=2), "between 0 and 1"),
        (lambda: layers.MultiHeadAttention(2, 3, dropout=0.1, flash_attention=True), "flash"),
        (
            lambda: layers.MultiHeadAttention(2, 3, flash_attention=True)(
                QUERY, VALUE, return_attention_scores=True
            ),
            "keeps no scores",
        ),
        (
            lambda: layers.MultiHeadAttention(2, 3)(QUERY, VALUE, VALUE[:, :2]),
            r"\(2, 3, 6\) and \(2, 2, 6\)",
        ),
        (
            lambda: layers.MultiHeadAttention(2, 3, attention_axes=(1, 2))(
                GRID, GRID, use_causal_mask=True
            ),
            "use_causal_mask needs a single attention axis",
        ),
        (lambda: layers.GroupQueryAttention(4, 3, 2), "must divide num_query_heads; got 2 and 3"),
        (lambda: layers.GroupQueryAttention(0, 2, 2), "head_dim must be"),
    ],
)  # fmt: skip
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()

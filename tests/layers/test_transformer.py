"""Positions, transformer blocks and caches of keys and values."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import parity
import pytest

from slipstream import layers
from slipstream.core import registry
from slipstream.core.scope import attach, attached

X = parity.data((2, 5, 8))
SOURCE = parity.data((2, 3, 6), 5)
PADDING = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)


def set_random(layer, seed=1):
    numbers = np.random.default_rng(seed)
    layer.set_weights([numbers.normal(size=w.shape) * 0.5 for w in layer.weights])
    return layer


def again(layer, *args, **call):
    """The layer rebuilt from its configuration, with the same weights."""
    other = registry.deserialize(registry.serialize(layer))
    other(*args, **call)
    other.set_weights(layer.get_weights())
    return other


# ---- positions -----------------------------------------------------------------------------------


def test_position_embedding_gives_rows_of_its_table():
    layer = layers.PositionEmbedding(7)
    layer(X)
    table = set_random(layer).position_embeddings.numpy()
    assert table.shape == (7, 8) and layer.weights[0].name == "embeddings"
    np.testing.assert_array_equal(layer(X), np.broadcast_to(table[:5], X.shape))
    np.testing.assert_array_equal(layer(X, start_index=2)[1], table[2:7])
    places = np.array([[0, 0, 1, 2, 3], [6, 5, 4, 3, 2]])
    np.testing.assert_array_equal(layer(X, positions=places), table[places])
    np.testing.assert_array_equal(again(layer, X)(X), layer(X))
    with pytest.raises(ValueError, match=r"has 7 places.*reaches place 8"):
        layer(X, start_index=3)


def test_sines_and_cosines_alternate():
    for features in (8, 7):
        waves = np.asarray(layers.SinePositionEncoding(100)(X[..., :features], start_index=1))
        for place in range(5):
            for i in range(features):
                angle = (place + 1) / 100 ** (2 * (i // 2) / features)
                wanted = np.cos(angle) if i % 2 else np.sin(angle)
                np.testing.assert_allclose(waves[:, place, i], wanted, rtol=1e-4, atol=1e-5)


def test_rotation_turns_pairs_as_complex_numbers_do():
    layer = layers.RotaryEmbedding(max_wavelength=100, scaling_factor=2.0)
    x = parity.data((2, 5, 3, 8))
    rates = 100 ** (-np.arange(4) / 4)
    angles = (np.arange(5) + 3)[:, None, None] / 2 * rates
    turned = (x[..., :4] + 1j * x[..., 4:]) * np.exp(1j * angles)
    expected = np.concatenate([turned.real, turned.imag], -1)
    np.testing.assert_allclose(layer(x, start_index=3), expected, rtol=1e-4, atol=1e-5)
    places = np.broadcast_to(np.arange(5) + 3, (2, 5))
    np.testing.assert_allclose(layer(x, positions=places), expected, rtol=1e-4, atol=1e-5)
    moved = layers.RotaryEmbedding(100, 2.0, sequence_axis=2, feature_axis=1)
    other = moved(x.transpose(0, 3, 1, 2), start_index=3)
    np.testing.assert_allclose(other, expected.transpose(0, 3, 1, 2), rtol=1e-4, atol=1e-5)
    assert again(moved, x.transpose(0, 3, 1, 2)).get_config() == moved.get_config()
    with pytest.raises(ValueError, match="must be even"):
        layer(x[..., :5])


def test_products_of_turned_vectors_depend_on_the_distance_only():
    layer = layers.RotaryEmbedding()
    query, key = parity.data([(1, 1, 16), (1, 1, 16)])

    def product(i, j):
        return float(jnp.sum(layer(query, start_index=i) * layer(key, start_index=j)))

    assert product(2, 7) == pytest.approx(product(90, 95), rel=1e-3)
    assert product(2, 7) != pytest.approx(product(2, 9), rel=1e-2)


def test_token_and_position_embedding_adds_both():
    layer = layers.TokenAndPositionEmbedding(9, 6, 4, mask_zero=True)
    ids = np.array([[3, 1, 0], [8, 8, 2]])
    layer(ids)
    tokens, places = (w.numpy() for w in set_random(layer).weights)
    outputs = layer(ids)
    np.testing.assert_allclose(outputs, tokens[ids] + places[:3], rtol=1e-6)
    np.testing.assert_array_equal(attached(outputs, "mask"), ids != 0)
    np.testing.assert_array_equal(again(layer, ids)(ids), outputs)
    spec = layer(layers.Input((3,), dtype="int32"))
    assert (spec.shape, spec.dtype) == ((None, 3, 4), "float32")


# ---- blocks --------------------------------------------------------------------------------------


def keras_block(x, weights, normalize_first, mask=None, source=None, causal=False):
    """The block put together from Keras' layers."""
    weights = iter(weights)

    def loaded(layer, *args, **call):
        layer(*args, **call)
        layer.set_weights([next(weights) for _ in layer.weights])
        return layer

    def residual(x, make):
        # Weights come in the order: the part's own, then its normalization's.
        norm = keras.layers.LayerNormalization(epsilon=1e-5)
        probe = norm(x) if normalize_first else x
        branch = make(probe)
        loaded(norm, x)
        if normalize_first:
            return x + branch(norm(x))
        return norm(x + branch(x))

    def attention(value=None, mask=None, causal=False):
        def make(x):
            layer = keras.layers.MultiHeadAttention(2, 4)
            source = x if value is None else value
            loaded(layer, x, source)
            return lambda x: layer(
                x, x if value is None else value, attention_mask=mask, use_causal_mask=causal
            )

        return make

    def dense(x):
        inner, outer = keras.layers.Dense(16, "relu"), keras.layers.Dense(8)
        loaded(inner, x)
        loaded(outer, inner(x))
        return lambda x: outer(inner(x))

    x = residual(x, attention(mask=mask, causal=causal))
    if source is not None:
        x = residual(x, attention(value=source))
    return residual(x, dense)


@pytest.mark.parametrize("normalize_first", [False, True])
def test_blocks_are_what_they_are_made_of(normalize_first):
    encoder = layers.TransformerEncoder(16, 2, normalize_first=normalize_first)
    encoder(X)
    set_random(encoder)
    expected = keras_block(X, encoder.get_weights(), normalize_first, PADDING[:, None, :])
    np.testing.assert_allclose(encoder(X, padding_mask=PADDING), expected, rtol=1e-4, atol=1e-4)

    decoder = layers.TransformerDecoder(16, 2, normalize_first=normalize_first)
    decoder(X, SOURCE)
    set_random(decoder)
    expected = keras_block(X, decoder.get_weights(), normalize_first, None, SOURCE, causal=True)
    np.testing.assert_allclose(decoder(X, SOURCE), expected, rtol=1e-4, atol=1e-4)


def test_configurations_rebuild_equal_blocks():
    options = {
        "dropout": 0.1,
        "activation": "gelu",
        "layer_norm_epsilon": 1e-3,
        "kernel_initializer": "he_normal",
        "normalize_first": True,
    }
    encoder = layers.TransformerEncoder(16, 2, **options)
    encoder(X)
    np.testing.assert_array_equal(again(encoder, X)(X), encoder(X))
    decoder = layers.TransformerDecoder(16, 2, **options)
    decoder(X, SOURCE)
    np.testing.assert_array_equal(again(decoder, X, SOURCE)(X, SOURCE), decoder(X, SOURCE))
    config = registry.serialize(decoder)["config"]
    assert {"intermediate_dim", "num_heads", *options} <= set(config)


def test_a_mask_on_the_input_is_the_padding_mask_and_passes_on():
    noted = jnp.asarray(X)
    attach(noted, "mask", PADDING)
    encoder = layers.TransformerEncoder(16, 2)
    decoder = layers.TransformerDecoder(16, 2)
    for layer, name in ((encoder, "padding_mask"), (decoder, "decoder_padding_mask")):
        implied = layer(noted)
        given = layer(X, **{name: PADDING})
        np.testing.assert_allclose(implied[PADDING], given[PADDING], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(attached(implied, "mask"), PADDING)
        changed = np.where(PADDING[..., None], X, 9.0)
        np.testing.assert_allclose(
            layer(changed, **{name: PADDING})[PADDING], given[PADDING], rtol=1e-5, atol=1e-6
        )


def test_a_decoder_does_not_look_ahead_and_an_encoder_does():
    changed = X.copy()
    changed[:, 3:] += 1
    decoder, encoder = layers.TransformerDecoder(16, 2), layers.TransformerEncoder(16, 2)
    np.testing.assert_allclose(decoder(changed)[:, :3], decoder(X)[:, :3], rtol=1e-5, atol=1e-6)
    assert np.abs(encoder(changed) - encoder(X))[:, :3].max() > 1e-3
    assert np.abs(decoder(changed, use_causal_mask=False) - decoder(X))[:, :3].max() > 1e-3


def test_scores_of_an_encoder():
    encoder = layers.TransformerEncoder(16, 2)
    outputs, scores = encoder(X, padding_mask=PADDING, return_attention_scores=True)
    np.testing.assert_allclose(outputs, encoder(X, padding_mask=PADDING), rtol=1e-5, atol=1e-5)
    assert scores.shape == (2, 2, 5, 5)
    np.testing.assert_array_equal(scores[0, :, :, 3:], 0)
    specs = encoder(layers.Input((5, 8)), return_attention_scores=True)
    assert [spec.shape for spec in specs] == [(None, 5, 8), (None, 2, 5, 5)]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_blocks_compute_in_the_policy_and_drop_while_training(policy):
    for layer in (
        layers.TransformerEncoder(16, 2, dropout=0.5, dtype=policy),
        layers.TransformerDecoder(16, 2, dropout=0.5, dtype=policy),
    ):
        still = layer(X)
        assert str(still.dtype) == layer.compute_dtype
        assert {w.dtype for w in layer.weights} == {"float32"}
        assert np.abs(np.asarray(layer(X, training=True) - still, "f")).max() > 0.1
        assert layer.per_example


# ---- caches --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [[1, 1, 1, 1, 1], [3, 1, 1], [2, 3]])
def test_decoding_in_pieces_with_a_cache_is_decoding_at_once(pieces):
    decoder = layers.TransformerDecoder(16, 2, normalize_first=True)
    whole = decoder(X, SOURCE)
    cache, place, parts = decoder.empty_cache(2, 6), 0, []
    cross = decoder._cross.project(SOURCE)
    for piece in pieces:
        part, cache, cross = decoder(
            X[:, place : place + piece],
            self_attention_cache=cache,
            self_attention_cache_update_index=place,
            cross_attention_cache=cross,
        )
        parts.append(part)
        place += piece
    np.testing.assert_allclose(np.concatenate(parts, 1), whole, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(cache[0][:, 5:], 0)


def test_cached_attention_without_a_cache_is_multi_head_attention():
    plain = layers.MultiHeadAttention(2, 3, sliding_window=2)
    cached = layers.CachedMultiHeadAttention(2, 3, sliding_window=2)
    expected = plain(X, X, use_causal_mask=True)
    cached(X, X)
    cached.set_weights(plain.get_weights())
    expected = plain(X, X, use_causal_mask=True)
    np.testing.assert_allclose(cached(X, X, use_causal_mask=True), expected, rtol=1e-5, atol=1e-6)
    cache = cached.empty_cache(2, 5)
    for place in range(5):
        step, cache = cached(
            X[:, place : place + 1],
            X[:, place : place + 1],
            cache=cache,
            cache_update_index=place,
            use_causal_mask=True,
        )
        np.testing.assert_allclose(step[:, 0], expected[:, place], rtol=1e-4, atol=1e-5)


def test_gradients_reach_every_weight():
    decoder = layers.TransformerDecoder(16, 2)
    decoder(X, SOURCE)
    values = [v.value for v in decoder.trainable_variables]
    weigh = parity.data(X.shape, 7)

    def loss(values):
        return jnp.sum(weigh * decoder.stateless_call(values, [], X, SOURCE)[0])

    for variable, gradient in zip(decoder.trainable_variables, jax.jit(jax.grad(loss))(values)):
        if not variable.path.endswith("key/bias"):  # moves all scores alike
            assert np.abs(gradient).max() > 1e-6, variable.path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.TransformerEncoder(0, 2), "intermediate_dim must be"),
        (lambda: layers.TransformerDecoder(4, 1.5), "num_heads must be"),
        (lambda: layers.TransformerEncoder(4, 3)(X), "3 heads and shape"),
        (lambda: layers.PositionEmbedding(0), "sequence_length must be"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_decoder_keeps_to_the_inputs_it_was_built_for():
    alone = layers.TransformerDecoder(16, 2)
    alone(X)
    with pytest.raises(ValueError, match="built without an encoder_sequence"):
        alone(X, SOURCE)

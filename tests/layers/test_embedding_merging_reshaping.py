"""Embeddings, Einstein sums, merging, reshaping and functions, against Keras."""

import json

import jax
import jax.numpy as jnp
import keras
import numpy as np
import parity
import pytest

from slipstream import layers
from slipstream.core import registry
from slipstream.core.scope import attach, attached

IDS = np.array([[1, 4, 0], [2, 2, 3]])
CASES = [
    ("Embedding", {"input_dim": 5, "output_dim": 3}, IDS),
    ("Embedding", {"input_dim": 5, "output_dim": 1, "mask_zero": True}, IDS[:, :1]),
    ("Embedding", {"input_dim": 5, "output_dim": 3, "lora_rank": 2}, IDS),
    ("Embedding", {"input_dim": 5, "output_dim": 3, "embeddings_regularizer": "l2"}, IDS[0]),
    ("ReversibleEmbedding", {"input_dim": 5, "output_dim": 3}, IDS),
    ("ReversibleEmbedding", {"input_dim": 5, "output_dim": 3, "tie_weights": False}, IDS),
    ("EinsumDense", {"equation": "ab,bc->ac", "output_shape": 4, "bias_axes": "c"}, (2, 3)),
    (
        "EinsumDense",
        {"equation": "abc,cd->abd", "output_shape": (None, 4), "activation": "tanh"},
        (2, 1, 3),
    ),
    (
        "EinsumDense",
        {"equation": "abc,cde->abde", "output_shape": (4, 2, 3), "bias_axes": "be"},
        (2, 4, 3),
    ),
    ("EinsumDense", {"equation": "...x,xy->...y", "output_shape": 4, "bias_axes": "y"}, (2, 1, 3)),
    (
        "EinsumDense",
        {"equation": "xb...,bc->xc...", "output_shape": (4, None), "bias_axes": "c"},
        (2, 3, 5),
    ),
    (
        "EinsumDense",
        {"equation": "abcd,cde->abe", "output_shape": (None, 5), "lora_rank": 2},
        (2, 4, 3, 2),
    ),
    ("Dense", {"units": 3, "lora_rank": 2}, (2, 4)),
    ("Add", {}, [(2, 3, 4), (2, 3, 4), (2, 1, 4)]),
    ("Add", {}, [(2, 3, 4)]),
    ("Subtract", {}, [(2, 3, 4), (2, 4)]),
    ("Multiply", {}, [(2, 3), (2, 3), (2, 3)]),
    ("Average", {}, [(2, 3), (2, 4, 3)]),
    ("Maximum", {}, [(2, 3), (2, 1)]),
    ("Minimum", {}, [(0, 3), (0, 3)]),
    ("Concatenate", {}, [(2, 3), (2, 1), (2, 3)]),
    ("Concatenate", {"axis": 1}, [(2, 3, 4), (2, 1, 4)]),
    ("Dot", {"axes": 1}, [(2, 3), (2, 3)]),
    ("Dot", {"axes": (1, 2)}, [(2, 3, 4), (2, 5, 3)]),
    ("Dot", {"axes": -1, "normalize": True}, [(2, 3, 4), (2, 4)]),
    ("Dot", {"axes": (2, 1)}, [(2, 3, 4, 5), (2, 4, 3, 5)]),
    ("Identity", {}, (2, 3)),
    ("Permute", {"dims": (3, 1, 2)}, (2, 3, 4, 5)),
    ("RepeatVector", {"n": 3}, (2, 4)),
    ("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, (2, 4)),
    ("GaussianNoise", {"stddev": 0.5, "seed": 3}, (2, 4)),
    ("GaussianDropout", {"rate": 0.5}, (2, 4)),
    ("AlphaDropout", {"rate": 0.5, "noise_shape": (2, 1)}, (2, 4)),
    ("SpatialDropout1D", {"rate": 0.5}, (2, 3, 4)),
    ("SpatialDropout2D", {"rate": 0.5, "data_format": "channels_first"}, (2, 3, 4, 5)),
    ("SpatialDropout3D", {"rate": 0.5}, (2, 1, 3, 4, 2)),
]


def made(data):
    return data if isinstance(data, np.ndarray) else parity.data(data)


@pytest.mark.parametrize(("name", "arguments", "data"), CASES)
class TestEveryLayer:
    def test_values_and_gradients(self, name, arguments, data):
        parity.check_values_and_gradients(name, arguments, made(data))

    def test_shapes(self, name, arguments, data):
        parity.check_shapes(name, arguments, made(data))

    def test_config(self, name, arguments, data):
        parity.check_config(name, arguments, made(data))

    def test_policies(self, name, arguments, data):
        parity.check_policies(name, arguments, made(data))

    def test_names_trainability_and_masking(self, name, arguments, data):
        ours, theirs = parity.pair(name, arguments, made(data))
        assert [(w.name, w.trainable) for w in ours.weights] == [
            (w.name, w.trainable) for w in theirs.weights
        ]
        assert ours.supports_masking == theirs.supports_masking
        assert [float(loss) for loss in ours.losses] == pytest.approx(
            [float(loss) for loss in theirs.losses], rel=1e-5
        )
        mine = registry.serialize(ours).get("build_config")
        other = keras.saving.serialize_keras_object(theirs).get("build_config")
        assert parity.plain(mine) == parity.plain(other)


# ---- embeddings and LoRA -------------------------------------------------------------------------


def test_indices_out_of_range_give_what_keras_gives():
    ours, theirs = parity.pair("Embedding", {"input_dim": 5, "output_dim": 2}, np.array([0]))
    for ids in (np.array([0, 4, 5, 7, -1, -5, -6, -8]), np.array([0.9, 1.0, 4.7], "f")):
        np.testing.assert_array_equal(ours(ids), theirs(ids))
    parity.check_values_and_gradients(
        "Embedding", {"input_dim": 3, "output_dim": 2}, np.array([0, -1, 2, 1, 0])
    )


def test_numbers_that_arrive_as_floats_stay_exact_in_low_precision():
    table = (np.arange(5000) % 7 == 0)[:, None].astype("f")
    layer = layers.Embedding(5000, 1, weights=[table], dtype="mixed_bfloat16")
    ids = np.array([4003, 4004, 4005], "f")  # bfloat16 knows none of them
    np.testing.assert_array_equal(np.asarray(layer(ids), "f")[:, 0], ids % 7 == 0)


def test_zero_is_masked_and_the_mask_reaches_later_layers():
    embed = layers.Embedding(5, 2, mask_zero=True)
    wanted = IDS != 0
    np.testing.assert_array_equal(attached(embed(IDS), "mask"), wanted)
    for layer in (layers.Identity(), layers.Dropout(0.1), layers.GaussianNoise(0.1)):
        np.testing.assert_array_equal(attached(layer(embed(IDS)), "mask"), wanted)
    both = layers.ReversibleEmbedding(5, 2, mask_zero=True)
    vectors = both(IDS)
    np.testing.assert_array_equal(attached(vectors, "mask"), wanted)
    np.testing.assert_array_equal(attached(both(vectors, reverse=True), "mask"), wanted)


@pytest.mark.parametrize("options", [{}, {"tie_weights": False}, {"logit_soft_cap": 0.1}])
def test_the_way_back_scores_rows_as_keras_does(options):
    ours, theirs = parity.pair(
        "ReversibleEmbedding", {"input_dim": 5, "output_dim": 3, **options}, IDS
    )
    x = parity.data((2, 4, 3))
    parity.close(ours(x, reverse=True), theirs(x, reverse=True), 1e-5, 1e-6)
    spec = ours(layers.Input((4, 3)), reverse=True)
    assert (spec.shape, spec.dtype) == ((None, 4, 5), "float32")
    low = layers.ReversibleEmbedding(5, 3, dtype="bfloat16", reverse_dtype="float32")
    low(IDS)
    assert low(x, reverse=True).dtype == jnp.float32


LORA = [
    ("Dense", {"units": 3}, (2, 4)),
    ("EinsumDense", {"equation": "abc,dce->abde", "output_shape": (None, 2, 3)}, (2, 4, 5)),
    ("EinsumDense", {"equation": "abc,dc->abd", "output_shape": (None, 2)}, (2, 4, 5)),
    ("Embedding", {"input_dim": 5, "output_dim": 3}, IDS),
    ("ReversibleEmbedding", {"input_dim": 5, "output_dim": 3}, IDS),
]


@pytest.mark.parametrize(("name", "arguments", "data"), LORA)
def test_lora_enabled_later(name, arguments, data):
    x = made(data)
    ours, theirs = parity.pair(name, arguments, x)
    before = np.asarray(ours(x))
    for layer in (ours, theirs):
        layer.enable_lora(2, lora_alpha=6)
    np.testing.assert_allclose(ours(x), before, rtol=1e-6)
    parity.share_weights(ours, theirs)
    parity.close(ours(x), theirs(x), 1e-4, 1e-5)
    assert [w.path for w in ours.trainable_variables] == [
        w.path.replace(theirs.name, ours.name) for w in theirs.trainable_variables
    ]
    mine, other = {}, {}
    ours.save_own_variables(mine)
    theirs.save_own_variables(other)
    parity.close(mine, dict(other), 1e-5, 1e-6)
    plain = getattr(layers, name)(**arguments)
    plain(x)
    plain.load_own_variables(mine)
    np.testing.assert_allclose(plain(x), ours(x), rtol=1e-4, atol=1e-5)
    ours.load_own_variables(mine)
    np.testing.assert_allclose(plain(x), ours(x), rtol=1e-4, atol=1e-5)
    again = registry.deserialize(registry.serialize(ours))
    assert (again.lora_rank, again.lora_alpha, again.lora_enabled) == (2, 6, True)


def test_lora_asks_for_what_it_needs():
    layer = layers.Dense(2)
    with pytest.raises(ValueError, match="not built yet"):
        layer.enable_lora(2)
    layer(np.ones((1, 3), "f"))
    with pytest.raises(ValueError, match="at least 1; got 0"):
        layer.enable_lora(0)
    layer.enable_lora(2)
    with pytest.raises(ValueError, match="already"):
        layer.enable_lora(2)
    with pytest.raises(ValueError, match="kernel_constraint"):
        layers.Dense(2, kernel_constraint="non_neg", lora_rank=1)(np.ones((1, 3), "f"))


def test_fit_after_enable_lora_trains_the_two_matrices_alone():
    from slipstream.models import Sequential

    x, y = parity.data((32, 4)), parity.data((32, 2), 1)
    model = Sequential([layers.Input((4,)), layers.Dense(2, use_bias=False)])
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0)
    model.layers[0].enable_lora(1)
    model.compile("sgd", "mse")
    frozen, _, flat = model.get_weights()
    model.fit(x, y, epochs=3, verbose=0)
    kernel, _, b = model.get_weights()
    np.testing.assert_array_equal(kernel, frozen)
    assert (flat == 0).all() and (b != 0).all()


# ---- merging -------------------------------------------------------------------------------------

MASKS = np.array([[1, 1, 0, 0], [1, 1, 1, 0]], bool), np.array([[1, 0, 1, 0], [1, 1, 1, 1]], bool)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("Add", {}), ("Multiply", {}), ("Dot", {"axes": 1})]
    + [("Concatenate", {"axis": axis}) for axis in (0, 1, 2, -1)],
)
def test_masks_merge_as_in_keras(name, arguments):
    x = parity.data([(2, 4, 3), (2, 4, 3)])
    ours, theirs = getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)
    for masks in (list(MASKS), [MASKS[0], None], [None, None]):
        mine, other = ours.compute_mask(x, masks), theirs.compute_mask(x, masks)
        assert (mine is None) == (other is None)
        if mine is not None:
            np.testing.assert_array_equal(mine, other)
            inputs = [jnp.asarray(array) for array in x]
            for array, mask in zip(inputs, masks):
                if mask is not None:
                    attach(array, "mask", mask)
            np.testing.assert_array_equal(attached(ours(inputs), "mask"), other)


def test_functional_forms_equal_the_layers():
    x = parity.data([(2, 3), (2, 3)])
    for name in ("add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate"):
        expected = getattr(keras.layers, name)(x)
        parity.close(getattr(layers, name)(x), expected, 1e-6, 1e-6)
    parity.close(layers.dot(x, axes=1), keras.layers.dot(x, axes=1), 1e-6, 1e-6)


# ---- noise ---------------------------------------------------------------------------------------


def test_noise_has_the_mean_and_spread_it_should():
    x = np.full((400, 500), 2.0, "f")
    noisy = np.asarray(layers.GaussianNoise(0.5)(x, training=True))
    assert abs(noisy.mean() - 2) < 0.01 and abs(noisy.std() - 0.5) < 0.01
    scaled = np.asarray(layers.GaussianDropout(0.3)(x, training=True))
    assert abs(scaled.mean() - 2) < 0.02 and abs(scaled.std() - 2 * (3 / 7) ** 0.5) < 0.02
    normal = parity.data((400, 500))
    kept = np.asarray(layers.AlphaDropout(0.3)(normal, training=True))
    assert abs(kept.mean()) < 0.02 and abs(kept.std() - 1) < 0.02
    values = np.unique(np.round(np.asarray(layers.AlphaDropout(0.3)(x, training=True)), 3))
    theirs = np.unique(np.round(keras.layers.AlphaDropout(0.3)(x, training=True), 3))
    np.testing.assert_allclose(values, theirs, atol=2e-3)


@pytest.mark.parametrize(
    ("layer", "shape", "axes"),
    [
        (layers.SpatialDropout1D(0.25), (100, 3, 50), (1,)),
        (layers.SpatialDropout2D(0.25), (100, 2, 3, 50), (1, 2)),
        (layers.SpatialDropout2D(0.25, "channels_first"), (100, 50, 2, 3), (2, 3)),
        (layers.SpatialDropout3D(0.25), (100, 2, 1, 2, 50), (1, 2, 3)),
        (layers.SpatialDropout3D(0.25, "channels_first"), (100, 50, 2, 1, 2), (2, 3, 4)),
    ],
)
def test_spatial_dropout_drops_whole_channels(layer, shape, axes):
    kept = np.asarray(layer(np.ones(shape, "f"), training=True))
    np.testing.assert_array_equal(kept.min(axes), kept.max(axes))
    assert abs((kept > 0).mean() - 0.75) < 0.03
    np.testing.assert_allclose(kept[kept > 0], 1 / 0.75, rtol=1e-6)


def test_noise_only_acts_while_training_and_is_new_in_every_step():
    x = parity.data((20, 30))
    for layer in (layers.GaussianNoise(0.5), layers.GaussianDropout(0.5), layers.AlphaDropout(0.5)):
        np.testing.assert_array_equal(layer(x), x)
        first, second = (np.asarray(layer(x, training=True)) for _ in range(2))
        assert (first != second).any() and (first != x).any()


# ---- functions -----------------------------------------------------------------------------------


def double(x):
    return x * 2


@registry.register_serializable("mine")
def triple(x):
    return x * 3


def shapes_of(layer, *shape):
    return layer(layers.Input(shape)).shape, layer.compute_output_shape((5, *shape))


def test_lambda_calls_its_function_as_keras_does():
    x = parity.data((2, 4))
    mask = np.ones((2, 4), bool)
    cases = [
        (layers.Lambda(double), {}, 2),
        (layers.Lambda(lambda x, k: x * k, arguments={"k": 3}), {}, 3),
        (layers.Lambda(lambda x, mask=None: x if mask is None else 2 * x), {"mask": mask}, 2),
        (layers.Lambda(lambda x, training=None: 2 * x if training else x), {"training": True}, 2),
        (layers.Lambda(np.negative), {}, -1),
    ]
    for layer, call, factor in cases:
        np.testing.assert_allclose(layer(x, **call), x * factor, rtol=1e-6)
    assert shapes_of(layers.Lambda(lambda x: x[:, 0]), 4, 6) == ((None, 6), (5, 6))
    declared = layers.Lambda(lambda x: x[:, 0], output_shape=(6,))
    assert shapes_of(declared, 4, 6) == ((None, 6), (5, 6))
    found = layers.Lambda(lambda x: x[:, 0], output_shape=lambda shape: (shape[0], shape[2]))
    assert shapes_of(found, 4, 6) == ((None, 6), (5, 6))
    given, no_mask = layers.Lambda(double, mask=lambda x, mask: ~mask), layers.Lambda(double)
    np.testing.assert_array_equal(given.compute_mask(x, mask), ~mask)
    assert no_mask.compute_mask(x, mask) is None and not no_mask.supports_masking


def through_json(layer):
    return json.loads(json.dumps(registry.serialize(layer)))


def test_lambda_is_stored_by_name_and_never_as_code():
    x = parity.data((2, 3))
    ours = registry.serialize(layers.Lambda(double, name="mine", output_shape=(3,)))
    theirs = keras.layers.Lambda(double, name="mine", output_shape=(3,))
    other = keras.saving.serialize_keras_object(theirs)
    assert parity.plain(ours["config"]) == parity.plain(other["config"])

    named = through_json(layers.Lambda(double))
    with pytest.raises(ValueError, match=r"custom_objects=\{'double': function\}.*register_ser"):
        registry.deserialize(named)
    loaded = registry.deserialize(named, custom_objects={"double": double})
    np.testing.assert_allclose(loaded(x), 2 * x)

    registered = registry.deserialize(through_json(layers.Lambda(triple)))
    np.testing.assert_allclose(registered(x), 3 * x, rtol=1e-6)
    ours = registry.deserialize(through_json(layers.Lambda(layers.Activation("relu").activation)))
    np.testing.assert_allclose(ours(x), np.maximum(x, 0))


def test_a_lambda_expression_loads_only_with_a_function_given_for_its_layer():
    theirs = keras.layers.Lambda(lambda x: x * 2, name="twice")
    x = parity.data((2, 3))
    saved = [
        through_json(layers.Lambda(lambda x: x * 2, name="twice")),
        json.loads(json.dumps(keras.saving.serialize_keras_object(theirs))),
    ]
    assert "code" in str(saved[1]["config"]["function"])
    for config in saved:
        assert config["config"]["function"]["class_name"] == "__lambda__"
        with pytest.raises(ValueError, match=r"never run.*custom_objects=\{'twice': function\}"):
            registry.deserialize(config)
        loaded = registry.deserialize(config, custom_objects={"twice": double})
        np.testing.assert_allclose(loaded(x), 2 * x)


# ---- bad input -----------------------------------------------------------------------------------


def ones(*shape):
    return np.ones(shape, "f")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Embedding(0, 2), "input_dim must be a whole number"),
        (lambda: layers.Embedding(2, 2.5), "output_dim .* got 2.5"),
        (lambda: layers.Embedding(5, 2, weights=[ones(4, 2)])(IDS), r"\(5, 2\).*\(4, 2\)"),
        (lambda: layers.EinsumDense("abc->abd", 7), "Invalid einsum equation 'abc->abd'"),
        (lambda: layers.EinsumDense("...a...,ab->...b...", 7), "Invalid einsum equation"),
        (
            lambda: layers.EinsumDense("abc,cd->abd", (3, 7))(ones(2, 4, 6)),
            "shared dimension 'b'",
        ),
        (lambda: layers.EinsumDense("abc,cd->abd", (None, 7))(ones(2, 4)), "has 3 axes"),
        (
            lambda: layers.EinsumDense("abc,de->abe", (None, 7))(ones(2, 4, 6)),
            "the kernel's axis 'd'",
        ),
        (lambda: layers.EinsumDense("abc,cd->abdf", (None, 7, 2))(ones(2, 4, 6)), "Dimension 'f'"),
        (
            lambda: layers.EinsumDense("ab,bc->ac", 7, bias_axes="z")(ones(2, 4)),
            "bias_axes names 'z'",
        ),
        (lambda: layers.Add()(ones(2, 3)), "called on a list of at least 1 input; got shape"),
        (lambda: layers.Add()([ones(2, 3), ones(2, 4)]), "axis 1 has sizes"),
        (lambda: layers.Add()([ones(2, 3), ones(1, 3)]), "axis 0 has sizes"),
        (lambda: layers.Subtract()([ones(2, 3)] * 3), "exactly 2 inputs"),
        (lambda: layers.Concatenate(1)([ones(2, 3), ones(3, 3)]), "all other sizes must agree"),
        (lambda: layers.Concatenate(3)([ones(2, 3), ones(2, 3)]), "along axis 3"),
        (lambda: layers.Dot((1, 2, 3)), "two whole numbers"),
        (lambda: layers.Dot(0)([ones(2, 3), ones(2, 3)]), "other than the batch axis"),
        (lambda: layers.Dot(1)([ones(2, 3), ones(2, 4)]), "got 3 and 4"),
        (lambda: layers.Permute((1, 3)), "each number from 1"),
        (lambda: layers.Permute((2, 1))(ones(2, 3)), "3 axes"),
        (lambda: layers.RepeatVector(0), "at least 1; got 0"),
        (lambda: layers.RepeatVector(2)(ones(2, 3, 4)), "2 axes"),
        (lambda: layers.GaussianNoise(-0.1), "stddev must be between 0 and 1"),
        (lambda: layers.GaussianDropout(1.0), "below 1"),
        (lambda: layers.AlphaDropout(2), "rate must be between"),
        (lambda: layers.SpatialDropout2D(0.5, "last"), "data_format"),
        (lambda: layers.SpatialDropout1D(0.5)(ones(2, 3)), "3 axes"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_wrong_types_are_type_errors_as_in_keras():
    for make in (lambda: layers.Dot("a"), lambda: layers.RepeatVector(2.0)):
        with pytest.raises(TypeError):
            make()


def test_rows_that_meet_are_declared():
    assert not layers.Concatenate(axis=0).per_example
    assert layers.Concatenate(axis=1).per_example
    assert layers.EinsumDense("ab,bc->ac", 2).per_example
    assert not layers.EinsumDense("ab,ac->bc", 2).per_example
    assert jax.tree.all(
        [getattr(layers, n)(**a).per_example for n, a, _ in CASES if n != "EinsumDense"]
    )

"""Ready made encoders: shapes, saved models, padding, missing numbers, rows apart, learning."""

import jax
import numpy as np
import pytest

from slipstream import config, layers
from slipstream.core import registry
from slipstream.core.scope import attached
from slipstream.layers import encoders
from slipstream.models import Model, load_model

RNG = np.random.default_rng(0)
WORDS = RNG.integers(1, 20, (4, 7)).astype("int32")
WORDS[1, 4:] = 0
TABLE = {
    "numbers": RNG.normal(size=(4, 3)).astype("f"),
    "categories": RNG.integers(0, 4, (4, 2)).astype("int32"),
}
# Arguments, input, and the tokens' shape.
CASES = {
    "ImageResNet": ({"widths": (4, 8), "blocks": 1}, RNG.normal(size=(4, 9, 12, 2)), (5 * 6, 8)),
    "ImageViT": (
        {"patch_size": 3, "width": 8, "depth": 1, "num_heads": 2},
        RNG.normal(size=(4, 7, 12, 1)),
        (2 * 4, 8),
    ),
    "TextTransformer": (
        {"vocabulary_size": 20, "width": 8, "depth": 1, "num_heads": 2}, WORDS, (7, 8)
    ),
    "TextLSTM": ({"vocabulary_size": 20, "width": 4}, WORDS, (7, 8)),
    "AudioCNN": (
        {"sampling_rate": 4000, "mel_bins": 8, "widths": (4, 8)},
        RNG.normal(size=(4, 1000)),
        (4, 2 * 8),
    ),
    "TableMLP": ({"category_sizes": (4, 4), "widths": (8,)}, TABLE, None),
}  # fmt: skip


def case(name, **more):
    arguments, x, tokens = CASES[name]
    x = jax.tree.map(lambda v: v.astype("f") if v.dtype == np.float64 else v, x)
    return getattr(encoders, name)(features=5, **{**arguments, **more}), x, tokens


def ends(x):
    return jax.tree.map(lambda v: layers.Input(v.shape[1:], dtype=v.dtype.name), x)


def test_every_encoder_is_tested():
    assert set(encoders.__all__) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_models_of_encoders_learn_and_are_saved(name, tmp_path):
    layer, x, tokens = case(name, **({} if name == "TableMLP" else {"return_tokens": True}))
    end = ends(x)
    outputs = layer(end)
    vector = outputs[0] if tokens else outputs
    assert vector.shape == (None, 5)
    if tokens:
        assert outputs[1].shape == (None, *tokens)
    model = Model(end, vector)
    target = RNG.normal(size=(4, 5))
    model.compile("adam", "mse")
    before = [np.array(v) for v in model.trainable_variables]
    model.fit(x, target, epochs=2, batch_size=3, verbose=0)  # a batch of one at the end
    still = [v.path for v, b in zip(model.trainable_variables, before) if np.array_equal(v, b)]
    assert not still
    assert all(variable.path.startswith(layer.name + "/") for variable in model.variables)
    found = model.predict(x, verbose=0)
    assert found.shape == (4, 5) and np.isfinite(found).all()
    model.save(tmp_path / "encoder.keras")
    again = load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), found)
    # An example's vector does not depend on the others.
    part = model.predict(jax.tree.map(lambda v: v[1:3], x), verbose=0)
    np.testing.assert_allclose(part, found[1:3], rtol=1e-4, atol=1e-5)
    assert all(inner.per_example for inner in layer._flatten_layers())


@pytest.mark.parametrize("name", CASES)
def test_configurations_and_types(name):
    layer, x, _ = case(name)
    again = registry.deserialize(registry.serialize(layer))
    assert again.get_config() == layer.get_config()
    low, x, _ = case(name, dtype="mixed_bfloat16")
    found = low(x)
    assert str(found.dtype) == "bfloat16"
    assert {v.dtype for v in low.trainable_variables} == {"float32"}
    inner = {type(one).__name__ for one in low._flatten_layers() if one.compute_dtype != "bfloat16"}
    assert not inner


@pytest.mark.parametrize("name", CASES)
def test_an_empty_batch_stays_empty(name):
    layer, x, _ = case(name)
    assert layer(jax.tree.map(lambda v: v[:0], x)).shape == (0, 5)


@pytest.mark.parametrize("name", ["TextTransformer", "TextLSTM"])
def test_padding_counts_nowhere(name):
    layer, x, _ = case(name, return_tokens=True)
    vector, tokens = layer(x)
    np.testing.assert_array_equal(attached(tokens, "mask"), x != 0)
    if name == "TextLSTM":  # takes any length
        short, _ = layer(x[1:2, :4])
        np.testing.assert_allclose(vector[1:2], short, rtol=1e-4, atol=1e-5)
    fused = layers.CrossAttentionFusion(4, num_heads=2)([vector, tokens])
    assert np.isfinite(fused).all()
    nothing, _ = layer(np.zeros((1, 7), "int32"))
    assert np.isfinite(nothing).all()


def test_sounds_with_a_channel_and_masks_in_training_only():
    layer, x, _ = case("AudioCNN", spec_augment=True)
    plain = np.asarray(layer(x))
    np.testing.assert_array_equal(layer(x[..., None]), plain)
    np.testing.assert_array_equal(layer(x), plain)
    # A single loud sound in the batch changes nothing for the others.
    louder = np.concatenate([x[:3], 1000 * x[3:]])
    np.testing.assert_allclose(layer(louder)[:3], plain[:3], rtol=1e-4, atol=1e-5)
    kinds = [type(one).__name__ for one in layer._flatten_layers()]
    assert "SpecAugment" in kinds
    assert "SpecAugment" not in [type(o).__name__ for o in case("AudioCNN")[0]._flatten_layers()]


def test_numbers_that_are_missing_are_the_mean_and_are_flagged():
    layer, x, _ = case("TableMLP")
    spoilt = {**x, "numbers": np.where(np.eye(4, 3) == 1, np.nan, x["numbers"]).astype("f")}
    found = np.asarray(layer(spoilt))
    assert np.isfinite(found).all()
    end = ends(x)
    model = Model(end, layer(end))
    model.compile("adam", "mse")
    config.set_check_data(False)  # NaN is meant here
    try:
        model.fit(spoilt, np.zeros((4, 5)), epochs=2, verbose=0)
    finally:
        config.set_check_data(True)
    assert all(np.isfinite(np.asarray(v)).all() for v in model.variables)
    # 0 is the mean before training: the flag alone tells them apart.
    fresh, x, _ = case("TableMLP")
    zero = {**x, "numbers": np.zeros((4, 3), "f")}
    unknown = {**x, "numbers": np.full((4, 3), np.nan, "f")}
    assert not np.allclose(fresh(zero), fresh(unknown))
    alone = encoders.TableMLP(5)(x["numbers"])
    assert alone.shape == (4, 5)
    only = encoders.TableMLP(5, category_sizes=(4, 4))({"categories": x["categories"]})
    assert only.shape == (4, 5)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: encoders.ImageResNet(0), "features.*0"),
        (lambda: encoders.ImageResNet(4, widths=()), "widths"),
        (lambda: encoders.ImageResNet(4, blocks=0), "blocks"),
        (lambda: encoders.ImageResNet(4, name="e")(np.ones((2, 8, 8))), r"'e'.*\(2, 8, 8\)"),
        (lambda: encoders.ImageViT(4, patch_size=9, name="e")(np.ones((2, 8, 8, 1))), "'e'.*patch"),
        (lambda: encoders.TextLSTM(9, 4, name="e")(np.ones((2, 8, 8))), r"'e'.*whole numbers"),
        (lambda: encoders.TextTransformer(9, 4)(layers.Input((None,))), "last size known"),
        (lambda: encoders.AudioCNN(4, frame=0), "frame"),
        (lambda: encoders.AudioCNN(4, name="e")(np.ones((2, 700))), r"'e'.*halved 3 times"),
        (lambda: encoders.AudioCNN(4, name="e")(np.ones((2, 9000, 2))), r"'e'.*\(2, 9000, 2\)"),
        (lambda: encoders.TableMLP(4, return_tokens=True), "no tokens"),
        (lambda: encoders.TableMLP(4, name="e")(TABLE), "category_sizes"),
        (lambda: encoders.TableMLP(4, name="e")({"rows": np.ones((2, 3))}), "'numbers'"),
    ],
)
def test_what_does_not_fit_is_named(build, said):
    with pytest.raises(ValueError, match=said):
        build()

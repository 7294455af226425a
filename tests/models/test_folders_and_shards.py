"""A model in a folder, and weights in several files: both ways with Keras."""

import json
import os

import keras
import numpy as np
import pytest

import slipstream
from slipstream.models import load_model

X = np.random.default_rng(0).normal(size=(8, 30)).astype("f")


def network(library):
    model = library.Sequential(
        [library.Input((30,)), *(library.layers.Dense(30) for _ in range(3))]
    )
    model.compile("adam", "mse")
    model.fit(X, X, verbose=0)
    return model


def same(a, b):
    np.testing.assert_allclose(a.predict(X, verbose=0), b.predict(X, verbose=0), atol=1e-5)
    assert int(a.optimizer.iterations) == int(b.optimizer.iterations)
    for mine, theirs in zip(a.optimizer.variables, b.optimizer.variables):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-6)


def test_folders_both_ways(tmp_path):
    ours, theirs = network(slipstream), network(keras)
    ours.save(tmp_path / "ours", zipped=False)
    theirs.save(tmp_path / "theirs", zipped=False)
    assert set(os.listdir(tmp_path / "ours")) <= set(os.listdir(tmp_path / "theirs"))
    same(ours, keras.models.load_model(tmp_path / "ours"))
    same(load_model(tmp_path / "theirs"), theirs)
    again = network(slipstream)
    again.load_weights(tmp_path / "ours")
    same(again, ours)
    again.fit(X, X, verbose=0)
    again.save(tmp_path / "ours", zipped=False)
    same(load_model(tmp_path / "ours"), again)
    assert sorted(os.listdir(tmp_path)) == ["ours", "theirs"]
    with pytest.raises(FileExistsError):
        again.save(tmp_path / "ours", overwrite=False, zipped=False)
    with pytest.raises(ValueError, match="must not end in"):
        again.save(tmp_path / "ours.keras", zipped=False)


def test_vocabularies_travel_in_a_folder(tmp_path):
    model = slipstream.Sequential(
        [slipstream.layers.Input((1,), dtype="string"), slipstream.layers.StringLookup()]
    )
    model.layers[0].adapt([["a"], ["b"], ["a"]])
    model.save(tmp_path / "m", zipped=False)
    again = load_model(tmp_path / "m")
    assert again.layers[0].get_vocabulary() == model.layers[0].get_vocabulary()


@pytest.mark.parametrize("name", ["w.weights.h5", "w.weights.json"])
def test_shards_both_ways(name, tmp_path):
    limit = 8000 / 1e9  # two of the kernels, of 3,600 bytes each
    ours, theirs = network(slipstream), network(keras)
    for folder, model in (("ours", ours), ("theirs", theirs)):
        (tmp_path / folder).mkdir()
        model.save_weights(tmp_path / folder / name, max_shard_size=limit)
    written = json.loads((tmp_path / "ours" / "w.weights.json").read_text())
    known = json.loads((tmp_path / "theirs" / "w.weights.json").read_text())
    assert written["metadata"] == known["metadata"]
    assert set(written["weight_map"]) == set(known["weight_map"])
    files = [file for file in os.listdir(tmp_path / "ours") if file.endswith(".h5")]
    assert len(files) >= 4 and "w_00000.weights.h5" in files
    other, there = network(slipstream), network(keras)
    other.load_weights(tmp_path / "theirs" / "w.weights.json")
    same(other, theirs)
    there.load_weights(tmp_path / "ours" / "w.weights.json")
    same(ours, there)


def test_new_shards_leave_no_old_ones_and_never_mix(tmp_path):
    first, second = network(slipstream), network(slipstream)
    index = tmp_path / "w.weights.json"
    first.save_weights(index, max_shard_size=4e-6)
    old = set(os.listdir(tmp_path))
    second.save_weights(index, max_shard_size=1.0)
    new = set(os.listdir(tmp_path))
    assert new & old == {"w.weights.json"} and len(new) == 2
    first.load_weights(index)
    same(first, second)
    with pytest.raises(FileExistsError):
        first.save_weights(index, overwrite=False, max_shard_size=1.0)
    with pytest.raises(ValueError, match="max_shard_size"):
        first.save_weights(index, max_shard_size=0)


def damage(index, change):
    content = json.loads(index.read_text())
    change(content["weight_map"])
    index.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda i: i.write_text("{"), "damaged"),
        (lambda i: i.write_text("[1]"), "damaged"),
        (lambda i: damage(i, lambda m: m.update({"/a/vars": ["../x.weights.h5"]})), "not one"),
        (lambda i: damage(i, lambda m: m.update({"/a/vars": ["/etc/passwd"]})), "not one"),
        (lambda i: damage(i, lambda m: m.update({"/a/vars": ["x.weights.h5"]})), "not there"),
        (lambda i: (i.parent / "w_00001.weights.h5").unlink(), "not there"),
        (lambda i: damage(i, lambda m: m.clear()), "no group"),
    ],
)
def test_bad_indexes_are_refused(spoil, message, tmp_path):
    model = network(slipstream)
    index = tmp_path / "w.weights.json"
    model.save_weights(index, max_shard_size=8e-6)
    before = model.get_weights()
    spoil(index)
    with pytest.raises(ValueError, match=message):
        model.load_weights(index)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)

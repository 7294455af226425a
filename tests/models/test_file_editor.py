"""Looking into files of weights, and changing them, beside Keras."""

import keras
import numpy as np
import pytest

import slipstream
from slipstream.saving import KerasFileEditor


def network(library, middle="d"):
    model = library.models.Sequential(
        [
            library.layers.Input((2,)),
            library.layers.Dense(3, name=middle),
            library.layers.BatchNormalization(),
        ]
    )
    model.compile("adam", "mse")
    return model


def plain(tree):
    return {k: plain(v) if isinstance(v, dict) else np.asarray(v).tolist() for k, v in tree.items()}


@pytest.fixture(params=["f.weights.h5", "f.keras"])
def file(request, tmp_path):
    model = network(keras)
    save = model.save if request.param.endswith("keras") else model.save_weights
    save(tmp_path / request.param)
    return tmp_path / request.param


def test_the_same_tree_as_keras(file):
    theirs, mine = (editor(str(file)) for editor in (keras.saving.KerasFileEditor, KerasFileEditor))
    assert plain(theirs.weights_dict) == plain(mine.weights_dict)


def test_changes_are_keras_own_and_both_read_them(file, tmp_path, capsys):
    found = []
    for library in (keras, slipstream):
        editor = library.saving.KerasFileEditor(str(file))
        editor.rename_object("layers/dense", "other")
        editor.add_object("layers/new", weights={"0": np.ones(2, "float32")})
        editor.delete_weight("layers/other", "1")
        editor.add_weights("layers/other", {"1": np.full(3, 7, "float32")})
        editor.delete_object("layers/new")
        found.append(plain(editor.weights_dict))
        assert editor.compare(network(library))["status"] == "error"
        editor.rename_object("layers/other", "dense")
        assert editor.compare(network(library))["status"] == "success"
        target = tmp_path / f"{library.__name__}.weights.h5"
        editor.save(str(target))
        for reader in (keras, slipstream):
            model = network(reader)
            model.load_weights(str(target))
            assert model.get_weights()[1].tolist() == [7, 7, 7]
        editor.summary()
        assert "shape=(2, 3)" in capsys.readouterr().out
    assert found[0] == found[1]


def test_mistakes_are_told(file, tmp_path):
    editor = KerasFileEditor(file)
    for call, message in [
        (lambda: editor.rename_object("zzz", "y"), "no 'zzz'"),
        (lambda: editor.rename_object("layers/dense", "a/b"), "without '/'"),
        (lambda: editor.rename_object("layers/dense", "batch_normalization"), "taken"),
        (lambda: editor.add_object("layers/dense", {}), "there already"),
        (lambda: editor.add_object("no/where", {}), "no 'no'"),
        (lambda: editor.delete_weight("layers/dense", "9"), "no weight '9'"),
        (lambda: editor.save(tmp_path / "x.keras"), "must end in"),
        (lambda: KerasFileEditor(__file__), "no saved weights"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(FileNotFoundError):
        KerasFileEditor(tmp_path / "none.keras")

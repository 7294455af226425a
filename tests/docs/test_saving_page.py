"""What the page on files promises: the tests it names exist, and hostile files do nothing."""

import re
import tempfile
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from slipstream import layers
from slipstream.models import Sequential, load_model

ROOT = Path(__file__).parents[2]


def test_tests_that_the_page_names_exist():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "saving.md").read_text()))
    source = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert named
    assert named <= set(re.findall(r"def (test_\w+)", source))


def external(file, name, elsewhere):
    file[name] = h5py.ExternalLink(str(elsewhere), "secret")


def soft(file, name, elsewhere):
    file["secret"] = np.ones((4, 3), "f")
    file[name] = h5py.SoftLink("/secret")


def stored_elsewhere(file, name, elsewhere):
    place = file.require_group(str(Path(name).parent))
    place.create_dataset("0", (4, 3), "f", external=[(str(elsewhere), 0, h5py.h5f.UNLIMITED)])


def virtual(file, name, elsewhere):
    layout = h5py.VirtualLayout((4, 3), "f")
    layout[:] = h5py.VirtualSource(str(elsewhere), "secret", (4, 3))
    file.create_virtual_dataset(name, layout)


@pytest.mark.parametrize("lead_away", [external, soft, stored_elsewhere, virtual])
def test_weights_that_are_links_are_refused(lead_away, tmp_path):
    with h5py.File(tmp_path / "elsewhere.h5", "w") as file:
        file["secret"] = np.ones((4, 3), "f")
    model = Sequential([layers.Input((4,)), layers.Dense(3)])
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5", "r+") as file:
        del file["layers/dense/vars/0"]
        lead_away(file, "layers/dense/vars/0", tmp_path / "elsewhere.h5")
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"has no weight|not stored in the file itself"):
        model.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


class Notes(layers.Layer):
    """A layer that keeps a file beside its weights."""

    seen: list[str] = []

    def call(self, inputs):
        return inputs

    def save_assets(self, folder):
        (Path(folder) / "notes.txt").write_text("mine")

    def load_assets(self, folder):
        assert (Path(folder) / "notes.txt").read_text() == "mine"
        self.seen += [str(file) for file in Path(tempfile.tempdir).parent.rglob("*")]


def test_paths_in_an_archive_lead_nowhere(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    path = tmp_path / "m.keras"
    Sequential([layers.Input((4,)), Notes()]).save(path)
    with zipfile.ZipFile(path, "a") as archive:
        asset = next(name for name in archive.namelist() if name.startswith("assets/"))
        home = asset.rpartition("/")[0]
        for name in ("../evil", "/evil", f"{home}/../../../evil", f"{home}/..", f"{home}/./evil"):
            archive.writestr(name, "evil")
    load_model(path, custom_objects={"Notes": Notes})
    assert any("notes.txt" in name for name in Notes.seen)
    assert not [name for name in Notes.seen if "evil" in name]


def test_bytecode_of_a_lambda_is_not_run(tmp_path):
    mark = tmp_path / "ran"

    def leave_a_mark(x, mark=str(mark)):
        Path(mark).touch()
        return x

    leave_a_mark.__name__ = "<lambda>"
    keras.Sequential([keras.Input((4,)), keras.layers.Lambda(leave_a_mark)]).save(
        tmp_path / "m.keras"
    )
    mark.unlink()
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert "__lambda__" in archive.read("config.json").decode()
    with pytest.raises(ValueError, match="never run"):
        load_model(tmp_path / "m.keras")
    assert not mark.exists()

"""The holes through which files attacked Keras, or work was lost: one test each, all closed."""

import io
import json
import os
import pickle
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream import layers
from slipstream.models import Sequential, load_model


class Touch:
    """Unpickling it leaves a mark."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return Path.touch, (Path(self.mark),)


def small():
    return Sequential([layers.Input((4,)), layers.Dense(3)])


def rewrite(path, drop=None, config=None, weights=None):
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts.pop(drop, None)
    if config is not None:
        parts["config.json"] = config
    if weights is not None:
        parts["model.weights.h5"] = weights
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def reconfigure(path, change):
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    change(config["config"]["layers"])
    rewrite(path, config=json.dumps(config).encode())


# ---- code ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("safe_mode", [True, False])
@pytest.mark.parametrize(
    "named",
    [
        {"module": "os", "class_name": "function", "config": "system"},
        {"module": "builtins", "class_name": "function", "config": "exec"},
        {"module": "subprocess", "class_name": "Popen", "config": {}},
        {"module": "keras.src.saving", "class_name": "load_model", "config": {}},
        {"module": "slipstream.core.files", "class_name": "function", "config": "atomic"},
    ],
    ids=lambda named: named["module"],
)
def test_import_by_config_name(named, safe_mode, tmp_path):
    path, mark = tmp_path / "m.keras", tmp_path / "ran"
    small().save(path)
    what = named["config"] if isinstance(named["config"], str) else named["class_name"]
    code = {**named, "registered_name": f"os>{what}", "args": [f"touch {mark}"]}

    def put(stack):
        stack[1] = code

    reconfigure(path, put)
    with pytest.raises(ValueError, match="neither part of Slipstream nor registered"):
        load_model(path, safe_mode=safe_mode)
    assert not mark.exists()


@pytest.mark.parametrize("safe_mode", [True, False])
def test_lambda_bytecode(safe_mode, tmp_path):
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
        load_model(tmp_path / "m.keras", safe_mode=safe_mode)
    assert not mark.exists()


@pytest.mark.parametrize("safe_mode", [True, False])
def test_h5_that_ignores_safe_mode(safe_mode, tmp_path):
    mark = tmp_path / "ran"
    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x)])
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        assert "__lambda__" in str(file.attrs["model_config"])
    with pytest.raises(ValueError, match=r"no \.keras file"):
        load_model(tmp_path / "m.h5", safe_mode=safe_mode)
    assert not mark.exists()


def test_pickles_in_assets(tmp_path):
    mark, path = tmp_path / "ran", tmp_path / "m.keras"
    text = layers.StringLookup()
    text.adapt([["a"], ["b"]])
    Sequential([layers.Input((1,), dtype="string"), text]).save(path)
    array = io.BytesIO()
    np.save(array, np.array([Touch(mark)], dtype=object), allow_pickle=True)
    archive = io.BytesIO()
    np.savez(archive, vocabulary=np.array([Touch(mark)], dtype=object))
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    asset = next(name for name in parts if name.startswith("assets/"))
    home = asset.rpartition("/")[0]
    for content in (pickle.dumps(Touch(mark)), array.getvalue(), archive.getvalue()):
        with zipfile.ZipFile(path, "w") as new:
            for name, known in parts.items():
                new.writestr(name, content if name == asset else known)
            for name in ("vocabulary.npy", "vocabulary.npz", "vocabulary.pkl"):
                new.writestr(f"{home}/{name}", content)
        with pytest.raises(ValueError):
            load_model(path)
        assert not mark.exists()


# ---- paths and links -----------------------------------------------------------------------------


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


def test_traversal_in_archives(tmp_path, monkeypatch):
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


@pytest.mark.parametrize("part", ["config.json", "model.weights.h5"])
def test_links_in_archives(part, tmp_path):
    path, elsewhere = tmp_path / "m.keras", tmp_path / "other.keras"
    small().save(path)
    small().save(elsewhere)
    with zipfile.ZipFile(elsewhere) as archive:
        archive.extract(part, tmp_path / "secret")
    target = tmp_path / "secret" / part
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name)
            if name == part:
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
                content = str(target)
            archive.writestr(entry, content)
    with pytest.raises(ValueError, match="is a link"):
        load_model(path)
    folder = tmp_path / "folder"
    small().save(folder, zipped=False)
    (folder / part).unlink()
    (folder / part).symlink_to(target)
    with pytest.raises(ValueError, match="lacks"):
        load_model(folder)


def refused(lead_away, tmp_path):
    """Put something else in a weight's place, and see it refused without any change."""
    with h5py.File(tmp_path / "elsewhere.h5", "w") as file:
        file["secret"] = np.ones((4, 3), "f")
    model = small()
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5", "r+") as file:
        lead_away(file, tmp_path / "elsewhere.h5")
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"has no (weight|group)|not stored in the file itself"):
        model.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


PLACE = "layers/dense/vars"


def test_hdf5_external_storage(tmp_path):
    def stored_elsewhere(file, elsewhere):
        del file[f"{PLACE}/0"]
        where = [(str(elsewhere), 0, h5py.h5f.UNLIMITED)]
        file[PLACE].create_dataset("0", (4, 3), "f", external=where)

    refused(stored_elsewhere, tmp_path)


def external(file, elsewhere):
    del file[f"{PLACE}/0"]
    file[f"{PLACE}/0"] = h5py.ExternalLink(str(elsewhere), "secret")


def soft(file, elsewhere):
    del file[f"{PLACE}/0"]
    file["secret"] = np.ones((4, 3), "f")
    file[f"{PLACE}/0"] = h5py.SoftLink("/secret")


def virtual(file, elsewhere):
    del file[f"{PLACE}/0"]
    layout = h5py.VirtualLayout((4, 3), "f")
    layout[:] = h5py.VirtualSource(str(elsewhere), "secret", (4, 3))
    file[PLACE].create_virtual_dataset("0", layout)


def whole_group(file, elsewhere):
    with h5py.File(elsewhere, "a") as other:
        other["vars/0"], other["vars/1"] = np.ones((4, 3), "f"), np.ones(3, "f")
    del file[PLACE]
    file[PLACE] = h5py.ExternalLink(str(elsewhere), "vars")


@pytest.mark.parametrize("lead_away", [external, soft, virtual, whole_group])
def test_hdf5_links(lead_away, tmp_path):
    refused(lead_away, tmp_path)


# ---- sizes ---------------------------------------------------------------------------------------


def test_declared_shape_bombs(tmp_path):
    terabytes = 10**12

    def declare(file, elsewhere):
        del file[f"{PLACE}/0"]
        file[PLACE].create_dataset("0", (terabytes, 4), "f", chunks=(1024, 4))

    with pytest.raises(ValueError, match=r"shape \(1000000000000, 4\) there"):
        small_file_with(declare, tmp_path)
    path = tmp_path / "m.keras"
    small().save(path)
    for units in (10**7, 10**9, terabytes):

        def order(stack, units=units):
            stack[1]["config"]["units"] = units

        reconfigure(path, order)
        with pytest.raises(ValueError, match="more than the file"):
            load_model(path)


def small_file_with(change, tmp_path):
    model = small()
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5", "r+") as file:
        change(file, None)
    model.load_weights(tmp_path / "m.weights.h5")


def test_declared_shapes_of_a_layer_that_stores_by_itself(tmp_path):
    class Table(layers.Layer):
        def build(self, input_shape):
            self.table = np.zeros(3)

        def call(self, inputs):
            return inputs

        def save_own_variables(self, store):
            store["table"] = self.table

        def load_own_variables(self, store):
            self.table = store["table"]

    model = Sequential([layers.Input((4,)), Table()])
    model.save_weights(tmp_path / "t.weights.h5")
    with h5py.File(tmp_path / "t.weights.h5", "r+") as file:
        del file["layers/table/vars/table"]
        file.create_dataset("layers/table/vars/table", (10**12,), "f", chunks=(1024,))
    with pytest.raises(ValueError, match="declares 1,000,000,000,000 elements"):
        model.load_weights(tmp_path / "t.weights.h5")


@pytest.mark.parametrize("part", ["weights", "config"])
def test_compression_bombs(part, tmp_path):
    path = tmp_path / "m.keras"
    small().save(path)
    rewrite(path, **{part: bytes(70 * 2**20)})
    assert path.stat().st_size < 2**20
    with pytest.raises(ValueError, match="declares"):
        load_model(path)
    # The same, with a size that lies.
    content = bytearray(path.read_bytes())
    real = (70 * 2**20).to_bytes(4, "little")
    assert content.count(real) >= 1
    path.write_bytes(content.replace(real, (1000).to_bytes(4, "little")))
    with pytest.raises(ValueError, match="damaged"):
        load_model(path)


# ---- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-500]), "damaged|no .keras file"),
        (lambda path: path.write_bytes(b"not a zip"), "no .keras file"),
        (lambda path: path.write_bytes(b""), "no .keras file"),
        (lambda path: rewrite(path, drop="config.json"), "lacks config.json"),
        (lambda path: rewrite(path, config=b"[1, 2"), "damaged"),
        (lambda path: rewrite(path, config=b"[" * 10**6), "damaged"),
        (lambda path: rewrite(path, config=b"[1, 2]"), "no dictionary"),
        (lambda path: rewrite(path, weights=b"junk"), "damaged or no HDF5"),
    ],
)
def test_damaged_files(spoil, message, tmp_path):
    path = tmp_path / "m.keras"
    small().save(path)
    spoil(path)
    with pytest.raises(ValueError, match=message):
        load_model(path)


def test_truncated_files(tmp_path):
    whole, path = tmp_path / "w.weights.h5", tmp_path / "m.keras"
    model = small()
    model.save(path)
    model.save_weights(whole)
    before = model.get_weights()
    for file, load in ((path, load_model), (whole, model.load_weights)):
        content = file.read_bytes()
        for end in {*range(0, len(content), len(content) // 25), len(content) - 1}:
            file.write_bytes(content[:end])
            with pytest.raises(ValueError, match="damaged"):
                load(file)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model, its two files' contents, and a folder to work in."""
    folder = tmp_path_factory.mktemp("flips")
    model = Sequential(
        [layers.Input((4,)), layers.Dense(3, "relu"), layers.BatchNormalization(), layers.Dense(2)]
    )
    model.save(folder / "m.keras")
    model.save_weights(folder / "m.weights.h5")
    return model, {name: (folder / name).read_bytes() for name in os.listdir(folder)}, folder


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5"])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), from_end=st.booleans())
def test_bit_flipped_files(saved, name, place, bit, from_end):
    model, contents, folder = saved
    content = bytearray(contents[name])
    # A zip's directory lies at its end, HDF5's at its start: half of the flips go there.
    index = int(place * (1200 if from_end else len(content)))
    index = len(content) - 1 - index if from_end and name == "m.keras" else index
    content[index] ^= 1 << bit
    (folder / f"x.{name}").write_bytes(content)
    again = Sequential.from_config(model.get_config())
    try:
        if name == "m.keras":
            again = load_model(folder / f"x.{name}")
        else:
            again.load_weights(folder / f"x.{name}")
    except ValueError:
        return
    assert again.get_config() == model.get_config()
    for mine, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_flipped_weights_are_noticed(saved, tmp_path):
    model, contents, _ = saved
    content = contents["m.weights.h5"]
    for weight in (model.layers[0].kernel.numpy(), model.layers[2].kernel.numpy()):
        place = content.find(weight.tobytes())
        assert place > 0
        flipped = bytearray(content)
        flipped[place] ^= 1
        (tmp_path / "x.weights.h5").write_bytes(flipped)
        with pytest.raises(ValueError, match="checksum"):
            model.load_weights(tmp_path / "x.weights.h5")


# ---- saving that is cut short --------------------------------------------------------------------

SAVER = """
import os, resource, signal, sys
os.environ["SLIPSTREAM_CACHE"] = "off"
from slipstream import layers
from slipstream.models import Sequential
path, size = sys.argv[1], int(sys.argv[2])
model = Sequential([layers.Input((4,)), layers.Dense(3)])
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # kills the process at the byte over the limit
killed = 0
for limit in [*range(0, size - 100, size // 15), size - 100]:  # names differ by some bytes
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        (model.save if path.endswith(".keras") else model.save_weights)(path)
        os._exit(0)
    killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
print(killed)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit of file sizes here")
@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5"])
def test_kill_at_any_byte_of_a_save(name, tmp_path):
    assert resource.RLIM_INFINITY in resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / name
    (small().save if name == "m.keras" else small().save_weights)(path)
    before = path.read_bytes()
    program = [sys.executable, "-W", "ignore", "-c", SAVER, str(path), str(len(before))]
    done = subprocess.run(program, capture_output=True, text=True)
    assert int(done.stdout) >= 15, done.stderr
    assert path.read_bytes() == before


def test_a_failing_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "m.keras"
    model = Sequential([layers.Dense(1, input_dim=1)])
    model.save(path)
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    with pytest.raises(OSError, match="No space left"):
        model.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.keras"]

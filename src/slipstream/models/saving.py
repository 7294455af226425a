"""Models and weights on disk, in Keras 3's own layout.

A ``.keras`` file is a zip of ``metadata.json``, ``config.json`` and ``model.weights.h5``; a folder
may hold the same. Loading runs no code: classes come from the closed registry, arrays are read
into variables that exist already, and sizes are checked against them before anything is read.
"""

from __future__ import annotations

import json
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.core import budget, registry
from slipstream.core.files import atomic
from slipstream.core.layer import Layer
from slipstream.models import hdf5, safetensors, shards
from slipstream.models.container import opened, pack, place, unpack
from slipstream.models.weights import parts as parts_of
from slipstream.models.weights import storage

FORMAT = "3.15.1"  # the version of Keras whose layout this is
MAX_CONFIG_BYTES = 64 * 2**20
MAX_ASSET_BYTES = 256 * 2**20
SLACK_BYTES = 64 * 2**20  # for what a file holds, or a model makes, beside weights
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_HDF5, _SAFETENSORS = ".weights.h5", ".safetensors"


def save_model(
    model: Any, filepath: Any, overwrite: bool = True, zipped: bool | None = None
) -> None:
    """Write architecture, weights, `compile` arguments and optimizer state.

    Args:
        model: a built model.
        filepath: a ``.keras`` file, or with `zipped` False a folder.
        overwrite: whether to replace what is there.
        zipped: False for a folder of the parts instead of one file.

    Raises:
        ValueError: if the name does not end in ``.keras`` (or does, for a folder), or the model
            is not built.
        FileExistsError: if something is there and `overwrite` is False.
    """
    path = _target(filepath, ".keras" if zipped is not False else "", overwrite)
    if zipped is False and path.suffix in (".keras", ".h5"):
        raise ValueError(
            f"With zipped=False the model becomes a folder; its name must not end in "
            f"{path.suffix!r}: got {str(path)!r}."
        )
    _check_built(model)
    config = registry.serialize(model)
    compiled = compile_config(model)
    if compiled is not None:
        config["compile_config"] = compiled
    metadata = {
        "keras_version": FORMAT,
        "date_saved": datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.parent if zipped is False else None  # to be moved, not copied
    with tempfile.TemporaryDirectory(
        prefix=f".{path.name}.", suffix=".part", dir=beside, ignore_cleanup_errors=True
    ) as outer:
        folder = Path(outer) / "parts"
        folder.mkdir()
        (folder / _METADATA).write_text(json.dumps(metadata))
        (folder / _CONFIG).write_text(json.dumps(config))
        hdf5.write(model, folder / _WEIGHTS)
        for name, layer in _asset_layers(model):
            (folder / name).mkdir(parents=True)
            layer.save_assets(folder / name)
        if zipped is False:
            place(folder, path)
        else:
            pack(folder, path)


def load_model(
    filepath: Any,
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """Read a model that `save_model`, or Keras 3, wrote.

    Args:
        filepath: the ``.keras`` file or the folder.
        custom_objects: classes and functions of the user's, by the name the file gives them.
        compile: whether to compile it as it was, optimizer state included.
        safe_mode: accepted for Keras' signature. Loading never runs code, whatever it says.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such file, names something unknown, or its weights do not fit.
    """
    path = _present(filepath)
    with opened(path) as parts, tempfile.TemporaryDirectory() as folder:
        missing = {_CONFIG, _WEIGHTS} - set(parts.names())
        if missing:
            raise ValueError(f"{str(path)!r} lacks {', '.join(sorted(missing))}; save it again.")
        config = _read_config(parts, Path(folder))
        with registry.custom_object_scope(custom_objects):
            # What the weights take the file must hold: an architecture alone orders no memory.
            with budget.at_most(parts.size(_WEIGHTS) + SLACK_BYTES):
                model = registry.deserialize(config, kind=None)
            if not isinstance(model, Layer):
                raise ValueError(f"{str(path)!r} holds a {type(model).__name__}, not a model.")
            saved: Any = config.get("compile_config")
            if compile and saved:
                model.compile_from_config(saved)  # type: ignore[attr-defined]
        # Under a fixed name: nothing that the archive says decides where bytes go.
        weights = Path(folder) / _WEIGHTS
        unpack(parts, _WEIGHTS, weights, _most_bytes(model))
        _read_assets(model, parts, Path(folder))
        hdf5.read(model, [weights], str(path))
    return model


def _asset_layers(model: Any) -> list[tuple[str, Any]]:
    """Layers that keep files beside their weights (vocabularies), with their folder's name."""
    return [
        (f"assets/{part.path}", part.owner)
        for part in parts_of(model)
        if hasattr(part.owner, "save_assets")
    ]


def _read_assets(model: Any, parts: Any, folder: Path) -> None:
    """Unpack the files of each layer that wants some, under names that are ours."""
    for number, (name, layer) in enumerate(_asset_layers(model)):
        own = folder / f"assets{number}"
        own.mkdir()
        for part in parts.names():
            owner, _, file = part.rpartition("/")
            if (
                owner == name
                and file
                and file == os.path.basename(file)
                and file not in (".", "..")
            ):
                unpack(parts, part, own / file, MAX_ASSET_BYTES)
        if any(own.iterdir()):
            layer.load_assets(own)


def _read_config(parts: Any, folder: Path) -> dict[str, Any]:
    unpack(parts, _CONFIG, folder / _CONFIG, MAX_CONFIG_BYTES)
    try:
        config = json.loads((folder / _CONFIG).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{parts.shown!r} is damaged: {error}. Save the model again.") from error
    if not isinstance(config, dict):
        raise ValueError(f"{parts.shown!r}: its configuration is no dictionary.")
    return config


def _most_bytes(model: Any) -> int:
    """Bytes of weights that a model of this architecture may have."""
    sizes = sum(v.size * np.dtype(storage(v.dtype)).itemsize for v in model.variables)
    return SLACK_BYTES + 8 * sizes  # optimizers keep a few values a weight


def compile_config(model: Any) -> dict[str, Any] | None:
    """What the model's `get_compile_config` says, or None if that cannot be written."""
    try:
        return model.get_compile_config() or None
    except TypeError:
        return None  # an optax transformation, say: the architecture and weights still load


def save_weights(
    model: Any, filepath: Any, overwrite: bool = True, max_shard_size: float | None = None
) -> None:
    """Write all weights to a file.

    Args:
        model: a built model.
        filepath: ``.weights.h5``, which Keras 3 reads and which holds the optimizer's state too,
            or ``.safetensors``, weights alone under their paths.
        overwrite: whether to replace a file that is there.
        max_shard_size: largest size of a file in GB; what is more goes into further files, and
            ``.weights.json`` says which. Only for ``.weights.h5`` and ``.weights.json``.

    Raises:
        ValueError: if the name does not end so, or the model is not built.
        FileExistsError: if the file is there and `overwrite` is False.
    """
    if max_shard_size is not None:
        path = _target(filepath, (_HDF5, shards.ENDING), overwrite=True)
        index = path.with_name(path.name.removesuffix(".h5").removesuffix(".json") + ".json")
        _target(index, shards.ENDING, overwrite)
        _check_built(model)
        shards.write(model, index, max_shard_size)
        return
    path = _target(filepath, (_HDF5, _SAFETENSORS), overwrite)
    _check_built(model)
    with atomic(path) as temporary:
        (hdf5 if path.name.endswith(_HDF5) else safetensors).write(model, temporary)


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False) -> None:
    """Read weights that `save_weights`, or Keras 3, wrote; all or none.

    Args:
        model: a built model of the same architecture.
        filepath: the ``.weights.h5``, ``.weights.json``, ``.safetensors`` or ``.keras`` file, or
            the folder of a model.
        skip_mismatch: leave weights alone that are missing or of another shape in the file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the model is not built, or a weight is missing or of another shape.
    """
    path = _present(filepath)
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} is not built, so there is nothing to load into. Call it on "
            "data first, or start it with Input(shape=…)."
        )
    if path.suffix == ".keras" or path.is_dir():
        with opened(path) as parts, tempfile.TemporaryDirectory() as folder:
            if _WEIGHTS not in parts.names():
                raise ValueError(f"{str(path)!r} lacks {_WEIGHTS}; save it again.")
            weights = Path(folder) / _WEIGHTS
            unpack(parts, _WEIGHTS, weights, _most_bytes(model))
            hdf5.read(model, [weights], str(path), skip_mismatch)
    elif path.name.endswith(shards.ENDING):
        hdf5.read(model, shards.files_of(path), str(path), skip_mismatch)
    elif path.name.endswith(_SAFETENSORS):
        safetensors.read(model, path, str(path), skip_mismatch)
    else:
        hdf5.read(model, [path], str(path), skip_mismatch)


def _check_built(model: Any) -> None:
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} is not built, so it has no weights to save. Call it on data "
            "first, or start it with Input(shape=…)."
        )


def _present(filepath: Any) -> Path:
    path = Path(os.fspath(filepath))
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    return path


def _target(filepath: Any, endings: str | tuple[str, ...], overwrite: bool) -> Path:
    path = Path(os.fspath(filepath))
    if not path.name.endswith(endings):
        wanted = " or ".join(map(repr, [endings] if isinstance(endings, str) else endings))
        raise ValueError(f"The file's name must end in {wanted}; got {str(path)!r}.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{str(path)!r} exists, and overwrite is False.")
    return path

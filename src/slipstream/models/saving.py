"""Models and weights on disk, in Keras 3's own layout.

A ``.keras`` file is a zip of ``metadata.json``, ``config.json`` and ``model.weights.h5``. Loading
runs no code: classes come from the closed registry, arrays are read into variables that exist
already, and sizes are checked against them before anything is read.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.core import registry
from slipstream.core.files import atomic
from slipstream.core.layer import Layer
from slipstream.models import weights as layout

FORMAT = "3.15.1"  # the version of Keras whose layout this is
MAX_CONFIG_BYTES = 64 * 2**20
MAX_ASSET_BYTES = 256 * 2**20
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


def save_model(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Write architecture, weights, `compile` arguments and optimizer state to a ``.keras`` file.

    Raises:
        ValueError: if the name does not end in ``.keras``, or the model is not built.
        FileExistsError: if the file is there and `overwrite` is False.
    """
    path = _target(filepath, ".keras", overwrite)
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} is not built, so it has no weights to save. Call it on data "
            "first, or start it with Input(shape=…)."
        )
    config = registry.serialize(model)
    compiled = compile_config(model)
    if compiled is not None:
        config["compile_config"] = compiled
    metadata = {
        "keras_version": FORMAT,
        "date_saved": datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
    }
    with atomic(path) as temporary, tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / _WEIGHTS
        layout.write_hdf5(model, weights)
        with zipfile.ZipFile(temporary, "w") as archive:
            archive.writestr(_METADATA, json.dumps(metadata))
            archive.writestr(_CONFIG, json.dumps(config))
            archive.write(weights, _WEIGHTS)
            _write_assets(model, archive, Path(folder))


def load_model(
    filepath: Any,
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """Read a model that `save_model`, or Keras 3, wrote.

    Args:
        filepath: the ``.keras`` file.
        custom_objects: classes and functions of the user's, by the name the file gives them.
        compile: whether to compile it as it was, optimizer state included.
        safe_mode: accepted for Keras' signature. Loading never runs code, whatever it says.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such file, names something unknown, or its weights do not fit.
    """
    path = Path(os.fspath(filepath))
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"{str(path)!r} is no .keras file, or it is damaged: {error}. Save the model again."
        ) from error
    with archive:
        names = set(archive.namelist())
        missing = {_CONFIG, _WEIGHTS} - names
        if missing:
            raise ValueError(f"{str(path)!r} lacks {', '.join(sorted(missing))}; save it again.")
        config = _read_json(archive, path)
        with registry.custom_object_scope(custom_objects):
            model = registry.deserialize(config, kind=None)
            if not isinstance(model, Layer):
                raise ValueError(f"{str(path)!r} holds a {type(model).__name__}, not a model.")
            saved = config.get("compile_config")
            if compile and saved:
                compile_from_config(model, saved)
        with tempfile.TemporaryDirectory() as folder:
            # Under a fixed name: nothing that the archive says decides where bytes go.
            weights = Path(folder) / _WEIGHTS
            _extract(archive, weights, model, path)
            _read_assets(model, archive, Path(folder), path)
            layout.read_hdf5(model, weights, str(path))
    return model


def _asset_layers(model: Any) -> list[tuple[str, Any]]:
    """Layers that keep files beside their weights (vocabularies), with their folder's name."""
    return [
        (f"assets/{part.path}", part.owner)
        for part in layout.parts(model)
        if hasattr(part.owner, "save_assets")
    ]


def _write_assets(model: Any, archive: zipfile.ZipFile, folder: Path) -> None:
    for number, (name, layer) in enumerate(_asset_layers(model)):
        place = folder / f"assets{number}"
        place.mkdir()
        layer.save_assets(place)
        for file in sorted(place.iterdir()):
            archive.write(file, f"{name}/{file.name}")


def _read_assets(model: Any, archive: zipfile.ZipFile, folder: Path, path: Path) -> None:
    """Unpack the files of each layer that wants some, under names that are ours."""
    for number, (name, layer) in enumerate(_asset_layers(model)):
        place = folder / f"assets{number}"
        place.mkdir()
        for entry in archive.infolist():
            owner, _, file = entry.filename.rpartition("/")
            if owner != name or not file or file != os.path.basename(file) or file in (".", ".."):
                continue
            if entry.file_size > MAX_ASSET_BYTES:
                raise ValueError(f"{str(path)!r}: its {name} is over {MAX_ASSET_BYTES:,} bytes.")
            (place / file).write_bytes(_read_entry(archive, entry.filename, path))
        if any(place.iterdir()):
            layer.load_assets(place)


def _read_entry(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(f"{str(path)!r} is damaged: {error}. Save the model again.") from error


def _read_json(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    if archive.getinfo(_CONFIG).file_size > MAX_CONFIG_BYTES:
        raise ValueError(f"{str(path)!r}: its configuration is over {MAX_CONFIG_BYTES:,} bytes.")
    try:
        config = json.loads(archive.read(_CONFIG))
    except (ValueError, zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{str(path)!r} is damaged: {error}. Save the model again.") from error
    if not isinstance(config, dict):
        raise ValueError(f"{str(path)!r}: its configuration is no dictionary.")
    return config


def _extract(archive: zipfile.ZipFile, target: Path, model: Any, path: Path) -> None:
    """Unpack the weights, never more bytes than the model can have."""
    sizes = sum(v.size * np.dtype(layout.storage(v.dtype)).itemsize for v in model.variables)
    limit = 64 * 2**20 + 8 * sizes  # optimizers keep a few values a weight
    if archive.getinfo(_WEIGHTS).file_size > limit:
        raise ValueError(
            f"{str(path)!r} declares {archive.getinfo(_WEIGHTS).file_size:,} bytes of weights; a "
            f"model of this architecture has at most {limit:,}."
        )
    try:
        with archive.open(_WEIGHTS) as source, open(target, "wb") as out:
            written = 0
            while block := source.read(2**20):
                written += len(block)
                if written > limit:
                    raise ValueError(f"{str(path)!r} unpacks to more than it declares.")
                out.write(block)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(f"{str(path)!r} is damaged: {error}. Save the model again.") from error


def compile_config(model: Any) -> dict[str, Any] | None:
    """The arguments of `compile`, ready for JSON, or None if the model is not compiled."""
    if model._compiled is None:
        return None
    arguments = dict(model._compiled.arguments)
    try:
        return registry.serialize_dict(arguments)
    except TypeError:
        return None  # an optax transformation, say: the architecture and weights still load


def compile_from_config(model: Any, config: dict[str, Any]) -> None:
    """Compile the model as `compile_config` described."""
    arguments = {key: registry.deserialize(value) for key, value in config.items()}
    known = (
        "optimizer", "loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly",
        "steps_per_execution", "jit_compile",
    )  # fmt: skip
    model.compile(**{key: arguments[key] for key in known if key in arguments})
    if model.built and model.optimizer is not None:
        model.optimizer.build(model.trainable_variables)


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Write all weights to a file.

    Args:
        model: a built model.
        filepath: ``.weights.h5``, which Keras 3 reads and which holds the optimizer's state too,
            or ``.safetensors``, weights alone under their paths.
        overwrite: whether to replace a file that is there.

    Raises:
        ValueError: if the name does not end so, or the model is not built.
        FileExistsError: if the file is there and `overwrite` is False.
    """
    path = _target(filepath, tuple(layout.WRITERS), overwrite)
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} is not built, so it has no weights to save. Call it on data "
            "first, or start it with Input(shape=…)."
        )
    with atomic(path) as temporary:
        layout.WRITERS[layout.ending(path) or ""](model, temporary)


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False) -> None:
    """Read weights that `save_weights`, or Keras 3, wrote; all or none.

    Args:
        model: a built model of the same architecture.
        filepath: the ``.weights.h5``, ``.safetensors`` or ``.keras`` file.
        skip_mismatch: leave weights alone that are missing or of another shape in the file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the model is not built, or a weight is missing or of another shape.
    """
    path = Path(os.fspath(filepath))
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} is not built, so there is nothing to load into. Call it on "
            "data first, or start it with Input(shape=…)."
        )
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            weights = Path(folder) / _WEIGHTS
            _extract(archive, weights, model, path)
            layout.read_hdf5(model, weights, str(path), skip_mismatch)
        return
    read = layout.READERS.get(layout.ending(path) or "", layout.read_hdf5)
    read(model, path, str(path), skip_mismatch)


def _target(filepath: Any, endings: str | tuple[str, ...], overwrite: bool) -> Path:
    path = Path(os.fspath(filepath))
    if not path.name.endswith(endings):
        wanted = " or ".join(map(repr, [endings] if isinstance(endings, str) else endings))
        raise ValueError(f"The file's name must end in {wanted}; got {str(path)!r}.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{str(path)!r} exists, and overwrite is False.")
    return path

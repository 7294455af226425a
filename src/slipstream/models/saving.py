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
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.core import registry
from slipstream.core.files import atomic
from slipstream.core.layer import Layer
from slipstream.core.names import snake_case

FORMAT = "3.15.1"  # the version of Keras whose layout this is
MAX_CONFIG_BYTES = 64 * 2**20
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
        _write_weights(model, weights)
        with zipfile.ZipFile(temporary, "w") as archive:
            archive.writestr(_METADATA, json.dumps(metadata))
            archive.writestr(_CONFIG, json.dumps(config))
            archive.write(weights, _WEIGHTS)


def load_model(
    filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True
) -> Any:
    """Read a model that `save_model`, or Keras 3, wrote.

    Args:
        filepath: the ``.keras`` file.
        custom_objects: classes and functions of the user's, by the name the file gives them.
        compile: whether to compile it as it was, optimizer state included.

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
            _read_weights(model, weights, str(path))
    return model


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
    sizes = sum(v.size * np.dtype(_storage(v.dtype)).itemsize for v in model.variables)
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
    """Write all weights, and the optimizer's state, to a ``.weights.h5`` file.

    Raises:
        ValueError: if the name does not end so, or the model is not built.
        FileExistsError: if the file is there and `overwrite` is False.
    """
    path = _target(filepath, ".weights.h5", overwrite)
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} is not built, so it has no weights to save. Call it on data "
            "first, or start it with Input(shape=…)."
        )
    with atomic(path) as temporary:
        _write_weights(model, temporary)


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False) -> None:
    """Read weights that `save_weights`, or Keras 3, wrote; all or none.

    Args:
        model: a built model of the same architecture.
        filepath: the ``.weights.h5`` or ``.keras`` file.
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
            _read_weights(model, weights, str(path), skip_mismatch)
        return
    _read_weights(model, path, str(path), skip_mismatch)


def _target(filepath: Any, ending: str, overwrite: bool) -> Path:
    path = Path(os.fspath(filepath))
    if not path.name.endswith(ending):
        raise ValueError(f"The file's name must end in {ending!r}; got {str(path)!r}.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{str(path)!r} exists, and overwrite is False.")
    return path


# ---- the layout of the weights -------------------------------------------------------------------


def _walk(model: Any, visit: Callable[[str, str, list[Any]], None]) -> None:
    """Call `visit(group, name, variables)` for every layer and for the optimizer."""

    seen: set[int] = set()

    def layer(item: Layer, group: str) -> None:
        if id(item) in seen:
            return
        seen.add(id(item))
        own = [child for child in item._children() if not isinstance(child, Layer)]
        ordered = [v for v in own if v.declared_trainable] + [
            v for v in own if not v.declared_trainable
        ]
        visit(f"{group}/vars".lstrip("/"), item.name, ordered)
        counts: dict[str, int] = {}
        for holder, inner in held_layers(item):
            base = snake_case(type(inner).__name__)
            key = f"{holder}/{base}"
            number = counts.get(key, 0)
            counts[key] = number + 1
            name = base if not number else f"{base}_{number}"
            # A layer in an attribute goes by the attribute's name, one in a list by its class.
            layer(
                inner,
                f"{group}/{holder}/{name}" if holder in _containers(item) else f"{group}/{holder}",
            )

    layer(model, "")
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and optimizer.built:
        visit("optimizer/vars", optimizer.name, optimizer.variables)


def held_layers(layer: Any) -> list[tuple[str, Layer]]:
    """The layers held directly, with the name of the attribute that holds each."""
    if hasattr(layer, "_stack"):
        return [("layers", inner) for inner in layer.layers]
    from slipstream.core.layer import _held

    return [
        (name, child)
        for name, value in vars(layer).items()
        if name not in layer._untracked
        for child in _held(value)
        if isinstance(child, Layer)
    ]


def _containers(layer: Layer) -> set[str]:
    names = {
        name for name, value in vars(layer).items() if isinstance(value, (list, tuple, dict, set))
    }
    return names | ({"layers"} if hasattr(layer, "_stack") else set())


def _storage(dtype: str) -> str:
    """Type on disk: bfloat16 is stored as the bits of its float32 value, as Keras does."""
    return "float32" if dtype == "bfloat16" else dtype


def _write_weights(model: Any, path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:

        def write(group: str, name: str, variables: list[Any]) -> None:
            made = file.create_group(group)
            made.attrs["name"] = name
            for index, variable in enumerate(variables):
                value = np.asarray(variable.value)
                made.create_dataset(str(index), data=value.astype(_storage(variable.dtype)))

        _walk(model, write)


def _read_weights(model: Any, path: Path, shown: str, skip_mismatch: bool = False) -> None:
    import h5py

    found: list[tuple[Any, np.ndarray]] = []
    problems: list[str] = []

    def read(file: Any, group: str, variables: list[Any]) -> None:
        optimizer = group == "optimizer/vars"
        stored = file.get(group)
        if stored is None or not isinstance(stored, h5py.Group):
            if variables and not optimizer:
                problems.append(f"it has no group {group!r} for {variables[0].path!r}")
            return
        if optimizer and len(stored) != len(variables):
            return  # another optimizer's state: start afresh, as Keras does
        for index, variable in enumerate(variables):
            link = stored.get(str(index), getlink=True)
            if not isinstance(link, h5py.HardLink):
                problems.append(f"it has no weight {variable.path!r} ({group}/{index})")
                continue
            dataset = stored[str(index)]
            if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
                problems.append(f"{group}/{index} is not stored in the file itself")
            elif dataset.shape != variable.shape:
                problems.append(
                    f"weight {variable.path!r} has shape {dataset.shape} there and "
                    f"{variable.shape} in the model"
                )
            else:
                found.append((variable, np.asarray(dataset[()])))

    try:
        with h5py.File(path, "r") as file:
            _walk(model, lambda group, name, variables: read(file, group, variables))
    except OSError as error:
        raise ValueError(f"{shown!r} is damaged or no HDF5 file: {error}.") from error
    if problems and not skip_mismatch:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise ValueError(
            f"The weights in {shown!r} do not fit model {model.name!r}: "
            + "; ".join(problems[:3])
            + more
            + ". Load them into the architecture they were saved from, or pass skip_mismatch=True."
        )
    for variable, value in found:
        variable.assign(value)

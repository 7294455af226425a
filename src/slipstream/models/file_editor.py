"""`KerasFileEditor`: looking into saved weights, and changing them."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from slipstream.models import saving

_WEIGHTS = "model.weights.h5"


class KerasFileEditor:
    """The weights of a ``.keras`` or ``.weights.h5`` file as nested dictionaries.

    Objects (layers, the optimizer) are named by their path, ``"layers/dense"``, or by its last
    part where only one object has it.

    Args:
        filepath: the file; it stays as it is until `save` writes another.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such file.
    """

    def __init__(self, filepath: Any) -> None:
        self.filepath = os.fspath(filepath)
        self._attributes: dict[str, dict[str, Any]] = {}
        try:
            if zipfile.is_zipfile(self.filepath):
                with zipfile.ZipFile(self.filepath) as archive:
                    source: Any = io.BytesIO(archive.read(_WEIGHTS))
            else:
                source = self.filepath
            with h5py.File(source, "r") as file:
                self.weights_dict = self._read(file, "")
        except FileNotFoundError:
            raise
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(f"{self.filepath!r} holds no saved weights: {error}") from error

    def _read(self, group: Any, path: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in group.items():
            inner = f"{path}/{name}" if path else name
            if name == "vars":
                self._attributes[path] = dict(value.attrs)
                found.update((key, np.array(array)) for key, array in value.items())
            elif isinstance(value, h5py.Group) and (content := self._read(value, inner)):
                found[name] = content
        return found

    # ---- looking -----------------------------------------------------------------------------

    def _objects(self, tree: Any = None, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
        """All objects with their paths, outermost first."""
        for name, value in (self.weights_dict if tree is None else tree).items():
            if isinstance(value, dict):
                inner = f"{path}/{name}" if path else name
                yield inner, value
                yield from self._objects(value, inner)

    def _find(self, name: str) -> tuple[dict[str, Any], str]:
        """What holds an object, and the object's own name."""
        paths = [p for p, _ in self._objects() if name in (p, p.rpartition("/")[2])]
        if name in paths:
            paths = [name]
        if len(paths) != 1:
            known = ", ".join(path for path, _ in self._objects())
            what = f"Several objects are named {name!r}" if paths else f"There is no {name!r}"
            raise ValueError(f"{what} in {self.filepath!r}. Give one of the paths: {known}.")
        folder, _, leaf = paths[0].rpartition("/")
        return self._at(folder), leaf

    def _at(self, path: str) -> dict[str, Any]:
        place = self.weights_dict
        for part in path.split("/") if path else ():
            place = place[part]
        return place

    def summary(self) -> None:
        """Print all objects and the shapes and types of their weights."""
        print(f"Weights in {self.filepath}")
        self._print(self.weights_dict, 1)

    def _print(self, tree: dict[str, Any], depth: int) -> None:
        for name, value in tree.items():
            if isinstance(value, dict):
                print(f"{'  ' * depth}{name}")
                self._print(value, depth + 1)
            else:
                print(f"{'  ' * depth}{name}: shape={value.shape}, dtype={value.dtype}")

    def compare(self, reference_model: Any) -> dict[str, Any]:
        """Print what differs between the file and a model's own weights, values apart.

        Returns:
            ``{"status": "success" or "error", "error_count": …, "match_count": …}``.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / _WEIGHTS
            saving.save_weights(reference_model, path)
            wanted = _shapes(KerasFileEditor(path).weights_dict)
        given = _shapes(self.weights_dict)
        if not any(path.startswith("optimizer/") for path in wanted):  # it has no state yet
            given = {
                path: each for path, each in given.items() if path.split("/")[0] != "optimizer"
            }
        errors = [f"{path}: only in the file" for path in given if path not in wanted]
        errors += [f"{path}: only in the model" for path in wanted if path not in given]
        both = [path for path in given if path in wanted]
        errors += [
            f"{path}: shape {given[path]} in the file, {wanted[path]} in the model"
            for path in both
            if given[path] != wanted[path]
        ]
        print("\n".join(errors) or "The file fits the model.")
        matches = sum(given[path] == wanted[path] for path in both)
        status = "error" if errors else "success"
        return {"status": status, "error_count": len(errors), "match_count": matches}

    # ---- changing ----------------------------------------------------------------------------

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Give an object another name, without folders, in the same place.

        Raises:
            ValueError: if there is no such object, or the name is taken or has a slash.
        """
        holder, name = self._find(object_name)
        if "/" in new_name or new_name in holder:
            raise ValueError(f"{new_name!r} is taken already, or is no name without '/'.")
        items = [(new_name if key == name else key, value) for key, value in holder.items()]
        holder.clear()
        holder.update(items)

    def delete_object(self, object_name: str) -> None:
        """Remove an object and all in it."""
        holder, name = self._find(object_name)
        del holder[name]

    def add_object(self, object_path: str, weights: dict[str, Any]) -> None:
        """Add an object under a path, with its weights by name.

        Raises:
            ValueError: if the path is taken, or leads through what is not there.
        """
        folder, _, name = object_path.rpartition("/")
        if folder and folder not in dict(self._objects()):
            raise ValueError(f"There is no {folder!r} in {self.filepath!r} to put {name!r} in.")
        if name in self._at(folder):
            raise ValueError(f"{object_path!r} is there already. Use add_weights to extend it.")
        self._at(folder)[name] = {key: np.asarray(value) for key, value in weights.items()}

    def add_weights(self, object_name: str, weights: dict[str, Any]) -> None:
        """Set weights of an object by name."""
        holder, name = self._find(object_name)
        holder[name].update((key, np.asarray(value)) for key, value in weights.items())

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Remove one weight of an object.

        Raises:
            ValueError: if there is none of that name.
        """
        holder, name = self._find(object_name)
        if weight_name not in holder[name]:
            raise ValueError(f"{object_name!r} has no weight {weight_name!r}.")
        del holder[name][weight_name]

    def save(self, filepath: Any) -> None:
        """Write the weights to a ``.weights.h5`` file.

        Raises:
            ValueError: for another ending.
        """
        filepath = os.fspath(filepath)
        if not filepath.endswith(".weights.h5"):
            raise ValueError(f"The file's name must end in '.weights.h5'; got {filepath!r}.")
        with h5py.File(filepath, "w") as file:
            self._write(file, self.weights_dict, "")

    def resave_weights(self, filepath: Any) -> None:
        """The same as `save`."""
        self.save(filepath)

    def _write(self, group: Any, tree: dict[str, Any], path: str) -> None:
        arrays = {key: value for key, value in tree.items() if not isinstance(value, dict)}
        held = group.create_group("vars")
        held.attrs.update(self._attributes.get(path, {}))
        for key, value in arrays.items():
            held.create_dataset(key, data=value)
        for key, value in tree.items():
            if isinstance(value, dict):
                self._write(group.create_group(key), value, f"{path}/{key}" if path else key)


def _shapes(tree: dict[str, Any], path: str = "") -> dict[str, tuple[int, ...]]:
    """Shape of each weight by its path."""
    found: dict[str, tuple[int, ...]] = {}
    for name, value in tree.items():
        inner = f"{path}/{name}" if path else name
        found.update(_shapes(value, inner) if isinstance(value, dict) else {inner: value.shape})
    return found

"""Programs kept whole on disk: a second run of a script neither traces nor compiles.

JAX's own cache saves the compiling; finding the program there still takes a trace. Here the key
is what the trace would follow from: the model's configuration, `compile`'s arguments, the shapes of
the data, and the versions of everything. So only models made of our own classes take part, for
which the configuration says all.

The files lie in the user's cache and hold executables. They are read only where nobody else can
have written them.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

import jax

import slipstream
from slipstream.core import config, engine, registry
from slipstream.core.cost import Cost
from slipstream.core.files import atomic
from slipstream.kernels import native


class Store:
    """Costs and compiled programs of one model, by the shapes they are for.

    Args:
        mode: what the programs do, ``"train"`` or ``"test"``.
        description: what `describe` gave; None keeps nothing.
    """

    def __init__(self, mode: str, description: Any) -> None:
        closed = description is not None and engine.cache_enabled() and _is_closed(description)
        self._stem = (
            _digest([_surroundings(), native.library(), mode, description]) if closed else None
        )

    def _path(self, kind: str, key: Any) -> Path | None:
        if self._stem is None:
            return None
        return config.cache_dir() / "programs" / f"{_digest([self._stem, kind, repr(key)])}.{kind}"

    def cost(self, key: Any) -> Cost | None:
        """The cost of a step for these shapes, or None if it is not known."""
        content = _read(self._path("cost", key))
        try:
            return None if content is None else Cost(*json.loads(content))
        except (ValueError, TypeError):
            return None

    def keep_cost(self, key: Any, cost: Cost) -> None:
        """Remember the cost of a step."""
        _write(self._path("cost", key), json.dumps(list(cost)).encode())

    def program(self, key: Any, arguments: tuple[Any, ...]) -> Any:
        """The compiled program for these arguments, or None."""
        content = _read(self._path("program", key))
        if content is None:
            return None
        from jax.experimental.serialize_executable import deserialize_and_load

        try:
            names, _, payload = content.partition(b"\n")
            results = dict.fromkeys(json.loads(names), 0)
            inputs: Any = jax.tree.structure((arguments, {}))
            outputs: Any = jax.tree.structure((arguments[0], results))
            return deserialize_and_load(payload, inputs, outputs)
        except Exception:  # an old or damaged file is no error: the program is compiled again
            return None

    def keep_program(self, key: Any, program: Any, results: Any) -> None:
        """Remember a compiled program whose results have these names."""
        path = self._path("program", key)
        if path is None or not isinstance(results, dict):
            return
        if any(isinstance(value, dict) for value in results.values()):
            return
        from jax.experimental.serialize_executable import serialize

        try:
            payload, _, _ = serialize(program)
        except Exception:  # not every device can hand its programs out
            return
        _write(path, json.dumps(sorted(results)).encode() + b"\n" + payload)


def describe(model: Any, objective: Any, live: Any) -> Any:
    """What the programs of a model follow from, ready for JSON; None if that cannot be said."""
    optimizer, trainable = live.optimizer, live.trainable
    try:
        return {
            "model": registry.serialize(model),
            "losses": registry.serialize(objective.losses),
            "weights": [objective.names, objective.weights],
            "metrics": registry.serialize([list(map(list, each)) for each in objective.metrics]),
            "optimizer": None if optimizer is None else registry.serialize(optimizer),
            "decays": None if optimizer is None else optimizer.decays(trainable),
            "trainable": [(v.shape, v.dtype, registry.serialize(v.constraint)) for v in trainable],
            "others": [(v.shape, v.dtype) for v in live.non_trainable],
            "packed": live.packing.active,
        }
    except (TypeError, AttributeError, NotImplementedError):
        return None


def _is_closed(value: Any) -> bool:
    """Whether a configuration names nothing but our own classes and functions."""
    if isinstance(value, dict):
        if "class_name" in value and "module" in value:
            ours = str(value["module"]).startswith("keras")
            # Ours have no registered name, or the plain one; the user's have their package's.
            if not ours or value.get("registered_name") not in (None, value["class_name"]):
                return False
        return all(map(_is_closed, value.values()))
    return not isinstance(value, (list, tuple)) or all(map(_is_closed, value))


@cache
def _surroundings() -> list[Any]:
    """Whatever else a program depends on: versions, sources, device, flags."""
    device = jax.devices()[0]
    source = Path(slipstream.__file__).parent
    files = [
        (name, facts.st_size, facts.st_mtime_ns)
        for folder, _, names in os.walk(source)
        for name in names
        if name.endswith(".py")
        for facts in [os.stat(os.path.join(folder, name))]
    ]
    return [
        slipstream.__version__,
        sorted(files),
        jax.__version__,
        jax.lib.__version__,
        platform.python_version(),
        [device.platform, device.device_kind, jax.device_count()],
        _processor(),
        sorted((name, os.environ.get(name)) for name in ("XLA_FLAGS", "JAX_ENABLE_X64")),
        [config.floatx(), config.epsilon(), config.image_data_format()],
        str(jax.config.values.get("jax_default_matmul_precision")),
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path | None) -> bytes | None:
    """The file's content if it is whole and only this user can have written it."""
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            facts = os.fstat(file.fileno())
            if hasattr(os, "getuid") and (facts.st_uid != os.getuid() or facts.st_mode & 0o022):
                return None
            mark, content = file.read(32), file.read()
    except OSError:
        return None
    return content if hashlib.sha256(content).digest() == mark else None


def _write(path: Path | None, content: bytes) -> None:
    if path is None:
        return
    try:
        with atomic(path) as temporary:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)
        path.chmod(0o600)
    except OSError:
        return  # a full or read-only disk: nothing is kept

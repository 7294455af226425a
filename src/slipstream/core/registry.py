"""The closed registry: everything that a name or a saved configuration may stand for.

A configuration names entries of this registry and nothing else. Nothing is ever imported by a
name found in a file, so loading a file runs no code but ours and what the user registered.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from slipstream.core.names import nearest, snake_case

T = TypeVar("T")

# Kind of object -> the Keras module its configurations name.
MODULES = {
    "activation": "keras.activations",
    "constraint": "keras.constraints",
    "initializer": "keras.initializers",
    "layer": "keras.layers",
    "loss": "keras.losses",
    "metric": "keras.metrics",
    "model": "keras.models",
    "optimizer": "keras.optimizers",
    "policy": "keras",
    "regularizer": "keras.regularizers",
    "schedule": "keras.optimizers.schedules",
}

_by_kind: dict[str, dict[str, Any]] = {kind: {} for kind in MODULES}
_home: dict[int, tuple[str, str]] = {}  # id of a registered object -> (kind, canonical name)
_modules: dict[int, str] = {}  # id -> module of configurations, where it is not the kind's
_operations: dict[str, Any] = {}  # class name in saved graphs -> entry of slipstream.ops
_users: dict[str, Any] = {}  # "package>name" -> what the user registered
_users_name: dict[int, str] = {}
_scoped: ContextVar[dict[str, Any] | None] = ContextVar("slipstream_custom_objects", default=None)


def register(
    kind: str, *aliases: str, module: str | None = None, name: str | None = None
) -> Callable[[T], T]:
    """Enter one of our own classes or functions under its name, `aliases` and, for a class, its
    name in lower case (optimizers) or snake case (the rest).

    The first entry under a name stays, so that ``"mean_squared_error"`` is the function
    registered before the class `MeanSquaredError`. `module` and `name` are those that saved
    configurations have, where they are not the kind's and the target's own.
    """

    def enter(target: T) -> T:
        known: str = name or target.__name__  # type: ignore[attr-defined]
        names = _by_kind[kind]
        names[known] = target
        for alias in (_plain(kind, target), *aliases):
            names.setdefault(alias, target)
        _home[id(target)] = (kind, known)
        if module is not None:
            _modules[id(target)] = module
        return target

    return enter


def register_operation(entry: Any) -> None:
    """Enter an operation of graphs (an `Entry` of core/operation.py) under its class name."""
    _operations[entry.class_name] = entry


def operation(class_name: str) -> Any:
    """The operation that a saved graph calls `class_name`.

    Raises:
        ValueError: if there is none.
    """
    if class_name not in _operations:
        raise ValueError(
            f"The model uses the operation {class_name!r}, which slipstream.ops does not have. "
            + nearest(class_name, _operations)
        )
    return _operations[class_name]


def register_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Class or function decorator: lets saved configurations name it as ``package>name``.

    Raises:
        ValueError: if a class has no `get_config` method.
    """

    def enter(target: T) -> T:
        if _is_class(target) and not hasattr(target, "get_config"):
            raise ValueError(
                f"Cannot register {target!r}: a serializable class needs a get_config() method."
            )
        registered = f"{package}>{name or target.__name__}"  # type: ignore[attr-defined]
        _users[registered] = target
        _users_name[id(target)] = registered
        return target

    return enter


@contextmanager
def custom_object_scope(custom_objects: dict[str, Any] | None) -> Iterator[None]:
    """While it lasts, names in configurations also stand for the given objects."""
    token = _scoped.set({**(_scoped.get() or {}), **(custom_objects or {})})
    try:
        yield
    finally:
        _scoped.reset(token)


def get_registered_name(obj: Any) -> str:
    """``package>name`` of what the user registered, else the plain name."""
    return _users_name.get(id(obj), obj.__name__)


def get_registered_object(
    name: str,
    custom_objects: dict[str, Any] | None = None,
    module_objects: dict[str, Any] | None = None,
) -> Any:
    """What `name` was registered as by the user, or stands for in a given table, or None."""
    for table in (_scoped.get(), _users, custom_objects, module_objects):
        if table is None:
            continue
        if name in table:
            return table[name]
    return None


def resolve(kind: str, identifier: Any) -> Any:
    """Turn a string, configuration, class, object or function into an object of `kind`.

    Args:
        kind: one of the keys of `MODULES`, ``"initializer"`` for instance.
        identifier: None (stays None), a name, a configuration dictionary, a class (constructed
            with its defaults), or an object or function (stays as it is).

    Raises:
        ValueError: if the name is unknown (the nearest known names are suggested), or the
            identifier can stand for nothing of this kind.
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        return deserialize(identifier, kind=kind)
    if isinstance(identifier, str):
        target = get_registered_object(identifier)
        if target is None:
            target = get_registered_object(f"Custom>{identifier}")
        if target is None:
            target = _by_kind[kind].get(identifier)
        if target is None:
            raise ValueError(f"Unknown {kind}: {identifier!r}. {_hint(kind, identifier)}")
        return target() if _is_class(target) else target
    if _is_class(identifier):
        return identifier()
    if callable(identifier) or hasattr(identifier, "get_config"):
        return identifier
    raise ValueError(
        f"Cannot make a {kind} of {identifier!r}. Pass a name, a configuration dictionary, "
        f"a {kind} object or a callable."
    )


def serialize(obj: Any) -> Any:
    """The JSON-ready configuration of an object, in Keras 3's layout.

    Plain numbers, strings, None, lists, tuples, dictionaries and arrays are kept; an object
    becomes a dictionary of module, class name and `get_config()`; one of our functions becomes
    its name.

    Raises:
        TypeError: if the object has no `get_config` and is no registered function.
    """
    if obj is None or isinstance(obj, (bool, int, float, str)):
        return obj
    if isinstance(obj, list):
        return [serialize(item) for item in obj]
    if isinstance(obj, tuple):
        return tuple(serialize(item) for item in obj)
    if isinstance(obj, dict):
        return {str(key): serialize(item) for key, item in obj.items()}
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, np.dtype):
        return obj.name
    if isinstance(obj, slice):
        parts = {"start": obj.start, "stop": obj.stop, "step": obj.step}
        return {"class_name": "__slice__", "config": serialize_dict(parts)}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if hasattr(obj, "get_config") and not _is_class(obj):
        return _serialize_object(obj)
    if hasattr(obj, "__array__"):
        array = np.asarray(obj)
        return {
            "class_name": "__numpy__",
            "config": {"value": array.tolist(), "dtype": array.dtype.name},
        }
    if callable(obj):
        return _serialize_function(obj)
    raise TypeError(f"Cannot serialize {obj!r}: it has no get_config() method.")


def _serialize_object(value: Any) -> dict[str, Any]:
    cls = type(value)
    module, name, registered = cls.__module__, cls.__name__, None
    if id(cls) in _home:
        name = _home[id(cls)][1]
        module = _modules.get(id(cls), MODULES[_home[id(cls)][0]])
        registered = cls.__name__ if id(cls) in _modules else None
    else:
        registered = get_registered_name(cls)
    config = {
        "module": module,
        "class_name": name,
        "config": serialize_dict(value.get_config()),
        "registered_name": registered,
    }
    build = getattr(value, "get_build_config", None)
    if build is not None and (shapes := build()) is not None:
        config["build_config"] = serialize_dict(shapes)
    return config


def _serialize_function(function: Any) -> Any:
    if id(function) in _home:
        return _home[id(function)][1]
    return {
        "module": "builtins",
        "class_name": "function",
        "config": function.__name__,
        "registered_name": get_registered_name(function),
    }


def serialize_dict(config: dict[str, Any]) -> dict[str, Any]:
    """`serialize` each value of a configuration."""
    return {key: serialize(value) for key, value in config.items()}


def deserialize(
    config: Any,
    custom_objects: dict[str, Any] | None = None,
    safe_mode: bool = True,
    *,
    kind: str | None = None,
) -> Any:
    """Build the object that a configuration from `serialize` describes.

    Args:
        config: the configuration.
        custom_objects: further names the configuration may use, for this call.
        safe_mode: accepted for Keras' signature. Nothing runs code, whatever it says.
        kind: what the object must be; None where the configuration says so itself.

    Raises:
        ValueError: if it names something that is neither ours nor registered.
    """
    if custom_objects:
        with custom_object_scope(custom_objects):
            return deserialize(config, kind=kind)
    if isinstance(config, list):
        return [deserialize(item) for item in config]
    if not isinstance(config, dict):
        if kind is not None and isinstance(config, str):
            return resolve(kind, config)
        return config
    name = config.get("class_name")
    if name is None or "config" not in config:
        return {key: deserialize(item) for key, item in config.items()}
    inner = config["config"]
    if name in ("__numpy__", "__tensor__"):
        return np.asarray(inner["value"], dtype=inner["dtype"])
    if name == "__slice__":
        return slice(inner["start"], inner["stop"], inner["step"])
    if name == "__ellipsis__":
        return Ellipsis
    target = _find(config, kind)
    if not _is_class(target):
        return target
    inner = dict(inner)
    instance = target.from_config(inner) if hasattr(target, "from_config") else target(**inner)
    shapes = config.get("build_config")
    if shapes and hasattr(instance, "build_from_config"):
        instance.build_from_config(deserialize(shapes))
    return instance


def _find(config: dict[str, Any], kind: str | None) -> Any:
    name, registered = config["class_name"], config.get("registered_name")
    function = name == "function"
    if function:
        name = config["config"]
    for candidate in (registered, f"Custom>{name}", name):
        if candidate and (target := get_registered_object(candidate)) is not None:
            return target
    module = config.get("module") or ""
    kinds = [kind] if kind else _kinds_of(module)
    for candidate in kinds:
        if name in _by_kind[candidate]:
            return _by_kind[candidate][name]
    known = {entry for candidate in kinds for entry in _by_kind[candidate]} | set(_users)
    what = "function" if function else "class"
    raise ValueError(
        f"The configuration names the {what} {registered or name!r} (module {module!r}), which is "
        f"neither part of Slipstream nor registered. {nearest(name, known)} Register your own with "
        "@slipstream.saving.register_serializable(), or pass custom_objects={name: object}."
    )


def _kinds_of(module: str) -> list[str]:
    """Kinds whose configurations name `module`: ``keras.src.layers.core`` is a layer too."""
    plain = module.replace("keras.src", "keras").replace("tensorflow.keras", "keras")
    found = [kind for kind, home in MODULES.items() if home != "keras" and plain.startswith(home)]
    # The longest module wins: a schedule's module starts with the optimizers' one.
    return sorted(found, key=lambda kind: -len(MODULES[kind])) or list(MODULES)


def _hint(kind: str, identifier: str) -> str:
    """The nearest names, one for each entry; or the plain names of all entries."""
    names = {name: entry for name, entry in _by_kind[kind].items() if name.islower()}
    close = difflib.get_close_matches(identifier.lower(), names, n=6, cutoff=0.6)
    entries = {id(names[name]): name for name in reversed(close)}
    if not entries:
        return nearest(identifier, {_plain(kind, entry) for entry in names.values()})
    suggested = [name for name in close if name in entries.values()][:3]
    return "Did you mean " + " or ".join(map(repr, suggested)) + "?"


def _plain(kind: str, target: Any) -> str:
    """The name by which strings usually call an entry."""
    if not _is_class(target):
        return target.__name__
    return target.__name__.lower() if kind == "optimizer" else snake_case(target.__name__)


def _is_class(target: Any) -> bool:
    return inspect.isclass(target)


def is_ours(target: Any) -> bool:
    """Whether `target` is one of our own registered classes or functions."""
    return id(target) in _home

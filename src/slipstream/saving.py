"""Saving, loading and registering, under Keras' names."""

from slipstream.core.registry import (
    custom_object_scope,
    get_registered_name,
    get_registered_object,
    register_serializable,
)
from slipstream.core.registry import deserialize as deserialize_keras_object
from slipstream.core.registry import serialize as serialize_keras_object
from slipstream.models.file_editor import KerasFileEditor
from slipstream.models.saving import load_model, load_weights, save_model, save_weights
from slipstream.utils import FeatureSpace, get_custom_objects  # noqa: F401 - files may hold one

register_keras_serializable = register_serializable
CustomObjectScope = custom_object_scope

__all__ = [
    "CustomObjectScope",
    "KerasFileEditor",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "register_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]

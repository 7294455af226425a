"""Saving, loading and registering, under Keras' names."""

from slipstream.core.registry import (
    custom_object_scope,
    get_registered_name,
    get_registered_object,
    register_serializable,
)
from slipstream.core.registry import deserialize as deserialize_keras_object
from slipstream.core.registry import serialize as serialize_keras_object
from slipstream.models.saving import load_model, save_model

register_keras_serializable = register_serializable
CustomObjectScope = custom_object_scope

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "register_keras_serializable",
    "register_serializable",
    "save_model",
    "serialize_keras_object",
]

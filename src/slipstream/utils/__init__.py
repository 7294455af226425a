"""Small helpers, under Keras' names."""

from __future__ import annotations

from typing import Any

from slipstream.core import registry
from slipstream.core.names import reset_names
from slipstream.core.random import set_random_seed
from slipstream.core.registry import (
    custom_object_scope,
    get_registered_name,
    get_registered_object,
)
from slipstream.core.registry import deserialize as deserialize_keras_object
from slipstream.core.registry import register_serializable as register_keras_serializable
from slipstream.core.registry import serialize as serialize_keras_object
from slipstream.data.dataset import Dataset
from slipstream.data.download import get_file
from slipstream.data.elements import split_dataset
from slipstream.data.folders.images import (
    array_to_img,
    image_dataset_from_directory,
    img_to_array,
    load_img,
    save_img,
)
from slipstream.data.folders.sounds import audio_dataset_from_directory
from slipstream.data.folders.texts import text_dataset_from_directory
from slipstream.data.pydataset import PyDataset
from slipstream.data.sequences.windows import timeseries_dataset_from_array
from slipstream.models.feature_space import FeatureSpace
from slipstream.utils import bounding_boxes, legacy
from slipstream.utils.batches import pack_x_y_sample_weight, unpack_x_y_sample_weight
from slipstream.utils.drawing import model_to_dot, plot_model
from slipstream.utils.labels import normalize, to_categorical
from slipstream.utils.progbar import Progbar
from slipstream.utils.sequences import pad_sequences
from slipstream.utils.settings import (
    Config,
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from slipstream.utils.tensors import get_source_inputs, is_keras_tensor, standardize_dtype

CustomObjectScope = custom_object_scope
Sequence = PyDataset


def clear_session(free_memory: bool = True) -> None:
    """Start automatic names from the beginning again."""
    reset_names()


def get_custom_objects() -> dict[str, Any]:
    """What the user registered, by name; what is put into it counts as registered."""
    return registry._users


__all__ = [
    "Config",
    "CustomObjectScope",
    "Dataset",
    "FeatureSpace",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "audio_dataset_from_directory",
    "bounding_boxes",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "get_source_inputs",
    "image_dataset_from_directory",
    "img_to_array",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "legacy",
    "load_img",
    "model_to_dot",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]

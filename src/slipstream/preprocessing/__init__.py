"""Reading and padding data, under Keras' older names."""

from slipstream.data.folders.images import image_dataset_from_directory
from slipstream.data.folders.texts import text_dataset_from_directory
from slipstream.data.sequences.windows import timeseries_dataset_from_array
from slipstream.preprocessing import image, sequence

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]

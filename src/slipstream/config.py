"""Process-wide settings, under Keras' names and a few of our own."""

from slipstream.core.config import (
    cache_dir,
    check_data,
    epsilon,
    floatx,
    image_data_format,
    set_check_data,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from slipstream.core.policy import dtype_policy, set_dtype_policy

__all__ = [
    "cache_dir",
    "check_data",
    "dtype_policy",
    "epsilon",
    "floatx",
    "image_data_format",
    "set_check_data",
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
]

"""Process-wide settings, under Keras' names and a few of our own."""

from __future__ import annotations

import warnings

from slipstream.core.config import (
    cache_dir,
    check_data,
    epsilon,
    floatx,
    image_data_format,
    max_epochs,
    max_steps_per_epoch,
    set_check_data,
    set_epsilon,
    set_floatx,
    set_image_data_format,
    set_max_epochs,
    set_max_steps_per_epoch,
)
from slipstream.core.policy import dtype_policy, set_dtype_policy
from slipstream.kernels.native import kernels, set_kernels
from slipstream.utils.settings import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)

__all__ = [
    "backend",
    "cache_dir",
    "check_data",
    "disable_flash_attention",
    "disable_interactive_logging",
    "disable_traceback_filtering",
    "dtype_policy",
    "enable_flash_attention",
    "enable_interactive_logging",
    "enable_traceback_filtering",
    "enable_unsafe_deserialization",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_flash_attention_enabled",
    "is_interactive_logging_enabled",
    "is_nnx_enabled",
    "is_traceback_filtering_enabled",
    "kernels",
    "max_epochs",
    "max_steps_per_epoch",
    "set_backend",
    "set_check_data",
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_kernels",
    "set_max_epochs",
    "set_max_steps_per_epoch",
]

_flags: dict[str, bool | None] = {"traceback_filtering": True, "flash_attention": None}


def backend() -> str:
    """``"jax"``, the only engine."""
    return "jax"


def set_backend(backend: str) -> None:
    """Accept ``"jax"``.

    Raises:
        ValueError: for any other engine.
    """
    if backend != "jax":
        raise ValueError(f"The engine is 'jax'; {backend!r} cannot take its place.")


def enable_traceback_filtering() -> None:
    """Accepted; tracebacks are never shortened."""
    _flags["traceback_filtering"] = True


def disable_traceback_filtering() -> None:
    """Accepted; tracebacks are never shortened."""
    _flags["traceback_filtering"] = False


def is_traceback_filtering_enabled() -> bool:
    """What was last asked for."""
    return bool(_flags["traceback_filtering"])


def enable_flash_attention() -> None:
    """Accepted; attention takes the fastest form a device has by itself."""
    _flags["flash_attention"] = True


def disable_flash_attention() -> None:
    """Accepted; attention takes the fastest form a device has by itself."""
    _flags["flash_attention"] = False


def is_flash_attention_enabled() -> bool | None:
    """What was last asked for; None if nothing was."""
    return _flags["flash_attention"]


def is_nnx_enabled() -> bool:
    """False: variables are our own."""
    return False


def enable_unsafe_deserialization() -> None:
    """Warn: no file is ever let run code."""
    warnings.warn(
        "Slipstream never runs code from a file, so this changes nothing. Register your classes "
        "and functions with slipstream.saving.register_serializable(), or pass custom_objects.",
        stacklevel=2,
    )

"""Process-wide settings: default float type, fuzz factor, data format, cache directory."""

from __future__ import annotations

import os
from pathlib import Path

_FLOATS = ("bfloat16", "float16", "float32", "float64")
_settings: dict[str, object] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "check_data": True,
}


def floatx() -> str:
    """Default float type of weights and of float input, ``"float32"`` unless set."""
    return str(_settings["floatx"])


def set_floatx(value: str) -> None:
    """Set the default float type: one of bfloat16, float16, float32, float64.

    Raises:
        ValueError: for any other name.
    """
    if value not in _FLOATS:
        raise ValueError(f"floatx must be one of {', '.join(_FLOATS)}; got {value!r}.")
    _settings["floatx"] = value


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite, 1e-7 unless set."""
    return float(_settings["epsilon"])  # type: ignore[arg-type]


def set_epsilon(value: float) -> None:
    """Set the small number used to keep divisions and logarithms finite."""
    _settings["epsilon"] = float(value)


def image_data_format() -> str:
    """Default place of the channel axis: ``"channels_last"`` or ``"channels_first"``."""
    return str(_settings["image_data_format"])


def set_image_data_format(data_format: str) -> None:
    """Set the default place of the channel axis.

    Raises:
        ValueError: unless it is ``"channels_last"`` or ``"channels_first"``.
    """
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            f"image_data_format must be 'channels_last' or 'channels_first'; got {data_format!r}."
        )
    _settings["image_data_format"] = data_format


def cache_dir() -> Path:
    """Directory for compiled programs and datasets; ``SLIPSTREAM_CACHE`` moves it.

    ``SLIPSTREAM_CACHE=off`` keeps no compiled programs; datasets stay where they are.
    """
    chosen = os.environ.get("SLIPSTREAM_CACHE")
    if chosen and chosen != "off":
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "slipstream"


def check_data() -> bool:
    """Whether `fit` looks for NaN and Inf in its data before it starts."""
    return bool(_settings["check_data"])


def set_check_data(value: bool) -> None:
    """Switch `fit`'s look for NaN and Inf on or off."""
    _settings["check_data"] = bool(value)

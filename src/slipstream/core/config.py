"""Process-wide settings: default float type, fuzz factor, data format, cache directory."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

_FLOATS = ("bfloat16", "float16", "float32", "float64")
_settings: dict[str, object] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "check_data": True,
    "interactive": True,
    "max_epochs": None,
    "max_steps_per_epoch": None,
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


def interactive() -> bool:
    """Whether progress goes to the terminal; else it goes to the log."""
    return bool(_settings["interactive"])


def set_interactive(value: bool) -> None:
    """Send progress to the terminal, or to the log."""
    _settings["interactive"] = bool(value)


def max_epochs() -> int | None:
    """The last epoch that any `fit` may run, or None."""
    return _settings["max_epochs"]  # type: ignore[return-value]


def set_max_epochs(max_epochs: int | None) -> None:
    """Let no `fit` run more epochs than this; None for no limit. For quick trials of a script."""
    _settings["max_epochs"] = max_epochs


def max_steps_per_epoch() -> int | None:
    """The most batches that an epoch, an evaluation or a prediction may take, or None."""
    return _settings["max_steps_per_epoch"]  # type: ignore[return-value]


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Let no epoch, evaluation or prediction take more batches than this; None for no limit."""
    _settings["max_steps_per_epoch"] = max_steps_per_epoch


def cap_epochs(epochs: int) -> int:
    """`epochs` or, with a warning, the fewer that `set_max_epochs` allows."""
    most = max_epochs()
    if most and most < epochs:
        warnings.warn(f"set_max_epochs({most}) limits the {epochs} epochs.", stacklevel=4)
        return most
    return epochs


def cap_steps(steps: int | None, known: int | None) -> int | None:
    """`steps`, the batches asked for, or the fewer that `set_max_steps_per_epoch` allows.

    Args:
        steps: batches asked for; None for all.
        known: how many there are, if that is known.
    """
    most = max_steps_per_epoch()
    wanted = known if steps is None else steps
    return most if most and (wanted is None or most < wanted) else steps


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

"""The arguments that all optimizers share: their types, their place and their checks."""

from __future__ import annotations

import functools
import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any, TypedDict, TypeVar, cast

from slipstream.core.names import nearest

F = TypeVar("F", bound=Callable[..., Any])


class Options(TypedDict, total=False):
    """The common arguments after `weight_decay`, which some rules place themselves."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None


class Common(Options, total=False):
    """Arguments every optimizer takes after those of its rule."""

    weight_decay: float | None


DEFAULTS = Common(
    weight_decay=None,
    clipnorm=None,
    clipvalue=None,
    global_clipnorm=None,
    use_ema=False,
    ema_momentum=0.99,
    ema_overwrite_frequency=None,
    loss_scale_factor=None,
    gradient_accumulation_steps=None,
    name=None,
)


def with_common(init: F) -> F:
    """Let the common arguments follow the rule's own positional ones, as they do in Keras.

    The decorated `__init__` ends in ``**common``. The result can be called by place too, shows
    the whole signature, and has the rule's keyword-only arguments last.
    """
    own = list(inspect.signature(init).parameters.values())[:-1]
    taken = {parameter.name for parameter in own}
    placed = inspect.Parameter.POSITIONAL_OR_KEYWORD
    shared = [
        inspect.Parameter(name, placed, default=default, annotation=Common.__annotations__[name])
        for name, default in DEFAULTS.items()
        if name not in taken
    ]
    first = [parameter for parameter in own if parameter.kind is placed]
    last = [parameter.replace(kind=placed) for parameter in own if parameter.kind is not placed]
    signature = inspect.Signature([*first, *shared, *last])

    @functools.wraps(init)
    def call(self: Any, *args: Any, **kwargs: Any) -> None:
        if kwargs.pop("decay", None) is not None:
            warnings.warn(
                f"{type(self).__name__} ignores `decay`; pass a schedule from "
                "slipstream.optimizers.schedules as its learning_rate.",
                stacklevel=2,
            )
        for name in kwargs:
            if name not in signature.parameters:
                raise ValueError(
                    f"{type(self).__name__} has no argument {name!r}. "
                    f"{nearest(name, list(signature.parameters)[1:])}"
                )
        init(**signature.bind(self, *args, **kwargs).arguments)

    call.__signature__ = signature  # type: ignore[attr-defined]
    return cast(F, call)


def checked(common: Common) -> Common:
    """The common arguments with their defaults.

    Raises:
        ValueError: where values contradict each other or are out of range.
    """
    values = Common(**{**DEFAULTS, **common})
    clips = (values["clipnorm"], values["clipvalue"], values["global_clipnorm"])
    if sum(clip is not None for clip in clips) > 1:
        raise ValueError(
            "Only one of clipnorm, clipvalue and global_clipnorm can be set; got "
            "clipnorm={}, clipvalue={}, global_clipnorm={}.".format(*clips)
        )
    many = values["gradient_accumulation_steps"]
    if many and many < 2:
        raise ValueError(
            f"gradient_accumulation_steps must be a whole number of at least 2; got {many}. Leave "
            "it out to apply every gradient."
        )
    momentum, frequency = values["ema_momentum"], values["ema_overwrite_frequency"]
    if values["use_ema"] and not 0 <= momentum <= 1:
        raise ValueError(f"ema_momentum must lie in [0, 1]; got {momentum}.")
    if values["use_ema"] and frequency and (not isinstance(frequency, int) or frequency < 1):
        raise ValueError(
            "ema_overwrite_frequency must be a whole number of at least 1, or None; got "
            f"{frequency}."
        )
    return values


def as_learning_rate(value: Any) -> float:
    """A finite number from a number, a NumPy scalar or an array of one element.

    Raises:
        ValueError: for anything else.
    """
    try:
        number = math.nan if isinstance(value, (bool, str, bytes)) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            "learning_rate must be a finite number, a LearningRateSchedule or a callable; got "
            f"{value!r}."
        )
    return number

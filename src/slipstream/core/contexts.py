"""Contexts for what is made within them: names, devices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import jax

from slipstream.core.scope import names_in_force


@contextmanager
def name_scope(name: str, **kwargs: Any) -> Iterator[str]:
    """Put a name in front of the paths of the layers and variables made within it.

    Raises:
        ValueError: if it is no text, or has a slash.
    """
    if not isinstance(name, str) or "/" in name:
        raise ValueError(f"A name scope's name is text without '/'; got {name!r}.")
    token = names_in_force.set((*names_in_force.get(), name))
    try:
        yield name
    finally:
        names_in_force.reset(token)


def device(device_name: str) -> AbstractContextManager:
    """Let arrays be made on a device, ``"cpu:0"`` or ``"gpu:1"``.

    Raises:
        RuntimeError: if the machine has none of that kind.
        ValueError: if it has fewer, or the name is no such text.
    """
    kind, _, number = str(device_name).lower().partition(":")
    if not isinstance(device_name, str) or not (number or "0").isdigit():
        raise ValueError(f"A device is named like 'cpu:0' or 'gpu:1'; got {device_name!r}.")
    found = jax.devices(kind)
    if int(number or 0) >= len(found):
        raise ValueError(f"There is no device {device_name!r}: this machine has {found}.")
    return jax.default_device(found[int(number or 0)])

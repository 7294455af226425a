"""How much memory variables may take while a file says which ones to make."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_left: ContextVar[list[int] | None] = ContextVar("slipstream_budget", default=None)


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """Let the variables that are created in the block take so many bytes together."""
    token = _left.set([size])
    try:
        yield
    finally:
        _left.reset(token)


def spend(size: int, what: str) -> None:
    """Take so many bytes off what is left.

    Raises:
        ValueError: if it is less.
    """
    left = _left.get()
    if left is None:
        return
    if size > left[0]:
        raise ValueError(
            f"{what} would take {size:,} bytes, more than the file it is made for can hold."
        )
    left[0] -= size

"""Where a layer is being built or called, and that it was."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

from slipstream.core.scope import names_in_force as _path

F = TypeVar("F")


def names_to(name: str) -> tuple[str, ...]:
    """Names of the layers around the one of this name, and its own."""
    names = _path.get()
    return names if names and names[-1] == name else (*names, name)


@contextmanager
def inside(names: tuple[str, ...]) -> Iterator[None]:
    """Make these the names of the layers around whatever is created in the block."""
    token = _path.set(names)
    try:
        yield
    finally:
        _path.reset(token)


def remembering(build: Any) -> Any:
    """A layer's `build` that also remembers that, and for which shapes, it was built."""

    @wraps(build)
    def building(self: Any, *args: Any, **kwargs: Any) -> None:
        with self._named():
            build(self, *args, **kwargs)
        bound = inspect.signature(build).bind(self, *args, **kwargs).arguments
        self._build_shapes = dict(list(bound.items())[1:])
        self.built = True

    return building


def says_when_built(build: F) -> F:
    """Mark a `build` that sets `built` by itself."""
    build.says_when_built = True  # type: ignore[attr-defined]
    return build

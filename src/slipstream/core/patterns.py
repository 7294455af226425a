"""Things chosen by a variable's or a layer's path: exactly, or by a pattern that fits it."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any


class PathMap(MutableMapping[str, Any]):
    """A dictionary whose keys are paths or regular expressions that fit whole paths.

    Subclasses say what a missing path stands for (`otherwise`) and what may be put in (`checked`).
    """

    def __init__(self) -> None:
        self._entries: dict[str, Any] = {}

    def otherwise(self) -> Any:
        """What a path stands for that no key fits."""
        raise NotImplementedError

    def checked(self, value: Any) -> Any:
        """The value to keep for what was given."""
        return value

    def __getitem__(self, key: str) -> Any:
        if key in self._entries:
            return self._entries[key]
        fitting = [pattern for pattern in self._entries if re.fullmatch(pattern, key)]
        if len(fitting) > 1:
            raise ValueError(
                f"Several keys of the {type(self).__name__} fit the path {key!r}: {fitting}. Make "
                "one of them narrower."
            )
        return self._entries[fitting[0]] if fitting else self.otherwise()

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self._entries:
            raise ValueError(
                f"{key!r} is in the {type(self).__name__} already, as {self._entries[key]!r}. "
                "Delete it first."
            )
        self._entries[key] = self.checked(value)

    def __delitem__(self, key: str) -> None:
        del self._entries[key]

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

"""`Config`, a dictionary with attributes, and whether bars are drawn."""

from __future__ import annotations

import json
from typing import Any

from slipstream.core import config


def enable_interactive_logging() -> None:
    """Show progress on the terminal."""
    config.set_interactive(True)


def disable_interactive_logging() -> None:
    """Send progress to the log, as lines of the level INFO by the logger ``slipstream``."""
    config.set_interactive(False)


def is_interactive_logging_enabled() -> bool:
    """Whether progress is shown on the terminal."""
    return config.interactive()


class Config:
    """A dictionary whose entries are attributes too, and which can be frozen."""

    def __init__(self, **kwargs: Any) -> None:
        object.__setattr__(self, "_entries", dict(kwargs))
        object.__setattr__(self, "_frozen", False)

    _entries: dict[str, Any]
    _frozen: bool

    @property
    def frozen(self) -> bool:
        """Whether entries can no longer change."""
        return self._frozen

    def freeze(self) -> None:
        """Let entries change no more."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self) -> None:
        """Let entries change again."""
        object.__setattr__(self, "_frozen", False)

    def _open(self) -> dict[str, Any]:
        if self._frozen:
            raise ValueError("This Config is frozen. Call unfreeze() before changing it.")
        return self._entries

    def __getattr__(self, name: str) -> Any:
        try:
            return self._entries[name]
        except KeyError:
            known = ", ".join(self._entries)
            raise AttributeError(f"This Config has no entry {name!r}; it has: {known}.") from None

    def __getitem__(self, key: str) -> Any:
        return self._entries[key]

    def __setattr__(self, name: str, value: Any) -> None:
        self._open()[name] = value

    __setitem__ = __setattr__

    def __delattr__(self, name: str) -> None:
        del self._open()[name]

    __delitem__ = __delattr__

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __iter__(self) -> Any:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and other._entries == self._entries

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Config {self._entries}>"

    def keys(self) -> Any:
        """Names of the entries."""
        return self._entries.keys()

    def values(self) -> Any:
        """Values of the entries."""
        return self._entries.values()

    def items(self) -> Any:
        """Names and values."""
        return self._entries.items()

    def get(self, key: str, default: Any = None) -> Any:
        """An entry, or `default`."""
        return self._entries.get(key, default)

    def pop(self, *args: Any) -> Any:
        """Remove an entry and give its value."""
        return self._open().pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Change several entries."""
        self._open().update(*args, **kwargs)

    def as_dict(self) -> dict[str, Any]:
        """The entries as a plain dictionary."""
        return dict(self._entries)

    def to_json(self) -> str:
        """The entries as JSON."""
        return json.dumps(self._entries)

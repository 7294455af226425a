"""Lines on the terminal."""

from __future__ import annotations

from typing import Any


class Screen:
    """Lines on the terminal; plain where the output is no terminal, nothing if `quiet`."""

    def __init__(self, quiet: bool = False) -> None:
        from rich.console import Console

        self.console = Console(quiet=quiet, highlight=False, soft_wrap=True)
        self._live = False

    @property
    def moves(self) -> bool:
        """Whether a line can be drawn over."""
        return self.console.is_terminal and not self.console.quiet

    def line(self, *parts: Any) -> None:
        """A line of texts and ``(text, style)`` pairs."""
        from rich.text import Text

        self._wipe()
        self.console.print(Text.assemble(*parts))

    def facts(self, facts: dict[str, str]) -> None:
        """A line for each fact, names in a column of their own."""
        for name, value in facts.items():
            self.line("  ", (f"{name:<14}", "dim"), value)

    def live(self, text: str) -> None:
        """Draw a line that the next one replaces."""
        if not self.moves:
            return
        self.console.file.write(f"\r\x1b[2K{text[: self.console.width - 1]}")
        self.console.file.flush()
        self._live = True

    def _wipe(self) -> None:
        if self._live:
            self.console.file.write("\r\x1b[2K")
            self._live = False

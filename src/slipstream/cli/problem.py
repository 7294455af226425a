"""An error that is the user's to solve: shown as one line, without a traceback."""

from __future__ import annotations


class Problem(Exception):
    """What went wrong and what to do about it, in one line.

    Args:
        message: the line.
        code: exit code of the command; 2 for bad input.
    """

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code

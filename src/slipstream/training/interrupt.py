"""Ctrl-C that ends a run between two dispatches, with everything learned so far kept."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any


class Interrupt:
    """While it lasts, the first Ctrl-C only sets `asked`; a second one stops at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def _handle(self, number: int, frame: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        print(
            "\nStopping after this step; what was learned is kept. Ctrl-C again stops at once.",
            file=sys.stderr,
        )

    def __enter__(self) -> Interrupt:
        # Only the main thread can take signals; a handler of the user's own stays in force.
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: Any) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

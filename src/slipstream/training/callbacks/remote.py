"""`RemoteMonitor`: the epochs sent to a web server."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np

from slipstream.training.callbacks.base import Callback

_SECONDS = 10.0  # a server that does not answer holds the training up no longer than this


class RemoteMonitor(Callback):
    """Posts each epoch's number and figures to a server; a failure only warns.

    Args:
        root: address of the server, with ``http://`` or ``https://``.
        path: added to it.
        field: form field that holds the figures as JSON.
        headers: further headers of the request.
        send_as_json: whether the JSON is the request's whole body rather than a form field.

    Raises:
        ValueError: if `root` is no web address.
    """

    passive = True

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        if not root.startswith(("http://", "https://")):
            raise ValueError(f"root must start with 'http://' or 'https://'; got {root!r}.")
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Send the epoch."""
        from http.client import HTTPException
        from urllib.parse import urlencode
        from urllib.request import Request, urlopen

        figures = {name: _plain(value) for name, value in (logs or {}).items()}
        body = json.dumps({"epoch": epoch, **figures})
        kind = "application/json"
        if not self.send_as_json:
            body, kind = urlencode({self.field: body}), "application/x-www-form-urlencoded"
        address = self.root + self.path
        headers = {"Content-Type": kind, **(self.headers or {})}
        try:
            urlopen(Request(address, body.encode(), headers), timeout=_SECONDS).close()
        except (OSError, HTTPException) as error:
            warnings.warn(f"RemoteMonitor could not reach {address}: {error}", stacklevel=2)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value

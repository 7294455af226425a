"""HTML from Python: every text is escaped unless it was made here."""

from __future__ import annotations

import html
from typing import Any

_EMPTY = frozenset({"br", "img", "line", "circle", "rect", "path", "polyline", "meta"})


class Markup(str):
    """Text that is HTML already."""


def tag(_name: str, *children: Any, **attributes: Any) -> Markup:
    """An element; children that are no `Markup` are escaped, None is left out.

    A trailing underscore is cut from an attribute's name (``class_``), other ones become hyphens;
    an attribute that is None is left out.
    """
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if _name in _EMPTY and not children:
        return Markup(f"<{_name}{shown}/>")
    return Markup(f"<{_name}{shown}>{join(*children)}</{_name}>")


def join(*children: Any) -> Markup:
    """Pieces one after another, escaped unless they are `Markup`."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else html.escape(str(child))
            for child in children
            if child is not None
        )
    )

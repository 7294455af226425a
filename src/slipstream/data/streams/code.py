"""What a result follows from: the state of files, and the code of functions."""

from __future__ import annotations

import hashlib
import os
import pickle
from functools import partial
from types import CodeType, FunctionType
from typing import Any


def content_of(path: str) -> tuple[str, int, int]:
    """Path, size and time of a file.

    Raises:
        ValueError: if it is no file.
    """
    try:
        found = os.stat(path)
    except OSError:
        raise ValueError(
            f"A cache is for files, and {path} is none: nothing tells when it changes. Write the "
            "data to a file first."
        ) from None
    return os.path.abspath(path), found.st_size, found.st_mtime_ns


def code_of(function: Any) -> str:
    """A hash of a function's code, of what it holds, and of the functions it calls by name.

    Raises:
        ValueError: if its code cannot be seen.
    """
    digest = hashlib.sha256()
    _add(digest, function, set())
    return digest.hexdigest()


def _add(digest: Any, value: Any, seen: set[int]) -> None:
    if id(value) in seen:
        return
    if isinstance(value, partial):
        for part in (value.func, *value.args, *sorted(value.keywords.items())):
            _add(digest, part, seen)
    elif isinstance(value, FunctionType):
        seen.add(id(value))
        _add_code(digest, value.__code__)
        for held in (*(value.__defaults__ or ()), *sorted((value.__kwdefaults__ or {}).items())):
            _add(digest, held, seen)
        for cell in value.__closure__ or ():
            _add(digest, cell.cell_contents, seen)
        for name in value.__code__.co_names:
            used = value.__globals__.get(name)
            if isinstance(used, (FunctionType, int, float, str, tuple)):
                digest.update(name.encode())
                _add(digest, used, seen)
    else:
        try:
            digest.update(pickle.dumps(value))
        except Exception as error:  # pickle raises many kinds of errors
            raise ValueError(
                f"The cache cannot see the code of {value!r} ({error}), and so not whether it "
                "changed. Pass a function defined with def."
            ) from error


def _add_code(digest: Any, code: CodeType) -> None:
    digest.update(code.co_code)
    digest.update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _add_code(digest, constant)
        else:
            digest.update(repr(constant).encode())

"""The ground floor. Whatever computes comes through here, so the engine starts here."""

import atexit
import gc
import sys


def _import_engine() -> None:
    """Import JAX without pauses of the garbage collector.

    Half a million objects are made, none of which dies: collecting among them again and again,
    and once more at exit, costs a short script a fifth of its time.
    """
    if "jax" in sys.modules or not gc.isenabled():
        return
    gc.disable()
    try:
        import jax.numpy  # noqa: F401
    finally:
        gc.freeze()
        gc.enable()
    atexit.register(gc.freeze)


_import_engine()

"""The ground floor. Whatever computes comes through here, so the engine starts here."""

import atexit
import gc
import os

import slipstream


def _import_engine() -> None:
    """Import JAX without pauses of the garbage collector.

    Half a million objects are made, none of which dies: collecting among them again and again,
    and once more at exit, costs a short script a fifth of its time. Where a script imported JAX
    before us, its own objects may be among them, so nothing is done.
    """
    if slipstream.JAX_CAME_FIRST or not gc.isenabled():
        return
    gc.disable()
    try:
        import jax.numpy  # noqa: F401
    finally:
        gc.freeze()
        gc.enable()
    atexit.register(gc.freeze)


def _run_where_started() -> None:
    """Let a program on the CPU run in the thread that starts it.

    Handing it to another one takes 25 µs, longer than a small network's prediction. It has no
    effect where JAX has begun to compute; ``JAX_CPU_ENABLE_ASYNC_DISPATCH=1`` asks for the other.
    """
    import jax

    name = "jax_cpu_enable_async_dispatch"
    if name in jax.config.values:
        jax.config.update(name, os.environ.get(name.upper(), "0").lower() in ("1", "true"))


_import_engine()
_run_where_started()

"""Randomness as a function of (seed, step, layer).

Two sources, neither with hidden state inside a program:

- on the host, one NumPy generator draws initial weights and the seeds of runs;
  `set_random_seed` resets it;
- inside a program, the key of a layer is the run's key folded with the step, the layer's place
  in its model and the number of its draws so far in that step.

Program keys use a counter-based generator of our own: element `i` is a hash of `i` and the key.
It fuses into whatever consumes the numbers and draws the same on every device. It is made for
dropout and augmentation, not for cryptography.
"""

from __future__ import annotations

import random as python_random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core.names import auto_name
from slipstream.core.scope import current_scope

_host = np.random.default_rng()
_passes = _host.spawn(1)[0]  # of its own, so that what else was drawn makes no difference

# Told when a program that was given no key wants one.
_told: ContextVar[Callable[[], None] | None] = ContextVar("slipstream_keyless", default=None)


def set_random_seed(seed: int) -> None:
    """Make everything that follows repeatable: Python's, NumPy's and our own draws.

    Raises:
        ValueError: if `seed` is not a whole number of at least 0.
    """
    global _host, _passes
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"A random seed is a whole number of at least 0; got {seed!r}.")
    python_random.seed(int(seed))
    np.random.seed(int(seed) % 2**32)
    _host = np.random.default_rng(int(seed))
    _passes = _host.spawn(1)[0]


def host_generator(seed: int | None = None) -> np.random.Generator:
    """A generator on the host: a fresh one for a given seed, else the process' own."""
    return _host if seed is None else np.random.default_rng(seed)


def draw_seed() -> int:
    """A new 32-bit seed from the process' own generator."""
    return int(_host.integers(0, 2**32, dtype=np.uint32))


def draw_pass_seed() -> int:
    """A new 32-bit seed for one pass over data outside of training."""
    return int(_passes.integers(0, 2**32, dtype=np.uint32))


def key_from(seed: Any) -> Any:
    """The key of a run from its seed (a whole number or a uint32 scalar of a program)."""
    return jax.random.key(seed, impl=_generator())


@cache
def _generator() -> Any:
    from jax.extend.random import define_prng_impl

    return define_prng_impl(
        key_shape=(2,),
        seed=_seed,
        split=_split,
        random_bits=_random_bits,
        fold_in=_fold_in,
        name="slipstream_hash",
        tag="slp",
    )


def _mix(x: Any) -> Any:
    """A 32-bit finalizer with full avalanche (C. Wellons, "hash prospector", 2018)."""
    x = (x ^ (x >> 16)) * np.uint32(0x21F0AAAD)
    x = (x ^ (x >> 15)) * np.uint32(0xD35A2D97)
    return x ^ (x >> 15)


def _hash(key: Any, counter: Any) -> Any:
    """32 bits from a ``(2,)`` key and each uint32 counter; Weyl step, then two mixes."""
    return _mix(_mix(counter * np.uint32(0x9E3779B9) + key[0]) ^ key[1])


def _derive(key: Any, counter: Any) -> Any:
    """A new key for each counter, from two unlike streams of the old one."""
    first = _hash(key, counter)
    second = _hash(key[::-1] ^ np.uint32(0x5BF03635), counter)
    return jnp.stack([first, second], axis=-1)


def _seed(seed: Any) -> Any:
    seed = jnp.asarray(seed).astype(jnp.uint32)
    return _derive(jnp.array([0x243F6A88, 0x85A308D3], jnp.uint32), seed)


def _fold_in(key: Any, data: Any) -> Any:
    return _derive(key, jnp.asarray(data).astype(jnp.uint32))


def _split(key: Any, shape: tuple[int, ...]) -> Any:
    return _derive(key ^ np.uint32(0xA4093822), _counter(shape))


def _random_bits(key: Any, bit_width: int, shape: tuple[int, ...]) -> Any:
    if bit_width > 32:
        halves = _random_bits(key, 32, (*shape, 2)).astype(jnp.uint64)
        return (halves[..., 0] << 32) | halves[..., 1]
    bits = _hash(key, _counter(shape))
    # The high bits are the better mixed ones.
    return (bits >> (32 - bit_width)).astype(f"uint{bit_width}")


def _counter(shape: tuple[int, ...]) -> Any:
    size = int(np.prod(shape, dtype=np.int64))
    if size > 2**32:
        raise ValueError(f"One draw gives at most 2**32 numbers; shape {shape} has {size}.")
    return jax.lax.iota(jnp.uint32, size).reshape(shape)


@contextmanager
def keyless(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` whenever a draw finds no key, in the block: a program is traced without one."""
    token = _told.set(tell)
    try:
        yield
    finally:
        _told.reset(token)


def _run_key() -> Any:
    """The key of the running program's step; None outside of any."""
    scope = current_scope()
    if scope is None:
        return None
    tell = _told.get()
    if scope.key is None and tell is not None:
        tell()
        return key_from(0)  # what is traced now will not be run
    return scope.key


@contextmanager
def at_step(place: Any) -> Iterator[None]:
    """Draws in the block differ from those at other places of a loop that is traced once."""
    scope = current_scope()
    if scope is None:
        yield
        return
    outer = scope.places
    scope.places = (*outer, place)
    try:
        yield
    finally:
        scope.places = outer


@contextmanager
def over_steps() -> Iterator[None]:
    """Draws in the block are the same at all places of the innermost loop."""
    scope = current_scope()
    if scope is None:
        yield
        return
    outer = scope.places
    scope.places = outer[:-1]
    try:
        yield
    finally:
        scope.places = outer


def _here(key: Any) -> Any:
    """The key, folded with the places of the loops around."""
    scope = current_scope()
    for place in () if scope is None else scope.places:
        key = jax.random.fold_in(key, place)
    return key


def layer_key(layer: Any, seed: Any = None) -> Any:
    """The key for one draw by `layer` in this step.

    Args:
        layer: the layer that draws.
        seed: a layer's own fixed seed; it takes the place of the layer's position in the model.

    Returns:
        A key of its own for every (run, step, layer, draw). Outside of any program each call
        draws a new seed on the host.
    """
    if isinstance(seed, SeedGenerator):
        return seed.key()
    scope, key = current_scope(), _run_key()
    if scope is None or key is None:
        return _here(key_from(draw_seed()))
    place = scope.ordinals.get(id(layer), 0) if seed is None else int(seed) % 2**31
    draw = scope.draws.get(id(layer), 0)
    scope.draws[id(layer)] = draw + 1
    return _here(jax.random.fold_in(jax.random.fold_in(key, place), draw))


# Keeps the keys of generators apart from those of layers.
_GENERATORS = 0x5EED6E


class SeedGenerator:
    """A source of random draws that differ from one another, and repeat with the seed.

    Inside a program its draws follow from the run's key, its seed and their number in this step;
    outside of one, from its seed and their number so far.

    Args:
        seed: whole number of at least 0; drawn on the host if not given.
        name: kept for Keras' signature.

    Raises:
        ValueError: for another seed.
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        if seed is None:
            seed = draw_seed()
        if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
            raise ValueError(f"A random seed is a whole number of at least 0; got {seed!r}.")
        self.seed = int(seed)
        self.name = name or auto_name("seed_generator")
        self._count = 0

    @property
    def state(self) -> np.ndarray:
        """Seed and number of draws so far outside of programs, ``(2,)`` uint32."""
        return np.array([self.seed % 2**32, self._count], np.uint32)

    def key(self) -> Any:
        """The key of the next draw."""
        scope, key = current_scope(), _run_key()
        if scope is None or key is None:
            self._count += 1
            return _here(jax.random.fold_in(key_from(self.seed % 2**32), self._count - 1))
        draw = scope.draws.get(id(self), 0)
        scope.draws[id(self)] = draw + 1
        key = jax.random.fold_in(jax.random.fold_in(key, _GENERATORS), self.seed % 2**32)
        return _here(jax.random.fold_in(key, draw))

    def next(self, ordered: bool = True) -> Any:
        """A seed for one draw, ``(2,)`` uint32."""
        return jax.random.key_data(self.key())

    def get_config(self) -> dict[str, Any]:
        """Seed and name."""
        return {"seed": self.seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """A generator of the same seed, at its start."""
        return cls(**config)


_global = SeedGenerator(0, "global_seed_generator")


def draw_key(seed: Any = None) -> Any:
    """The key for one draw.

    Args:
        seed: None, for a new draw each time; a whole number, for the same one each time; a
            `SeedGenerator`; or what its `next` gave.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(seed, SeedGenerator):
        return seed.key()
    if seed is None:
        return _here(key_from(draw_seed())) if _run_key() is None else _global.key()
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
        return key_from(int(seed) % 2**32)
    if getattr(seed, "shape", None) == (2,):
        return jax.random.wrap_key_data(jnp.asarray(seed, jnp.uint32), impl=_generator())
    raise ValueError(f"seed must be None, a whole number or a SeedGenerator; got {seed!r}.")

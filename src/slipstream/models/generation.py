"""Writing on: tokens drawn one after the other from a model's own predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core.random import draw_seed, key_from
from slipstream.core.scope import Scope

Sampler = Callable[[Any, Any], Any]


class Sampling(NamedTuple):
    """How a token follows from logits: the settings that a program is compiled for."""

    greedy: bool
    top_k: int | None
    nucleus: bool
    custom: Sampler | None
    stops: bool


class Prompt(NamedTuple):
    """Tokens ``(batch, width)`` with zeros behind the prompts, and the prompts' lengths."""

    tokens: np.ndarray
    lengths: np.ndarray
    single: bool


def generate(
    model: Any,
    prompt: Any,
    max_length: int,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    sampler: Sampler | None = None,
    seed: int | None = None,
    stop_token: int | None = None,
) -> np.ndarray:
    """Continue prompts, token by token, in one compiled loop.

    Args:
        model: maps tokens ``(batch, length)`` to logits ``(batch, length, vocabulary)``, those of
            a place depending on the tokens up to there only. A `CausalLM` keeps keys and values
            between steps; any other model computes all places again in each.
        prompt: whole numbers ``(length,)`` or ``(batch, length)``, or a list of lists of unequal
            lengths; at least one token each.
        max_length: length of the result, prompt included.
        temperature: logits are divided by it before drawing; 0 takes the likeliest token.
        top_k: draw among so many likeliest tokens.
        top_p: draw among the likeliest tokens that together have this probability ("nucleus",
            Holtzman et al. 2020).
        sampler: function of logits ``(batch, vocabulary)`` and a key that gives tokens
            ``(batch,)``, in place of the three settings above.
        seed: makes the draws repeatable; they do not depend on whether keys and values are kept.
        stop_token: token that ends a row; the rest of the row is filled with it.

    Returns:
        Tokens ``(batch, max_length)``, or ``(max_length,)`` for a single prompt.

    Raises:
        ValueError: if a setting is out of range, or prompt and model do not fit together.
    """
    sampling = _sampling(temperature, top_k, top_p, sampler, stop_token)
    read = _read(prompt, max_length)
    cached = hasattr(model, "empty_caches")
    width = max_length if cached else _width(model, max_length)
    tokens = np.pad(read.tokens, ((0, 0), (0, width - max_length)))
    if not model.built:
        model.build_on(tokens)
    program = _program(model, cached, sampling)
    first = int(read.lengths.min())
    # The prompt's keys and values are computed at once, for one of a few widths.
    prefill = min(1 << (first - 1).bit_length(), width) if cached else 0
    written = program(
        [variable.stored for variable in model.variables],
        jnp.asarray(tokens),
        jnp.asarray(read.lengths),
        np.int32(first),
        np.int32(max_length),
        np.uint32(draw_seed() if seed is None else seed % 2**32),
        np.float32(temperature),
        np.float32(1.0 if top_p is None else top_p),
        np.int32(-1 if stop_token is None else stop_token),
        prefill=prefill,
    )
    result = np.asarray(written)[:, :max_length]
    return result[0] if read.single else result


def _sampling(
    temperature: float, top_k: Any, top_p: Any, sampler: Sampler | None, stop_token: Any
) -> Sampling:
    if temperature < 0:
        raise ValueError(f"temperature must be at least 0; got {temperature}.")
    if top_k is not None and (not isinstance(top_k, (int, np.integer)) or top_k < 1):
        raise ValueError(f"top_k must be a whole number of at least 1; got {top_k!r}.")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1; got {top_p}.")
    if stop_token is not None and stop_token < 0:
        raise ValueError(f"stop_token must be a token, at least 0; got {stop_token}.")
    greedy = temperature == 0
    if sampler is None and greedy and (top_k is not None or top_p is not None):
        raise ValueError(
            "temperature 0 takes the likeliest token, so top_k and top_p have no effect. Pass a "
            "temperature, 1.0 for instance."
        )
    top_k = None if top_k is None else int(top_k)
    return Sampling(greedy, top_k, top_p is not None, sampler, stop_token is not None)


def _read(prompt: Any, max_length: int) -> Prompt:
    rows = prompt if isinstance(prompt, (list, tuple)) else np.asarray(prompt)
    single = len(rows) > 0 and np.ndim(rows[0]) == 0
    arrays = [np.asarray(row) for row in ([rows] if single else rows)]
    lengths = np.array([row.size for row in arrays], np.int32)
    if not arrays or lengths.min() < 1 or any(row.ndim != 1 for row in arrays):
        raise ValueError(
            "A prompt has shape (length,) or (batch, length), and at least one token; got shapes "
            f"{[row.shape for row in arrays]}."
        )
    if lengths.max() >= max_length:
        raise ValueError(
            f"max_length counts the prompt too, so {max_length} leaves nothing to write after a "
            f"prompt of {lengths.max()} tokens. Raise it, or cut the prompt."
        )
    tokens = np.zeros((len(arrays), max_length), np.int32)
    for place, row in enumerate(arrays):
        tokens[place, : row.size] = row
    return Prompt(tokens, lengths, single)


def _width(model: Any, max_length: int) -> int:
    """Length of the model's input: its own if that is fixed."""
    shape = getattr(model, "input_shape", None)
    fixed = shape[1] if isinstance(shape, tuple) and len(shape) == 2 else None
    if fixed is None:
        return max_length
    if fixed < max_length:
        raise ValueError(
            f"Model {model.name!r} takes {fixed} tokens; max_length {max_length} is more."
        )
    return fixed


def _program(model: Any, cached: bool, sampling: Sampling) -> Any:
    """The model's compiled loop for these settings, kept with the model."""
    programs = vars(model).setdefault("_generators", {})
    variables = model.variables
    key = (cached, sampling, tuple(id(variable) for variable in variables))
    if key not in programs:

        def run(values: Any, *args: Any, prefill: int) -> Any:
            with Scope(variables, values, training=False).active():
                return _loop(model, cached, sampling, prefill, *args)

        programs[key] = jax.jit(run, static_argnames="prefill")
    return programs[key]


def _loop(
    model: Any,
    cached: bool,
    sampling: Sampling,
    prefill: int,
    tokens: Any,
    lengths: Any,
    first: Any,
    end: Any,
    seed: Any,
    temperature: Any,
    top_p: Any,
    stop: Any,
) -> Any:
    """Write places `first` to `end`; the token of a place follows from the logits before it."""
    batch, width = tokens.shape
    key = key_from(seed)
    caches: Any = ()
    if cached:
        caches = model.empty_caches(batch, width)
        # What this writes behind a prompt is overwritten before it is seen.
        _, caches = model(tokens[:, :prefill], caches=caches, cache_update_index=0)

    def step(state: Any) -> Any:
        place, tokens, done, caches = state
        if cached:
            last = jax.lax.dynamic_slice_in_dim(tokens, place - 1, 1, axis=1)
            logits, caches = model(last, caches=caches, cache_update_index=place - 1)
            logits = logits[:, 0]
        else:
            logits = jax.lax.dynamic_index_in_dim(model(tokens), place - 1, 1, keepdims=False)
        drawn = _draw(
            logits.astype(jnp.float32), jax.random.fold_in(key, place), sampling, temperature, top_p
        )
        given = jax.lax.dynamic_index_in_dim(tokens, place, 1, keepdims=False)
        chosen = jnp.where(place < lengths, given, jnp.where(done, stop, drawn))
        if sampling.stops:
            done = done | ((chosen == stop) & (place >= lengths))
        tokens = jax.lax.dynamic_update_index_in_dim(tokens, chosen, place, 1)
        return place + 1, tokens, done, caches

    def goes_on(state: Any) -> Any:
        place, _, done, _ = state
        return (place < end) & ~jnp.all(done)

    start = (first, tokens, jnp.zeros(batch, bool), caches)
    place, tokens, _, _ = jax.lax.while_loop(goes_on, step, start)
    return jnp.where(jnp.arange(width) >= place, stop, tokens)


def _draw(logits: Any, key: Any, sampling: Sampling, temperature: Any, top_p: Any) -> Any:
    """Tokens ``(batch,)`` from logits ``(batch, vocabulary)``."""
    if sampling.custom is not None:
        return jnp.asarray(sampling.custom(logits, key)).astype(jnp.int32)
    if sampling.greedy:
        return jnp.argmax(logits, axis=-1).astype(jnp.int32)
    logits = logits / temperature
    if sampling.top_k is not None:
        best = jax.lax.top_k(logits, min(sampling.top_k, logits.shape[-1]))[0]
        logits = jnp.where(logits < best[:, -1:], -jnp.inf, logits)
    if sampling.nucleus:
        ordered = -jnp.sort(-logits, axis=-1)
        shares = jax.nn.softmax(ordered, axis=-1)
        kept = jnp.cumsum(shares, axis=-1) - shares < top_p  # the likeliest one always is
        least = jnp.min(jnp.where(kept, ordered, jnp.inf), axis=-1, keepdims=True)
        logits = jnp.where(logits < least, -jnp.inf, logits)
    return jax.random.categorical(key, logits, axis=-1).astype(jnp.int32)

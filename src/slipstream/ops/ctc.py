"""Connectionist temporal classification (Graves et al. 2006)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.operation import Array, operation
from slipstream.ops.define import as_float

# Stands for the logarithm of 0: small enough to vanish, and finite so that gradients are.
_LOG_ZERO = -1e5


@operation("nn", "CTCLoss")
def ctc_loss(
    target: Array, output: Array, target_length: Array, output_length: Array, mask_index: int = 0
) -> Any:
    """Minus the log-probability of a label sequence, summed over all its alignments.

    Args:
        target: class numbers ``(batch, labels)``; what lies beyond `target_length` is not read.
        output: logits ``(batch, time, classes)``.
        target_length: ``(batch,)`` numbers of labels.
        output_length: ``(batch,)`` numbers of time steps.
        mask_index: the class that is the blank.

    Returns:
        Values ``(batch,)``; about 1e5 where the labels do not fit into the time steps.

    Raises:
        ValueError: if the shapes are not these.
    """
    output, labels = as_float(output), jnp.asarray(target, jnp.int32)
    if labels.ndim != 2 or output.ndim != 3 or labels.shape[0] != output.shape[0]:
        raise ValueError(
            f"ctc_loss wants labels (batch, labels) and logits (batch, time, classes) of one "
            f"batch; got shapes {labels.shape} and {output.shape}."
        )
    lengths = jnp.asarray(target_length, jnp.int32)
    # The labels with a blank before, between and after them: the states of an alignment.
    states = 2 * labels.shape[1] + 1
    path = jnp.full((labels.shape[0], states), mask_index, jnp.int32).at[:, 1::2].set(labels)
    before = jnp.pad(path, ((0, 0), (2, 0)), constant_values=mask_index)[:, :states]
    may_skip_blank = (path != mask_index) & (path != before)

    logp = jax.nn.log_softmax(output, axis=-1)
    emitted = jnp.take_along_axis(logp, path[:, None, :], axis=2).swapaxes(0, 1)
    place = jnp.arange(states)
    start = jnp.where(place < 2, emitted[0], _LOG_ZERO)
    steps = jnp.arange(1, output.shape[1])[:, None] < jnp.asarray(output_length, jnp.int32)

    def step(reached: Any, now: Any) -> tuple[Any, None]:
        emission, counts = now
        moved = jnp.pad(reached, ((0, 0), (2, 0)), constant_values=_LOG_ZERO)
        skipped = jnp.where(may_skip_blank, moved[:, :states], _LOG_ZERO)
        stayed = jnp.logaddexp(reached, moved[:, 1 : states + 1])
        new = jnp.logaddexp(stayed, skipped) + emission
        return jnp.where(counts[:, None], new, reached), None

    reached, _ = jax.lax.scan(step, start, (emitted[1:], steps))
    last = 2 * lengths[:, None]
    ends = (place == last) | (place == last - 1)
    return -jax.nn.logsumexp(jnp.where(ends, reached, _LOG_ZERO), axis=1)


@operation("nn", "CTCDecode")
def ctc_decode(
    inputs: Array,
    sequence_lengths: Array,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> Any:
    """The likeliest label sequences for the logits.

    Args:
        inputs: logits ``(batch, time, classes)``.
        sequence_lengths: ``(batch,)`` numbers of time steps.
        strategy: ``"greedy"``, the likeliest class of each step; or ``"beam_search"``, which
            adds up the alignments of each sequence.
        beam_width: sequences kept at each step of the beam search.
        top_paths: sequences to give.
        merge_repeated: whether a class that the greedy path repeats counts once.
        mask_index: the class that is the blank.

    Returns:
        Sequences ``(top_paths, batch, time)`` int32, filled up with -1, and scores
        ``(batch, top_paths)``: log-probabilities of the beam search, minus the sum of the largest
        logits for the greedy one.

    Raises:
        ValueError: for another strategy.
    """
    inputs = as_float(inputs)
    lengths = jnp.asarray(sequence_lengths, jnp.int32)
    if strategy == "greedy":
        return _greedy(inputs, lengths, merge_repeated, mask_index)
    if strategy != "beam_search":
        raise ValueError(
            f"ctc_decode: strategy must be 'greedy' or 'beam_search'; got {strategy!r}."
        )
    best = jax.vmap(lambda x, n: _beam_search(x, n, beam_width, top_paths, mask_index))
    paths, scores = best(inputs, lengths)
    return paths.swapaxes(0, 1), scores


def _greedy(inputs: Any, lengths: Any, merge_repeated: bool, mask_index: int) -> Any:
    steps = jnp.arange(inputs.shape[1])
    inside = steps < lengths[:, None]
    path = jnp.argmax(inputs, -1).astype(jnp.int32)
    kept = (path != mask_index) & inside
    if merge_repeated:
        kept &= (steps == 0) | (path != jnp.roll(path, 1, axis=1))
    # A stable sort moves what is dropped to the end.
    order = jnp.argsort(~kept, axis=1)
    path = jnp.take_along_axis(jnp.where(kept, path, -1), order, axis=1)
    score = -jnp.sum(jnp.where(inside, jnp.max(inputs, -1), 0), axis=1)
    return path[None], score[:, None]


def _beam_search(inputs: Any, length: Any, width: int, top: int, mask_index: int) -> Any:
    """Prefixes with the probabilities of the alignments that end in a blank, and in a label.

    A prefix is known by a hash of its labels: equal prefixes are added up, and one step makes at
    most two equal ones (a prefix that stays, and one that grows into it).
    """
    time, classes = inputs.shape
    logp = jax.nn.log_softmax(inputs, -1)
    symbols = jnp.arange(classes, dtype=jnp.int32)
    zero = jnp.asarray(_LOG_ZERO, logp.dtype)

    def step(beams: Any, now: Any) -> Any:
        emission, t = now
        labels, sizes, blank, label = beams
        last = jnp.where(sizes > 0, labels[jnp.arange(width), sizes - 1], -1)
        either = jnp.logaddexp(blank, label)
        repeats = jnp.where(sizes > 0, label + emission[last], zero)
        # Growing by the last label again needs a blank between the two.
        from_ = jnp.where(symbols == last[:, None], blank[:, None], either[:, None])
        grown = jnp.where(symbols == mask_index, zero, from_ + emission)
        # A prefix that stays takes in the one that grows into it.
        parents = jnp.where(jnp.arange(time) < sizes[:, None] - 1, labels, -1)
        same = jnp.all(parents[:, None] == labels[None], -1) & (sizes[:, None] - 1 == sizes[None])
        alive = either > zero / 2  # a beam that holds no prefix takes in none
        same &= (alive & (sizes > 0))[:, None] & alive[None]
        joined = jnp.where(same, grown[jnp.arange(width)[None], last[:, None]], zero)
        stay_label = jnp.logaddexp(repeats, jax.nn.logsumexp(joined, axis=1))
        stay_label = jnp.where(jnp.any(same, 1), stay_label, repeats)
        taken = jnp.any(same[:, :, None] & (symbols == last[:, None, None]), axis=0)
        grown = jnp.where(taken, zero, grown)
        stay_blank = either + emission[mask_index]
        scores = jnp.concatenate([jnp.logaddexp(stay_blank, stay_label), grown.ravel()])
        _, chosen = jax.lax.top_k(scores, width)
        grows = chosen >= width
        parent = jnp.where(grows, (chosen - width) // classes, chosen)
        symbol = (chosen - width) % classes
        new = labels[parent]
        end = jnp.arange(time) == sizes[parent][:, None]
        new = jnp.where(grows[:, None] & end, symbol[:, None], new)
        sizes_new = sizes[parent] + grows
        blank_new = jnp.where(grows, zero, stay_blank[parent])
        label_new = jnp.where(grows, scores[chosen], stay_label[parent])
        result = (new, sizes_new, blank_new, label_new)
        counts = t < length
        return jax.tree.map(lambda a, b: jnp.where(counts, a, b), result, beams), None

    start = (
        jnp.full((width, time), -1, jnp.int32),
        jnp.zeros(width, jnp.int32),
        jnp.full(width, zero).at[0].set(0),
        jnp.full(width, zero),
    )
    (labels, _, blank, label), _ = jax.lax.scan(step, start, (logp, jnp.arange(time)))
    scores, order = jax.lax.top_k(jnp.logaddexp(blank, label), top)
    return labels[order], scores

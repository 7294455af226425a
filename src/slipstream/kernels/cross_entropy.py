"""Cross-entropies of logits, classes along the last axis."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.kernels import forms, native


def label_entropy(logits: Any, labels: Any) -> Any:
    """``-log p`` of the labelled classes, float32 or wider; 0 for a label that is no class.

    Args:
        logits: floats ``(…, classes)``.
        labels: int32 ``(…)``.
    """
    rows = logits.reshape(labels.size, logits.shape[-1])
    return _label_entropy(rows, labels.reshape(-1))[0].reshape(labels.shape)


def entropy(logits: Any, targets: Any, smoothing: float = 0.0) -> Any:
    """``-sum(t log p)`` for `t` from targets, float32 or wider.

    Args:
        logits: floats ``(…, classes)``.
        targets: distributions, of the shape and type of the logits.
        smoothing: share of each target that is spread over all classes.
    """
    *shape, classes = logits.shape
    rows = (logits.size // max(classes, 1), classes)
    found = _entropy(logits.reshape(rows), targets.reshape(rows), smoothing=float(smoothing))
    return found[0].reshape(shape)


def pick(values: Any, labels: Any, axis: int) -> Any:
    """The values of the labelled classes; 0 for a label that is no class."""
    # A sum over a comparison fuses with what made the values; a gather does not.
    classes = jax.lax.broadcasted_iota(jnp.int32, values.shape, axis % values.ndim)
    chosen = classes == jnp.expand_dims(labels, axis)
    return jnp.sum(jnp.where(chosen, values, 0), axis=axis)


def _exact(x: Any) -> Any:
    return jnp.promote_types(x.dtype, jnp.float32)


def _shares(x: Any) -> Any:
    """Logarithms of the shares; largest logit; sum of the exponentials above it."""
    x = x.astype(_exact(x))
    return (
        jax.nn.log_softmax(x, -1),
        (most := jnp.max(x, -1)),
        jnp.sum(jnp.exp(x - most[:, None]), -1),
    )


def _row_numbers(x: Any, count: int) -> list[Any]:
    return [jax.ShapeDtypeStruct(x.shape[:1], jnp.float32)] * count


def _supports(x: Any, targets: Any, **parameters: Any) -> bool:
    same = jnp.issubdtype(targets.dtype, jnp.integer) or targets.dtype == x.dtype
    return forms.floats(x) and same and x.size > 0


def _label_reference(x: Any, labels: Any) -> Any:
    logp, *saved = _shares(x)
    return (-pick(logp, labels, -1),), tuple(saved)


def _label_compiled(x: Any, labels: Any, *, save: bool) -> Any:
    found = native.call("label_entropy", _row_numbers(x, 3), x, labels)
    return found if save else found[:1]


def _label_gradient(arrays: Any, saved: Any, cotangents: Any) -> Any:
    result = jax.ShapeDtypeStruct(arrays[0].shape, arrays[0].dtype)
    return (native.call("label_entropy_gradient", result, *arrays, *saved, *cotangents),)


_label_entropy = forms.differentiable(
    "label_entropy", _label_reference, _label_compiled, _label_gradient, _supports, 1
)


def _reference(x: Any, targets: Any, *, smoothing: float) -> Any:
    logp, *saved = _shares(x)
    smooth = targets.astype(_exact(x))
    if smoothing:
        smooth = smooth * (1 - smoothing) + smoothing / x.shape[-1]
    return (-jnp.sum(smooth * logp, -1),), (*saved, jnp.sum(smooth, -1))


def _compiled(x: Any, targets: Any, *, save: bool, smoothing: float) -> Any:
    found = native.call("entropy", _row_numbers(x, 4), x, targets, smoothing=smoothing)
    return found if save else found[:1]


def _gradient(arrays: Any, saved: Any, cotangents: Any, *, smoothing: float) -> Any:
    (x, targets), (most, total, _), (slope,) = arrays, saved, cotangents
    result = jax.ShapeDtypeStruct(x.shape, x.dtype)
    dx = native.call("entropy_gradient", result, *arrays, *saved, slope, smoothing=smoothing)
    # Seldom wanted; XLA leaves it away where it is not.
    logp = x.astype(jnp.float32) - (most + jnp.log(total))[:, None]
    return dx, (logp * (slope * (smoothing - 1))[:, None]).astype(targets.dtype)


_entropy = forms.differentiable("entropy", _reference, _compiled, _gradient, _supports, 2)

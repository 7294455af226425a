"""Pictures of a batch, some of them mirrored."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.kernels import forms, native


def mirror(images: Any, chosen: Any, vertical: bool, horizontal: bool) -> Any:
    """`images` ``(batch, height, width, channels)``, those mirrored that are `chosen`.

    Args:
        chosen: ``(batch,)`` bool.
        vertical: whether they are turned upside down.
        horizontal: whether left and right change places.
    """
    return _mirror.bind(images, chosen, vertical=vertical, horizontal=horizontal)


def _mirrored(images: Any, chosen: Any, *, vertical: bool, horizontal: bool) -> Any:
    axes = [axis for axis, wanted in ((1, vertical), (2, horizontal)) if wanted]
    return jnp.where(chosen[:, None, None, None], jnp.flip(images, axes), images)


def _compiled(images: Any, chosen: Any, **ways: Any) -> Any:
    result = jax.ShapeDtypeStruct(images.shape, images.dtype)
    return native.call("mirror", result, images, chosen, **ways)


def _fits(images: Any, chosen: Any, **ways: bool) -> bool:
    return images.dtype == "float32" and chosen.dtype == "bool" and images.size > 0


_mirror = forms.operation("mirror", _mirrored, _compiled, _fits, quick=True)

"""One step of Adam (Kingma & Ba, 2014) for a weight."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.kernels import forms, native

# Numbers of a weight. Of fewer, XLA takes long to begin; more do not lie in the caches. Between
# them its loops are quicker.
_SMALL, _LARGE = 2**16, 2**18


def moments(grad: Any, momentum: Any, velocity: Any, share_1: Any, share_2: Any) -> tuple[Any, Any]:
    """The new moving averages of the gradient and its square, with the shares of this step."""
    momentum = momentum + (grad - momentum) * share_1
    velocity = velocity + (jnp.square(grad) - velocity) * share_2
    return momentum, velocity


def adam_step(param: Any, momentum: Any, velocity: Any, rate: Any, epsilon: float) -> Any:
    """The weight after a step with these moments."""
    return param - momentum * rate / (jnp.sqrt(velocity) + epsilon)


def adam(
    param: Any,
    grad: Any,
    momentum: Any,
    velocity: Any,
    rate: Any,
    share_1: float,
    share_2: float,
    epsilon: float,
) -> tuple[Any, Any, Any]:
    """`moments` and `adam_step` together: the new weight, momentum and velocity.

    Args:
        param, grad, momentum, velocity: of one shape and type.
        rate: float scalar, the learning rate with both bias corrections.
        share_1, share_2: how much of the gradient, and of its square, comes into the moments.
        epsilon: keeps the division finite.
    """
    shares = {"share_1": float(share_1), "share_2": float(share_2), "epsilon": float(epsilon)}
    return tuple(_adam.bind(param, grad, momentum, velocity, jnp.asarray(rate), **shares))


def _reference(*arrays: Any, share_1: float, share_2: float, epsilon: float) -> tuple[Any, ...]:
    param, grad, momentum, velocity, rate = arrays
    momentum, velocity = moments(grad, momentum, velocity, share_1, share_2)
    return adam_step(param, momentum, velocity, rate, epsilon), momentum, velocity


def _compiled(*arrays: Any, **how: float) -> Any:
    result = jax.ShapeDtypeStruct(arrays[0].shape, arrays[0].dtype)
    places = {0: 0, 2: 1, 3: 2}  # the weight and its moments are overwritten
    return tuple(native.call("adam", [result] * 3, *arrays, aliases=places, **how))


def _supports(param: Any, *arrays: Any, **how: float) -> bool:
    single = {str(array.dtype) for array in (param, *arrays)} == {"float32"}
    return single and (0 < param.size <= _SMALL or param.size >= _LARGE)


_adam = forms.operation("adam", _reference, _compiled, _supports, multiple=True)

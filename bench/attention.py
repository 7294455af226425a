"""``python -m bench.attention``: attention on a GPU, by cuDNN's fused kernel and without it.

Milliseconds a call in bfloat16, medians of 20, causal; the gradient is that of all three arrays.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.kernels import attention

SHAPES = [(32, 512, 12, 64), (8, 2048, 16, 64), (2, 8192, 16, 64)]  # batch, length, heads, features


def milliseconds(function: Callable[..., Any], *arrays: Any) -> float:
    """Median of 20 calls after one that compiles."""
    jax.block_until_ready(function(*arrays))
    times = []
    for _ in range(20):
        began = time.perf_counter()
        jax.block_until_ready(function(*arrays))
        times.append(time.perf_counter() - began)
    return 1e3 * median(times)


def gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """The gradient of the sum of its results for all arrays."""
    return jax.jit(jax.grad(lambda *qkv: function(*qkv).astype(jnp.float32).sum(), (0, 1, 2)))


def main() -> None:
    """Print a table."""
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}\n")
    print("| batch, length, heads, features | fused | plain | gradient, fused | gradient, plain |")
    print("|---|---|---|---|---|")
    for shape in SHAPES:
        arrays = [jax.random.normal(jax.random.key(i), shape, jnp.bfloat16) for i in range(3)]
        assert attention._fits_cudnn(*arrays), "there is no GPU here"
        fused = partial(attention.attend, causal=True)
        how: dict[str, Any] = {"scale": shape[-1] ** -0.5, "causal": True, "empty": "mean"}
        plain = partial(attention._plain, mask=None, bias=None, **how)
        forms = [jax.jit(fused), jax.jit(plain), gradient(fused), gradient(plain)]
        cells = [f"{milliseconds(form, *arrays):.3g}" for form in forms]
        print(f"| {shape} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

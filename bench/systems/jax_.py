"""A training loop written by hand in JAX for each network: the limit a library can reach."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.workloads import Workload


def fit(workload: Workload) -> Any:
    x, y = workload.data()
    sizes = (workload.features, *workload.hidden, workload.outputs)
    rng = np.random.default_rng(0)
    shapes = [s for a, b in zip(sizes, sizes[1:]) for s in ((a, b), (b,))]
    weights = [
        rng.normal(size=s).astype("f") * (2 / sum(s)) ** 0.5 if len(s) > 1 else np.zeros(s, "f")
        for s in shapes
    ]
    ends = np.cumsum([w.size for w in weights])
    packed = ends[-1] <= 65_536
    binary, batch = workload.outputs == 1, workload.batch
    y = y.astype("f") if binary else y

    def unpack(flat: Any) -> Any:
        if not packed:
            return flat
        return [flat[e - int(np.prod(s)) : e].reshape(s) for e, s in zip(ends, shapes)]

    def loss_of(params: Any, xb: Any, yb: Any, mask: Any) -> Any:
        h, ws = xb, unpack(params)
        for i in range(0, len(ws), 2):
            h = h @ ws[i] + ws[i + 1]
            if i < len(ws) - 2:
                h = jax.nn.relu(h)
        if binary:
            each = (jnp.maximum(h, 0) - h * yb + jnp.log1p(jnp.exp(-jnp.abs(h))))[:, 0]
            right = ((h > 0) == (yb > 0.5))[:, 0]
        else:
            each = -jnp.take_along_axis(jax.nn.log_softmax(h), yb[:, None], 1)[:, 0]
            right = h.argmax(-1) == yb
        total = jnp.sum(each * mask)
        return total / mask.sum(), (total, jnp.sum(right * mask))

    def step(i: Any, state: Any, x: Any, y: Any, order: Any) -> Any:
        params, m, v, t, seen = state
        rows = order[i]
        mask = (rows >= 0).astype(jnp.float32)
        xb, yb = x[jnp.maximum(rows, 0)], y[jnp.maximum(rows, 0)]
        grads, aux = jax.grad(loss_of, has_aux=True)(params, xb, yb, mask)
        t = t + 1
        rate = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m = jax.tree.map(lambda a, g: a + (g - a) * 0.1, m, grads)
        v = jax.tree.map(lambda a, g: a + (g * g - a) * 0.001, v, grads)
        params = jax.tree.map(lambda p, a, b: p - rate * a / (jnp.sqrt(b) + 1e-7), params, m, v)
        return params, m, v, t, (seen[0] + aux[0], seen[1] + aux[1])

    @jax.jit
    def epoch(state: Any, x: Any, y: Any, order: Any) -> Any:
        return jax.lax.fori_loop(0, order.shape[0], lambda i, s: step(i, s, x, y, order), state)

    params: Any = np.concatenate([w.ravel() for w in weights]) if packed else weights
    zeros = jax.tree.map(np.zeros_like, params)
    seen = (np.float32(0), np.float32(0))
    state = jax.device_put((params, zeros, zeros, np.float32(0), seen))
    xs, ys = jax.device_put((x, y))

    def run() -> float:
        nonlocal state
        for _ in range(workload.epochs):
            order = np.full(-(-workload.rows // batch) * batch, -1, np.int32)
            order[: workload.rows] = rng.permutation(workload.rows)
            state = epoch((*state[:4], seen), xs, ys, order.reshape(-1, batch))
        return float(state[4][0]) / workload.rows

    return run


def predictor(workload: Workload) -> Any:
    raise NotImplementedError("The limit of prediction is the compiled program itself.")

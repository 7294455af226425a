"""Rules that look at a weight as a matrix: Adafactor and Muon. They cannot be packed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np

from slipstream.core.registry import register
from slipstream.kernels.adam import adam
from slipstream.optimizers.adam import adam_rate
from slipstream.optimizers.arguments import Common, Options, with_common
from slipstream.optimizers.base import Optimizer


@register("optimizer")
class Adafactor(Optimizer):
    """Adam's division without its memory: second moments as rows times columns.

    A weight of shape ``(..., rows, columns)`` keeps one moment a row and one a column; scalars
    and vectors keep all of them. Reference: Shazeer & Stern, 2018.

    Args:
        learning_rate: as in `Optimizer`: the highest step, relative to the weight's size.
        beta_2_decay: power of the step by which less and less of the moments is replaced.
        epsilon_1: added to the squared gradient.
        epsilon_2: least size of a weight.
        clip_threshold: highest root mean square of an update.
        relative_step: kept for Keras' signature; the step is at most ``1 / sqrt(step)`` anyway.
        **common: as in `Optimizer`.
    """

    elementwise = False
    hyperparameters = (
        "beta_2_decay",
        "epsilon_1",
        "epsilon_2",
        "clip_threshold",
        "relative_step",
    )

    @with_common
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def init_slots(self, param: Any) -> dict[str, Any]:
        """Rows ``r`` and columns ``c``, or ``velocity`` for fewer than two axes."""
        shape, dtype = tuple(param.shape), jnp.dtype(param.dtype)
        if len(shape) < 2:
            return {"velocity": np.zeros(shape, dtype)}
        return {"r": np.zeros(shape[:-1], dtype), "c": np.zeros(shape[:-2] + shape[-1:], dtype)}

    def saved_slots(self, variable: Any) -> dict[str, tuple[str, Any]]:
        """Keras saves all three for each weight, used or not."""
        own, name = self.init_slots(variable), variable.name
        whole = (f"{variable.path.replace('/', '_')}_velocity", own.get("velocity"))
        if "velocity" in own:
            nothing = (name, np.zeros((), "int32"))
            return {"_r": nothing, "_c": nothing, "velocity": whole}
        unused = (whole[0], np.zeros(variable.shape, jnp.dtype(variable.dtype)))
        return {"r": (name, own["r"]), "c": (name, own["c"]), "_velocity": unused}

    def prepare(
        self, step: Any, learning_rate: Any, shared: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.prepare`: the relative step and how much of the moments stays."""
        count = step.astype(learning_rate.dtype)
        rate = jnp.minimum(learning_rate, 1 / jnp.sqrt(count))
        return (rate, 1 - jnp.power(count, self.beta_2_decay)), shared

    def update(
        self, param: Any, grad: Any, slots: dict[str, Any], coefficients: Any
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.update`."""
        rate, kept = coefficients
        squares = jnp.square(grad) + self.epsilon_1
        if "velocity" in slots:
            velocity = kept * slots["velocity"] + (1 - kept) * squares
            new = {"velocity": velocity}
        else:
            rows = kept * slots["r"] + (1 - kept) * jnp.mean(squares, axis=-1)
            columns = kept * slots["c"] + (1 - kept) * jnp.mean(squares, axis=-2)
            shares = rows / jnp.mean(rows, axis=-1, keepdims=True)
            velocity = shares[..., None] * columns[..., None, :]
            new = {"r": rows, "c": columns}
        direction = grad / jnp.sqrt(velocity)
        direction = direction / jnp.maximum(1.0, _root_mean_square(direction) / self.clip_threshold)
        rate = jnp.maximum(self.epsilon_2, _root_mean_square(param)) * rate
        return param - rate * direction, new


def _root_mean_square(array: Any) -> Any:
    return jnp.sqrt(jnp.mean(jnp.square(array)))


@register("optimizer")
class Muon(Optimizer):
    """Momentum made orthogonal by Newton-Schulz steps; Adam for what is not a matrix.

    Weights of two axes take Muon's step, except embeddings and excluded layers; all others take
    Adam's. References: Jordan, 2024; Liu et al., 2025 (the scale `rms_rate`).

    Args:
        learning_rate: as in `Optimizer`.
        adam_beta_1: `beta_1` of Adam.
        adam_beta_2: `beta_2` of Adam.
        adam_weight_decay: weight decay of the weights that Adam updates.
        epsilon: keeps divisions finite.
        weight_decay: weight decay of the weights that Muon updates.
        exclude_layers: patterns (regular expressions); Adam updates the weights in whose path
            one of them is found.
        exclude_embeddings: whether Adam updates weights with "embedding" in their path.
        muon_a: factor of ``X`` in a Newton-Schulz step.
        muon_b: factor of ``X Xᵀ X``.
        muon_c: factor of ``X Xᵀ X Xᵀ X``.
        adam_lr_ratio: Adam's learning rate over Muon's.
        momentum: how much of the sum of gradients stays at each step.
        ns_steps: number of Newton-Schulz steps.
        nesterov: whether to look ahead by the momentum.
        rms_rate: the step is scaled by this and the root of the longer side; None for neither.
        **options: as in `Optimizer`.
    """

    elementwise = False
    slots = ("momentum", "velocity")
    hyperparameters = (
        "adam_beta_1",
        "adam_beta_2",
        "epsilon",
        "exclude_layers",
        "muon_a",
        "muon_b",
        "muon_c",
        "adam_lr_ratio",
        "momentum",
        "ns_steps",
        "nesterov",
        "exclude_embeddings",
        "adam_weight_decay",
        "rms_rate",
    )

    @with_common
    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        *,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.775,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = list(exclude_layers or [])
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def init_slots(self, param: Any) -> dict[str, Any]:
        """``momentum`` for a matrix that Muon updates, Adam's slots for any other weight."""
        path = getattr(param, "path", "")
        matrix = (
            len(param.shape) == 2
            and not (self.exclude_embeddings and "embedding" in path.lower())
            and not any(re.search(pattern, path) for pattern in self.exclude_layers)
        )
        zeros = np.zeros(param.shape, jnp.dtype(param.dtype))
        return dict.fromkeys(("momentum",) if matrix else self.slots, zeros)

    def decay_factor(self, slots: dict[str, Any]) -> float | None:
        """See `UpdateRule.decay_factor`."""
        return self.adam_weight_decay if "velocity" in slots else self.weight_decay

    def prepare(
        self, step: Any, learning_rate: Any, shared: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.prepare`: Muon's learning rate and Adam's."""
        of_adam = learning_rate * self.adam_lr_ratio
        of_adam = adam_rate(self.adam_beta_1, self.adam_beta_2, step, of_adam)
        return (learning_rate, of_adam), shared

    def update(
        self, param: Any, grad: Any, slots: dict[str, Any], coefficients: Any
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.update`."""
        rate, of_adam = coefficients
        if "velocity" in slots:
            old = slots["momentum"], slots["velocity"]
            shares = 1 - self.adam_beta_1, 1 - self.adam_beta_2
            param, first, second = adam(param, grad, *old, of_adam, *shares, self.epsilon)
            return param, {"momentum": first, "velocity": second}
        momentum = self.momentum * slots["momentum"] + grad
        ahead = grad + self.momentum * momentum if self.nesterov else momentum
        step = self.lr_adjust(self.zeropower_via_newtonschulz5(ahead, self.ns_steps))
        return param - rate * step, {"momentum": momentum}

    def lr_adjust(self, x: Any) -> Any:
        """A step ``(rows, columns)`` in proportion to its longer side; see `rms_rate`."""
        return x if self.rms_rate is None else x * (self.rms_rate * max(x.shape) ** 0.5)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """Roughly the nearest matrix with orthonormal rows, or columns if there are fewer.

        Args:
            x: the matrix ``(rows, columns)``.
            steps: number of Newton-Schulz steps.
        """
        tall = x.shape[0] > x.shape[1]
        x = x.T if tall else x
        x = x / (jnp.sqrt(jnp.sum(jnp.square(x))) + self.epsilon)
        for _ in range(steps):
            gram = x @ x.T
            x = self.muon_a * x + (self.muon_b * gram + self.muon_c * gram @ gram) @ x
        return x.T if tall else x

"""Precision policies: the type weights are kept in and the type a layer computes in."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core import config, registry
from slipstream.core.registry import register

_global: DTypePolicy | None = None


@register("policy", "Policy")
class DTypePolicy:
    """A compute type and a variable type.

    Args:
        name: a type (``"float32"``: both), ``"mixed_bfloat16"`` or ``"mixed_float16"`` (float32
            variables, low-precision arithmetic).

    Raises:
        ValueError: if the name is neither.
    """

    def __init__(self, name: str | None = None) -> None:
        name = name or config.floatx()
        if name.startswith("mixed_"):
            self.compute_dtype, self.variable_dtype = name.removeprefix("mixed_"), "float32"
            valid = self.compute_dtype in ("bfloat16", "float16")
        else:
            self.compute_dtype = self.variable_dtype = name
            valid = _is_dtype(name)
        if not valid:
            raise ValueError(
                f"Unknown dtype policy {name!r}. Use a type such as 'float32' or 'bfloat16', or "
                "'mixed_bfloat16' or 'mixed_float16'."
            )
        self.name = name

    @property
    def quantization_mode(self) -> None:
        """None: nothing is quantized."""

    def convert_input(self, x: Any, autocast: bool, dtype: Any) -> Any:
        """`x` in another type if it is an array of floats and `autocast` is on."""
        floats = hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jnp.floating)
        if not (autocast and floats):
            return x
        return x.astype(dtype) if hasattr(x, "astype") else jnp.asarray(x, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal policy."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        """The policy with these arguments."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


def _is_dtype(name: str) -> bool:
    try:
        jnp.dtype(name)
    except TypeError:
        return False
    return True


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are given none."""
    return _global or DTypePolicy(config.floatx())


def set_dtype_policy(policy: str | DTypePolicy) -> None:
    """Set the policy of layers that are given none."""
    global _global
    _global = get_policy(policy)


def get_policy(identifier: Any) -> DTypePolicy:
    """A policy from None (the global one), a name, a type, a configuration or a policy."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        if "class_name" in identifier:
            return registry.deserialize(identifier, kind="policy")
        return DTypePolicy.from_config(identifier)
    if isinstance(identifier, str):
        return DTypePolicy(identifier)
    return DTypePolicy(jnp.dtype(identifier).name)

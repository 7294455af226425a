"""Precision policies, under Keras' names."""

from __future__ import annotations

from typing import Any

from slipstream.core import registry
from slipstream.core.dtype_policy_map import DTypePolicyMap
from slipstream.core.policy import DTypePolicy, get_policy

FloatDTypePolicy = DTypePolicy

__all__ = ["DTypePolicy", "DTypePolicyMap", "FloatDTypePolicy", "deserialize", "get", "serialize"]


def get(identifier: Any) -> DTypePolicy:
    """A policy from None (the global one), a name, a type, a configuration or a policy.

    Raises:
        ValueError: if nothing can be made of it.
    """
    try:
        return get_policy(identifier)
    except TypeError:
        raise ValueError(
            f"{identifier!r} is neither a policy nor the name of one, such as 'mixed_bfloat16'."
        ) from None


def serialize(dtype_policy: DTypePolicy) -> Any:
    """The configuration of a policy."""
    return registry.serialize(dtype_policy)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The policy that a configuration describes."""
    return registry.deserialize(config, custom_objects, kind="policy")

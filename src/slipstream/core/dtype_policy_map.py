"""`DTypePolicyMap`: precision policies by the paths of layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipstream.core import registry
from slipstream.core.patterns import PathMap
from slipstream.core.policy import DTypePolicy, dtype_policy, get_policy
from slipstream.core.registry import register


@register("policy", module="keras.dtype_policies")
class DTypePolicyMap(PathMap, DTypePolicy):
    """Precision policies by the paths of layers; a key may be a regular expression for whole paths.

    Pass ``policies[path]`` as a layer's `dtype`. Where the map itself is passed, its default
    policy is in force.

    Args:
        default_policy: the policy of layers that no key fits; the global one if not given.
        policy_map: the others, by path.

    Raises:
        TypeError: if `policy_map` is no dictionary.
        ValueError: if a value is no policy, a key is there already, or several fit one path.
    """

    def __init__(
        self, default_policy: Any = None, policy_map: Mapping[str, Any] | None = None
    ) -> None:
        PathMap.__init__(self)
        if policy_map is not None and not isinstance(policy_map, Mapping):
            raise TypeError(f"policy_map must be a dictionary of policies; got {policy_map!r}.")
        if isinstance(default_policy, DTypePolicyMap):
            raise ValueError("default_policy must be a single policy; got a DTypePolicyMap.")
        self._default = None if default_policy is None else get_policy(default_policy)
        self.update(policy_map or {})

    @property
    def default_policy(self) -> DTypePolicy:
        """The policy of layers that no key fits."""
        return self._default or dtype_policy()

    @property
    def name(self) -> str:  # type: ignore[override]
        """``map_`` and the default policy's name."""
        return f"map_{self.default_policy.name}"

    @property
    def compute_dtype(self) -> str:  # type: ignore[override]
        """That of the default policy."""
        return self.default_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:  # type: ignore[override]
        """That of the default policy."""
        return self.default_policy.variable_dtype

    def otherwise(self) -> DTypePolicy:
        """The policy of layers that no key fits."""
        return self.default_policy

    def checked(self, value: Any) -> DTypePolicy:
        """See `PathMap.checked`."""
        try:
            return get_policy(value)
        except TypeError:
            raise ValueError(f"A DTypePolicyMap holds policies; got {value!r}.") from None

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal map."""
        return {
            "default_policy": None if self._default is None else self._default.name,
            "policy_map": {key: registry.serialize(self[key]) for key in self},
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> DTypePolicyMap:
        """The map with these arguments."""
        policies = {key: get_policy(each) for key, each in config["policy_map"].items()}
        return cls(config["default_policy"], policies)

    __eq__ = PathMap.__eq__
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        entries = {key: self[key].name for key in self}
        return f"<DTypePolicyMap default={self.default_policy.name}, policies={entries}>"

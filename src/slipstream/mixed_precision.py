"""Precision policies and loss scaling, under Keras' older names."""

from slipstream.core.policy import DTypePolicy, dtype_policy, set_dtype_policy
from slipstream.optimizers import LossScaleOptimizer

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]

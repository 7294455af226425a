"""Older names, as `keras.legacy` has them."""

from slipstream.legacy import saving

__all__ = ["saving"]

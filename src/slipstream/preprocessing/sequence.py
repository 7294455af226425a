"""Sequences, under Keras' older names."""

from slipstream.utils.sequences import pad_sequences

__all__ = ["pad_sequences"]

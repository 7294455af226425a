"""Random seeds, under Keras' names."""

from slipstream.core.random import set_random_seed

__all__ = ["set_random_seed"]

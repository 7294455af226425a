"""Augmentation beside Keras on JAX and torchvision, and what it costs in a training."""

"""Whole models: training and prediction, each system in a process of its own, from equal weights."""

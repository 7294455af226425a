"""Whole models: training and prediction, a process for each system, from equal weights."""

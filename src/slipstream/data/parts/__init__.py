"""Data in parts: splits, folds, leaks between them, balance within them."""

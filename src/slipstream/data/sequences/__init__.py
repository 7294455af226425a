"""Sequences of unequal length: buckets, packing, windows."""

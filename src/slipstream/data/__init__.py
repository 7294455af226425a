"""Data: from files and frames to batches, and what may be wrong with them."""

import slipstream.core  # noqa: F401 (first of all: it imports JAX without pauses)
from slipstream.data.parts.balance import Balanced, balance, balanced, class_weights
from slipstream.data.parts.folds import Fold, folds
from slipstream.data.parts.leaks import Leaks
from slipstream.data.parts.split import Part, Parts, split
from slipstream.data.quality.check import Finding, Quality, check
from slipstream.data.sequences.bucket import Buckets, bucket
from slipstream.data.sequences.pack import Packed, pack, segment_mask
from slipstream.data.streams.reading import read
from slipstream.data.streams.stream import Stream

__all__ = [
    "Balanced",
    "Buckets",
    "Finding",
    "Fold",
    "Leaks",
    "Packed",
    "Part",
    "Parts",
    "Quality",
    "Stream",
    "balance",
    "balanced",
    "bucket",
    "check",
    "class_weights",
    "folds",
    "pack",
    "read",
    "segment_mask",
    "split",
]

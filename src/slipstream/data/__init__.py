"""Data: from files and frames to batches, and what may be wrong with them."""

from slipstream.data.balance import Balanced, balance, balanced, class_weights
from slipstream.data.folds import Fold, folds
from slipstream.data.leaks import Leaks
from slipstream.data.lengths import Buckets, bucket
from slipstream.data.pack import Packed, pack, segment_mask
from slipstream.data.quality import Finding, Quality, check
from slipstream.data.reading import read
from slipstream.data.split import Part, Parts, split
from slipstream.data.stream import Stream

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

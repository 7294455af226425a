"""``python -m bench.augmentation [--rounds N] [LAYER …]``: print the table of some layers."""

from __future__ import annotations

import argparse

from bench.augmentation.rows import ROWS
from bench.augmentation.table import augmentation

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.augmentation", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("layers", nargs="*", help="names; all unless given")
    chosen = parser.parse_args()
    if unknown := set(chosen.layers) - set(ROWS):
        parser.error(f"no row for {sorted(unknown)}; there are: {', '.join(ROWS)}")
    print(augmentation(chosen.rounds, chosen.layers))

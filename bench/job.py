"""The reference job as a whole process: ``python -m bench.job SYSTEM`` trains once and exits."""

import importlib
import sys

from bench.workloads import WORKLOADS

if __name__ == "__main__":
    importlib.import_module(f"bench.systems.{sys.argv[1]}_").fit(WORKLOADS["reference"])()

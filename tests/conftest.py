"""Settings for every test: Keras beside us on the same engine, and quick compiles."""

import gc
import os
from importlib.metadata import version

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("SLIPSTREAM_CACHE", "off")
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
    + (
        "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=2"
        if tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11)  # a later one may refuse
        else ""
    ),
)

import numpy as np
import pytest
from hypothesis import settings

# Tracing makes many objects that live on; to look through them again and again takes longer than
# their few cycles are worth.
gc.set_threshold(100_000, 20, 100)

# On a server the same examples in every run; at a desk new ones each time.
settings.register_profile("server", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("server")


@pytest.fixture
def rng() -> np.random.Generator:
    """The same numbers in every run."""
    return np.random.default_rng(0)

"""In which thread programs on the CPU run."""

import os
import subprocess
import sys

import pytest

TOLD = "import slipstream.core, jax; print(jax.config.values['jax_cpu_enable_async_dispatch'])"


@pytest.mark.parametrize(("asked", "found"), [(None, "False"), ("true", "True"), ("0", "False")])
def test_programs_run_where_they_are_started_unless_asked_otherwise(asked, found):
    environment = dict(os.environ)
    environment.pop("JAX_CPU_ENABLE_ASYNC_DISPATCH", None)
    if asked is not None:
        environment["JAX_CPU_ENABLE_ASYNC_DISPATCH"] = asked
    done = subprocess.run(
        [sys.executable, "-c", TOLD], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == found

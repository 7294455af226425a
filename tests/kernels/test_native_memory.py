"""Programs get the memory of the call before again, not new pages from the system."""

import os
import subprocess
import sys

import pytest
from native_cases import needs_native

pytestmark = needs_native

# Three results of 4 MB: 3,072 pages a call, if all of them were new.
CALLS = """
import resource
import jax, jax.numpy as jnp
from slipstream.kernels import native
assert native.library()
program = jax.jit(lambda x: (x + 1, x + 2, x * 3))
x = jnp.ones(2**20)
def calls(count):
    for _ in range(count):
        jax.block_until_ready(program(x))
calls(10)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
calls(20)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 20)
"""


def new_pages(**environment):
    """Pages that the system hands out for a call."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", CALLS]
    done = subprocess.run(
        command, env={**own, **environment}, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="pages are counted on Linux")
def test_a_call_takes_no_new_pages_unless_the_user_has_chosen():
    if new_pages(GLIBC_TUNABLES="glibc.malloc.trim_threshold=131072") < 1000:
        pytest.skip("the C library or its settings keep memory anyway")
    assert new_pages() < 1000

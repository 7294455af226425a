"""How the engine starts: the garbage collector does not look through what JAX makes."""

import subprocess
import sys

import pytest

PROGRAM = """
import gc, importlib
seen = [0, 0, 0]
gc.callbacks.append(lambda phase, told: seen.__setitem__(told["generation"], 1))
importlib.import_module("slipstream." + {!r})
print(seen[2], gc.isenabled(), gc.get_freeze_count())
"""


@pytest.mark.parametrize("module", ["models", "layers", "ops", "data", "training.loop"])
def test_jax_is_imported_without_pauses_and_frozen(module):
    command = [sys.executable, "-c", PROGRAM.format(module)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    of_everything, enabled, frozen = done.stdout.split()
    assert of_everything == "0" and enabled == "True" and int(frozen) > 50_000


def test_where_somebody_else_imported_jax_it_is_frozen_all_the_same():
    command = [sys.executable, "-c", "import jax\n" + PROGRAM.format("models")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert int(done.stdout.split()[2]) > 50_000, done.stderr

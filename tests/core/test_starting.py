"""How the engine starts: the garbage collector does not look through what JAX makes."""

import subprocess
import sys

import pytest

PROGRAM = """
import gc, importlib
seen = [0, 0, 0]
gc.callbacks.append(lambda phase, told: seen.__setitem__(told["generation"], 1))
importlib.import_module("slipstream." + {!r})
print(seen[2], int(gc.isenabled()), gc.get_freeze_count())
"""


def told(first: str, module: str) -> list[int]:
    program = first + PROGRAM.format(module)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return [int(each) for each in done.stdout.split()]


@pytest.mark.parametrize("module", ["models", "layers", "ops", "data"])
def test_jax_is_imported_without_pauses(module):
    of_everything, enabled, _ = told("", module)
    assert not of_everything and enabled


@pytest.mark.parametrize("module", ["models", "activations", "callbacks", "training.loop"])
def test_what_jax_has_made_is_frozen_whichever_room_is_first(module):
    assert told("", module)[2] > 50_000


def test_objects_of_a_script_that_imported_jax_itself_are_not_frozen():
    assert told("import jax\n", "models")[2] == 0

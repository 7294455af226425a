"""The house: who may import whom, and what an import may cost."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import slipstream

SOURCE = Path(slipstream.__file__).parent
# From the ground up; rooms of one floor do not know each other.
FLOORS = [
    {"core"},
    {"kernels"},
    {"ops"},
    {"activations", "initializers", "regularizers", "constraints", "losses"},
    {"metrics"},
    {"optimizers"},
    {"layers"},
    {"data"},
    {"speed"},
    {"training"},
    {"models"},
    {"datasets"},
    {"report"},
    {"cli"},
]
# Short public faces that only hand names on.
FACES = {
    "backend",
    "callbacks",
    "config",
    "mixed_precision",
    "preprocessing",
    "random",
    "saving",
    "tree",
    "dtype_policies",
    "legacy",
    "utils",
}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def floor_of(room: str) -> int | None:
    return next((i for i, rooms in enumerate(FLOORS) if room in rooms), None)


def imports(path: Path):
    """Rooms of ours that a file imports, at its top or late."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("slipstream"):
            base = node.module.removeprefix("slipstream").lstrip(".")
            for name in [base] if base else [alias.name for alias in node.names]:
                yield name.split(".")[0]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("slipstream."):
                    yield alias.name.split(".")[1]


FILES = sorted(SOURCE.rglob("*.py"))


def test_every_room_has_a_floor():
    rooms = {room_of(path) for path in FILES} - {"__init__"}
    assert rooms <= set().union(*FLOORS) | FACES


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down_only(path):
    room = room_of(path)
    floor = floor_of(room)
    if floor is None:
        return
    for other in imports(path):
        if other in FACES:
            assert room == "cli", f"{path.name} imports the public face {other}"
        below = floor_of(other)
        if below is not None and other != room:
            assert below < floor, f"{room} may not import {other}"


def loaded_by(statement: str) -> set[str]:
    program = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in done.stdout.split()}


HEAVY = {
    "optax", "h5py", "rich", "typer", "pandas", "pyarrow", "scipy", "sklearn", "tensorboardX",
    "keras", "torch", "tensorflow", "matplotlib", "PIL",
}  # fmt: skip


@pytest.mark.parametrize(
    "statement", ["import slipstream", "import slipstream.models, slipstream.layers"]
)
def test_an_import_loads_nothing_heavy(statement):
    assert not (loaded_by(statement) - loaded_by("import jax.numpy")) & HEAVY


def test_help_of_the_command_does_not_load_the_engine():
    assert "jax" not in loaded_by("import slipstream.cli.main")


def test_every_name_of_the_top_level_is_there():
    for name in dir(slipstream):
        assert getattr(slipstream, name) is not None

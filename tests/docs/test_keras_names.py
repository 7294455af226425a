"""The table of Keras' names is up to date, and what scripts use most is here."""

import importlib.util
import re
from pathlib import Path

import keras
import pytest
from keras_usage import usage

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "keras_names.py"


@pytest.fixture(scope="module")
def names():
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("keras_names", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows(names):
    return {row.path: row for row in names.rows()}


def test_the_page_is_what_the_script_writes(names):
    written = names.PAGE.read_text()
    if f"with Keras {keras.__version__};" not in written:
        pytest.skip("the page was made with another version of Keras")
    assert names.page(names.rows(), keras.__version__) == written, "run: python docs/keras_names.py"


def test_what_scripts_use_is_here(names, rows):
    used = usage()
    assert len(used) > 200
    assert not set(used) - set(rows), "names that Keras does not have"
    missing = {name for name in used if rows[name].status == names.MISSING}
    assert not missing


def test_notes_are_about_names_of_keras(names, rows):
    known = {*rows, *(row.name for row in rows.values())}
    assert not set(names.NOTES) - known


def test_what_a_page_calls_missing_is_missing(names, rows):
    page = (ROOT / "docs" / "from_keras.md").read_text()
    named = re.findall(r"`keras\.([\w.]+)`", page.partition("## What is missing")[2])
    assert named
    for name in named:
        inside = [row for path, row in rows.items() if path == name or path.startswith(name + ".")]
        assert inside
        assert {row.status for row in inside} == {names.MISSING}, name


def reference(a, b=1, *, c="x"):
    pass


class Base:
    def __init__(self, name=None):
        self.name = name

    def run(self, steps):
        """Documented."""


class Child(Base):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)


@pytest.mark.parametrize(
    ("mine", "said"),
    [
        (lambda a, b=1, c="x": 0, []),
        (lambda *args, c="x": 0, []),
        (lambda a, b=1: 0, ["lacks `c`"]),
        (lambda a, b=2, *, c="x": 0, ["default of `b` is `2`, not `1`"]),
        (lambda z, b=1, *, c="x": 0, ["calls the argument `a` `z`"]),
        (lambda b, a, *, c="x": 0, ["takes `a`, `b` by name only or in another place",
                                    "requires `b`"]),
    ],
)  # fmt: skip
def test_differences_of_arguments_are_found(names, mine, said):
    assert names.argument_differences(reference, mine) == said


def test_arguments_of_bases_count_and_numbers_may_stand_for_tuples(names):
    def theirs(units, strides=(1, 1), *, name=None):
        pass

    class Mine(Child):
        def __init__(self, units, strides=1, **kwargs):
            super().__init__(units, **kwargs)

    assert names.argument_differences(theirs, Mine) == []
    assert names.argument_differences(theirs, Child) == ["lacks `strides`"]


def test_differences_of_methods_are_found(names):
    class Other:
        def __init__(self, name=None):
            self.other = name

    class Renamed(Child):
        def run(self, epochs):
            """Documented."""

    assert names.method_differences(Base, Other, set()) == ["has no `run`"]
    assert names.method_differences(Child, Other, {id(Base)}) == []
    assert names.method_differences(Base, Renamed, set()) == [
        "`run` calls the argument `steps` `epochs`"
    ]

"""Every public name of `keras.ops` and `keras.random` is here, with the same arguments."""

import inspect

import keras
import pytest

import slipstream

MODULES = ["ops", "ops.numpy", "ops.nn", "ops.linalg", "ops.image", "random"]
MISSING: dict[str, str] = {}  # name -> why
# Keras takes any further keyword here, of which one means something.
CATCH_ALL = {"layer_normalization", "multi_hot", "SeedGenerator"}


def find(root, module):
    for part in module.split("."):
        root = getattr(root, part)
    return root


def public(module):
    return [name for name in dir(find(keras, module)) if not name.startswith("_")]


def arguments(function):
    return [(p.name, p.default, p.kind) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("module", MODULES)
def test_every_name_is_there_with_the_arguments_of_keras(module):
    theirs, mine = find(keras, module), find(slipstream, module)
    names = public(module)
    assert names
    missing = {name for name in names if not hasattr(mine, name)}
    assert missing == {name for name in names if name in MISSING}
    for name in set(names) - missing:
        if inspect.ismodule(getattr(theirs, name)):
            continue
        own, other = arguments(getattr(mine, name)), arguments(getattr(theirs, name))
        if name in CATCH_ALL:
            other = other[:-1]
            own = own[: len(other)]
        assert own == other, name


def test_no_name_is_only_there_by_accident():
    extra = set(dir(slipstream.ops)) - set(public("ops"))
    modules = {name for name in extra if inspect.ismodule(getattr(slipstream.ops, name))}
    assert {name for name in extra - modules if not name.startswith("_")} == {"mish"}


@pytest.mark.parametrize("module", MODULES[:1] + MODULES[4:])
def test_every_function_says_what_it_does(module):
    for name in public(module):
        value = getattr(find(slipstream, module), name)
        assert inspect.ismodule(value) or (value.__doc__ or "").strip(), name

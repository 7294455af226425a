"""A variable reads and writes where it should: stored outside a program, bound inside."""

import copy
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slipstream.core.scope import Scope
from slipstream.core.variable import Variable


def test_assign_inside_a_scope_changes_the_scope_and_not_the_variable():
    variable = Variable(np.zeros(3, "f"), name="v")

    @jax.jit
    def program(value):
        scope = Scope([variable], [value])
        with scope.active():
            variable.assign_add(jnp.ones(3))
            variable.assign(variable * 2)
        return scope.read([variable])[0]

    np.testing.assert_array_equal(program(jnp.full(3, 4.0)), np.full(3, 10.0))
    np.testing.assert_array_equal(variable.numpy(), np.zeros(3))


def test_scopes_of_two_threads_do_not_see_each_other():
    variable = Variable(np.float32(0))
    seen = {}
    both_inside = threading.Barrier(2)

    def work(number):
        with Scope([variable], [jnp.float32(number)]).active():
            both_inside.wait()
            seen[number] = float(variable.value)

    threads = [threading.Thread(target=work, args=(n,)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {1: 1.0, 2: 2.0}


def test_assigned_array_is_a_copy():
    variable = Variable(np.zeros(2, "f"))
    mine = np.ones(2, "f")
    variable.assign(mine)
    mine[:] = 7
    np.testing.assert_array_equal(variable.numpy(), [1, 1])


def test_assign_of_another_shape_names_both_shapes():
    variable = Variable(np.zeros((2, 3), "f"), name="kernel")
    with pytest.raises(ValueError, match=r"'kernel' has shape \(2, 3\).*\(3, 2\)"):
        variable.assign(np.zeros((3, 2), "f"))


def test_assigning_an_untracked_variable_in_a_program_is_an_error_and_leaks_no_tracer():
    variable = Variable(np.zeros(2, "f"))
    with pytest.raises(ValueError, match="does not carry it"):
        jax.jit(lambda x: variable.assign(x))(jnp.ones(2))
    np.testing.assert_array_equal(variable.numpy(), [0, 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initializer": "zeros"}, "no shape"),
        ({"initializer": "zeros", "shape": (None, 2)}, "fully known shape"),
        ({"initializer": np.zeros(3), "shape": (2,)}, r"\(2,\).*\(3,\)"),
        ({"initializer": np.zeros(3), "name": "a/b"}, "must not contain '/'"),
        ({"initializer": "zeroes", "shape": (2,)}, "Did you mean 'zeros'"),
    ],
)
def test_bad_arguments(arguments, message):
    import slipstream.initializers  # noqa: F401 - enters the names

    with pytest.raises(ValueError, match=message):
        Variable(**arguments)


def test_arithmetic_is_that_of_the_array():
    variable = Variable(np.array([1.0, 2.0], "f"))
    np.testing.assert_allclose(2 - variable, [1, 0])
    np.testing.assert_allclose(variable @ np.ones(2, "f"), 3)
    np.testing.assert_allclose(jnp.exp(jnp.asarray(variable)), np.exp([1, 2]), rtol=1e-6)
    assert variable.sum() == 3
    assert np.asarray(variable).dtype == np.float32
    assert (variable > 1.5).tolist() == [False, True]


def test_copies_are_independent():
    variable = Variable(np.zeros(2, "f"), name="v")
    other = copy.deepcopy(variable)
    other.assign(np.ones(2, "f"))
    np.testing.assert_array_equal(variable.numpy(), [0, 0])
    assert other.name == "v"

"""Scopes, custom operations and functions beside Keras."""

import jax
import keras
import numpy as np
import pytest

import slipstream

LIBRARIES = (keras, slipstream)
ONES = np.ones((2, 3), "float32")


def outcome(function):
    """What a function gives in each library; an error as its type."""
    found = []
    for library in LIBRARIES:
        try:
            found.append(function(library))
        except Exception as error:
            found.append(type(error))
    return found


def same(function):
    theirs, mine = outcome(function)
    assert theirs == mine
    return mine


def test_a_stateless_scope_keeps_changes_to_itself():
    def run(library):
        variable, other = library.Variable(1.0, name="v"), library.Variable(2.0)
        pairs = [(variable, jax.numpy.asarray(5.0))]
        with library.StatelessScope(state_mapping=pairs) as scope:
            seen = [float(variable.value)]
            variable.assign(7.0)
            scope.add_update((other, jax.numpy.asarray(9.0)))
            seen += [float(variable.value), float(other.value)]
        values = [scope.get_current_value(v) for v in (variable, other, library.Variable(3.0))]
        seen += [None if v is None else float(v) for v in values]
        return [*seen, float(variable.value), float(other.value)]

    assert same(run) == [5, 7, 9, 7, 9, None, 1, 2]
    for pairs in ([(3, 4)], [(None, ONES)]):
        assert same(lambda library, p=pairs: library.StatelessScope(p)) is ValueError
    wrong = lambda library: library.StatelessScope([(library.Variable(1.0), ONES)])  # noqa: E731
    assert same(wrong) is ValueError


@pytest.mark.parametrize("collect", [True, False])
def test_a_stateless_scope_collects_losses(collect):
    def run(library):
        layer = library.layers.Dense(2, kernel_initializer="ones", activity_regularizer="l2")
        layer.build((None, 3))
        with library.StatelessScope(collect_losses=collect) as scope:
            layer(ONES)
        return [round(float(loss), 5) for loss in scope.losses or []]

    assert len(same(run)) == collect


def test_names_of_scopes_stand_before_those_of_what_is_made_in_them():
    def run(library):
        with library.name_scope("outer"), library.name_scope("inner"):
            variable = library.Variable(1.0, name="w")
            layer = library.layers.Dense(2, name="dense")
            layer.build((1, 2))
        return variable.path, layer.path, layer.kernel.path, library.Variable(1.0, name="u").path

    assert same(run)[2] == "outer/inner/dense/kernel"
    for name in (3, "a/b"):
        assert same(lambda library, n=name: library.name_scope(n).__enter__()) is ValueError


def test_devices():
    with slipstream.device("cpu:0"):
        assert slipstream.ops.ones(2).devices() == {jax.devices("cpu")[0]}
    for name, kind in (("cpu:99", ValueError), ("cpu:x", ValueError), ("tree:0", RuntimeError)):
        with pytest.raises(kind):
            slipstream.device(name)


def scaled(library):
    @library.saving.register_keras_serializable("tests")
    class Scaled(library.Operation):
        def __init__(self, factor, name=None):
            super().__init__(name=name)
            self.factor = factor

        def call(self, x):
            return library.ops.sum(x * self.factor, axis=-1)

    return Scaled


def test_an_operation_of_ones_own(tmp_path):
    def run(library):
        operation = scaled(library)(3.0, name="scaled")
        x = library.Input((3,))
        y = operation(x)
        ends = operation.input.shape, operation.output.shape
        model = library.Model(x, y)
        model.save(tmp_path / f"{library.__name__}.keras")
        again = library.saving.load_model(tmp_path / f"{library.__name__}.keras")
        values = [np.asarray(f(ONES)).tolist() for f in (operation, model.predict, again.predict)]
        return y.shape, ends, operation.get_config(), values

    assert same(run)[3] == [[9, 9]] * 3
    assert same(lambda library: library.Operation()(ONES)) is NotImplementedError
    assert same(lambda library: library.Operation().input) is AttributeError


def test_an_operation_of_ones_own_may_mix_rows():
    class Centred(slipstream.Operation):
        def call(self, x):
            return x - slipstream.ops.mean(x, axis=0, keepdims=True)

    x = slipstream.Input((1,))
    model = slipstream.Model(x, Centred()(x))
    rows = np.arange(5, dtype="float32")[:, None]
    np.testing.assert_allclose(model.predict(rows, batch_size=3)[:, 0], [-1, 0, 1, -0.5, 0.5])


def test_functions():
    def run(library):
        x, z = library.Input((3,)), library.Input((3,))
        y = library.layers.Dense(2, kernel_initializer="ones")(x * 2) + library.ops.sum(z)
        function = library.Function([x, z], {"y": y, "x": x * 2}, name="f")
        values = function([ONES, ONES])
        symbols = function([library.Input((3,)), library.Input((3,))])
        return (
            function.name,
            {key: np.asarray(value).tolist() for key, value in values.items()},
            {key: symbol.shape for key, symbol in symbols.items()},
            len(function.inputs),
            [symbol.shape for symbol in function.outputs],
            len(function.operations),
            function.compute_output_shape([(5, 3), (5, 3)]),
        )

    same(run)
    disjoint = lambda lib: lib.Function([lib.Input((3,))], lib.Input((3,)) * 2)  # noqa: E731
    assert same(disjoint) is ValueError
    one = lambda lib: (lambda x: lib.Function([x], x * 2))(lib.Input((3,)))  # noqa: E731
    assert same(lambda lib: one(lib)(ONES)) is ValueError
    assert same(lambda lib: one(lib).get_config()) is NotImplementedError


def test_remat_gives_the_same_gradient():
    def gradient(library):
        f = library.remat(lambda x: library.ops.sin(x) ** 2)
        return float(jax.grad(f)(1.0))

    same(gradient)
    for mode in ("full", None, "bad"):
        same(lambda library, m=mode: library.RematScope(m).mode)


def test_symbolic_tensors_have_the_arguments_of_keras_ones():
    def run(library):
        tensor = library.KerasTensor((None, 3), "int32", name="k")
        return tensor.shape, tensor.dtype, tensor.ndim, tensor.name, tensor.sparse, tensor.ragged

    same(run)
    assert slipstream.KerasTensor is slipstream.SymbolicTensor
    with pytest.raises(ValueError, match="Sparse and ragged"):
        slipstream.KerasTensor((2,), sparse=True)

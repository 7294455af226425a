"""A layer finds its variables and layers, builds once, and says where an error arose."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from slipstream.core.layer import Layer
from slipstream.core.scope import Scope, attach, attached
from slipstream.core.symbol import SymbolicTensor
from slipstream.layers import Dense, Dropout


class Affine(Layer):
    """A user's layer that holds others in every kind of container."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.blocks = [Dense(units), {"a": Dense(units)}]
        self.drop = Dropout(0.5)

    def build(self, input_shape):
        self.scale = self.add_weight((input_shape[-1],), "ones", name="scale")
        self.count = self.add_weight((), "zeros", trainable=False, name="count")

    def call(self, inputs, training=False):
        self.count.assign_add(1.0)
        outputs = self.blocks[1]["a"](self.blocks[0](inputs * self.scale.value))
        return self.drop(outputs, training=training)


def test_variables_are_found_in_containers_and_ordered_as_in_keras():
    layer = Affine(3, name="affine")
    layer(np.ones((2, 4), "f"))
    assert [v.path for v in layer.variables] == [
        "affine/scale",
        "affine/count",
        f"affine/{layer.blocks[0].name}/kernel",
        f"affine/{layer.blocks[0].name}/bias",
        f"affine/{layer.blocks[1]['a'].name}/kernel",
        f"affine/{layer.blocks[1]['a'].name}/bias",
    ]
    assert len(layer.trainable_variables) == 5
    assert [v.name for v in layer.non_trainable_variables] == ["count"]
    layer.trainable = False
    assert layer.trainable_variables == []
    assert len(layer.non_trainable_variables) == 6


def test_build_runs_once_and_with_the_inputs_shape():
    shapes = []

    class Noted(Layer):
        def build(self, input_shape):
            shapes.append(input_shape)

        def call(self, inputs):
            return inputs

    layer = Noted()
    layer(np.ones((2, 5), "f"))
    layer(np.ones((3, 5), "f"))
    assert shapes == [(2, 5)]


def test_build_with_one_shape_per_argument():
    class Pair(Layer):
        def build(self, left_shape, right_shape):
            self.shapes = (left_shape, right_shape)

        def call(self, left, right):
            return left.sum() + right.sum()

    layer = Pair()
    layer(np.ones((2, 5), "f"), np.ones((2, 3), "f"))
    assert layer.shapes == ((2, 5), (2, 3))


def test_training_reaches_inner_layers_without_being_passed():
    class Outer(Layer):
        def __init__(self):
            super().__init__()
            self.drop = Dropout(0.99)

        def call(self, inputs, training=False):
            return self.drop(inputs)

    outer, x = Outer(), np.ones((1, 1000), "f")
    assert (np.asarray(outer(x, training=True)) == 0).sum() > 900
    np.testing.assert_array_equal(outer(x), x)


def test_symbolic_call_infers_unknown_sizes():
    out = Affine(3)(SymbolicTensor((None, 4)))
    assert out.shape == (None, 3)

    class Pairs(Layer):
        def call(self, inputs):
            return jnp.concatenate([inputs, inputs], 0), inputs.sum(0)

    both, total = Pairs()(SymbolicTensor((None, 4)))
    assert both.shape == (None, 4)
    assert total.shape == (4,)


def test_arithmetic_on_symbols():
    x = SymbolicTensor((None, 4))
    assert (1 - x * 2).shape == (None, 4)
    assert (x[:, :2] @ np.ones((2, 7), "f")).shape == (None, 7)
    with pytest.raises(ValueError, match="holds no values"):
        np.asarray(x)


def test_an_error_names_the_innermost_layer_and_the_shape():
    class Broken(Layer):
        def call(self, inputs):
            return inputs @ np.ones((9, 2), "f")

    class Outer(Layer):
        def __init__(self):
            super().__init__(name="outer")
            self.inner = Broken(name="inner")

        def call(self, inputs):
            return self.inner(inputs)

    with pytest.raises(TypeError) as caught:
        Outer()(np.ones((2, 4), "f"))
    notes = [note for note in caught.value.__notes__ if note.startswith("In layer")]
    assert notes == ["In layer 'outer/inner' (Broken), called with shape (2, 4)."]


@pytest.mark.parametrize(
    ("shape", "message"), [((2, 3), "size 4 on axis -1"), ((4,), "at least 2 axes")]
)
def test_input_of_another_shape_is_refused_with_both_shapes(shape, message):
    layer = Dense(2, name="narrow")
    layer(np.ones((2, 4), "f"))
    with pytest.raises(ValueError, match="'narrow'.*") as caught:
        layer(np.ones(shape, "f"))
    assert message in str(caught.value)
    assert str(shape) in str(caught.value)


def test_set_weights_is_all_or_nothing():
    layer = Dense(2)
    layer(np.ones((1, 3), "f"))
    before = layer.get_weights()
    with pytest.raises(ValueError, match="array of shape \\(5,\\)"):
        layer.set_weights([np.zeros((3, 2)), np.zeros(5)])
    with pytest.raises(ValueError, match="2 weights; set_weights got 1"):
        layer.set_weights([np.zeros((3, 2))])
    for old, new in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_config_of_a_users_layer_comes_from_its_arguments():
    layer = Affine(7, name="mine", dtype="mixed_bfloat16")
    config = layer.get_config()
    assert config["units"] == 7
    again = Affine.from_config(config)
    assert (again.units, again.name) == (7, "mine")
    assert again.compute_dtype == "bfloat16"


def test_mixed_precision_computes_low_and_keeps_high():
    layer = Dense(2, dtype="mixed_bfloat16")
    assert layer(np.ones((1, 3), "f")).dtype == jnp.bfloat16
    assert layer.kernel.dtype == "float32"


def test_per_example_is_not_inherited_by_a_class_with_its_own_call():
    class Mixes(Dense):
        def call(self, inputs):
            return inputs - inputs.mean(0)

    assert Dense.per_example
    assert not Mixes.per_example
    assert not Affine.per_example


def test_add_loss_and_regularizers_are_losses():
    class Penal(Layer):
        def __init__(self):
            super().__init__()
            self.inner = Dense(1, kernel_regularizer="l2")

        def call(self, inputs):
            self.add_loss(jnp.sum(inputs))
            return self.inner(inputs)

    layer = Penal()
    layer(np.ones((2, 3), "f"))
    kernel = layer.inner.kernel.numpy()
    assert [float(v) for v in layer.losses] == pytest.approx([6.0, 0.01 * (kernel**2).sum()])


def test_activity_regularizer_as_in_keras():
    x = np.arange(6, dtype="f").reshape(2, 3)
    ours = Dense(4, kernel_initializer="ones", activity_regularizer="l1")
    theirs = keras.layers.Dense(4, kernel_initializer="ones", activity_regularizer="l1")
    ours(x)
    theirs(x)
    assert float(sum(ours.losses)) == pytest.approx(float(sum(theirs.losses)))


def test_notes_on_arrays_vanish_with_them():
    from slipstream.core import scope as module

    before = len(module._notes)

    @jax.jit
    def program(x):
        y = x + 1
        attach(y, "mask", x)
        assert attached(y, "mask") is x
        assert attached(x, "mask") is None
        return y

    program(jnp.ones(3))
    assert len(module._notes) <= before + 1


def test_a_scope_ends_with_its_block():
    from slipstream.core.scope import current_scope

    with pytest.raises(RuntimeError), Scope().active():
        raise RuntimeError
    assert current_scope() is None

"""Targets, sample weights and class weights of models with several outputs, as in Keras."""

import keras
import numpy as np
import pytest

import slipstream

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3)).astype("f")
LABELS, NUMBERS = RNG.integers(0, 3, 12), RNG.normal(size=(12, 1)).astype("f")
W, V = RNG.uniform(size=(2, 12)).astype("f")
CLASSES = {0: 1.0, 1: 2.0, 2: 0.5}


def network(library, outputs=2, as_dict=False):
    """Outputs ``z``, a class, and ``a``, a number: not in the order of their names."""
    inputs = library.Input((3,))
    hidden = library.layers.Dense(4, "tanh")(inputs)
    label = library.layers.Dense(3, "softmax", name="z")(hidden)
    number = library.layers.Dense(1, name="a")(hidden)
    both = {"z": label, "a": number} if as_dict else [label, number]
    model = library.Model(inputs, both if outputs == 2 else label)
    rng = np.random.default_rng(1)
    order = {"kernel": 0, "bias": 1}
    for layer in sorted(model.layers, key=lambda layer: layer.name):
        for weight in sorted(layer.weights, key=lambda w: order[w.name]):
            weight.assign(rng.normal(size=weight.shape).astype("f"))
    losses = {"z": "sparse_categorical_crossentropy", "a": "mse"}
    model.compile(
        library.optimizers.SGD(0.1),
        losses if outputs == 2 else losses["z"],
        weighted_metrics={"z": ["accuracy"], "a": ["mae"]} if outputs == 2 else ["accuracy"],
    )
    return model


def history(library, y, outputs=2, as_dict=False, **given):
    model = network(library, outputs, as_dict)
    return model.fit(X, y, shuffle=False, batch_size=5, epochs=2, verbose=0, **given).history


CASES = {
    "list": ([LABELS, NUMBERS], {}),
    "dict": ({"a": NUMBERS, "z": LABELS}, {}),
    "one weight for all": ([LABELS, NUMBERS], {"sample_weight": W}),
    "a weight each": ([LABELS, NUMBERS], {"sample_weight": [W, V]}),
    "a weight for the first": ([LABELS, NUMBERS], {"sample_weight": [W, None]}),
    "a weight for the second": ([LABELS, NUMBERS], {"sample_weight": [None, W]}),
    "classes": (LABELS, {"class_weight": CLASSES, "outputs": 1}),
    "some classes": (LABELS, {"class_weight": {1: 3.0}, "outputs": 1}),
    "dict out": ({"a": NUMBERS, "z": LABELS}, {"as_dict": True}),
    "dict out, weights": (
        {"a": NUMBERS, "z": LABELS},
        {"as_dict": True, "sample_weight": {"z": W, "a": V}},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_histories_are_keras(case):
    y, given = CASES[case]
    ours, theirs = history(slipstream, y, **given), history(keras, y, **given)
    assert set(ours) == set(theirs)
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-4, err_msg=name)


def test_weights_by_name_reach_the_outputs_of_that_name():
    """Keras fails here unless the outputs are a dictionary too."""
    named = history(slipstream, {"a": NUMBERS, "z": LABELS}, sample_weight={"z": W, "a": V})
    assert named == history(slipstream, [LABELS, NUMBERS], sample_weight=[W, V])
    some = history(slipstream, [LABELS, NUMBERS], sample_weight={"a": V})
    assert some == history(slipstream, [LABELS, NUMBERS], sample_weight=[None, V])


def test_class_and_sample_weights_multiply():
    """As in TensorFlow's Keras; Keras 3 refuses to take both."""
    both = history(slipstream, LABELS, 1, class_weight=CLASSES, sample_weight=W)
    product = np.vectorize(CLASSES.get)(LABELS).astype("f") * W
    np.testing.assert_allclose(
        both["loss"], history(keras, LABELS, 1, sample_weight=product)["loss"], rtol=1e-5
    )


@pytest.mark.parametrize("sample_weight", [None, W])
def test_class_weights_need_a_single_output(sample_weight):
    for library in (slipstream, keras):
        with pytest.raises(ValueError, match="class_weight"):
            history(library, [LABELS, NUMBERS], class_weight=CLASSES, sample_weight=sample_weight)


def test_targets_for_an_output_that_is_not_there():
    with pytest.raises(ValueError, match=r"output 'zz'.*'z'"):
        history(slipstream, {"a": NUMBERS, "zz": LABELS})


def test_no_rows():
    model, nothing = network(slipstream), X[:0]
    for outputs in (model.predict(nothing), model.predict_on_batch(nothing), model(nothing)):
        assert [np.asarray(output).shape for output in outputs] == [(0, 3), (0, 1)]
    for run in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match="no rows"):
            run(nothing, [LABELS[:0], NUMBERS[:0]], verbose=0)
    theirs = network(keras).test_on_batch(nothing, [LABELS[:0], NUMBERS[:0]])
    ours = model.test_on_batch(nothing, [LABELS[:0], NUMBERS[:0]])
    np.testing.assert_array_equal(ours, theirs)
    unbuilt = slipstream.Sequential([slipstream.layers.Dense(1)])
    with pytest.raises(ValueError, match="not built"):
        unbuilt.predict(nothing)

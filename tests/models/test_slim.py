"""`slim`: hidden widths shrink, outputs and what is tied to fixed widths stay."""

import numpy as np
import pytest

from slipstream import layers, ops, optimizers
from slipstream.models import Model, Sequential, load_model, slim


def widths(model):
    """Size of the last axis of each layer's output, models inside included."""
    found = {}
    for layer in model.layers:
        if getattr(layer, "layers", None):
            found[layer.name] = widths(layer)
        elif layer._nodes and not isinstance(layer, layers.InputLayer):
            found[layer.name] = layer._nodes[-1].outputs.shape[-1]
    return found


def dense(units, name):
    return layers.Dense(units, name=name)


def test_a_stack():
    model = Sequential(
        [
            layers.Input((10,)),
            dense(64, "a"),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.5, name="drop"),
            dense(7, "b"),
            dense(1, "c"),
            dense(10, "out"),
            layers.Activation("softmax", name="softmax"),
        ],
        name="net",
    )
    small = slim(model, 0.5)
    assert type(small) is Sequential and small.name == "net"
    wanted = {"a": 32, "norm": 32, "drop": 32, "b": 4, "c": 1, "out": 10, "softmax": 10}
    assert widths(small) == wanted
    assert widths(model)["a"] == 64  # the old one is as it was
    rows = np.ones((3, 10), "f")
    assert small.predict(rows, verbose=0).shape == (3, 10)


@pytest.mark.parametrize(
    ("factor", "wanted"), [(0.5, 16), (0.25, 8), (0.01, 1), (1, 32), (2, 64), (0.7, 22)]
)
def test_factors(factor, wanted):
    model = Sequential([layers.Input((4,)), dense(32, "a"), dense(2, "out")])
    assert widths(slim(model, factor)) == {"a": wanted, "out": 2}


def image(*stack, last=3, shape=(8, 8, 3)):
    return Sequential(
        [layers.Input(shape), *stack, layers.GlobalAveragePooling2D(), dense(last, "out")]
    )


@pytest.mark.parametrize(
    "stack",
    [
        [layers.Conv2D(8, 3, name="x"), layers.Conv2D(16, 3, groups=4, name="y")],
        [layers.Conv2D(8, 3, name="x"), layers.Conv2D(8, 3, groups=8, name="y")],
        [layers.Conv2D(12, 3, name="x"), layers.Conv2D(18, 1, groups=6, name="y")],
        [layers.SeparableConv2D(8, 3, name="x"), layers.DepthwiseConv2D(3, name="y")],
        [layers.Conv2D(8, 3, name="x"), layers.GroupNormalization(8, name="y")],
        [layers.Conv2DTranspose(8, 3, name="x"), layers.LayerNormalization(name="y")],
        [layers.Conv2D(8, 3, name="x"), layers.PReLU(shared_axes=[1, 2], name="y")],
    ],
    ids=lambda stack: f"{type(stack[0]).__name__} {type(stack[1]).__name__}",
)
@pytest.mark.parametrize("factor", [0.5, 0.25, 0.6])
def test_pictures(stack, factor):
    model = image(*(type(layer).from_config(layer.get_config()) for layer in stack))
    small, before = widths(slim(model, factor)), widths(model)
    for name in "xy":
        assert small[name] == max(1, int(before[name] * factor + 0.5))
    assert small["out"] == 3


def test_flattened_pictures_and_channels_first():
    model = Sequential(
        [
            layers.Input((3, 8, 8)),
            layers.Conv2D(6, 3, data_format="channels_first", name="conv"),
            layers.MaxPooling2D(data_format="channels_first"),
            layers.Flatten(),
            dense(5, "out"),
        ]
    )
    small = slim(model, 0.5)
    assert small.layers[0].filters == 3 and small.layers[-1].kernel.shape == (3 * 9, 5)
    ends_flat = Sequential(model.layers[:3])
    ends_flat.build((None, 3, 8, 8))
    assert slim(ends_flat, 0.5).layers[0].filters == 6  # the output's size is its doing


def test_a_decoder_that_reshapes():
    model = Sequential(
        [
            layers.Input((4,)),
            dense(2 * 2 * 8, "seed"),
            layers.Reshape((2, 2, 8), name="shape"),
            layers.Conv2DTranspose(4, 2, 2, name="up"),
            layers.Conv2D(1, 3, padding="same", name="out"),
        ]
    )
    small = slim(model, 0.5)
    assert widths(small) == {"seed": 16, "shape": 4, "up": 2, "out": 1}
    assert small.output_shape == (None, 4, 4, 1)


def test_residuals_and_gates():
    x = layers.Input((16,))
    stem = dense(32, "stem")(x)
    branch = dense(32, "branch")(dense(12, "inner")(stem))
    joined = layers.Add(name="add")([stem, branch])
    gate = layers.Multiply(name="gated")([joined, dense(32, "gate")(dense(4, "squeeze")(joined))])
    both = layers.Concatenate(name="both")([gate, dense(6, "side")(x)])
    small = slim(Model(x, dense(2, "out")(both)), 0.5)
    assert widths(small) == {
        "stem": 16, "inner": 6, "branch": 16, "add": 16, "squeeze": 2, "gate": 16, "gated": 16,
        "side": 3, "both": 19, "out": 2,
    }  # fmt: skip


def test_what_is_tied_to_inputs_or_outputs_stays():
    x = layers.Input((16,))
    like_input = layers.Add(name="sum")([x, dense(16, "like_input")(dense(8, "free")(x))])
    scaled = dense(16, "operator")(like_input) * x + 1.0
    left, right = dense(3, "left")(scaled), dense(5, "right")(scaled)
    other = ops.relu(dense(4, "other")(scaled))
    model = Model(x, {"both": layers.Concatenate(name="both")([left, right]), "other": other})
    small = slim(model, 0.5)
    found = widths(small)
    wanted = {"like_input": 16, "free": 4, "operator": 16, "left": 3, "right": 5, "other": 4}
    assert {name: found[name] for name in wanted} == wanted
    shapes = {name: symbol.shape for name, symbol in small.output.items()}
    assert shapes == {"both": (None, 8), "other": (None, 4)}


def test_flattened_inputs_tie_too():
    x = layers.Input((4, 4))
    flat = layers.Flatten(name="flat")(x)
    y = layers.Add(name="add")([flat, dense(16, "tied")(dense(8, "free")(flat))])
    found = widths(slim(Model(x, dense(2, "out")(y)), 0.5))
    assert (found["tied"], found["free"], found["out"]) == (16, 4, 2)


def test_recurrent_layers_and_their_states():
    x, z = layers.Input((6, 3)), layers.Input((6, 5))
    _, *states = layers.LSTM(8, return_state=True, name="encoder")(x)
    y = layers.LSTM(8, return_sequences=True, name="decoder")(z, initial_state=states)
    y = layers.Bidirectional(layers.GRU(6, return_sequences=True), name="both_ways")(y)
    y = layers.RNN([layers.LSTMCell(4), layers.GRUCell(10)], return_sequences=True, name="cells")(y)
    y = layers.TimeDistributed(dense(8, "inner"), name="each")(y)
    model = Model([x, z], dense(2, "out")(layers.ConvLSTM1D(4, 1, name="conv")(y[:, :, None])))
    small = slim(model, 0.5)
    by_name = {layer.name: layer for layer in small.layers}
    assert by_name["encoder"].units == by_name["decoder"].units == 4
    assert by_name["both_ways"].forward_layer.units == 3
    assert [cell.units for cell in by_name["cells"].cell.cells] == [2, 5]
    assert by_name["each"].layer.units == 4 and by_name["conv"].filters == 2
    assert small.output_shape[-1] == 2


def test_states_of_fixed_width_keep_their_layer():
    x, state = layers.Input((6, 3)), layers.Input((8,))
    y = layers.GRU(8, name="gru")(x, initial_state=state)
    assert widths(slim(Model([x, state], dense(1, "out")(y)), 0.5)) == {"gru": 8, "out": 1}


def test_attention():
    x = layers.Input((5,), dtype="int32")
    y = layers.Embedding(9, 16, name="words")(x)
    y = layers.PositionEmbedding(5, name="places")(y)
    y = layers.TransformerEncoder(20, 4, name="block")(y)
    y = layers.Add(name="add")([y, layers.MultiHeadAttention(4, 6, name="many")(y, y)])
    y = layers.MultiHeadAttention(1, 6, name="one")(y, y)
    y = layers.GroupQueryAttention(4, 4, 2, name="grouped")(y, y)
    y = layers.EinsumDense("abc,cd->abd", (None, 12), name="einsum")(y)
    small = slim(Model(x, dense(3, "out")(y)), 0.5)
    by_name = {layer.name: layer for layer in small.layers}
    assert (
        by_name["words"].output_dim == 8 and by_name["einsum"].get_config()["output_shape"][-1] == 6
    )
    block, many, one, grouped = (
        by_name[n].get_config() for n in ("block", "many", "one", "grouped")
    )
    assert (block["intermediate_dim"], block["num_heads"]) == (10, 2)
    assert (many["num_heads"], many["key_dim"], one["num_heads"], one["key_dim"]) == (2, 6, 1, 3)
    assert (grouped["num_query_heads"], grouped["num_key_value_heads"]) == (2, 1)
    odd = slim(
        Sequential([layers.Input((5, 3)), dense(18, "in"), layers.TransformerEncoder(8, 6),
                    dense(1, "out")]), 0.5)  # fmt: skip
    assert odd.layers[1].get_config()["num_heads"] == 3  # what divides 9


@pytest.mark.parametrize("factor", [0.5, 0.8])
def test_encoders_and_fusion(factor):
    encoders = layers.encoders
    ends = {
        "photo": layers.Input((8, 8, 1)),
        "words": layers.Input((5,), dtype="int32"),
        "row": layers.Input((3,)),
    }
    found = {
        "photo": encoders.ImageResNet(20, widths=(10, 20), blocks=1, name="a")(ends["photo"]),
        "words": encoders.TextTransformer(9, 20, width=40, depth=1, name="b")(ends["words"]),
        "row": encoders.TableMLP(20, widths=(30,), name="c")(ends["row"]),
    }
    fused = layers.CrossAttentionFusion(40, num_heads=4, name="d")(found)
    model = Model(ends, dense(3, "out")(layers.GatedFusion(10, name="e")([fused, found["row"]])))
    small = slim(model, factor)
    get = small.get_layer
    assert widths(small) == {
        **dict.fromkeys("abc", 20 * factor), "d": 40 * factor, "e": 10 * factor, "out": 3,
    }  # fmt: skip
    assert get("a").widths == (10 * factor, 20 * factor) and get("c").widths == (30 * factor,)
    assert get("b").width == 40 * factor and get("b").width % get("b").num_heads == 0
    assert small.count_params() < factor * model.count_params() + 100
    x = {"photo": np.ones((2, 8, 8, 1)), "words": np.ones((2, 5), int), "row": np.ones((2, 3))}
    assert small.predict(x, verbose=0).shape == (2, 3)
    # What late fusion averages is as wide as its output.
    mean = layers.LateFusion(name="mean")([found["photo"], found["row"]])
    assert widths(slim(Model([ends["photo"], ends["row"]], mean), factor))["a"] == 20


def test_words_out_of_the_embedding_they_came_in_by():
    x = layers.Input((5,), dtype="int32")
    words = layers.ReversibleEmbedding(30, 16, name="words")
    y = layers.TransformerEncoder(8, 2)(words(x))
    small = slim(Model(x, words(y, reverse=True)), 0.5)
    assert small.output_shape == (None, 5, 30)
    assert next(each for each in small.layers if each.name == "words").output_dim == 8


def test_shared_layers_and_models_inside():
    tower = Sequential([layers.Input((4,)), dense(8, "t1"), dense(6, "t2")], name="tower")
    inside = layers.Input((6,))
    block = Model(inside, layers.Add()([inside, dense(6, "b1")(inside)]), name="block")
    a, b = layers.Input((4,)), layers.Input((4,))
    y = layers.Concatenate(name="both")([block(tower(a)), tower(b)])
    head = Sequential([layers.Input((12,)), dense(10, "h1"), dense(2, "h2")], name="head")
    small = slim(Model([a, b], head(y)), 0.5)
    by_name = {layer.name: layer for layer in small.layers}
    assert widths(by_name["tower"]) == {"t1": 4, "t2": 3}
    assert by_name["block"].output_shape == (None, 3)
    assert widths(by_name["head"]) == {"h1": 5, "h2": 2}
    assert small.output_shape == (None, 2)
    assert len(small.get_weights()) == len(small.trainable_variables) == 2 * 5


def test_it_trains_and_is_compiled_as_the_old_one(tmp_path, rng):
    model = Sequential([layers.Input((4,)), dense(8, "a"), dense(1, "out")])
    model.compile(optimizers.SAM(optimizers.SGD(0.1)), "mse", metrics=["mae"])
    small = slim(model, 0.5)
    x = rng.normal(size=(16, 4))
    found = small.fit(x, x.sum(1), epochs=2, verbose=0).history
    assert set(found) == {"loss", "mae"} and found["loss"][1] < found["loss"][0]
    assert small.optimizer is not model.optimizer and int(small.optimizer.iterations) == 2
    assert model.optimizer is not None and not model.optimizer.built
    small.save(tmp_path / "small.keras")
    again = load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), small.predict(x, verbose=0))


def test_names_to_keep():
    model = Sequential([layers.Input((4,)), dense(8, "a"), dense(8, "b"), dense(1, "out")])
    assert widths(slim(model, 0.5, keep=["a"])) == {"a": 8, "b": 4, "out": 1}


class Own(Model):
    def call(self, inputs):
        return inputs


@pytest.mark.parametrize(
    ("make", "arguments", "match"),
    [
        (lambda: Sequential([dense(4, "a")]), (0.5,), "built"),
        (Own, (0.5,), "Sequential or functional"),
        (lambda: "model", (0.5,), "Sequential or functional"),
        (lambda: image(), (0,), "factor"),
        (lambda: image(), (float("nan"),), "factor"),
        (lambda: image(), (True,), "factor"),
        (lambda: image(), (0.5, ["nothing"]), "keep names 'nothing'"),
    ],
    ids=["unbuilt", "own call", "no model", "zero", "nan", "bool", "unknown name"],
)
def test_what_cannot_be_made_narrower(make, arguments, match):
    with pytest.raises(ValueError, match=match):
        slim(make(), *arguments)


def test_widths_that_do_not_fit_are_told_with_their_layer():
    x = layers.Input((4,))
    y = layers.Reshape((3, 5), name="cut")(dense(15, "wide")(x))
    model = Model(x, dense(1, "out")(layers.Flatten()(y)))
    with pytest.raises(ValueError, match=r"slim cannot narrow .* 'cut'.*keep="):
        slim(model, 0.5)
    assert widths(slim(model, 0.5, keep=["wide"]))["wide"] == 15

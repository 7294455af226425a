"""Rules of the preprocessing layers: data of every kind, streams, saving, places, bad input."""

import jax
import numpy as np
import pandas as pd
import pytest

from slipstream import layers, models, utils
from slipstream.core import registry
from slipstream.core.symbol import SymbolicTensor
from slipstream.layers.preprocessing.fingerprint import fingerprint64, keyed_hash64

WORDS = ["wind", "earth", "ünd", "?"]


class TestText:
    def test_every_kind_of_text_is_the_same(self):
        layer = layers.StringLookup(vocabulary=["earth", "wind", "ünd"])
        kinds = [
            WORDS,
            tuple(WORDS),
            np.array(WORDS),
            np.array(WORDS, object),
            np.array([word.encode() for word in WORDS]),
            np.array([word.encode() for word in WORDS], object),
            np.array(WORDS, np.dtypes.StringDType()),
            pd.Series(WORDS),
            pd.Series(WORDS, dtype="string"),
        ]
        for kind in kinds:
            numbers = layer(kind)
            assert isinstance(numbers, np.ndarray) and numbers.dtype == np.int32
            assert numbers.tolist() == [2, 1, 3, 0]
        assert layer(pd.DataFrame({"a": WORDS, "b": WORDS})).tolist() == [
            [n, n] for n in (2, 1, 3, 0)
        ]
        latin = layers.StringLookup(vocabulary=["ünd"], encoding="latin-1")
        assert latin(np.array(["ünd".encode("latin-1")])).tolist() == [1]

    def test_batches_are_learnt_from_as_the_whole(self):
        texts = ["a b c", "b c", "c d d", "e"] * 3
        batches = utils.Dataset.from_iterable(texts).batch(5)
        for make in (
            lambda: layers.TextVectorization(output_mode="tf_idf"),
            lambda: layers.TextVectorization(ngrams=2, max_tokens=6),
            lambda: layers.StringLookup(),
        ):
            whole, streamed = make(), make()
            whole.adapt(np.array(texts))
            streamed.adapt(batches.map(lambda x: (x, np.zeros(len(x)))))
            assert streamed.get_vocabulary() == whole.get_vocabulary()
            np.testing.assert_array_equal(whole(texts), streamed(texts))
            streamed.adapt(batches, steps=1)
            first = make()
            first.adapt(np.array(texts[:5]))
            assert streamed.get_vocabulary() == first.get_vocabulary()

    def test_functions_of_the_user(self):
        @registry.register_serializable("tests")
        def commas(text):
            return text.split(",")

        layer = layers.TextVectorization(
            standardize=str.upper, split=commas, vocabulary=["A", "B C"]
        )
        assert layer(["a,b c", "x"]).tolist() == [[2, 3], [1, 0]]
        config = layers.TextVectorization(None, None, commas, vocabulary=["a"]).get_config()
        again = layers.TextVectorization.from_config(config)
        assert again(["a,a,b"]).tolist() == [[2, 2, 1]]

    def test_files_of_tokens(self, tmp_path):
        (tmp_path / "v.txt").write_text("x\n y \nz\n", "utf-8")
        path = str(tmp_path / "v.txt")
        layer = layers.StringLookup(vocabulary=path)
        assert layer.get_vocabulary() == ["[UNK]", "x", " y ", "z"]
        assert layer.get_config()["vocabulary"] == path
        (tmp_path / "i.txt").write_text("5\n6")
        assert layers.IntegerLookup(vocabulary=tmp_path / "i.txt")([6, 5, 1]).tolist() == [2, 1, 0]

    def test_pipelines_run_them_in_threads(self):
        layer = layers.TextVectorization(vocabulary=["a", "b"], output_sequence_length=3)
        texts = utils.Dataset.from_iterable(["a b", "b", "c a"]).batch(2)
        found = list(texts.map(layer, num_parallel_calls=2))
        assert [f.tolist() for f in found] == [[[2, 3, 0], [3, 0, 0]], [[1, 2, 0]]]


class TestSaving:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: layers.StringLookup(),
            lambda: layers.StringLookup(mask_token="", num_oov_indices=2),
            lambda: layers.StringLookup(output_mode="tf_idf"),
            lambda: layers.TextVectorization(),
            lambda: layers.TextVectorization(output_mode="tf_idf"),
        ],
    )
    def test_what_was_learnt_is_kept_in_assets(self, make, tmp_path):
        data = np.array(["b a", "a c", "c é", "a"])
        layer, store = make(), {}
        layer.adapt(data)
        layer.save_assets(tmp_path)
        layer.save_own_variables(store)
        lines = (tmp_path / "vocabulary.txt").read_text("utf-8").split("\n")
        assert lines == layer.get_vocabulary()  # what Keras writes
        again = registry.deserialize(registry.serialize(layer))
        again.load_assets(tmp_path)
        again.load_own_variables(store)
        assert again.get_vocabulary() == layer.get_vocabulary()
        np.testing.assert_array_equal(again(data), layer(data))

    @pytest.mark.parametrize(
        ("make", "data"),
        [
            (lambda: layers.IntegerLookup(mask_token=0), np.array([5, 5, 7, 0])),
            (lambda: layers.IntegerLookup(output_mode="tf_idf"), np.array([[5, 5], [7, 9]])),
            (lambda: layers.Discretization(num_bins=3), np.array([1.0, 5, 7, 8, 9, 3])),
        ],
    )
    def test_what_programs_hold_is_part_of_the_configuration(self, make, data):
        layer = make()
        layer.adapt(data)
        again = registry.deserialize(registry.serialize(layer))
        np.testing.assert_array_equal(again(data), layer(data))

    def test_given_vocabularies_are_kept_in_the_configuration(self, tmp_path):
        layer = layers.StringLookup(
            vocabulary=np.array(["a", "b"]), output_mode="tf_idf", idf_weights=np.array([1.0, 2.0])
        )
        layer.save_assets(tmp_path)
        assert not list(tmp_path.iterdir())
        again = registry.deserialize(registry.serialize(layer))
        np.testing.assert_array_equal(again([["a", "b"]]), layer([["a", "b"]]))


class TestPlaces:
    """On the host, on the device, and in models."""

    def test_numbers_are_looked_up_within_programs_as_on_the_host(self):
        x = np.array([[7, 3, 42], [0, -5, 3]])
        for arguments in (
            {"vocabulary": [3, 42]},
            {"vocabulary": [3, 42], "mask_token": 0, "num_oov_indices": 3},
            {"vocabulary": [42, 3], "output_mode": "multi_hot", "mask_token": 7},
            {"vocabulary": [42, 3], "output_mode": "tf_idf", "idf_weights": [0.5, 1.5]},
            {"vocabulary": [42, 3], "invert": True},
        ):
            layer = layers.IntegerLookup(**arguments)
            host, device = layer(x), jax.jit(layer)(x)
            assert isinstance(host, np.ndarray)
            np.testing.assert_allclose(device, host, rtol=1e-6)
            spec = layers.IntegerLookup(**arguments)(layers.Input((3,), dtype="int32"))
            assert spec.dtype == str(device.dtype) and spec.shape == (None, *device.shape[1:])
        far = layers.IntegerLookup(vocabulary=[2**40, 5])
        assert far([2**40, 5]).tolist() == [1, 2]
        with pytest.raises(ValueError, match="beyond 32 bits"):
            jax.jit(far)(x)

    def test_a_model_trains_on_looked_up_numbers(self):
        x, y = np.array([[7], [3], [42], [7]]), np.array([[1.0], [2], [3], [1]], "f")
        lookup = layers.IntegerLookup(output_mode="one_hot")
        lookup.adapt(x)
        model = models.Sequential([layers.Input((1,), dtype="int32"), lookup, layers.Dense(1)])
        model.compile("adam", "mse")
        loss = model.fit(x, y, epochs=3, verbose=0).history["loss"]
        assert loss[2] < loss[0]
        mine = model.predict(x, verbose=0)
        np.testing.assert_allclose(mine, model.layers[-1](lookup(x).astype("f")), rtol=1e-4)

    def test_text_layers_know_their_shapes_and_stay_out_of_programs(self):
        vectorize = layers.TextVectorization(vocabulary=["a"], output_sequence_length=5)
        assert vectorize.on_host and layers.Hashing(3).on_host
        assert not getattr(layers.Discretization([0.0]), "on_host", False)
        spec = vectorize(SymbolicTensor((None, 1), "int32"))
        assert (spec.shape, spec.dtype) == ((None, 5), "int32")
        assert vectorize._nodes[0].outputs is spec
        cross = layers.HashedCrossing(4, output_mode="one_hot")
        pair = (SymbolicTensor((None, 1), "int32"), SymbolicTensor((None, 1), "int32"))
        assert (cross(pair).shape, cross(pair).dtype) == ((None, 4), "float32")
        with pytest.raises(ValueError, match=r"works on the host.*dataset\.map"):
            jax.jit(layers.Hashing(3))(np.arange(3))
        with pytest.raises(ValueError, match="gives text"):
            layers.StringLookup(vocabulary=["a"], invert=True)(SymbolicTensor((None,), "int32"))

    @pytest.mark.parametrize(
        ("name", "arguments", "dtype"),
        [
            ("Discretization", {"bin_boundaries": [0.0, 1.0]}, "float32"),
            ("Discretization", {"bin_boundaries": [0.0, 1.0], "output_mode": "count"}, "float32"),
            ("CategoryEncoding", {"num_tokens": 4}, "int32"),
            ("CategoryEncoding", {"num_tokens": 4, "output_mode": "one_hot"}, "int32"),
        ],
    )
    def test_shapes_and_values_within_programs(self, name, arguments, dtype):
        x = np.array([[0, 1, 3], [2, 2, 0]]).astype(dtype)
        layer = getattr(layers, name)(**arguments)
        spec = getattr(layers, name)(**arguments)(layers.Input((3,), dtype=dtype))
        outside, inside = layer(x), jax.jit(layer)(x)
        np.testing.assert_array_equal(outside, inside)
        assert spec.shape == (None, *inside.shape[1:]) and spec.dtype == str(inside.dtype)

    def test_encoding_weighs_terms(self):
        layer = layers.CategoryEncoding(4, "count")
        out = layer(np.array([[0, 1], [0, 0]]), count_weights=np.array([[0.1, 0.2], [0.1, 0.3]]))
        np.testing.assert_allclose(out, [[0.1, 0.2, 0, 0], [0.4, 0, 0, 0]], rtol=1e-6)

    def test_a_large_vocabulary_does_not_slow_the_search_for_variables(self):
        layer = layers.StringLookup(vocabulary=[str(i) for i in range(1000)])
        assert list(layer._children()) == []


def test_hashes_are_those_of_their_papers():
    # SipHash-2-4's own vectors: key 00…0f, messages of 0 to n bytes (Aumasson, Bernstein, 2012).
    key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    for size, known in ((0, 0x726FDB47DD0E0E31), (1, 0x74F839C593DC67FD), (15, 0xA129CA6149BE45E5)):
        assert keyed_hash64(bytes(range(size)), key) == known
    assert fingerprint64(b"") == 0x9AE16A3B2F90404F


S, N, T = layers.StringLookup, layers.IntegerLookup, layers.TextVectorization


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: S()(["a"]), "no vocabulary yet"),
        (lambda: T()(["a"]), "no vocabulary yet"),
        (lambda: S(vocabulary=["a", "a"]), r"more than once.*\['a'\]"),
        (lambda: S(vocabulary=[]), "is empty"),
        (lambda: S().set_vocabulary([]), "is empty"),
        (lambda: S(vocabulary=["a", "b", "c"], max_tokens=2), "has 4 tokens.*max_tokens is 2"),
        (lambda: S(vocabulary=["a", ""], mask_token=""), "mask token '' at position 1"),
        (lambda: S(vocabulary=["a"], num_oov_indices=0)(["a", "q"]), r"\['q'\].*num_oov_indices=1"),
        (lambda: N(vocabulary=[1], num_oov_indices=0)([1, 9]), r"\[9\]"),
        (lambda: S(max_tokens=1), "greater than 1; got 1"),
        (lambda: S(num_oov_indices=-1), "at least 0; got -1"),
        (lambda: S(output_mode="foo"), "output_mode must be one of"),
        (lambda: S(invert=True, output_mode="count"), "invert=True needs"),
        (lambda: S(pad_to_max_tokens=True, output_mode="count"), "needs max_tokens"),
        (lambda: S(vocabulary=["a"], output_mode="tf_idf"), "needs idf_weights"),
        (lambda: S(vocabulary=["a"], idf_weights=[1.0]), "idf_weights need"),
        (lambda: S(vocabulary=["a"], idf_weights=[1.0, 2], output_mode="tf_idf"), "got 2"),
        (lambda: S(vocabulary="/nowhere/v.txt"), "no vocabulary file"),
        (lambda: S(vocabulary=["a"]).adapt(["b"]), "nothing for adapt"),
        (lambda: T(vocabulary=["a"]).adapt(["b"]), "nothing for adapt"),
        (lambda: S(vocabulary=["a"], sparse=True), "sparse=True is not supported"),
        (lambda: T(ragged=True), "ragged=True is not supported"),
        (lambda: S(vocabulary=["a"])([1, 2]), "works on text; got int64"),
        (lambda: S(vocabulary=["a"])(pd.Series(["a", None])), "entry 1 is nan.*Fill missing"),
        (lambda: S(vocabulary=["a"])([b"\xff"]), "entry 0 is not utf-8"),
        (lambda: N(vocabulary=[1])(["a"]), "Use StringLookup"),
        (lambda: N(vocabulary=[1], salt=3), "salt needs oov_method='farmhash'"),
        (lambda: N(vocabulary=[1], oov_method="x"), "oov_method must be one of"),
        (lambda: T(vocabulary=["a"])([["a", "b"]]), r"\(batch, 1\); got shape \(1, 2\)"),
        (lambda: T(standardize="x"), "standardize must be one of"),
        (lambda: T(split="x"), "split must be one of"),
        (lambda: T(ngrams="x"), "ngrams must be"),
        (lambda: T(output_sequence_length=3, output_mode="count"), "needs output_mode='int'"),
        (lambda: T(output_sequence_length=0), "at least 1; got 0"),
        (lambda: layers.Hashing(0), "num_bins must be a whole number of at least 1; got 0"),
        (lambda: layers.Hashing(3, salt="x"), "salt must be"),
        (lambda: layers.HashedCrossing(3)((np.array(["a"]),)), "at least two"),
        (lambda: layers.HashedCrossing(3)((np.array(["a"]), np.array([[1, 2]]))), "one shape"),
        (lambda: layers.HashedCrossing(3)((np.array(["a"]), np.array([1.0]))), "Discretize"),
        (lambda: layers.CategoryEncoding(), "num_tokens must be"),
        (lambda: layers.CategoryEncoding(3)(np.array([[1, 3]])), "from 0 to 2; got 1 to 3"),
        (lambda: layers.CategoryEncoding(3)(np.array([[1]]), count_weights=np.ones((1, 1))),
         "count_weights needs"),
        (lambda: layers.Discretization(), "give bin_boundaries"),
        (lambda: layers.Discretization([1.0], num_bins=2), "give bin_boundaries, or"),
        (lambda: layers.Discretization([2.0, 1.0]), "must ascend"),
        (lambda: layers.Discretization(num_bins=2)(np.ones(3, "f")), "no boundaries yet"),
        (lambda: layers.Discretization([1.0]).adapt(np.ones(3)), "nothing for adapt"),
        (lambda: layers.Discretization(num_bins=2).adapt(np.array([1, np.nan])), "NaN"),
        (lambda: layers.Discretization(num_bins=2).adapt(np.ones(0)), "got no data"),
    ],
)  # fmt: skip
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()

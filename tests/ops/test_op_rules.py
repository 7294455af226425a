"""What operations must do where Keras is no measure: laws, NumPy, and errors."""

import itertools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import slipstream
from slipstream import ops
from slipstream.core import config
from slipstream.core.random import key_from
from slipstream.core.scope import Scope
from slipstream.core.symbol import SymbolicTensor
from slipstream.core.variable import Variable


@pytest.fixture
def x(rng):
    return rng.normal(size=(3, 4)).astype("f")


class TestTypes:
    def test_plain_numbers_take_the_type_of_the_array_beside_them(self):
        half = jnp.ones(3, "float16")
        assert ops.add(half, 1.5).dtype == ops.multiply(2, half).dtype == "float16"
        assert ops.add(np.ones(3, "int32"), 1.5).dtype == "float32"

    def test_new_arrays_are_of_the_default_float_type(self):
        config.set_floatx("bfloat16")
        try:
            for array in (ops.zeros(2), ops.eye(2), ops.arange(2.0), ops.one_hot([1], 2)):
                assert array.dtype == "bfloat16"
            assert ops.mean(np.ones(2, "int32")).dtype == "bfloat16"
            assert ops.sin(np.ones(2, "int32")).dtype == "bfloat16"
        finally:
            config.set_floatx("float32")

    def test_variables_lists_and_numpy_arrays_are_arrays(self, x):
        variable = Variable(x)
        np.testing.assert_array_equal(ops.exp(variable), ops.exp(x))
        np.testing.assert_array_equal(ops.concatenate([variable, x], 0), np.concatenate([x, x]))
        np.testing.assert_array_equal(ops.add([1, 2], [3, 4]), [4, 6])
        assert isinstance(ops.get_item(x, 0), jax.Array)

    def test_what_arrays_are_asked_for(self, x):
        symbol = SymbolicTensor((None, 4), "float16")
        assert ops.shape(symbol) == (None, 4) and ops.shape([1, 2]) == (2,)
        assert ops.dtype(symbol) == "float16" and ops.dtype(x) == "float32"
        assert ops.is_tensor(symbol) and ops.is_tensor(jnp.ones(2)) and not ops.is_tensor(x)
        assert ops.ndim(x) == 2 and ops.size(x) == 12
        assert isinstance(ops.convert_to_numpy(Variable(x)), np.ndarray)
        with pytest.raises(ValueError, match="Sparse"):
            ops.convert_to_tensor(x, sparse=True)

    def test_saturated_casts_keep_to_the_limits(self):
        big = np.array([-1e20, -1.0, 1e20], "f")
        for dtype in ("int8", "uint8", "int32"):
            limits = np.iinfo(dtype)
            cast = np.asarray(ops.saturate_cast(big, dtype)).astype("f8")
            assert cast[0] == limits.min and limits.max * (1 - 1e-6) <= cast[2] <= limits.max


class TestSymbols:
    def test_operators_compute_on_symbols_what_they_compute_on_arrays(self, x):
        y = np.abs(x) + 1
        for f in (
            lambda a, b: a + b - 1,
            lambda a, b: 2 * a / b,
            lambda a, b: a // b % 2,
            lambda a, b: b**2 @ np.ones((4, 2), "f"),
            lambda a, b: (a < b) & (a >= 0) | ~(a != b),
            lambda a, b: abs(-a)[:, 1:].reshape((-1, 1)).squeeze(),
            lambda a, b: (a > b) ^ (a <= 0),
        ):
            ins = [SymbolicTensor((None, 4)), SymbolicTensor((None, 4))]
            model = slipstream.models.Model(ins, f(*ins))
            # The batch size must not matter to what is inferred.
            np.testing.assert_allclose(model([x, y]), f(x, y), rtol=1e-6)

    def test_a_list_is_a_key_of_several_axes(self, x):
        np.testing.assert_array_equal(ops.get_item(x, [slice(None), 1]), x[:, 1])

    def test_graphs_of_keras_are_read_and_written(self, rng):
        def graph(k):
            a, b = k.Input((6, 4)), k.Input((6, 4))
            o = k.ops
            y = o.concatenate([a * 2, o.relu(b)], axis=-1)
            y = o.where(y > 0, y, o.exp(y))[:, ::2]
            y = o.einsum("btc,dc->btd", y, np.ones((3, 8), "f"))
            y = o.reshape(y, (-1, 9)) + o.mean(a, axis=(1, 2), keepdims=False)[:, None]
            first, second = o.split(y, [4], axis=1)
            top = o.top_k(first, 2)
            return k.Model([a, b], [k.activations.relu(second), top[0], o.std(y, axis=1)])

        mine, theirs = graph(slipstream), graph(keras)
        read = slipstream.models.model_from_json(theirs.to_json())
        written = keras.models.model_from_json(mine.to_json())
        data = [rng.normal(size=(2, 6, 4)).astype("f") for _ in range(2)]
        expected = theirs(data)
        for model in (mine, read, written):
            for a, b in zip(model(data), expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


class TestControl:
    def test_branches(self, x):
        for run in (lambda f: f, jax.jit):
            choose = run(lambda p, a: ops.cond(p, lambda: a + 1, lambda: a - 1))
            np.testing.assert_array_equal(choose(True, x), x + 1)
            np.testing.assert_array_equal(choose(False, x), x - 1)
        branches = [lambda a: a, lambda a: 2 * a]
        np.testing.assert_array_equal(ops.switch(1, branches, x), 2 * x)
        np.testing.assert_array_equal(ops.switch(9, branches, x), 2 * x)

    def test_loops(self):
        count, total = ops.while_loop(
            lambda i, s: i < 5, lambda i, s: (i + 1, s + i), (0, np.float32(0))
        )
        assert (count, total) == (5, 10) and total.dtype == "float32"
        assert ops.while_loop(lambda i: i < 5, lambda i: i + 1, 0, maximum_iterations=3) == 3
        assert ops.fori_loop(1, 4, lambda i, v: v * i, 1) == 6

    def test_scans(self, x):
        carry, sums = ops.scan(lambda c, v: (c + v, c + v), np.zeros(4, "f"), x)
        np.testing.assert_allclose(sums, np.cumsum(x, 0), rtol=1e-6)
        np.testing.assert_allclose(carry, x.sum(0), rtol=1e-6)
        last, none = ops.scan(lambda c, _: (c * 2, None), 1, length=4)
        assert last == 16 and none is None
        backwards = ops.associative_scan(jnp.add, x, reverse=True, axis=1)
        np.testing.assert_allclose(backwards, np.cumsum(x[:, ::-1], 1)[:, ::-1], rtol=1e-5)

    def test_functions_along_an_axis(self, x):
        for each in (ops.map, ops.vectorized_map):
            out = each(lambda row: {"sum": row["a"].sum()}, {"a": x})
            np.testing.assert_allclose(out["sum"], x.sum(1), rtol=1e-6)
        outer = ops.vectorize(lambda a, b: a @ b, signature="(n),(n)->()")
        np.testing.assert_allclose(outer(x, x), (x * x).sum(1), rtol=1e-6)

    def test_symbols_flow_through(self):
        symbol = SymbolicTensor((5, 3))
        carry, out = ops.scan(lambda c, v: (c + v, c), ops.zeros(3), symbol)
        assert carry.shape == (3,) and out.shape == (5, 3)
        assert ops.map(lambda v: v.sum(), symbol).shape == (5,)
        assert ops.while_loop(lambda a: a.sum() < 3, lambda a: (a + 1,), (symbol,))[0].shape == (
            5,
            3,
        )

    def test_gradients_of_ones_own(self, x):
        @ops.custom_gradient
        def clipped(a):
            def gradient(*upstream):
                return jnp.clip(upstream[0], -0.5, 0.5)

            return a**2, gradient

        np.testing.assert_allclose(clipped(x), x**2)
        wanted = np.full_like(x, 0.5)
        np.testing.assert_allclose(jax.grad(lambda a: 3 * clipped(a).sum())(x), wanted)
        stopped = jax.grad(lambda a: (ops.stop_gradient(a) * a).sum())(x)
        np.testing.assert_array_equal(stopped, x)
        value, slope = ops.jvp(jnp.sin, (x,), (np.ones_like(x),))
        np.testing.assert_allclose(slope, np.cos(x), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(value, np.sin(x), rtol=1e-5, atol=1e-6)


class TestWhereKerasRefuses:
    def test_repeat_with_a_number_for_each(self, x):
        np.testing.assert_array_equal(
            ops.repeat(x, [1, 2, 0, 1], axis=1), np.repeat(x, [1, 2, 0, 1], axis=1)
        )
        assert ops.repeat(SymbolicTensor((None, 4)), [1, 2, 0, 1], axis=1).shape == (None, 4)

    def test_segments_as_many_as_there_are(self):
        np.testing.assert_array_equal(ops.segment_sum([1.0, 2, 3], [0, 2, 0]), [4, 0, 2])
        with pytest.raises(ValueError, match="num_segments"):
            jax.jit(ops.segment_sum)(jnp.ones(3), jnp.zeros(3, int))

    @pytest.mark.parametrize(
        ("pattern", "sizes", "wanted"),
        [
            ("a b c -> c a b 1", {}, lambda x: x.transpose(2, 0, 1)[..., None]),
            ("a ... -> ... a", {}, lambda x: x.transpose(1, 2, 0)),
            ("a ... -> (a ...)", {}, lambda x: x.ravel()),
            ("a (b d) c -> a b (c d)", {"d": 3}, lambda x: x.swapaxes(1, 2).reshape(2, 1, 12)),
            (
                "... (c d) -> d ... c",
                {"c": 2},
                lambda x: x.reshape(2, 3, 2, 2).transpose(3, 0, 1, 2),
            ),
        ],
    )
    def test_rearrange(self, rng, pattern, sizes, wanted):
        x = rng.normal(size=(2, 3, 4))
        np.testing.assert_array_equal(ops.rearrange(x, pattern, **sizes), wanted(x.astype("f")))

    @pytest.mark.parametrize(
        "pattern", ["a b c", "a b -> b a", "a b c -> a b", "a b c -> a b c c", "a (b c -> a b c",
                    "a b (c d) -> a b c d"]
    )  # fmt: skip
    def test_rearrange_refuses_what_does_not_fit(self, rng, pattern):
        with pytest.raises(ValueError, match="rearrange"):
            ops.rearrange(rng.normal(size=(2, 3, 4)), pattern)

    def test_blur_is_the_same_for_both_places_of_the_channels(self, rng):
        images = rng.uniform(size=(2, 7, 9, 3)).astype("f")
        first = ops.image.gaussian_blur(
            np.moveaxis(images, -1, 1), (5, 3), (1.0, 2.0), data_format="channels_first"
        )
        last = ops.image.gaussian_blur(images, (5, 3), (1.0, 2.0))
        np.testing.assert_allclose(np.moveaxis(first, 1, -1), last, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(ops.image.gaussian_blur(np.ones((5, 5, 1)))[1:-1, 1:-1], 1, 1e-6)

    def test_a_projective_transform_divides_by_depth(self):
        image = np.broadcast_to(np.arange(8.0, dtype="f")[None, :, None], (4, 8, 1))
        seen = ops.image.affine_transform(
            image, np.array([1, 0, 0, 0, 1, 0, 0.1, 0], "f"), fill_mode="nearest"
        )
        x = np.arange(8)
        np.testing.assert_allclose(seen[0, :, 0], x / (0.1 * x + 1), rtol=1e-5)

    def test_pools_of_sequences_with_one_number(self):
        x = np.arange(6.0, dtype="f").reshape(1, 6, 1)
        np.testing.assert_array_equal(ops.max_pool(x, 2)[0, :, 0], [1, 3, 5])
        np.testing.assert_array_equal(ops.average_pool(x, 3)[0, :, 0], [1, 4])

    def test_results_whose_size_follows_from_the_values(self):
        x = np.array([[3, 0], [0, 3]])
        for places in (ops.nonzero(x), ops.where(x)):
            np.testing.assert_array_equal(np.stack(places), [[0, 1], [0, 1]])
        values, first, inverse, counts = ops.unique(
            x, return_index=True, return_inverse=True, return_counts=True
        )
        assert values.tolist() == [0, 3] and counts.tolist() == [2, 2]
        np.testing.assert_array_equal(np.asarray(values)[inverse].reshape(x.shape), x)
        assert x.ravel()[np.asarray(first)].tolist() == [0, 3]
        assert ops.unique(SymbolicTensor((9,)), size=4).shape == (4,)


class TestLaws:
    def test_factors_multiply_to_the_matrix(self, rng):
        a = rng.normal(size=(2, 4, 3)).astype("f")
        q, r = ops.qr(a)
        np.testing.assert_allclose(q @ r, a, atol=1e-5)
        u, s, v = ops.svd(a, full_matrices=False)
        np.testing.assert_allclose((u * s[:, None]) @ v, a, atol=1e-5)
        square = np.einsum("nij,nkj->nik", a, a)
        w, v = ops.eigh(square)
        np.testing.assert_allclose(square @ v, v * w[:, None], atol=1e-4)
        w, v = ops.eig(a[0, :3])
        np.testing.assert_allclose(a[0, :3] @ v, v * w, atol=1e-4)
        factor = ops.cholesky(square + np.eye(4, dtype="f"))
        inverse = ops.cholesky_inverse(factor)
        np.testing.assert_allclose(inverse @ (square + np.eye(4)), [np.eye(4)] * 2, atol=1e-4)

    @pytest.mark.parametrize(
        ("size", "window", "step", "pad", "apart"),
        [(5, 2, 1, 0, 1), (5, 2, 2, 1, 1), (7, 3, 2, 1, 2), (4, 1, 2, 0, 1), (6, 3, 1, 2, 2)],
    )
    def test_fold_is_the_transpose_of_unfold(self, size, window, step, pad, apart):
        numbers = np.random.default_rng(size)
        image = numbers.normal(size=(1, 2, size, size)).astype("f")
        options = {"kernel_size": window, "dilation": apart, "padding": pad, "stride": step}
        columns = np.asarray(ops.unfold(image, **options))
        weights = numbers.normal(size=columns.shape).astype("f")
        back = np.asarray(ops.fold(weights, size, **options))
        np.testing.assert_allclose((columns * weights).sum(), (image * back).sum(), rtol=1e-3)

    def test_beam_search_adds_up_all_alignments(self, rng):
        logits = 2 * rng.normal(size=(3, 4, 3)).astype("f")
        lengths = np.array([4, 3, 1])
        options = {"strategy": "beam_search", "beam_width": 30, "top_paths": 4}
        paths, scores = jax.jit(lambda x, n: ops.ctc_decode(x, n, **options))(logits, lengths)
        logp = np.asarray(jax.nn.log_softmax(logits), "f8")
        for row, length in enumerate(lengths):
            total = {}
            for alignment in itertools.product(range(3), repeat=int(length)):
                merged = tuple(c for c, _ in itertools.groupby(alignment) if c != 0)
                p = np.exp(sum(logp[row, t, c] for t, c in enumerate(alignment)))
                total[merged] = total.get(merged, 0) + p
            best = sorted(total.items(), key=lambda item: -item[1])[:4]
            for k, (labels, p) in enumerate(best):
                assert tuple(v for v in np.asarray(paths[k, row]) if v >= 0) == labels
                np.testing.assert_allclose(scores[row, k], np.log(p), rtol=1e-4)

    def test_a_short_time_transform_is_inverted(self, rng):
        x = rng.normal(size=(2, 32)).astype("f")
        for window in ("hann", "hamming", np.bartlett(8)):
            back = jax.jit(
                lambda x, w=window: ops.istft(ops.stft(x, 8, 2, 8, w), 8, 2, 8, window=w)
            )(x)
            np.testing.assert_allclose(back, x[:, : back.shape[1]], atol=1e-5)
            assert back.shape[1] >= 31

    def test_gradients_are_finite_where_a_root_is_zero(self):
        zero = jnp.zeros((2, 3))
        for f in (
            lambda x: ops.cdist(x, x).sum(),
            lambda x: ops.normalize(x).sum(),
            lambda x: ops.divide_no_nan(x, x).sum(),
        ):
            assert np.isfinite(jax.jit(jax.grad(f))(zero)).all()

    def test_second_derivatives_of_moments(self, x):
        def variance(a):
            return ops.moments(a, [0])[1].sum()

        hessian = jax.jit(jax.hessian(variance))(x[:, :1])
        wanted = 2 / 3 * (np.eye(3) - 1 / 3)
        np.testing.assert_allclose(hessian[:, 0, :, 0], wanted, atol=1e-6)

    def test_elastic_distances_are_smooth_and_as_large_as_alpha_says(self):
        ramp = np.broadcast_to(np.arange(33.0, dtype="f")[:, None], (150, 33, 33, 1))

        @jax.jit
        def moved(key, alpha):
            with Scope(key=key).active():
                out = ops.image.elastic_transform(ramp, alpha=alpha, sigma=2.0)
            return (out - ramp)[:, 16, 10:24:4, 0]

        # Noise of deviation sigma under a Gaussian window of deviation sigma.
        one = moved(key_from(1), 1.0)
        assert abs(one.std() - 1 / (2 * np.sqrt(np.pi))) < 0.04
        np.testing.assert_allclose(moved(key_from(1), 2.0), 2 * one, atol=1e-4)
        assert np.abs(moved(key_from(2), 1.0) - one).max() > 0.1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.pad(x, 1, "reflect", constant_values=2.0), "no meaning in mode"),
        (lambda x: ops.glu(x[:, :3]), "even"),
        (lambda x: ops.searchsorted(x, 1.0), r"vector.*\(3, 4\)"),
        (lambda x: ops.conv(x[None], np.ones((2, 3, 1))), "4 channels.*3"),
        (lambda x: ops.conv(x[None], np.ones((2, 4, 1)), padding="causal"), "'valid' or 'same'"),
        (lambda x: ops.max_pool(x[None], 2, data_format="last"), "data_format"),
        (lambda x: ops.one_hot([1], 2, sparse=True), "sparse"),
        (lambda x: ops.stft(x, 4, 1, 4, window="square"), "hann"),
        (lambda x: ops.stft(x, 4, 1, 2), "at least sequence_length"),
        (lambda x: ops.fft((x,)), "pair"),
        (lambda x: ops.scatter_update(x, [[0]], x[:1], "mean"), "'mean'"),
        (lambda x: ops.histogram(x, bins=0), "bins"),
        (lambda x: ops.where(x > 0, x), "both"),
        (lambda x: ops.qr(x, mode="full"), "'full'"),
        (lambda x: ops.depth_to_space(x[None, ..., None], 2), "divide"),
        (lambda x: ops.dot_product_attention(x, x, x), r"\(3, 4\)"),
        (lambda x: ops.binary_crossentropy(x, x[:2]), r"\(3, 4\).*\(2, 4\)"),
        (lambda x: ops.sparse_categorical_crossentropy(x, x), "without axis"),
        (lambda x: ops.ctc_decode(x[None], [3], "best"), "'best'"),
        (lambda x: ops.image.resize(x, (2, 2)), r"\(3, 4\)"),
        (lambda x: ops.image.resize(x[..., None], (2, 2), "linear"), "'linear'"),
        (lambda x: ops.image.rgb_to_hsv(x[None]), "3 channels"),
        (lambda x: ops.image.rgb_to_hsv(np.ones((2, 2, 3), "uint8")), "255"),
        (lambda x: ops.image.crop_images(x[..., None], 1), "two of"),
        (lambda x: ops.image.pad_images(x[..., None], 1, 1, None, 1, 2), "size 3"),
        (lambda x: ops.image.map_coordinates(x, x, 1), "rows"),
        (lambda x: ops.image.affine_transform(x[..., None], x), "8"),
    ],
)
def test_errors_say_what_was_seen_and_wanted(x, call, message):
    with pytest.raises(ValueError, match=message):
        call(x)

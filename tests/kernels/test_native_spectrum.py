"""The compiled spectra of a signal's pieces beside the reference, and sums of such pieces."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from native_cases import agree, name_of, needs_native, normal, others, passes_with, plain

from slipstream import layers, ops
from slipstream.kernels import native
from slipstream.kernels.pieces import frames, overlapped
from slipstream.kernels.spectrum import overlapped_spectra, spectra

pytestmark = needs_native

# Rows, samples, size, stride: few pieces and many, samples left over, gaps, each factor.
CASES = [
    (1, 44, 16, 4), (3, 200, 32, 7), (2, 333, 20, 20), (1, 400, 12, 15), (2, 900, 90, 31),
    (2, 1600, 400, 160), (1, 700, 2, 1), (1, 301, 30, 1), (1, 5000, 512, 128), (2, 100, 6, 5),
    (1, 4800, 4050, 100), (1, 40, 4, 1), (1, 99, 10, 3), (1, 20000, 64, 64),
]  # fmt: skip


def window_of(size):
    return (0.1 + np.hanning(size + 1)[:-1]).astype(np.float32)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_spectra(case):
    rows, samples, size, stride = case
    x, window = normal(rows, samples), window_of(size)
    agree(lambda x, window: spectra(x, window, stride), x, jnp.asarray(window))
    with native.kernels("native"):
        function = jax.jit(lambda x: spectra(x, window, stride))
        assert "slipstream_spectra" in function.lower(x).as_text()
        found = function(x)
    starts = range(0, samples - size + 1, stride)
    pieces = np.stack([np.asarray(x)[:, i : i + size] for i in starts], 1).astype(np.float64)
    wanted = np.fft.rfft(pieces * window)
    scale = 1e-6 * np.abs(wanted).max()
    np.testing.assert_allclose(found[0], wanted.real, atol=scale)
    np.testing.assert_allclose(found[1], wanted.imag, atol=scale)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_overlapped_spectra(case):
    rows, samples, size, stride = case
    count, bins = (samples - size) // stride + 1, size // 2 + 1
    real, imag = normal(rows, count, bins), normal(rows, count, bins, seed=1)
    window = window_of(size)
    agree(
        lambda real, imag, window: overlapped_spectra(real, imag, window, stride),
        real, imag, jnp.asarray(window),
    )  # fmt: skip
    with native.kernels("native"):
        function = jax.jit(lambda *z: overlapped_spectra(*z, window, stride))
        assert "slipstream_overlapped_spectra" in function.lower(real, imag).as_text()
        found = function(real, imag)
    pieces = np.fft.irfft(np.asarray(real, "d") + 1j * np.asarray(imag, "d"), size) * window
    wanted = np.zeros((rows, (count - 1) * stride + size))
    for i in range(count):
        wanted[:, i * stride : i * stride + size] += pieces[:, i]
    np.testing.assert_allclose(found, wanted, atol=2e-6 * np.abs(wanted).max())


@pytest.mark.parametrize(("size", "stride"), [(7, 3), (8, 8), (5, 9), (40, 1), (100, 3)])
def test_pieces_and_their_sum(size, stride):
    x = np.asarray(normal(2, 3, 150))
    agree(lambda x: frames(x, size, stride), jnp.asarray(x))
    agree(lambda pieces: overlapped(pieces, stride), normal(2, 3, 6, size))
    starts = range(0, 150 - size + 1, stride)
    pieces = np.stack([x[..., i : i + size] for i in starts], -2)
    np.testing.assert_array_equal(frames(jnp.asarray(x), size, stride), pieces)
    wanted = np.zeros((2, 3, starts[-1] + size))
    for place, i in enumerate(starts):
        wanted[..., i : i + size] += pieces[..., place, :]
    found = overlapped(jnp.asarray(pieces), stride)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_curvature():
    x, window = normal(1, 60), window_of(16)

    def loss(x):
        real, imag = spectra(x, window, 5)
        return jnp.sum(jnp.log(1 + real**2 + imag**2))

    def curved(x):
        return jax.jvp(jax.grad(loss), (x,), (jnp.cos(x),))

    for ours, theirs in zip(jax.jit(curved)(x), plain(curved)(x), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())


def test_a_signal_shorter_than_a_piece_has_none():
    x = normal(2, 5)
    assert ops.extract_sequences(x, 9, 3).shape == (2, 0, 9)
    assert jax.grad(lambda x: frames(x, 9, 3).sum())(x).tolist() == [[0.0] * 5] * 2


def test_batched():
    x, window = normal(3, 2, 80), window_of(16)
    found = jax.vmap(lambda x: spectra(x, window, 4)[0])(x)
    np.testing.assert_allclose(found, spectra(x, window, 4)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("samples", "size"), [(300, 7), (300, 14), (300, 15), (300, 22), (300, 2 * 49), (120, 64)]
)
def test_other_lengths_and_few_pieces_take_the_reference(samples, size):
    x, window = normal(2, samples), window_of(size)
    function = jax.jit(lambda x: spectra(x, window, 9)[0])
    assert "slipstream_" not in function.lower(x).as_text()
    assert np.isfinite(function(x)).all()


def test_layers_and_operations_have_it():
    x = jnp.zeros((2, 4000))
    for function in (
        layers.MelSpectrogram(fft_length=512, sequence_stride=256, num_mel_bins=16),
        lambda x: ops.stft(x, 400, 160, 512),
        lambda x: ops.istft(ops.stft(x, 400, 160, 512), 400, 160, 512),
        lambda x: layers.RandomTimeStretch(seed=1)(x[..., None], training=True),
    ):
        text = jax.jit(function).lower(x).as_text()
        assert "slipstream_spectra" in text
    assert "slipstream_overlapped_spectra" in text


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries(library):
    passes_with(library, name_of(__file__))

"""Spectrograms are those of Keras."""

import keras
import numpy as np
import parity
import pytest

from slipstream import layers

SOUND = (2, 20, 3)
STFT, MEL = "STFTSpectrogram", "MelSpectrogram"
SMALL = {"fft_length": 32, "sequence_stride": 10, "num_mel_bins": 6}
CASES = [
    *((STFT, {"mode": mode, "frame_length": 8}, SOUND)
      for mode in ("log", "magnitude", "psd", "real", "imag", "angle", "stft")),
    (STFT, {"frame_length": 8, "frame_step": 3, "scaling": "spectrum", "mode": "magnitude"}, SOUND),
    (STFT, {"frame_length": 7, "scaling": None, "window": "hamming"}, SOUND),
    (STFT, {"frame_length": 8, "fft_length": 16, "periodic": True, "mode": "stft"}, SOUND),
    (STFT, {"frame_length": 8, "padding": "same", "expand_dims": True}, SOUND),
    (STFT, {"frame_length": 32, "padding": "same", "window": None}, (1, 5, 1)),
    (STFT, {"frame_length": 8, "expand_dims": True, "data_format": "channels_first"}, (2, 3, 20)),
    (STFT, {"frame_length": 8, "data_format": "channels_first"}, (2, 3, 20)),
    (MEL, SMALL, (2, 100)),
    (MEL, {**SMALL, "power_to_db": False, "mag_exp": 1.0, "window": "hamming"}, (3, 64)),
    (MEL, {**SMALL, "sequence_length": 20, "min_freq": 0.0, "max_freq": 4000.0}, (1, 50)),
    (MEL, {**SMALL, "top_db": 3.0, "ref_power": 2.0, "window": None}, (2, 100)),
    (MEL, {**SMALL, "sampling_rate": 8000}, (100,)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "shape"), CASES)
class TestSpectrograms:
    def test_values(self, name, arguments, shape):
        x = parity.data(shape)
        ours, theirs = getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)
        mine, other = np.asarray(ours(x)), np.asarray(theirs(x))
        assert mine.shape == other.shape
        assert [v.name for v in ours.variables] == [v.name for v in theirs.variables]
        for a, b in zip(ours.get_weights(), theirs.get_weights()):
            np.testing.assert_allclose(a, b, atol=1e-5)
        if arguments.get("mode") == "angle":  # equal up to whole turns
            mine, other = np.exp(1j * mine), np.exp(1j * other)
        np.testing.assert_allclose(mine, other, rtol=2e-4, atol=2e-4)

    def test_shapes_and_configuration(self, name, arguments, shape):
        parity.check_config(name, arguments, parity.data(shape))
        if len(shape) > 1:
            parity.check_shapes(name, arguments, parity.data(shape))

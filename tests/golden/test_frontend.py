# SPDX-License-Identifier: Apache-2.0
"""The keyword spotter's front end against its definition, computed another way with SciPy; and what leaves no doubt."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from tinyhil.assets import firmware_dir


@pytest.fixture(scope="module")
def frontend() -> ModuleType:
    path = firmware_dir() / "models" / "kws" / "frontend.py"
    spec = importlib.util.spec_from_file_location("kws_frontend", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["kws_frontend"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sounds() -> NDArray[np.int16]:
    """Silence, a click, a tone, a sweep and noise."""
    seconds = np.arange(16000) / 16000
    random = np.random.default_rng(1)
    made = np.zeros((5, 16000))
    made[1, 8000] = 30000
    made[2] = 12000 * np.sin(2 * np.pi * 1000 * seconds)
    made[3] = 8000 * np.sin(2 * np.pi * (50 + 3500 * seconds) * seconds)
    made[4] = random.normal(0, 2000, 16000)
    return np.rint(made).astype(np.int16)


def by_scipy(sound: NDArray[np.int16]) -> NDArray[np.float64]:
    """49 x 10 coefficients: a spectrogram of SciPy's, filters by interpolation between their corners, SciPy's DCT."""
    signal = pytest.importorskip("scipy.signal")
    fft = pytest.importorskip("scipy.fft")
    window = signal.get_window("hann", 480)  # periodic
    hertz, _, power = signal.spectrogram(
        sound / 32768, 16000, window, nperseg=480, noverlap=160, nfft=512, detrend=False, return_onesided=False,
        scaling="spectrum", mode="psd",
    )  # fmt: skip
    power = power[hertz >= 0][:256].T * window.sum() ** 2
    hertz = hertz[hertz >= 0][:256]
    mel = np.linspace(2595 * np.log10(1 + 20 / 700), 2595 * np.log10(1 + 7600 / 700), 42)
    corners = 700 * (10 ** (mel / 2595) - 1)
    filters = [np.interp(hertz, corners[m : m + 3], [0, 1, 0], left=0, right=0) for m in range(40)]
    logarithms = np.log(power @ np.array(filters).T + 1e-6)
    coefficients: NDArray[np.float64] = fft.dct(logarithms, type=2, norm="ortho", axis=1)[:49, :10]
    return coefficients


def test_the_coefficients_are_those_of_the_definition(frontend: ModuleType, sounds: NDArray[np.int16]):
    for sound in sounds:
        assert np.abs(frontend.mfcc(sound) - by_scipy(sound)).max() < 1e-8


def test_many_sounds_at_once_give_what_each_gives_alone(frontend: ModuleType, sounds: NDArray[np.int16]):
    together = frontend.features(sounds)
    assert (together.shape, together.dtype) == ((5, 49, 10, 1), np.int8)
    for sound, features in zip(sounds, together, strict=True):
        assert (frontend.quantize(frontend.mfcc(sound)) == features).all()


def test_a_tone_is_loudest_in_the_filter_of_its_frequency(frontend: ModuleType):
    filters = frontend.mel_filters()
    assert filters.shape == (40, 257)
    assert (filters.max(axis=1) > 0.4).all()
    assert np.argmax(filters[:, 32]) in np.flatnonzero(filters[:, 32])  # 1 kHz is bin 32
    assert (np.count_nonzero(filters[:, 1:240], axis=0) <= 2).all()


def test_the_features_are_scaled_as_documented_and_saturate(frontend: ModuleType):
    coefficients = np.tile(frontend.OFFSETS, (49, 1))
    assert (frontend.quantize(coefficients) == 0).all()
    one_more = frontend.quantize(coefficients + 1 / (frontend.GAINS * 32))
    assert (one_more == 1).all()
    assert (frontend.quantize(coefficients + 1e6) == 127).all()
    assert (frontend.quantize(coefficients - 1e6) == -128).all()


@pytest.mark.parametrize("spoilt", [np.zeros(15999, np.int16), np.zeros(16000)])
def test_other_sounds_are_refused(frontend: ModuleType, spoilt: NDArray[np.generic]):
    with pytest.raises(ValueError, match="must be int16 with 16000 samples in a row"):
        frontend.mfcc(spoilt)

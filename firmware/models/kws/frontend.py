# SPDX-License-Identifier: Apache-2.0
"""From one second of sound to the keyword spotter's input: 49 frames of 10 MFCC, int8.

A device that does the same to its microphone's samples gets the same features, but for the last bit of a rounding:

1. Sound is 16,000 int16 samples, one second at 16 kHz, divided by 32,768.
2. Frame k, for k from 0 to 48, is the 480 samples (30 ms) from sample 320 k (20 ms) on.
3. Each frame is multiplied by a periodic Hann window, 0.5 - 0.5 cos(2 pi n / 480), and 32 zeros are added: 512 values.
4. Their discrete Fourier transform has 257 bins, 31.25 Hz apart. Of each the power is taken, re**2 + im**2.
5. 40 triangular filters sum the powers. Their edges are 42 points equally far apart in mel, 2595 log10(1 + f / 700),
   from 20 Hz to 7,600 Hz. Filter m rises linearly (in Hz) from 0 at point m to 1 at point m + 1, and falls to 0 at
   point m + 2.
6. The natural logarithm of each sum plus 1e-6.
7. The first ten coefficients of the orthonormal DCT-II of the 40 logarithms:
   c[i] = a sum over m of log[m] cos(pi i (2 m + 1) / 80), a = sqrt(1 / 40) for i = 0 and sqrt(2 / 40) otherwise.
8. int8: round((c[i] - OFFSETS[i]) * GAINS[i] * 32), halves to even, limited to -128 ... 127. The input tensor says
   scale 1/32 and zero point 0, so the model sees (c[i] - OFFSETS[i]) * GAINS[i].

OFFSETS and GAINS are roughly the mean and the inverse of the deviation of each coefficient in the training speech.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16000
SAMPLES = 16000
FRAMES = 49
COEFFICIENTS = 10
WINDOW = 480
STRIDE = 320
FFT_SIZE = 512
FILTERS = 40
LOWEST_HZ, HIGHEST_HZ = 20.0, 7600.0
FLOOR = 1e-6
SCALE, ZERO_POINT = 1 / 32, 0

OFFSETS = np.array([-23.0, 3.0, 1.0, 1.0, -0.5, -0.5, 0.0, -0.5, 0.0, 0.0])
GAINS = np.array([0.055, 0.15, 0.4, 0.3, 0.4, 0.4, 0.5, 0.5, 0.6, 0.7])


def mel_filters() -> NDArray[np.float64]:
    """(40, 257): the weight of each bin's power in each filter."""
    lowest, highest = (2595 * np.log10(1 + hz / 700) for hz in (LOWEST_HZ, HIGHEST_HZ))
    points = 700 * (10 ** (np.linspace(lowest, highest, FILTERS + 2) / 2595) - 1)
    bins = np.arange(FFT_SIZE // 2 + 1) * (SAMPLE_RATE / FFT_SIZE)
    start, peak, end = (points[i : i + FILTERS, np.newaxis] for i in (0, 1, 2))
    rising, falling = (bins - start) / (peak - start), (end - bins) / (end - peak)
    weights: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    return weights


def dct_matrix() -> NDArray[np.float64]:
    """(10, 40): the first rows of the orthonormal DCT-II."""
    i, m = np.arange(COEFFICIENTS)[:, np.newaxis], np.arange(FILTERS)
    matrix: NDArray[np.float64] = np.sqrt(2 / FILTERS) * np.cos(np.pi * i * (2 * m + 1) / (2 * FILTERS))
    matrix[0] /= np.sqrt(2)
    return matrix


def mfcc(sound: NDArray[np.int16]) -> NDArray[np.float64]:
    """The coefficients of each frame, (..., 49, 10), of sounds (..., 16000). Raises ValueError for another length."""
    if sound.shape[-1] != SAMPLES or sound.dtype != np.int16:
        raise ValueError(f"sound is {sound.dtype}{list(sound.shape)}, must be int16 with {SAMPLES} samples in a row")
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW, axis=-1)[..., ::STRIDE, :][..., :FRAMES, :]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    spectrum = np.fft.rfft(frames / 32768 * window, FFT_SIZE)
    power = spectrum.real**2 + spectrum.imag**2
    coefficients: NDArray[np.float64] = np.log(power @ mel_filters().T + FLOOR) @ dct_matrix().T
    return coefficients


def quantize(coefficients: NDArray[np.float64]) -> NDArray[np.int8]:
    """The model's input for coefficients (..., 49, 10): (..., 49, 10, 1)."""
    whole = np.rint((coefficients - OFFSETS) * GAINS / SCALE) + ZERO_POINT
    return np.clip(whole, -128, 127).astype(np.int8)[..., np.newaxis]


def features(sounds: NDArray[np.int16]) -> NDArray[np.int8]:
    """The model's inputs, (n, 49, 10, 1), for sounds (n, 16000)."""
    parts = [quantize(mfcc(sounds[first : first + 64])) for first in range(0, len(sounds), 64)]
    return np.concatenate(parts)

# SPDX-License-Identifier: Apache-2.0
"""From a window of vibration to the watchdog's input: 32 bands of the spectrum and 32 of the envelope's spectrum, int8.

A device that does the same gets the same features, but for the last bit of a rounding:

1. A window is 4096 samples at 16 kHz. It is multiplied by a periodic Hann window, 0.5 - 0.5 cos(2 pi n / 4096), and
   transformed (FFT); bins are 3.90625 Hz apart.
2. Spectrum: 32 bands of 64 bins each (250 Hz), from bin 0 on; the natural logarithm of the power in each; from these
   their mean is taken away, so that the sensor's gain is gone. Divided by 1.5.
3. Envelope: of the window's spectrum without Hann only the bins from 384 to 1791 (1.5 to 7 kHz) are kept, doubled, and
   transformed back to complex samples; their absolute values are the envelope. Their mean is taken away, and they are
   divided by it; times the Hann window, and transformed.
4. Envelope's spectrum: of the absolute values, divided by 1024, of bins 1 to 128 (to 500 Hz) the largest of each four;
   32 values. ln(value + 0.02), plus 2.6, times 2.
5. int8: round(value * 32), halves to even, limited to -128 ... 127. The input tensor says scale 1/32, zero point 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from machine import WINDOW
from training.exact import Array

BANDS = 32
FEATURES = 2 * BANDS
FIRST_BIN, END_BIN = 384, 1792
SCALE, ZERO_POINT = 1 / 32, 0


def features(window: Array) -> NDArray[np.int8]:
    """The model's input, (64,), for one window (4096,)."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    power = np.abs(np.fft.rfft(window * hann)[: WINDOW // 2]) ** 2
    spectrum = np.log(power.reshape(BANDS, -1).sum(axis=1))
    spectrum = (spectrum - spectrum.mean()) / 1.5
    bins = np.zeros(WINDOW, complex)
    bins[FIRST_BIN:END_BIN] = 2 * np.fft.rfft(window)[FIRST_BIN:END_BIN]
    envelope = np.abs(np.fft.ifft(bins))
    envelope = envelope / envelope.mean() - 1
    lines = np.abs(np.fft.rfft(envelope * hann))[1 : 1 + 4 * BANDS] / (WINDOW / 4)
    modulation = (np.log(lines.reshape(BANDS, 4).max(axis=1) + 0.02) + 2.6) * 2
    values = np.concatenate([spectrum, modulation])
    return np.clip(np.rint(values / SCALE) + ZERO_POINT, -128, 127).astype(np.int8)


def as_seen(features: NDArray[np.int8]) -> Array:
    """What the model takes its int8 input for."""
    return (features.astype(np.float64) - ZERO_POINT) * SCALE

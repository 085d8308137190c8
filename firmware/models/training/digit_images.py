# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's 8x8 handwritten digits, split the same way for every model that reads them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from training.exact import Array, shuffled

HELD_OUT = 360
SCALE, ZERO_POINT = np.float32(1 / 255), -128  # int8 for 0 to 1


def split() -> tuple[Array, NDArray[np.int64], Array, NDArray[np.int64]]:
    """Training images (n, 8, 8, 1) with values 0 to 1 and their digits, then those held out."""
    digits = load_digits()
    order = shuffled("split", len(digits.images))
    images = (digits.images[order] / 16.0)[..., np.newaxis]
    labels = digits.target[order].astype(np.int64)
    return images[HELD_OUT:], labels[HELD_OUT:], images[:HELD_OUT], labels[:HELD_OUT]


def quantize(images: Array) -> NDArray[np.int8]:
    """The models' input for images with values 0 to 1."""
    return (np.rint(images * 255) + ZERO_POINT).astype(np.int8)

# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's 8x8 handwritten digits, split and learnt the same way by every model that reads them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from training.exact import Array, shuffled
from training.fit import accuracy, cross_entropy, fit
from training.layers import Chain
from training.quantize import Quantizer
from training.recipe import Made, int8_outputs

HELD_OUT = 360
SCALE, ZERO_POINT = np.float32(1 / 255), -128  # int8 for 0 to 1
BATCH = 48
LABEL_SMOOTHING = 0.1


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


def classifier(net: Chain, name: str, *, epochs: int, rate: float, samples: int | None = None) -> Made:
    """Trains and quantizes a network of 10 scores. samples: so many held-out images go with it; None: all."""
    train_images, train_labels, test_images, test_labels = split()
    fit(net, train_images, cross_entropy(train_labels, 10, LABEL_SMOOTHING), epochs=epochs, batch=BATCH, rate=rate)
    description = f"{name}: 8x8 handwritten digits, trained by firmware/models/{name}/train.py"
    q = Quantizer(description, "image", train_images, (SCALE, ZERO_POINT))
    net.emit(q)
    q.softmax()
    data, held_out = q.finish(), quantize(test_images)
    figures = {
        "images": len(train_images) + len(test_images),
        "held_out": len(test_images),
        "float_accuracy": accuracy(net, test_images, test_labels),
        "int8_accuracy": float((int8_outputs(data, held_out).argmax(axis=1) == test_labels).mean()),
    }
    return Made(data, held_out[:samples], test_labels[:samples], figures)

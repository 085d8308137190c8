# SPDX-License-Identifier: Apache-2.0
"""Training: Adam with a learning rate that falls linearly to nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.exact import Array, exponential, shuffled, total
from training.layers import Layer, trained

Gradient = Callable[[Array, NDArray[np.int64]], Array]
"""From outputs of a batch and its examples' numbers: the gradient of the loss."""


def fit(network: Layer, inputs: Array, gradient_of: Gradient, *, epochs: int, batch: int, rate: float) -> None:
    """Trains the network on `inputs` (n, ...); examples that do not fill a batch are left out of the epoch."""
    layers = trained(network)
    layers[0].is_first = True
    moments = {(layer, name): (0 * w, 0 * w) for layer in layers for name, w in layer.weights.items()}
    steps_per_epoch = len(inputs) // batch
    for step in range(epochs * steps_per_epoch):
        epoch, number = divmod(step, steps_per_epoch)
        if number == 0:
            order = shuffled(f"epoch {epoch}", len(inputs))
        chosen = order[number * batch : (number + 1) * batch]
        network.backward(gradient_of(network.forward(inputs[chosen]), chosen))
        rate_now = rate * (1 - step / (epochs * steps_per_epoch))
        for (layer, name), (first, second) in moments.items():
            gradient = layer.gradients[name]
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient * gradient - second)
            unbiased = 1 - 0.9 ** (step + 1), 1 - 0.999 ** (step + 1)
            layer.weights[name] -= rate_now * (first / unbiased[0]) / (np.sqrt(second / unbiased[1]) + 1e-8)


def cross_entropy(labels: NDArray[np.int64], classes: int, smoothing: float) -> Gradient:
    """Of scores against labels smoothed by `smoothing`."""

    def gradient(scores: Array, chosen: NDArray[np.int64]) -> Array:
        powers = exponential(scores - scores.max(axis=1, keepdims=True))
        result = powers / total(powers, 1)[:, np.newaxis]
        result -= smoothing / classes
        result[np.arange(len(chosen)), labels[chosen]] -= 1 - smoothing
        return result / len(chosen)

    return gradient


def squared_error(targets: Array) -> Gradient:
    """Of outputs against `targets`, half the squares' mean."""

    def gradient(outputs: Array, chosen: NDArray[np.int64]) -> Array:
        return (outputs - targets[chosen]) / len(chosen)

    return gradient


def accuracy(network: Layer, inputs: Array, labels: NDArray[np.int64]) -> float:
    """The share of inputs whose largest score is the label's, 0 to 1."""
    return float((network.forward(inputs).argmax(axis=1) == labels).mean())

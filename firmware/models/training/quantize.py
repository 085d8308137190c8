# SPDX-License-Identifier: Apache-2.0
"""Quantization after training to int8: writes a network layer by layer while real inputs pass through it in float.

Weights of convolutions have a scale a channel, those of dense layers one for all, symmetric; activations the range that
they have on the inputs given (the representative set), or the one that quantization-aware training learned. The
arithmetic is what TensorFlow Lite's int8 specification asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyhil.model.graph import OptionValue
from tinyhil.model.writer import ModelWriter
from training.exact import Array
from training.layers import Layer, affine

Quantization = tuple[np.float32, int]
PROBABILITY: Quantization = (np.float32(1 / 256), -128)


class Quantizer:
    """current: the tensor that the next operator reads; x: its values in float; quantization: its scale, zero point.

    inputs: (n, ...), the representative set in float.
    """

    def __init__(self, description: str, name: str, inputs: Array, quantization: Quantization) -> None:
        self.writer = ModelWriter(description)
        self.x, self.quantization = inputs, quantization
        self.input = self.current = self.tensor(name, (1, *inputs.shape[1:]), quantization)

    def tensor(self, name: str, shape: Sequence[int], quantization: Quantization) -> int:
        return self.writer.tensor(shape, scale=float(quantization[0]), zero_point=quantization[1], name=name)

    def place(self) -> tuple[int, Array, Quantization]:
        return self.current, self.x, self.quantization

    def go_back(self, place: tuple[int, Array, Quantization]) -> None:
        self.current, self.x, self.quantization = place

    def output(self, name: str, layer: Layer, quantization: Quantization | None = None) -> None:
        """Adds what `layer` makes of the current values; its quantization is what they ask for unless it is given."""
        self.x = layer.forward(self.x)
        if quantization is None:
            fake = layer.fake
            quantization = affine(fake.low, fake.high) if fake else affine(float(self.x.min()), float(self.x.max()))
        self.quantization = quantization
        self.current = self.tensor(name, (1, *self.x.shape[1:]), quantization)

    def operator(self, name: str, inputs: Sequence[int], **options: OptionValue) -> None:
        """Adds the operator that makes the current tensor."""
        self.writer.operator(name, inputs, [self.current], **options)

    def whole_numbers(self, name: str, values: Any) -> int:
        """An int32 constant."""
        data = np.array(values)
        return self.writer.tensor(data.shape, "int32", data=data, name=name)

    def constants(self, name: str, weights: Array, bias: Array, axis: int) -> list[int]:
        """int8 weights with one scale per entry of `axis` (-1: one scale for all), int32 bias at their scales."""
        over = tuple(i for i in range(weights.ndim) if i != axis)
        scales = (np.abs(weights).max(axis=over, keepdims=True) / 127).astype(np.float32)
        whole = np.rint(weights / scales.astype(np.float64))
        own_scale = self.quantization[0]
        bias_scales = np.broadcast_to(own_scale * scales.ravel(), bias.shape)
        w = self.writer.tensor(
            weights.shape,
            scale=scales.ravel().tolist(),
            quantized_dimension=max(axis, 0),
            data=whole,
            name=f"{name}/weights",
        )
        b = self.writer.tensor(
            bias.shape,
            "int32",
            scale=(own_scale * scales.ravel()).tolist(),
            data=np.rint(bias / bias_scales.astype(np.float64)),
            name=f"{name}/bias",
        )
        return [w, b]

    def softmax(self, name: str = "probabilities") -> None:
        before = self.current
        self.quantization = PROBABILITY
        self.current = self.tensor(name, (1, *self.x.shape[1:]), PROBABILITY)
        self.operator("SOFTMAX", [before])

    def finish(self) -> bytes:
        """The .tflite file; the current tensor is the model's output."""
        return self.writer.finish([self.input], [self.current])

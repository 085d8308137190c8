# SPDX-License-Identifier: Apache-2.0
"""Layers of small networks, in NumPy: each computes, learns, and writes itself as int8 operators.

forward(x) keeps what backward(gradient of the output) needs; backward keeps the gradients of the weights; emit(q) adds
the layer's operators to the model that the quantizer `q` writes. Images are (n, height, width, channels).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from training.exact import Array, matmul, total, uniform

if TYPE_CHECKING:
    from training.quantize import Quantizer


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int, int]:
    """(output size, padding before, padding after), as TensorFlow Lite's SAME."""
    out = -(-size // stride)
    padding = max(0, (out - 1) * stride + kernel - size)
    return out, padding // 2, padding - padding // 2


def valid_padding(size: int, kernel: int, stride: int) -> tuple[int, int, int]:
    """(output size, 0, 0)."""
    return (size - kernel) // stride + 1, 0, 0


def affine(low: float, high: float) -> tuple[np.float32, int]:
    """Scale and zero point of int8 for the range low to high, widened to hold 0, which is always exact."""
    low, high = min(0.0, low), max(0.0, high)
    scale = np.float32((high - low) / 255)
    return scale, int(np.clip(np.rint(-128 - low / float(scale)), -128, 127))


@dataclass
class FakeQuant:
    """Rounds a layer's output in training as int8 will: what quantization-aware training adds.

    The range follows the batches' extremes (a moving average), and stands still once `learns` is False. Gradients pass
    where the value was inside the range, and stop where it was clipped.
    """

    low: float = 0.0
    high: float = 0.0
    learns: bool = True
    mask: Array = field(default_factory=lambda: np.ones(0))

    def __call__(self, y: Array) -> Array:
        if self.learns:
            low, high = float(y.min()), float(y.max())
            started = self.high > self.low
            self.low = self.low + 0.01 * (low - self.low) if started else low
            self.high = self.high + 0.01 * (high - self.high) if started else high
        scale, zero = affine(self.low, self.high)
        whole = np.rint(y / float(scale)) + zero
        self.mask = ((whole >= -128) & (whole <= 127)).astype(np.float64)
        rounded: Array = (np.clip(whole, -128, 127) - zero) * float(scale)
        return rounded


def fake_weights(weights: Array, over: tuple[int, ...]) -> Array:
    """Weights as int8 holds them, with one scale for all entries along the axes `over`."""
    scales = (np.abs(weights).max(axis=over, keepdims=True) / 127).astype(np.float32).astype(np.float64)
    rounded: Array = np.rint(weights / scales) * scales
    return rounded


class Layer(ABC):
    """weights: what is trained, by name; gradients: of the last backward, by the same names. fake: see FakeQuant.
    is_first: nobody asks backward for the gradient of the input."""

    def __init__(self) -> None:
        self.is_first = False
        self.weights: dict[str, Array] = {}
        self.gradients: dict[str, Array] = {}
        self.fake: FakeQuant | None = None

    @abstractmethod
    def forward(self, x: Array) -> Array: ...

    @abstractmethod
    def backward(self, grad: Array) -> Array: ...

    @abstractmethod
    def emit(self, q: Quantizer) -> None: ...

    def parts(self) -> Iterator[Layer]:
        """The layer itself and all inside it."""
        yield self

    def _rounded(self, y: Array) -> Array:
        return y if self.fake is None else self.fake(y)

    def _through(self, grad: Array) -> Array:
        return grad if self.fake is None else grad * self.fake.mask


class Windowed(Layer):
    """A convolution, full or depthwise, with or without RELU. kernel, stride: (height, width)."""

    scaled_over: tuple[int, ...]
    """The axes of the weights that share a scale."""

    def __init__(
        self,
        name: str,
        weights: Array,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        channels_out: int,
        relu: bool,
        padding: str,
    ) -> None:
        super().__init__()
        self.name, self.kernel, self.stride, self.relu, self.padding = name, kernel, stride, relu, padding
        self.weights = {"w": weights, "b": np.zeros(channels_out)}

    def taps(self) -> Iterator[tuple[int, slice, slice]]:
        """Each place of the kernel, with the rows and columns of the padded input that it sees."""
        for tap in range(self.kernel[0] * self.kernel[1]):
            starts = divmod(tap, self.kernel[1])
            rows, columns = (
                slice(start, start + stride * (out - 1) + 1, stride)
                for start, stride, out in zip(starts, self.stride, self.out, strict=True)
            )
            yield tap, rows, columns

    def forward(self, x: Array) -> Array:
        pad = same_padding if self.padding == "SAME" else valid_padding
        high, wide = (pad(x.shape[1 + i], self.kernel[i], self.stride[i]) for i in (0, 1))
        self.out, self.before, self.size = (high[0], wide[0]), (high[1], wide[1]), x.shape[1:3]
        self.padded = np.pad(x, ((0, 0), high[1:], wide[1:], (0, 0)))
        self.used = self.weights["w"] if self.fake is None else fake_weights(self.weights["w"], self.scaled_over)
        y = self.apply() + self.weights["b"]
        self.mask = y > 0 if self.relu else np.ones_like(y, bool)
        return self._rounded(y * self.mask)

    def backward(self, grad: Array) -> Array:
        grad = self._through(grad) * self.mask
        self.gradients["b"] = total(grad, (0, 1, 2))
        padded_grad = self.propagate(grad)
        (top, left), (height, width) = self.before, self.size
        return padded_grad[:, top : top + height, left : left + width]

    def emit(self, q: Quantizer) -> None:
        operator, weights, axis = self.as_written()
        inputs = [q.current, *q.constants(self.name, weights, self.weights["b"], axis)]
        q.output(self.name, self)
        q.operator(
            operator,
            inputs,
            padding=self.padding,
            stride_w=self.stride[1],
            stride_h=self.stride[0],
            fused_activation_function="RELU" if self.relu else "NONE",
        )

    @abstractmethod
    def apply(self) -> Array:
        """The sums, without bias, of the padded input."""

    @abstractmethod
    def propagate(self, grad: Array) -> Array:
        """Stores the gradient of the weights and returns that of the padded input."""

    @abstractmethod
    def as_written(self) -> tuple[str, Array, int]:
        """(operator, weights as it wants them, the axis that has a scale an entry)."""


class Conv(Windowed):
    """weights w: (kernel height * width * channels in, channels out)."""

    scaled_over = (0,)

    def __init__(
        self,
        name: str,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        channels_in: int,
        channels_out: int,
        relu: bool,
        padding: str = "SAME",
    ) -> None:
        fan_in = kernel[0] * kernel[1] * channels_in
        limit = math.sqrt(6.0 / fan_in)
        weights = (uniform(name, fan_in * channels_out).reshape(fan_in, channels_out) * 2 - 1) * limit
        super().__init__(name, weights, kernel, stride, channels_out, relu, padding)

    def apply(self) -> Array:
        columns = [self.padded[:, rows, columns] for _, rows, columns in self.taps()]
        stacked = np.concatenate(columns, axis=3)
        self.columns = stacked.reshape(-1, stacked.shape[3])
        return matmul(self.columns, self.used).reshape(*stacked.shape[:3], -1)

    def propagate(self, grad: Array) -> Array:
        flat = grad.reshape(-1, grad.shape[3])
        self.gradients["w"] = matmul(self.columns.T, flat)
        if self.is_first:
            return np.zeros_like(self.padded)
        columns_grad = matmul(flat, self.used.T).reshape(*grad.shape[:3], self.kernel[0] * self.kernel[1], -1)
        padded_grad = np.zeros_like(self.padded)
        for tap, rows, columns in self.taps():
            padded_grad[:, rows, columns] += columns_grad[:, :, :, tap]
        return padded_grad

    def as_written(self) -> tuple[str, Array, int]:
        channels_out = len(self.weights["b"])
        return "CONV_2D", self.weights["w"].reshape(*self.kernel, -1, channels_out).transpose(3, 0, 1, 2), 0


class Depthwise(Windowed):
    """weights w: (kernel height * width, channels)."""

    scaled_over = (0,)

    def __init__(
        self,
        name: str,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        channels: int,
        relu: bool,
        padding: str = "SAME",
    ) -> None:
        taps = kernel[0] * kernel[1]
        weights = (uniform(name, taps * channels).reshape(-1, channels) * 2 - 1) * math.sqrt(6.0 / taps)
        super().__init__(name, weights, kernel, stride, channels, relu, padding)

    def apply(self) -> Array:
        result = np.zeros((len(self.padded), *self.out, self.padded.shape[3]))
        for tap, rows, columns in self.taps():
            result += self.padded[:, rows, columns] * self.used[tap]
        return result

    def propagate(self, grad: Array) -> Array:
        padded_grad = np.zeros_like(self.padded)
        weight_grad = np.zeros_like(self.weights["w"])
        for tap, rows, columns in self.taps():
            weight_grad[tap] = total(self.padded[:, rows, columns] * grad, (0, 1, 2))
            padded_grad[:, rows, columns] += grad * self.used[tap]
        self.gradients["w"] = weight_grad
        return padded_grad

    def as_written(self) -> tuple[str, Array, int]:
        return "DEPTHWISE_CONV_2D", self.weights["w"].reshape(1, *self.kernel, -1), 3


class Chain(Layer):
    """One layer after the other; none: the identity."""

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        self.layers = layers

    def parts(self) -> Iterator[Layer]:
        for layer in self.layers:
            yield from layer.parts()

    def forward(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad: Array) -> Array:
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad

    def emit(self, q: Quantizer) -> None:
        for layer in self.layers:
            layer.emit(q)


class Residual(Layer):
    """relu(shortcut(x) + branch(x))."""

    def __init__(self, name: str, shortcut: Layer, branch: Layer) -> None:
        super().__init__()
        self.name, self.shortcut, self.branch = name, shortcut, branch

    def parts(self) -> Iterator[Layer]:
        yield from self.shortcut.parts()
        yield from self.branch.parts()
        yield self

    def forward(self, x: Array) -> Array:
        y = self.shortcut.forward(x) + self.branch.forward(x)
        self.mask = y > 0
        return self._rounded(y * self.mask)

    def backward(self, grad: Array) -> Array:
        grad = self._through(grad) * self.mask
        return self.shortcut.backward(grad) + self.branch.backward(grad)

    def emit(self, q: Quantizer) -> None:
        start = q.place()
        self.shortcut.emit(q)
        shortcut = q.current
        q.go_back(start)
        self.branch.emit(q)
        inputs = [shortcut, q.current]
        q.go_back(start)
        q.output(self.name, self)
        q.operator("ADD", inputs, fused_activation_function="RELU")


def quarters(x: Array) -> Array:
    """The four values of each 2x2 window: (4, n, height / 2, width / 2, channels)."""
    return np.stack([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)])


class _Pool(Layer):
    """2x2, stride 2. Its output has the quantization of its input."""

    operator: str

    def emit(self, q: Quantizer) -> None:
        before = q.current
        q.output(self.operator.lower(), self, q.quantization)
        q.operator(self.operator, [before], padding="VALID", stride_w=2, stride_h=2, filter_width=2, filter_height=2)


class MaxPool(_Pool):
    operator = "MAX_POOL_2D"

    def forward(self, x: Array) -> Array:
        parts = quarters(x)
        self.shape, self.winner = x.shape, parts.argmax(axis=0)
        largest: Array = parts.max(axis=0)
        return largest

    def backward(self, grad: Array) -> Array:
        result = np.zeros(self.shape)
        for part, (i, j) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            result[:, i::2, j::2] = grad * (self.winner == part)
        return result


class AveragePool(_Pool):
    operator = "AVERAGE_POOL_2D"

    def forward(self, x: Array) -> Array:
        first, second, third, fourth = quarters(x)
        mean: Array = ((first + second) + (third + fourth)) / 4
        return mean

    def backward(self, grad: Array) -> Array:
        return np.repeat(np.repeat(grad / 4, 2, axis=1), 2, axis=2)


class Pad(Layer):
    """Zeros around: margins are (before, after) of height, width and channels."""

    def __init__(self, name: str, *margins: tuple[int, int]) -> None:
        super().__init__()
        self.name, self.margins = name, ((0, 0), *margins)

    def forward(self, x: Array) -> Array:
        self.inside = tuple(
            slice(before, before + length) for (before, _), length in zip(self.margins, x.shape, strict=True)
        )
        return np.pad(x, self.margins)

    def backward(self, grad: Array) -> Array:
        return grad[self.inside]

    def emit(self, q: Quantizer) -> None:
        before = q.current
        margins = q.whole_numbers(f"{self.name}/margins", self.margins)
        q.output(self.name, self, q.quantization)
        q.operator("PAD", [before, margins])


class Mean(Layer):
    """Over height and width, for each channel: (n, channels). A power of two of places, so that it is exact."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return self._rounded(total(x, (1, 2)) / (x.shape[1] * x.shape[2]))

    def backward(self, grad: Array) -> Array:
        grad = self._through(grad) / (self.shape[1] * self.shape[2])
        return np.broadcast_to(grad[:, np.newaxis, np.newaxis], self.shape).copy()

    def emit(self, q: Quantizer) -> None:
        before = q.current
        axes = q.whole_numbers(f"{self.name}/axes", (1, 2))
        q.output(self.name, self)
        q.operator("MEAN", [before, axes], keep_dims=False)


class Flatten(Layer):
    """All values of an image in one row: (n, values)."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, grad: Array) -> Array:
        return grad.reshape(self.shape)

    def emit(self, q: Quantizer) -> None:
        before = q.current
        q.output(self.name, self, q.quantization)
        shape = (1, *q.x.shape[1:])
        q.operator("RESHAPE", [before, q.whole_numbers(f"{self.name}/shape", shape)], new_shape=shape)


class Dense(Layer):
    """Every output from every value of a row. weights w: (values in, values out), one scale for all."""

    def __init__(self, name: str, values: int, outputs: int, relu: bool = False) -> None:
        super().__init__()
        limit = math.sqrt(6.0 / (values + outputs))
        weights = (uniform(name, values * outputs).reshape(values, outputs) * 2 - 1) * limit
        self.name, self.relu = name, relu
        self.weights = {"w": weights, "b": np.zeros(outputs)}

    def forward(self, x: Array) -> Array:
        self.x = x
        self.used = self.weights["w"] if self.fake is None else fake_weights(self.weights["w"], (0, 1))
        y = matmul(self.x, self.used) + self.weights["b"]
        self.mask = y > 0 if self.relu else np.ones_like(y, bool)
        return self._rounded(y * self.mask)

    def backward(self, grad: Array) -> Array:
        grad = self._through(grad) * self.mask
        self.gradients = {"w": matmul(self.x.T, grad), "b": total(grad, 0)}
        return matmul(grad, self.used.T)

    def emit(self, q: Quantizer) -> None:
        inputs = [q.current, *q.constants(self.name, self.weights["w"].T, self.weights["b"], -1)]
        q.output(self.name, self)
        q.operator("FULLY_CONNECTED", inputs, fused_activation_function="RELU" if self.relu else "NONE")


def trained(network: Layer) -> Sequence[Layer]:
    """The layers of a network that have weights."""
    return [layer for layer in network.parts() if layer.weights]

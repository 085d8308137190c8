# SPDX-License-Identifier: Apache-2.0
"""Trains the digit classifier, quantizes it to int8, and writes digits.tflite, digits.golden.npz and README.md.

    python firmware/models/digits/train.py           # writes the three files
    python firmware/models/digits/train.py --check   # trains again and compares with the files that are there

Needs pip install 'tinyhil[models,oracle]'. Takes a few seconds.

The files do not depend on the machine: sums of products are taken over numbers rounded to a grid so coarse that every
sum is exact in float64, so neither the order of a BLAS nor fused multiplications can change a bit; everything else is
an elementwise operation that IEEE 754 defines; random numbers come from SHAKE-256.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from tinyhil import golden
from tinyhil.golden import GoldenSet
from tinyhil.model import Model, parse_model
from tinyhil.model.writer import ModelWriter

Array = NDArray[np.float64]

SEED = 1
TEST_IMAGES = 360
EPOCHS = 40
BATCH = 48
LEARNING_RATE = 3e-3
LABEL_SMOOTHING = 0.1
HERE = Path(__file__).resolve().parent
MODEL, GOLDEN, CARD = HERE / "digits.tflite", HERE / "digits.golden.npz", HERE / "README.md"


# Arithmetic that is the same everywhere -------------------------------------------------------------------------------
def on_grid(x: Array, bits: int) -> tuple[Array, float]:
    """(whole numbers of at most `bits` bits, scale), a power of two, with x close to whole * scale."""
    exponent = math.frexp(float(np.abs(x).max()))[1]
    scale = math.ldexp(1.0, exponent - bits)
    return np.rint(x / scale), scale


def matmul(a: Array, b: Array) -> Array:
    """a @ b with operands of 20 bits: exact for sums of up to 2**13 products."""
    whole_a, scale_a = on_grid(a, 20)
    whole_b, scale_b = on_grid(b, 20)
    return (whole_a @ whole_b) * (scale_a * scale_b)


def total(x: Array, axis: int | tuple[int, ...]) -> Array:
    """x.sum(axis), exact for up to 2**20 addends of 32 bits."""
    whole, scale = on_grid(x, 32)
    result: Array = whole.sum(axis) * scale
    return result


def exponential(x: Array) -> Array:
    """e**x for x <= 0, by 2**n * e**r with a Taylor series: accurate to about 1e-14, and the same everywhere."""
    n = np.rint(np.maximum(x, -700.0) / math.log(2.0))
    r = np.maximum(x, -700.0) - n * math.log(2.0)
    series = np.ones_like(r)
    for k in range(14, 0, -1):
        series = 1.0 + series * r / k
    return np.ldexp(series, n.astype(np.int64))


def uniform(name: str, count: int) -> Array:
    """`count` numbers in [0, 1) that depend on SEED and `name` alone."""
    words = np.frombuffer(hashlib.shake_256(f"{SEED} {name}".encode()).digest(4 * count), "<u4")
    return words.astype(np.float64) / 2**32


def shuffled(name: str, count: int) -> NDArray[np.int64]:
    return np.argsort(uniform(name, count), kind="stable")


# Layers ---------------------------------------------------------------------------------------------------------------
# forward(x) keeps what backward(gradient of the output) needs; backward keeps the gradients of the weights.
def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int, int]:
    """(output size, padding before, padding after), as TensorFlow Lite's SAME."""
    out = -(-size // stride)
    padding = max(0, (out - 1) * stride + kernel - size)
    return out, padding // 2, padding - padding // 2


class Layer(ABC):
    """weights: what is trained, by name; gradients: of the last backward, by the same names."""

    def __init__(self) -> None:
        self.weights: dict[str, Array] = {}
        self.gradients: dict[str, Array] = {}

    @abstractmethod
    def forward(self, x: Array) -> Array: ...

    @abstractmethod
    def backward(self, grad: Array) -> Array: ...


class Windowed(Layer):
    """A convolution, full or depthwise, SAME padding, with or without RELU. x: (n, height, width, channels)."""

    def __init__(self, name: str, weights: Array, kernel: int, stride: int, channels_out: int, relu: bool) -> None:
        super().__init__()
        self.name, self.kernel, self.stride, self.relu = name, kernel, stride, relu
        self.weights = {"w": weights, "b": np.zeros(channels_out)}

    def taps(self, out: int) -> Iterator[tuple[int, slice, slice]]:
        for tap in range(self.kernel**2):
            y, x = divmod(tap, self.kernel)
            rows, columns = (slice(start, start + self.stride * (out - 1) + 1, self.stride) for start in (y, x))
            yield tap, rows, columns

    def forward(self, x: Array) -> Array:
        out, before, after = same_padding(x.shape[1], self.kernel, self.stride)
        self.padding, self.size, self.out = (before, after), x.shape[1], out
        self.padded = np.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))
        y = self.apply() + self.weights["b"]
        self.mask = y > 0 if self.relu else np.ones_like(y, bool)
        return y * self.mask

    def backward(self, grad: Array) -> Array:
        grad = grad * self.mask
        self.gradients["b"] = total(grad, (0, 1, 2))
        padded_grad = self.propagate(grad)
        before = self.padding[0]
        return padded_grad[:, before : before + self.size, before : before + self.size]

    @abstractmethod
    def apply(self) -> Array:
        """The sums, without bias, of the padded input."""

    @abstractmethod
    def propagate(self, grad: Array) -> Array:
        """Stores the gradient of the weights and returns that of the padded input."""


class Conv(Windowed):
    """weights w: (kernel * kernel * channels in, channels out)."""

    def __init__(self, name: str, kernel: int, stride: int, channels_in: int, channels_out: int, relu: bool) -> None:
        fan_in = kernel * kernel * channels_in
        limit = math.sqrt(6.0 / fan_in)
        weights = (uniform(name, fan_in * channels_out).reshape(fan_in, channels_out) * 2 - 1) * limit
        super().__init__(name, weights, kernel, stride, channels_out, relu)

    def apply(self) -> Array:
        columns = [self.padded[:, rows, columns] for _, rows, columns in self.taps(self.out)]
        stacked = np.concatenate(columns, axis=3)
        self.columns = stacked.reshape(-1, stacked.shape[3])
        return matmul(self.columns, self.weights["w"]).reshape(*stacked.shape[:3], -1)

    def propagate(self, grad: Array) -> Array:
        flat = grad.reshape(-1, grad.shape[3])
        self.gradients["w"] = matmul(self.columns.T, flat)
        columns_grad = matmul(flat, self.weights["w"].T).reshape(*grad.shape[:3], self.kernel**2, -1)
        padded_grad = np.zeros_like(self.padded)
        for tap, rows, columns in self.taps(self.out):
            padded_grad[:, rows, columns] += columns_grad[:, :, :, tap]
        return padded_grad


class Depthwise(Windowed):
    """weights w: (kernel * kernel, channels)."""

    def __init__(self, name: str, kernel: int, stride: int, channels: int, relu: bool) -> None:
        limit = math.sqrt(6.0 / (kernel * kernel))
        weights = (uniform(name, kernel * kernel * channels).reshape(-1, channels) * 2 - 1) * limit
        super().__init__(name, weights, kernel, stride, channels, relu)

    def apply(self) -> Array:
        result = np.zeros((len(self.padded), self.out, self.out, self.padded.shape[3]))
        for tap, rows, columns in self.taps(self.out):
            result += self.padded[:, rows, columns] * self.weights["w"][tap]
        return result

    def propagate(self, grad: Array) -> Array:
        padded_grad = np.zeros_like(self.padded)
        weight_grad = np.zeros_like(self.weights["w"])
        for tap, rows, columns in self.taps(self.out):
            weight_grad[tap] = total(self.padded[:, rows, columns] * grad, (0, 1, 2))
            padded_grad[:, rows, columns] += grad * self.weights["w"][tap]
        self.gradients["w"] = weight_grad
        return padded_grad


class Chain(Layer):
    """One layer after the other; none: the identity."""

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad: Array) -> Array:
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad


class Residual(Layer):
    """relu(shortcut(x) + branch(x))."""

    def __init__(self, shortcut: Layer, branch: Layer) -> None:
        super().__init__()
        self.shortcut, self.branch = shortcut, branch

    def forward(self, x: Array) -> Array:
        y = self.shortcut.forward(x) + self.branch.forward(x)
        self.mask = y > 0
        return y * self.mask

    def backward(self, grad: Array) -> Array:
        grad = grad * self.mask
        return self.shortcut.backward(grad) + self.branch.backward(grad)


def quarters(x: Array) -> Array:
    """The four values of each 2x2 window: (4, n, height / 2, width / 2, channels)."""
    return np.stack([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)])


class MaxPool(Layer):
    """2x2, stride 2."""

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


class AveragePool(Layer):
    """2x2, stride 2."""

    def forward(self, x: Array) -> Array:
        first, second, third, fourth = quarters(x)
        mean: Array = ((first + second) + (third + fourth)) / 4
        return mean

    def backward(self, grad: Array) -> Array:
        return np.repeat(np.repeat(grad / 4, 2, axis=1), 2, axis=2)


class Dense(Layer):
    """Scores of the classes from all values of an image. weights w: (values, classes)."""

    def __init__(self, name: str, values: int, classes: int) -> None:
        super().__init__()
        limit = math.sqrt(6.0 / (values + classes))
        weights = (uniform(name, values * classes).reshape(values, classes) * 2 - 1) * limit
        self.weights = {"w": weights, "b": np.zeros(classes)}

    def forward(self, x: Array) -> Array:
        self.shape, self.x = x.shape, x.reshape(len(x), -1)
        return matmul(self.x, self.weights["w"]) + self.weights["b"]

    def backward(self, grad: Array) -> Array:
        self.gradients = {"w": matmul(self.x.T, grad), "b": total(grad, 0)}
        return matmul(grad, self.weights["w"].T).reshape(self.shape)


class Network:
    """8x8 grey image -> 10 scores."""

    def __init__(self) -> None:
        self.stem = Conv("stem", 3, 1, 1, 16, relu=True)
        self.depthwise = Depthwise("depthwise", 3, 1, 16, relu=True)
        self.pointwise = Conv("pointwise", 1, 1, 16, 16, relu=False)
        self.down_depthwise = Depthwise("down_depthwise", 3, 2, 16, relu=True)
        self.down_pointwise = Conv("down_pointwise", 1, 1, 16, 16, relu=False)
        self.mix = Conv("mix", 3, 1, 16, 48, relu=True)
        self.dense = Dense("scores", 2 * 2 * 48, 10)
        self.block = Residual(Chain(), Chain(self.depthwise, self.pointwise))
        self.down = Residual(MaxPool(), Chain(self.down_depthwise, self.down_pointwise))
        self.path = Chain(self.stem, self.block, self.down, self.mix, AveragePool(), self.dense)
        self.trained: list[Layer] = [
            *(self.stem, self.depthwise, self.pointwise, self.down_depthwise, self.down_pointwise, self.mix),
            self.dense,
        ]

    def forward(self, x: Array) -> Array:
        return self.path.forward(x)

    def backward(self, grad: Array) -> None:
        self.path.backward(grad)


# Data and training ----------------------------------------------------------------------------------------------------
def split_data() -> tuple[Array, NDArray[np.int64], Array, NDArray[np.int64]]:
    """Training images (n, 8, 8, 1) with values 0 to 1 and their digits, then those held out."""
    digits = load_digits()
    order = shuffled("split", len(digits.images))
    images = (digits.images[order] / 16.0)[..., np.newaxis]
    labels = digits.target[order].astype(np.int64)
    return images[TEST_IMAGES:], labels[TEST_IMAGES:], images[:TEST_IMAGES], labels[:TEST_IMAGES]


def train(images: Array, labels: NDArray[np.int64]) -> Network:
    """Cross-entropy with smoothed labels, Adam, a learning rate that falls linearly to nothing."""
    network = Network()
    moments = {(layer, name): (0 * w, 0 * w) for layer in network.trained for name, w in layer.weights.items()}
    steps_per_epoch = len(images) // BATCH
    for step in range(EPOCHS * steps_per_epoch):
        epoch, batch = divmod(step, steps_per_epoch)
        if batch == 0:
            order = shuffled(f"epoch {epoch}", len(images))
        chosen = order[batch * BATCH : (batch + 1) * BATCH]
        scores = network.forward(images[chosen])
        powers = exponential(scores - scores.max(axis=1, keepdims=True))
        gradient = powers / total(powers, 1)[:, np.newaxis]
        gradient -= LABEL_SMOOTHING / 10
        gradient[np.arange(BATCH), labels[chosen]] -= 1 - LABEL_SMOOTHING
        network.backward(gradient / BATCH)
        rate = LEARNING_RATE * (1 - step / (EPOCHS * steps_per_epoch))
        for (layer, name), (first, second) in moments.items():
            gradient = layer.gradients[name]
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient * gradient - second)
            unbiased = 1 - 0.9 ** (step + 1), 1 - 0.999 ** (step + 1)
            layer.weights[name] -= rate * (first / unbiased[0]) / (np.sqrt(second / unbiased[1]) + 1e-8)
    return network


def float_accuracy(network: Network, images: Array, labels: NDArray[np.int64]) -> float:
    return float((network.forward(images).argmax(axis=1) == labels).mean())


# Quantization: int8, weights per channel ------------------------------------------------------------------------------
INPUT_SCALE, INPUT_ZERO = np.float32(1 / 255), -128  # 0 to 1


def quantize_images(images: Array) -> NDArray[np.int8]:
    return (np.rint(images * 255) - 128).astype(np.int8)


def activation_scale(x: Array) -> tuple[np.float32, int]:
    """Scale and zero point for the range that x has on the training images; 0 is always exact."""
    low, high = min(0.0, float(x.min())), max(0.0, float(x.max()))
    scale = np.float32((high - low) / 255)
    return scale, int(np.clip(np.rint(-128 - low / float(scale)), -128, 127))


class Quantizer:
    """Writes the network layer by layer while the training images pass through it in float, for the ranges."""

    def __init__(self, network: Network, images: Array) -> None:
        self.network = network
        self.x = images
        self.writer = ModelWriter("digits: 8x8 handwritten digits, trained by firmware/models/digits/train.py")
        self.scale, self.zero = INPUT_SCALE, INPUT_ZERO
        self.input = self.current = self.writer.tensor(
            (1, 8, 8, 1), scale=float(INPUT_SCALE), zero_point=INPUT_ZERO, name="image"
        )

    def output(self, name: str, x: Array, quantization: tuple[np.float32, int]) -> None:
        self.x, (self.scale, self.zero) = x, quantization
        self.current = self.writer.tensor((1, *x.shape[1:]), scale=float(self.scale), zero_point=self.zero, name=name)

    def constants(self, name: str, weights: Array, bias: Array, axis: int) -> list[int]:
        """int8 weights with one scale per entry of `axis` (-1: one scale for all), int32 bias at their scales."""
        over = tuple(i for i in range(weights.ndim) if i != axis)
        scales = (np.abs(weights).max(axis=over, keepdims=True) / 127).astype(np.float32)
        whole = np.rint(weights / scales.astype(np.float64))
        bias_scales = np.broadcast_to(self.scale * scales.ravel(), bias.shape)
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
            scale=(self.scale * scales.ravel()).tolist(),
            data=np.rint(bias / bias_scales.astype(np.float64)),
            name=f"{name}/bias",
        )
        return [w, b]

    def windowed(self, layer: Conv | Depthwise) -> None:
        taps, channels_out = layer.kernel, len(layer.weights["b"])
        if isinstance(layer, Conv):
            operator, axis = "CONV_2D", 0
            weights = layer.weights["w"].reshape(taps, taps, -1, channels_out).transpose(3, 0, 1, 2)
        else:
            operator, axis = "DEPTHWISE_CONV_2D", 3
            weights = layer.weights["w"].reshape(1, taps, taps, channels_out)
        inputs = [self.current, *self.constants(layer.name, weights, layer.weights["b"], axis)]
        y = layer.forward(self.x)
        self.output(layer.name, y, activation_scale(y))
        self.writer.operator(
            operator,
            inputs,
            [self.current],
            padding="SAME",
            stride_w=layer.stride,
            stride_h=layer.stride,
            fused_activation_function="RELU" if layer.relu else "NONE",
        )

    def pool(self, operator: str, layer: Layer) -> None:
        before = self.current
        self.output(operator.lower(), layer.forward(self.x), (self.scale, self.zero))
        self.writer.operator(
            operator, [before], [self.current], padding="VALID", stride_w=2, stride_h=2, filter_width=2, filter_height=2
        )

    def residual(self, name: str, block: Residual, branch: Sequence[Conv | Depthwise]) -> None:
        x, tensor, scale, zero = self.x, self.current, self.scale, self.zero
        if isinstance(block.shortcut, MaxPool):
            self.pool("MAX_POOL_2D", block.shortcut)
        shortcut = self.current
        self.x, self.current, self.scale, self.zero = x, tensor, scale, zero
        for layer in branch:
            self.windowed(layer)
        inputs = [shortcut, self.current]
        y = block.forward(x)
        self.output(name, y, activation_scale(y))
        self.writer.operator("ADD", inputs, [self.current], fused_activation_function="RELU")

    def run(self) -> bytes:
        """The .tflite file."""
        net = self.network
        self.windowed(net.stem)
        self.residual("block", net.block, (net.depthwise, net.pointwise))
        self.residual("down", net.down, (net.down_depthwise, net.down_pointwise))
        self.windowed(net.mix)
        self.pool("AVERAGE_POOL_2D", AveragePool())
        image, x = self.current, self.x
        self.output("features", x.reshape(len(x), -1), (self.scale, self.zero))
        shape = self.writer.tensor((2,), "int32", data=np.array([1, self.x.shape[1]]), name="features/shape")
        self.writer.operator("RESHAPE", [image, shape], [self.current], new_shape=(1, self.x.shape[1]))
        inputs = [self.current, *self.constants("scores", net.dense.weights["w"].T, net.dense.weights["b"], -1)]
        scores = net.dense.forward(x)
        self.output("scores", scores, activation_scale(scores))
        self.writer.operator("FULLY_CONNECTED", inputs, [self.current])
        before = self.current
        self.output("probabilities", scores, (np.float32(1 / 256), -128))
        self.writer.operator("SOFTMAX", [before], [self.current])
        return self.writer.finish([self.input], [self.current])


# The files ------------------------------------------------------------------------------------------------------------
CARD_TEXT = """# digits

A convolutional classifier of 8x8 handwritten digits, int8 inside and at the boundary: the project's own real model.
This card, the model and its golden set are made by [train.py](train.py); change that, not these.

| | |
|---|---|
| input | int8 1x8x8x1, grey levels 0 to 1, scale 1/255, zero point -128 |
| output | int8 1x10, probability of each digit, scale 1/256, zero point -128 |
| operators | {operators} |
| multiply-accumulates | {macs:,} |
| weights and biases | {constant_bytes:,} bytes |
| file | {file_bytes:,} bytes, SHA-256 `{sha256}` |
| accuracy on {test_images} held-out images | float {float_accuracy:.2%}, int8 {int8_accuracy:.2%} |

**Data.** scikit-learn's `load_digits`: {images:,} images by 13 people, the test part of the UCI set
["Optical Recognition of Handwritten Digits"](https://doi.org/10.24432/C50P49) (E. Alpaydin, C. Kaynak; CC BY 4.0).
{test_images} images drawn by seed {seed} are held out, the rest trains; neither weights nor quantization ranges have
seen the held-out images. The writers are the same in both parts.

**Training.** NumPy alone: cross-entropy with labels smoothed by {smoothing}, Adam, {epochs} epochs. The arithmetic is
exact where order could matter, so that every machine gives the same bits.

**Quantization.** After training: convolution weights per channel, symmetric; the last layer's per tensor; activations
by their range on the training images. What it costs is the difference of the two accuracies above.

**Golden set.** {vectors} vectors from oracle {oracle}:
{kinds}.
The samples are all held-out images with their labels, so a device's accuracy is reported beside its bits.

`python firmware/models/digits/train.py --check` trains again and compares.

**Not for** anything but testing: 8x8 digits of one collection, scaled to fill the frame.
"""


def make_card(accuracy: float, model: Model, made: GoldenSet) -> str:
    return CARD_TEXT.format(
        operators=", ".join(dict.fromkeys(op.name for op in model.operators)),
        macs=model.macs,
        constant_bytes=sum(t.bytes for t in model.tensors if t.is_constant),
        file_bytes=len(model.data),
        sha256=model.sha256,
        test_images=TEST_IMAGES,
        float_accuracy=accuracy,
        int8_accuracy=made.accuracy(),
        images=len(load_digits().images),
        seed=SEED,
        epochs=EPOCHS,
        smoothing=LABEL_SMOOTHING,
        vectors=len(made),
        oracle=f"{made.oracle} {made.oracle_version}",
        kinds=", ".join(f"{made.kinds.count(kind)} {kind}" for kind in dict.fromkeys(made.kinds)),
    )


def make() -> tuple[Model, GoldenSet, float]:
    """The model, its golden set, and the float network's accuracy on the held-out images."""
    train_images, train_labels, test_images, test_labels = split_data()
    network = train(train_images, train_labels)
    model = parse_model(Quantizer(network, train_images).run(), MODEL)
    made = golden.make_golden(model, samples=[quantize_images(test_images)], labels=test_labels)
    return model, made, float_accuracy(network, test_images, test_labels)


def check(model: Model, made: GoldenSet, accuracy: float) -> int:
    """Compares with the files that are there. Another oracle or tinyhil version is no difference, another number is.
    Returns the exit status."""
    stored = golden.load(GOLDEN)
    as_stored = replace(made, oracle_version=stored.oracle_version, tinyhil_version=stored.tinyhil_version)
    with tempfile.TemporaryDirectory() as folder:
        as_stored.save(Path(folder, GOLDEN.name))
        same = {
            MODEL: model.data == MODEL.read_bytes(),
            GOLDEN: Path(folder, GOLDEN.name).read_bytes() == GOLDEN.read_bytes(),
            CARD: make_card(accuracy, model, as_stored) == CARD.read_text(encoding="utf-8"),
        }
    for path, is_same in same.items():
        print(f"{path.name}: {'the same' if is_same else 'DIFFERS'}")
    return 0 if all(same.values()) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Train, quantize and write the digit classifier.")
    parser.add_argument("--check", action="store_true", help="train again and compare with the files that are there")
    checking = parser.parse_args().check
    model, made, accuracy = make()
    print(f"accuracy on {TEST_IMAGES} held-out images: float {accuracy:.2%}, int8 {made.accuracy():.2%}")
    if checking:
        return check(model, made, accuracy)
    MODEL.write_bytes(model.data)
    made.save(GOLDEN)
    CARD.write_text(make_card(accuracy, model, made), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Random single-operator models: every parameter of an operator, and quantization from subtle to saturating.

Each generator takes a seeded numpy Generator and returns the bytes of a valid model. Shapes are small, so that
hundreds of cases run in seconds; what they cover is the branches of Prepare and Eval, not size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyhil.model.writer import ModelWriter

Generator = np.random.Generator
ACTIVATIONS = ["NONE", "RELU", "RELU_N1_TO_1", "RELU6"]


def pick(rng: Generator, options):
    return options[int(rng.integers(len(options)))]


def between(rng: Generator, low: int, high: int) -> int:
    """An integer of low..high, both included."""
    return int(rng.integers(low, high + 1))


def scale(rng: Generator, low: float = 1e-3, high: float = 1.0) -> float:
    """A float32 scale, uniform in its logarithm; one in eight is a power of two."""
    value = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    if rng.integers(8) == 0:
        value = 2.0 ** round(np.log2(value))
    return float(np.float32(value))


def zero_point(rng: Generator) -> int:
    return pick(rng, [-128, 127, 0, between(rng, -128, 127)])


def weights(rng: Generator, shape: tuple[int, ...]) -> np.ndarray:
    extreme = rng.integers(4) == 0
    return rng.choice([-127, 127], shape) if extreme else rng.integers(-127, 128, shape)


def output_scale(rng: Generator, input_scale: float, filter_scale: float, products: int) -> float:
    """One that spreads sums of so many products over int8, give or take a factor of eight."""
    spread = input_scale * filter_scale * 73 * 73 * np.sqrt(products) / 64
    return float(np.float32(spread * np.exp(rng.uniform(-2, 2))))


def _axes(rng: Generator, limit: int = 4, dilated: bool = True):
    """Padding and, for height and width: input, filter, stride, dilation, output."""
    padding = pick(rng, ["SAME", "VALID"])
    axes = []
    for _ in range(2):
        filter_size, stride, dilation = between(rng, 1, limit), between(rng, 1, 3), between(rng, 1, 3) if dilated else 1
        span = (filter_size - 1) * dilation + 1
        size = between(rng, span if padding == "VALID" else 1, span + 8)
        output = -(-size // stride) if padding == "SAME" else (size - span) // stride + 1
        axes.append((size, filter_size, stride, dilation, output))
    return padding, axes


def _filter_scales(rng: Generator, channels: int) -> float | list[float]:
    if rng.integers(3) == 0:
        return scale(rng, 1e-3, 0.1)
    return [scale(rng, 1e-3, 0.1) for _ in range(channels)]


def _bias(rng: Generator, writer: ModelWriter, channels: int, bias_scale: float | None = None) -> int:
    kind = rng.integers(4)
    if kind == 0:
        return -1
    span = 2**28 if kind == 1 else 4000
    return writer.tensor((channels,), "int32", scale=bias_scale, data=rng.integers(-span, span, channels))


def conv_2d(rng: Generator) -> bytes:
    writer = ModelWriter()
    padding, ((height, kh, sh, dh, oh), (width, kw, sw, dw, ow)) = _axes(rng)
    groups = pick(rng, [1, 1, 1, 2, 3])
    group_channels, per_group = between(rng, 1, 9), between(rng, 1, 5)
    channels, batch = groups * per_group, between(rng, 1, 2)
    input_scale, filter_scales = scale(rng), _filter_scales(rng, channels)
    x = writer.tensor((batch, height, width, groups * group_channels), scale=input_scale, zero_point=zero_point(rng))
    shape = (channels, kh, kw, group_channels)
    w = writer.tensor(shape, scale=filter_scales, data=weights(rng, shape))
    b = _bias(rng, writer, channels)
    out = output_scale(rng, input_scale, float(np.mean(filter_scales)), kh * kw * group_channels)
    y = writer.tensor((batch, oh, ow, channels), scale=out, zero_point=zero_point(rng))
    inputs = [x, w] if b < 0 and rng.integers(2) else [x, w, b]
    writer.operator(
        "CONV_2D", inputs, [y], padding=padding, stride_h=sh, stride_w=sw, dilation_h_factor=dh, dilation_w_factor=dw,
        fused_activation_function=pick(rng, ACTIVATIONS),
    )  # fmt: skip
    return writer.finish([x], [y])


def depthwise_conv_2d(rng: Generator) -> bytes:
    writer = ModelWriter()
    padding, ((height, kh, sh, dh, oh), (width, kw, sw, dw, ow)) = _axes(rng)
    channels, multiplier, batch = between(rng, 1, 9), pick(rng, [1, 1, 2, 3]), between(rng, 1, 2)
    outputs = channels * multiplier
    input_scale, filter_scales = scale(rng), _filter_scales(rng, outputs)
    x = writer.tensor((batch, height, width, channels), scale=input_scale, zero_point=zero_point(rng))
    shape = (1, kh, kw, outputs)
    w = writer.tensor(shape, scale=filter_scales, quantized_dimension=3, data=weights(rng, shape))
    b = _bias(rng, writer, outputs)
    out = output_scale(rng, input_scale, float(np.mean(filter_scales)), kh * kw)
    y = writer.tensor((batch, oh, ow, outputs), scale=out, zero_point=zero_point(rng))
    inputs = [x, w] if b < 0 else [x, w, b]  # the oracle dies of a bias that is listed but left out
    writer.operator(
        "DEPTHWISE_CONV_2D", inputs, [y], padding=padding, stride_h=sh, stride_w=sw, dilation_h_factor=dh,
        dilation_w_factor=dw, depth_multiplier=multiplier, fused_activation_function=pick(rng, ACTIVATIONS),
    )  # fmt: skip
    return writer.finish([x], [y])


def fully_connected(rng: Generator) -> bytes:
    writer = ModelWriter()
    inputs, outputs, batch = between(rng, 1, 40), between(rng, 1, 10), between(rng, 1, 3)
    input_scale, filter_scales = scale(rng), _filter_scales(rng, outputs)
    shape = pick(rng, [(batch, inputs), (1, batch, inputs)])
    x = writer.tensor(shape, scale=input_scale, zero_point=zero_point(rng))
    w = writer.tensor((outputs, inputs), scale=filter_scales, data=weights(rng, (outputs, inputs)))
    # The oracle checks the bias' scale, where the weights have one.
    product = float(np.float32(input_scale) * np.float32(np.atleast_1d(filter_scales)[0]))
    b = _bias(rng, writer, outputs, product)
    out = output_scale(rng, input_scale, float(np.mean(filter_scales)), inputs)
    y = writer.tensor((*shape[:-1], outputs), scale=out, zero_point=zero_point(rng))
    writer.operator("FULLY_CONNECTED", [x, w, b], [y], fused_activation_function=pick(rng, ACTIVATIONS),
                    keep_num_dims=len(shape) == 3)  # fmt: skip
    return writer.finish([x], [y])


def _pool(rng: Generator, name: str) -> bytes:
    writer = ModelWriter()
    padding, ((height, kh, sh, _, oh), (width, kw, sw, _, ow)) = _axes(rng, limit=5, dilated=False)
    batch, channels = between(rng, 1, 2), between(rng, 1, 6)
    quantization = {"scale": scale(rng), "zero_point": zero_point(rng)}
    x = writer.tensor((batch, height, width, channels), **quantization)
    y = writer.tensor((batch, oh, ow, channels), **quantization)
    writer.operator(name, [x], [y], padding=padding, stride_h=sh, stride_w=sw, filter_height=kh, filter_width=kw,
                    fused_activation_function=pick(rng, ACTIVATIONS))  # fmt: skip
    return writer.finish([x], [y])


def average_pool_2d(rng: Generator) -> bytes:
    return _pool(rng, "AVERAGE_POOL_2D")


def max_pool_2d(rng: Generator) -> bytes:
    return _pool(rng, "MAX_POOL_2D")


def softmax(rng: Generator) -> bytes:
    writer = ModelWriter()
    shape = (*tuple(between(rng, 1, 4) for _ in range(between(rng, 0, 3))), between(rng, 1, 40))
    x = writer.tensor(shape, scale=scale(rng, 1e-4, 4.0), zero_point=zero_point(rng))
    y = writer.tensor(shape, scale=1 / 256, zero_point=-128)
    writer.operator("SOFTMAX", [x], [y], beta=pick(rng, [1.0, 1.0, 0.5, 2.0, 0.1]))
    return writer.finish([x], [y])


def reshape(rng: Generator) -> bytes:
    writer = ModelWriter()
    dims = [between(rng, 1, 5) for _ in range(4)]
    after = pick(rng, [(int(np.prod(dims)),), (dims[0] * dims[1], dims[2] * dims[3]), (1, *dims)])
    quantization = {"scale": scale(rng), "zero_point": zero_point(rng)}
    x = writer.tensor(dims, **quantization)
    shape = writer.tensor((len(after),), "int32", data=np.array(after))
    y = writer.tensor(after, **quantization)
    writer.operator("RESHAPE", [x, shape] if rng.integers(2) else [x], [y], new_shape=list(after))
    return writer.finish([x], [y])


def add(rng: Generator) -> bytes:
    writer = ModelWriter()
    shape = tuple(between(rng, 1, 5) for _ in range(between(rng, 1, 4)))
    shapes = [list(shape), list(shape)]
    if rng.integers(2):  # broadcast: repeat some dimensions, leave out some leading ones
        for dims in shapes:
            for i in range(len(dims)):
                if rng.integers(3) == 0:
                    dims[i] = 1
        short = shapes[int(rng.integers(2))]
        while len(short) > 1 and short[0] == 1 and rng.integers(2):
            short.pop(0)
    output = np.broadcast_shapes(*shapes)
    scales = [scale(rng, 1e-2, 1.0), scale(rng, 1e-2, 1.0)]
    a, b = (writer.tensor(dims, scale=s, zero_point=zero_point(rng)) for dims, s in zip(shapes, scales, strict=True))
    y = writer.tensor(output, scale=scale(rng, 1e-2, 4.0), zero_point=zero_point(rng))
    writer.operator("ADD", [a, b], [y], fused_activation_function=pick(rng, ACTIVATIONS))
    return writer.finish([a, b], [y])


def quantize(rng: Generator) -> bytes:
    writer = ModelWriter()
    shape = (between(rng, 1, 4), between(rng, 1, 30))
    source, target = pick(rng, [("float32", "int8"), ("int8", "int8"), ("uint8", "int8"), ("int8", "uint8")])

    def tensor(kind: str) -> int:
        if kind == "float32":
            return writer.tensor(shape, kind)
        return writer.tensor(shape, kind, scale=scale(rng), zero_point=zero_point(rng) + 128 * (kind == "uint8"))

    x, y = tensor(source), tensor(target)
    writer.operator("QUANTIZE", [x], [y])
    return writer.finish([x], [y])


def dequantize(rng: Generator) -> bytes:
    writer = ModelWriter()
    shape = (between(rng, 1, 4), between(rng, 1, 30))
    kind = pick(rng, ["int8", "uint8"])
    x = writer.tensor(shape, kind, scale=scale(rng), zero_point=zero_point(rng) + 128 * (kind == "uint8"))
    y = writer.tensor(shape, "float32")
    writer.operator("DEQUANTIZE", [x], [y])
    return writer.finish([x], [y])


OPERATORS: dict[str, Callable[[Generator], bytes]] = {
    "ADD": add,
    "AVERAGE_POOL_2D": average_pool_2d,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "DEQUANTIZE": dequantize,
    "FULLY_CONNECTED": fully_connected,
    "MAX_POOL_2D": max_pool_2d,
    "QUANTIZE": quantize,
    "RESHAPE": reshape,
    "SOFTMAX": softmax,
}

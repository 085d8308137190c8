# SPDX-License-Identifier: Apache-2.0
"""More channels and elements than the generators of `operators` give: what kernels with vectors and blocks branch on.

Fewer parameters vary; those that decide which function a library chooses do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.draw import Draw
from conformance.net import Case, Net
from conformance.operators import Operator
from conformance.operators.convolution import ACTIVATIONS, bias, filter_scales, output_scale


def _axis(draw: Draw, padding: str, filter: int) -> tuple[int, int, int]:
    """Input, stride, output."""
    stride = draw.pick([1, 1, 2, 3, 4])
    input = draw.between(filter, filter + 9)
    return input, stride, -(-input // stride) if padding == "SAME" else (input - filter) // stride + 1


def conv_2d(draw: Draw) -> Case:
    net = Net(draw)
    padding = draw.pick(["VALID", "SAME"])
    kind = draw.below(4)  # any, 1 by 1, one row
    kh = 1 if kind in (1, 2) else draw.between(1, 3)
    kw = 1 if kind == 1 else draw.between(1, 5)
    height, stride_h, oh = (1, 1, 1) if kind == 2 else _axis(draw, padding, kh)
    width, stride_w, ow = _axis(draw, padding, kw)
    inputs = draw.pick([draw.between(1, 40), 4 * draw.between(1, 10), 16, 32])
    outputs = draw.between(1, 24)
    input_scale, scales = draw.scale(), filter_scales(draw, outputs)
    source = net.input((1, height, width, inputs), scale=input_scale, zero_point=draw.zero_point())
    shape = (outputs, kh, kw, inputs)
    weights = net.tensor(shape, scale=scales, data=draw.weights(shape))
    added = bias(draw, net, outputs)
    scale = output_scale(draw, input_scale, float(np.mean(scales)), kh * kw * inputs)
    result = net.output((1, oh, ow, outputs), scale=scale, zero_point=draw.zero_point())
    net.operator(
        "CONV_2D", [source, weights, added], [result], padding=padding, stride_h=stride_h, stride_w=stride_w,
        dilation_h_factor=1, dilation_w_factor=1, fused_activation_function=draw.pick(ACTIVATIONS),
    )  # fmt: skip
    return net.case()


def depthwise_conv_2d(draw: Draw) -> Case:
    net = Net(draw)
    padding = draw.pick(["VALID", "SAME"])
    kind = draw.below(4)  # many channels, 3 by 3, one input channel, one row of it
    kh, kw = (3, 3) if kind == 1 else (1 if kind == 3 else draw.between(1, 4), draw.between(1, 4))
    height, stride_h, oh = (1, 1, 1) if kind == 3 else _axis(draw, padding, kh)
    width, stride_w, ow = _axis(draw, padding, kw)
    channels = 1 if kind >= 2 else draw.pick([draw.between(1, 150), 4 * draw.between(1, 16), 124, 128])
    multiplier = draw.between(1, 20) if kind >= 2 else 1
    outputs = channels * multiplier
    input_scale, scales = draw.scale(), filter_scales(draw, outputs)
    source = net.input((1, height, width, channels), scale=input_scale, zero_point=draw.zero_point())
    shape = (1, kh, kw, outputs)
    weights = net.tensor(shape, scale=scales, quantized_dimension=3, data=draw.weights(shape))
    added = bias(draw, net, outputs)
    scale = output_scale(draw, input_scale, float(np.mean(scales)), kh * kw)
    result = net.output((1, oh, ow, outputs), scale=scale, zero_point=draw.zero_point())
    net.operator(
        "DEPTHWISE_CONV_2D", [source, weights] if added < 0 else [source, weights, added], [result], padding=padding,
        stride_h=stride_h, stride_w=stride_w, dilation_h_factor=1, dilation_w_factor=1, depth_multiplier=multiplier,
        fused_activation_function=draw.pick(ACTIVATIONS),
    )  # fmt: skip
    return net.case()


def fully_connected(draw: Draw) -> Case:
    net = Net(draw)
    inputs, outputs, batch = draw.between(1, 300), draw.between(1, 40), draw.between(1, 3)
    input_scale, scales = draw.scale(), filter_scales(draw, outputs)
    source = net.input((batch, inputs), scale=input_scale, zero_point=draw.zero_point())
    weights = net.tensor((outputs, inputs), scale=scales, data=draw.weights((outputs, inputs)))
    product = float(np.float32(input_scale) * np.float32(np.atleast_1d(scales)[0]))
    added = bias(draw, net, outputs, product)
    scale = output_scale(draw, input_scale, float(np.mean(scales)), inputs)
    result = net.output((batch, outputs), scale=scale, zero_point=draw.zero_point())
    net.operator("FULLY_CONNECTED", [source, weights, added], [result],
                 fused_activation_function=draw.pick(ACTIVATIONS))  # fmt: skip
    return net.case()


def _pool(name: str) -> Callable[[Draw], Case]:
    def pool(draw: Draw) -> Case:
        net = Net(draw)
        padding, channels = draw.pick(["VALID", "SAME"]), draw.between(1, 70)
        kh, kw = draw.between(1, 6), draw.between(1, 6)
        height, stride_h, oh = _axis(draw, padding, kh)
        width, stride_w, ow = _axis(draw, padding, kw)
        quantization: dict[str, Any] = {"scale": draw.scale(), "zero_point": draw.zero_point()}
        source = net.input((1, height, width, channels), **quantization)
        result = net.output((1, oh, ow, channels), **quantization)
        net.operator(
            name, [source], [result], padding=padding, stride_h=stride_h, stride_w=stride_w,
            filter_height=kh, filter_width=kw, fused_activation_function=draw.pick(ACTIVATIONS),
        )  # fmt: skip
        return net.case()

    return pool


def softmax(draw: Draw) -> Case:
    net = Net(draw)
    shape = (draw.between(1, 2), draw.pick([draw.between(1, 300), 255, 256]))
    source = net.quantized_input(shape, low=1e-3, high=1.0)
    result = net.output(shape, scale=1 / 256, zero_point=-128)
    net.operator("SOFTMAX", [source], [result], beta=1.0)
    return net.case()


def _pair(name: str) -> Callable[[Draw], Case]:
    def pair(draw: Draw) -> Case:
        net = Net(draw)
        shape = (draw.between(1, 8), draw.between(1, 70))
        a, b, y = net.quantized_input(shape), net.quantized_input(shape), net.quantized_output(shape, low=1e-2)
        net.operator(name, [a, b], [y], fused_activation_function=draw.pick(ACTIVATIONS))
        return net.case()

    return pair


_GENERATORS: dict[str, Callable[[Draw], Case]] = {
    "ADD": _pair("ADD"),
    "AVERAGE_POOL_2D": _pool("AVERAGE_POOL_2D"),
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "FULLY_CONNECTED": fully_connected,
    "MAX_POOL_2D": _pool("MAX_POOL_2D"),
    "MUL": _pair("MUL"),
    "SOFTMAX": softmax,
}
WIDE = {name: Operator(f"wide {name}", generate) for name, generate in _GENERATORS.items()}

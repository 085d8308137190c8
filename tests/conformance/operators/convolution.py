# SPDX-License-Identifier: Apache-2.0
"""CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conformance.draw import Draw
from conformance.net import Case, Net
from conformance.operators import operator

ACTIVATIONS = ["NONE", "RELU", "RELU_N1_TO_1", "RELU6"]


@dataclass(frozen=True)
class Axis:
    input: int
    filter: int
    stride: int
    dilation: int
    output: int


def window(draw: Draw, limit: int = 4, dilated: bool = True) -> tuple[str, Axis, Axis]:
    """Padding, and the axes of height and width."""
    padding = draw.pick(["VALID", "SAME"])
    axes = []
    for _ in range(2):
        size, stride, dilation = draw.between(1, limit), draw.between(1, 3), draw.between(1, 3) if dilated else 1
        span = (size - 1) * dilation + 1
        input = draw.between(span if padding == "VALID" else 1, span + 8)
        output = -(-input // stride) if padding == "SAME" else (input - span) // stride + 1
        axes.append(Axis(input, size, stride, dilation, output))
    return padding, axes[0], axes[1]


def filter_scales(draw: Draw, channels: int) -> float | list[float]:
    if draw.below(3) == 0:
        return draw.scale(1e-3, 0.1)
    return [draw.scale(1e-3, 0.1) for _ in range(channels)]


def output_scale(draw: Draw, input_scale: float, filter_scale: float, products: int) -> float:
    """One that spreads sums of so many products over int8, give or take a factor of eight."""
    spread = input_scale * filter_scale * 73 * 73 * np.sqrt(products) / 64
    return float(np.float32(spread * draw.scale(0.125, 8.0)))


def bias(draw: Draw, net: Net, channels: int, scale: float | None = None) -> int:
    kind = draw.below(4)
    if kind == 0:
        return -1
    span = 2**28 if kind == 1 else 4000
    return net.tensor((channels,), "int32", scale=scale, data=draw.array((channels,), -span, span))


@operator("CONV_2D")
def conv_2d(draw: Draw) -> Case:
    net = Net(draw)
    padding, y, x = window(draw)
    groups = draw.pick([1, 1, 1, 2, 3])
    group_channels, per_group = draw.between(1, 9), draw.between(1, 5)
    channels, batch = groups * per_group, draw.between(1, 2)
    input_scale, scales = draw.scale(), filter_scales(draw, channels)
    source = net.input(
        (batch, y.input, x.input, groups * group_channels), scale=input_scale, zero_point=draw.zero_point()
    )
    shape = (channels, y.filter, x.filter, group_channels)
    weights = net.tensor(shape, scale=scales, data=draw.weights(shape))
    added = bias(draw, net, channels)
    scale = output_scale(draw, input_scale, float(np.mean(scales)), y.filter * x.filter * group_channels)
    result = net.output((batch, y.output, x.output, channels), scale=scale, zero_point=draw.zero_point())
    net.operator(
        "CONV_2D", [source, weights] if added < 0 and draw.below(2) else [source, weights, added], [result],
        padding=padding, stride_h=y.stride, stride_w=x.stride, dilation_h_factor=y.dilation,
        dilation_w_factor=x.dilation, fused_activation_function=draw.pick(ACTIVATIONS),
    )  # fmt: skip
    return net.case()


@operator("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(draw: Draw) -> Case:
    net = Net(draw)
    padding, y, x = window(draw)
    channels, multiplier, batch = draw.between(1, 9), draw.pick([1, 1, 2, 3]), draw.between(1, 2)
    outputs = channels * multiplier
    input_scale, scales = draw.scale(), filter_scales(draw, outputs)
    source = net.input((batch, y.input, x.input, channels), scale=input_scale, zero_point=draw.zero_point())
    shape = (1, y.filter, x.filter, outputs)
    weights = net.tensor(shape, scale=scales, quantized_dimension=3, data=draw.weights(shape))
    added = bias(draw, net, outputs)
    scale = output_scale(draw, input_scale, float(np.mean(scales)), y.filter * x.filter)
    result = net.output((batch, y.output, x.output, outputs), scale=scale, zero_point=draw.zero_point())
    net.operator(  # the oracle dies of a bias that is listed but left out
        "DEPTHWISE_CONV_2D", [source, weights] if added < 0 else [source, weights, added], [result],
        padding=padding, stride_h=y.stride, stride_w=x.stride, dilation_h_factor=y.dilation,
        dilation_w_factor=x.dilation, depth_multiplier=multiplier, fused_activation_function=draw.pick(ACTIVATIONS),
    )  # fmt: skip
    return net.case()


@operator("TRANSPOSE_CONV")
def transpose_conv(draw: Draw) -> Case:
    net = Net(draw)
    padding = draw.pick(["VALID", "SAME"])
    batch, inputs, outputs = draw.between(1, 2), draw.between(1, 9), draw.between(1, 5)
    axes = []
    for _ in range(2):
        size, filter_size, stride = draw.between(1, 6), draw.between(1, 5), draw.between(1, 3)
        length = size * stride if padding == "SAME" else (size - 1) * stride + filter_size + draw.pick([0, 0, 1])
        axes.append(Axis(size, filter_size, stride, 1, length))
    y, x = axes
    input_scale, scales = draw.scale(), filter_scales(draw, outputs)
    shape = (outputs, y.filter, x.filter, inputs)
    weights = net.tensor(shape, scale=scales, data=draw.weights(shape))
    source = net.input((batch, y.input, x.input, inputs), scale=input_scale, zero_point=draw.zero_point())
    product = float(np.float32(input_scale) * np.float32(np.atleast_1d(scales)[0]))
    added = bias(draw, net, outputs, product)
    scale = output_scale(draw, input_scale, float(np.mean(scales)), y.filter * x.filter * inputs)
    result = net.output((batch, y.output, x.output, outputs), scale=scale, zero_point=draw.zero_point())
    where = net.constant([batch, y.output, x.output, outputs])
    net.operator(
        "TRANSPOSE_CONV", [where, weights, source] if added < 0 else [where, weights, source, added], [result],
        padding=padding, stride_h=y.stride, stride_w=x.stride, fused_activation_function=draw.pick(ACTIVATIONS),
    )  # fmt: skip
    return net.case()


@operator("FULLY_CONNECTED")
def fully_connected(draw: Draw) -> Case:
    net = Net(draw)
    inputs, outputs, batch = draw.between(1, 40), draw.between(1, 10), draw.between(1, 3)
    input_scale, scales = draw.scale(), filter_scales(draw, outputs)
    shape = draw.pick([(batch, inputs), (1, batch, inputs)])
    source = net.input(shape, scale=input_scale, zero_point=draw.zero_point())
    weights = net.tensor((outputs, inputs), scale=scales, data=draw.weights((outputs, inputs)))
    # The oracle checks the bias' scale, where the weights have one.
    product = float(np.float32(input_scale) * np.float32(np.atleast_1d(scales)[0]))
    added = bias(draw, net, outputs, product)
    scale = output_scale(draw, input_scale, float(np.mean(scales)), inputs)
    result = net.output((*shape[:-1], outputs), scale=scale, zero_point=draw.zero_point())
    net.operator("FULLY_CONNECTED", [source, weights, added], [result], keep_num_dims=len(shape) == 3,
                 fused_activation_function=draw.pick(ACTIVATIONS))  # fmt: skip
    return net.case()

# SPDX-License-Identifier: Apache-2.0
"""Functions of one value, PRELU, and SOFTMAX."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.draw import Draw
from conformance.fixed import requantize, round_half_away
from conformance.net import Case, Net
from conformance.operators import operator
from conformance.operators.arithmetic import quantization, two_shapes


def unary_shape(draw: Draw) -> tuple[int, ...]:
    """Of any rank; one in three has 256 values or more, for which a kernel may keep a table."""
    if draw.chance(3):
        return (draw.between(1, 3), draw.between(86, 140), draw.between(3, 5))
    return draw.dims(draw.between(0, 6), 3)


@operator("SOFTMAX")
def softmax(draw: Draw) -> Case:
    net = Net(draw)
    shape = (*draw.dims(draw.between(0, 3), 4), draw.between(1, 40))
    x = net.quantized_input(shape, low=1e-4, high=4.0)
    y = net.output(shape, scale=1 / 256, zero_point=-128)
    net.operator("SOFTMAX", [x], [y], beta=draw.pick([1.0, 1.0, 0.5, 2.0, 0.1]))
    return net.case()


@operator("RELU", "RELU6")
def relu(draw: Draw, name: str) -> Case:
    net = Net(draw)
    shape, type = unary_shape(draw), draw.pick(["int8", "int8", "int16", "float32"])
    x = net.input(shape, type, **quantization(draw, type, 1e-3, 1.0))
    y = net.output(shape, type, **quantization(draw, type, 1e-3, 1.0))
    net.operator(name, [x], [y])
    return net.case()


@operator("RELU_N1_TO_1", without_oracle=True)
def relu_n1_to_1(draw: Draw) -> Case:
    """The oracle does not have it; as the desktop interpreter defines it."""
    net = Net(draw)
    shape, type = unary_shape(draw), draw.pick(["int8", "int8", "int16", "float32"])
    one, other = quantization(draw, type, 1e-3, 1.0), quantization(draw, type, 1e-3, 1.0)
    x, y = net.input(shape, type, **one), net.output(shape, type, **other)
    net.operator("RELU_N1_TO_1", [x], [y])
    case = net.case()

    def expected(values: np.ndarray) -> bytes:
        if type == "float32":
            return np.clip(values, np.float32(-1), np.float32(1)).tobytes()
        limits = np.iinfo(type)
        scale, zero_point = np.float32(other["scale"]), other["zero_point"]
        unit = round_half_away(float(np.float32(1) / scale))
        low, high = max(limits.min, zero_point - unit), min(limits.max, zero_point + unit)
        ratio = one["scale"] / other["scale"]
        scaled = requantize(values.astype(int) - one["zero_point"], ratio) + zero_point
        return np.clip(scaled, min(low, limits.max), max(high, limits.min)).astype(type).tobytes()

    return replace(case, expected=[expected(values) for (values,) in case.vectors])


@operator("LOGISTIC", "TANH")
def sigmoid(draw: Draw, name: str) -> Case:
    net = Net(draw)
    shape = unary_shape(draw)
    x = net.quantized_input(shape, low=1e-4, high=20.0)
    zero_point = draw.zero_point() if draw.chance(20) else {"LOGISTIC": -128, "TANH": 0}[name]
    y = net.output(shape, scale=draw.pick([1 / 256, 1 / 128]), zero_point=zero_point)
    net.operator(name, [x], [y])
    return net.case()


@operator("HARD_SWISH", refuses={"scale too far from": "scales whose quotient 16 bits cannot hold"})
def hard_swish(draw: Draw) -> Case:
    net = Net(draw)
    shape, type = unary_shape(draw), draw.pick(["int8", "int8", "int8", "float32"])
    one, other = quantization(draw, type, 1e-4, 8.0), quantization(draw, type, 1e-3, 1.0)
    if type == "int8" and draw.chance(4):  # the output's units so small that 16 bits are full
        other = {"scale": float(np.float32(one["scale"] / draw.between(60, 130))), "zero_point": 127}
    net.operator("HARD_SWISH", [net.input(shape, type, **one)], [net.output(shape, type, **other)])
    return net.case()


@operator("LEAKY_RELU")
def leaky_relu(draw: Draw) -> Case:
    net = Net(draw)
    shape, type = unary_shape(draw), draw.pick(["int8", "int8", "int16", "float32"])
    x = net.input(shape, type, **quantization(draw, type, 1e-3, 1.0))
    y = net.output(shape, type, **quantization(draw, type, 1e-3, 1.0))
    alpha = draw.pick([0.0, 0.2, 0.01, 1.0, 1.7, -0.3, -1.0, 1e-12])
    net.operator("LEAKY_RELU", [x], [y], alpha=alpha)
    return net.case()


@operator("ABS")
def absolute(draw: Draw) -> Case:
    net = Net(draw)
    shape, type = unary_shape(draw), draw.pick(["int8", "int8", "int16", "float32"])
    plain = type == "int16" and draw.below(2) == 1
    one = {} if plain else quantization(draw, type, 1e-3, 1.0)
    other = one if plain or draw.below(2) else quantization(draw, type, 1e-3, 1.0)
    net.operator("ABS", [net.input(shape, type, **one)], [net.output(shape, type, **other)])
    return net.case()


@operator("NEG")
def negate(draw: Draw) -> Case:
    net = Net(draw)
    shape = unary_shape(draw)
    type = "int8" if draw.chance(20) else "float32"
    x = net.input(shape, type, **quantization(draw, type, 1e-3, 1.0))
    net.operator("NEG", [x], [net.output(shape, type, **quantization(draw, type, 1e-3, 1.0))])
    return net.case()


@operator("ELU")
def elu(draw: Draw) -> Case:
    net = Net(draw)
    shape = unary_shape(draw)
    net.operator("ELU", [net.quantized_input(shape, low=1e-5)], [net.quantized_output(shape)])
    return net.case()


@operator("PRELU")
def prelu(draw: Draw) -> Case:
    net = Net(draw)
    type = draw.pick(["int8", "int8", "int16", "float32"])
    # The oracle's float kernel has four dimensions at most.
    shape, slopes, output = two_shapes(draw, (0, 4 if type == "float32" else 6))
    slope_type = "int8" if type == "int16" else type
    x = net.input(shape, type, **quantization(draw, type, 1e-2, 1.0))
    alpha = net.input(slopes, slope_type, **quantization(draw, slope_type, 1e-3, 0.1))
    y = net.output(output, type, **quantization(draw, type, 1e-2, 1.0))
    net.operator("PRELU", [x, alpha], [y])
    return net.case()

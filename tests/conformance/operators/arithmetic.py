# SPDX-License-Identifier: Apache-2.0
"""Operators of two tensors, with broadcasting."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.draw import Draw
from conformance.net import Case, Net
from conformance.operators import operator
from conformance.operators.convolution import ACTIVATIONS

Shape = tuple[int, ...]

# TANH and SIGN_BIT are in the schema; no kernel fuses them.
ALL_ACTIVATIONS = [*ACTIVATIONS, *ACTIVATIONS, "TANH", "SIGN_BIT"]
TYPES = ["int8", "int8", "int8", "int8", "int16", "int32", "float32"]


def two_shapes(draw: Draw, ranks: tuple[int, int] = (0, 6)) -> tuple[Shape, Shape, Shape]:
    """Two shapes that broadcast, equal in half of the cases, and the shape of the result."""
    rank = draw.between(*ranks)
    shape = draw.dims(rank, 5 if rank < 5 else 3)
    shapes = [list(shape), list(shape)]
    if draw.below(2):  # repeat some dimensions, leave out some leading ones
        for dims in shapes:
            for i in range(len(dims)):
                if draw.chance(3):
                    dims[i] = 1
        short = shapes[draw.below(2)]
        while len(short) > 1 and short[0] == 1 and draw.below(2):
            short.pop(0)
    return tuple(shapes[0]), tuple(shapes[1]), np.broadcast_shapes(*shapes)


def quantization(draw: Draw, type: str, low: float, high: float) -> dict[str, Any]:
    if type not in ("int8", "int16"):
        return {}
    factor = 1 if type == "int8" else 1 / 256
    return {"scale": draw.scale(low * factor, high * factor), "zero_point": draw.zero_point(type)}


@operator("ADD", "SUB", "MUL")
def add(draw: Draw, name: str) -> Case:
    net = Net(draw)
    first, second, shape = two_shapes(draw)
    type = draw.pick(TYPES)
    a, b = (net.input(dims, type, **quantization(draw, type, 1e-2, 1.0)) for dims in (first, second))
    y = net.output(shape, type, **quantization(draw, type, 1e-2, 4.0))
    net.operator(name, [a, b], [y], fused_activation_function=draw.pick(ALL_ACTIVATIONS))
    return net.case()


@operator("MAXIMUM", "MINIMUM")
def extreme(draw: Draw, name: str) -> Case:
    net = Net(draw)
    first, second, shape = two_shapes(draw)
    type = draw.pick([*TYPES, "int64"])
    shared = quantization(draw, type, 1e-3, 1.0)
    a, b, y = net.input(first, type, **shared), net.input(second, type, **shared), net.output(shape, type, **shared)
    net.operator(name, [a, b], [y])
    return net.case()


@operator("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
def compare(draw: Draw, name: str) -> Case:
    net = Net(draw)
    first, second, shape = two_shapes(draw)
    type = draw.pick(["int8", "int8", "int8", "int32", "int64", "float32", "bool"])
    values = {"values": np.arange(-3, 4)} if type not in ("bool", "int8") and draw.below(2) else {}
    one = quantization(draw, type, 1e-3, 1.5)
    other = one if draw.below(2) else quantization(draw, type, 1e-3, 1.5)
    a, b = net.input(first, type, **one, **values), net.input(second, type, **other, **values)
    net.operator(name, [a, b], [net.output(shape, "bool")])
    return net.case()

# SPDX-License-Identifier: Apache-2.0
"""Operators of two tensors, with broadcasting."""

from __future__ import annotations

import numpy as np

from conformance.draw import Draw
from conformance.net import Case, Net
from conformance.operators import operator
from conformance.operators.convolution import ACTIVATIONS

Shape = tuple[int, ...]


def two_shapes(draw: Draw, ranks: tuple[int, int] = (1, 4)) -> tuple[Shape, Shape, Shape]:
    """Two shapes that broadcast, equal in half of the cases, and the shape of the result."""
    shape = draw.dims(draw.between(*ranks))
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


@operator("ADD")
def add(draw: Draw) -> Case:
    net = Net(draw)
    first, second, shape = two_shapes(draw)
    a, b = net.quantized_input(first, low=1e-2), net.quantized_input(second, low=1e-2)
    y = net.quantized_output(shape, low=1e-2, high=4.0)
    net.operator("ADD", [a, b], [y], fused_activation_function=draw.pick(ACTIVATIONS))
    return net.case()

# SPDX-License-Identifier: Apache-2.0
"""Functions of one value, and SOFTMAX."""

from __future__ import annotations

from conformance.draw import Draw
from conformance.net import Case, Net
from conformance.operators import operator


@operator("SOFTMAX")
def softmax(draw: Draw) -> Case:
    net = Net(draw)
    shape = (*draw.dims(draw.between(0, 3), 4), draw.between(1, 40))
    x = net.quantized_input(shape, low=1e-4, high=4.0)
    y = net.output(shape, scale=1 / 256, zero_point=-128)
    net.operator("SOFTMAX", [x], [y], beta=draw.pick([1.0, 1.0, 0.5, 2.0, 0.1]))
    return net.case()

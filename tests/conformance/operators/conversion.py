# SPDX-License-Identifier: Apache-2.0
"""QUANTIZE, DEQUANTIZE."""

from __future__ import annotations

import numpy as np

from conformance.draw import Draw
from conformance.net import Case, Net
from conformance.operators import operator


@operator("QUANTIZE")
def quantize(draw: Draw) -> Case:
    net = Net(draw)
    shape = (draw.between(1, 4), draw.between(1, 30))
    source, target = draw.pick([("int8", "int8"), ("float32", "int8"), ("uint8", "int8"), ("int8", "uint8")])
    scale = draw.scale()
    if source == "float32":  # halves of a unit, and what lies far outside
        steps = np.concatenate([[-1e6], np.arange(-300, 300) / 2 * scale, [30.3, -77.7, 1e6]])
        x = net.input(shape, source, values=steps)
    else:
        x = net.quantized_input(shape, source)
    y = net.output(shape, target, scale=scale, zero_point=draw.zero_point(target))
    net.operator("QUANTIZE", [x], [y])
    return net.case()


@operator("DEQUANTIZE")
def dequantize(draw: Draw) -> Case:
    net = Net(draw)
    shape = (draw.between(1, 4), draw.between(1, 30))
    x, y = net.quantized_input(shape, draw.pick(["int8", "uint8"])), net.output(shape, "float32")
    net.operator("DEQUANTIZE", [x], [y])
    return net.case()

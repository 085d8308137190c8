# SPDX-License-Identifier: Apache-2.0
"""Operators that move values and compute none."""

from __future__ import annotations

import math

from conformance.draw import Draw
from conformance.net import Case, Net
from conformance.operators import operator


@operator("RESHAPE")
def reshape(draw: Draw) -> Case:
    net = Net(draw)
    dims = draw.dims(4)
    after = draw.pick([(math.prod(dims),), (dims[0] * dims[1], dims[2] * dims[3]), (1, *dims)])
    quantization = {"scale": draw.scale(), "zero_point": draw.zero_point()}
    x, y = net.input(dims, **quantization), net.output(after, **quantization)
    net.operator("RESHAPE", [x, net.constant(after)] if draw.below(2) else [x], [y], new_shape=list(after))
    return net.case()

# SPDX-License-Identifier: Apache-2.0
"""AVERAGE_POOL_2D, MAX_POOL_2D."""

from __future__ import annotations

from conformance.draw import Draw
from conformance.net import Case, Net
from conformance.operators import operator
from conformance.operators.convolution import ACTIVATIONS, window


@operator("AVERAGE_POOL_2D", "MAX_POOL_2D")
def pool(draw: Draw, name: str) -> Case:
    net = Net(draw)
    padding, y, x = window(draw, limit=5, dilated=False)
    batch, channels = draw.between(1, 2), draw.between(1, 6)
    quantization = {"scale": draw.scale(), "zero_point": draw.zero_point()}
    source = net.input((batch, y.input, x.input, channels), **quantization)
    result = net.output((batch, y.output, x.output, channels), **quantization)
    net.operator(
        name, [source], [result], padding=padding, stride_h=y.stride, stride_w=x.stride,
        filter_height=y.filter, filter_width=x.filter, fused_activation_function=draw.pick(ACTIVATIONS),
    )  # fmt: skip
    return net.case()

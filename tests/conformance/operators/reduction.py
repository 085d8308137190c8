# SPDX-License-Identifier: Apache-2.0
"""MEAN, SUM, REDUCE_MAX, ARG_MAX, ARG_MIN."""

from __future__ import annotations

import numpy as np

from conformance.draw import Draw
from conformance.net import Case, Net
from conformance.operators import operator
from conformance.operators.arithmetic import quantization


@operator(
    "MEAN", "SUM", refuses={"no such axis": "an axis that does not exist: the oracle leaves its output unwritten"}
)
def reduce(draw: Draw, name: str) -> Case:
    net = Net(draw)
    rank = draw.between(0, 5)
    shape = draw.dims(rank, 6 if rank < 5 else 3)
    type = draw.pick(["int8", "int8", "float32"] if name == "REDUCE_MAX" else ["int8", "int8", "int16", "float32"])
    axes = [draw.between(0, rank - 1) for _ in range(draw.between(1, 4))] if rank else [0]
    reduced = {axis for axis in axes if rank}
    keep = draw.below(2) == 1
    output = [1 if i in reduced else dim for i, dim in enumerate(shape) if keep or i not in reduced]
    axes = [axis - rank if draw.chance(3) else axis for axis in axes]
    if draw.chance(30):
        axes[0] = rank + 3  # no such axis
    one = quantization(draw, type, 1e-3, 1.0)
    same = name == "REDUCE_MAX" and not draw.chance(20)
    other = one if same or draw.chance(3) else quantization(draw, type, 1e-3, 1.0)
    x = net.input(shape, type, **one)
    scalar = len(axes) == 1 and draw.below(2) == 1
    indices = net.tensor((), "int32", data=np.array(axes[0])) if scalar else net.constant(axes)
    net.operator(name, [x, indices], [net.output(output, type, **other)], keep_dims=keep)
    return net.case()


@operator("REDUCE_MAX")
def reduce_max(draw: Draw) -> Case:
    return reduce(draw, "REDUCE_MAX")


@operator("ARG_MAX", "ARG_MIN")
def arg(draw: Draw, name: str) -> Case:
    net = Net(draw)
    rank = draw.between(1, 5)
    shape = draw.dims(rank, 6)
    type = draw.pick(["int8", "float32"])
    axis = draw.between(0, rank - 1)
    values = {"values": np.arange(-2, 3)} if draw.below(2) else {}  # many equal ones
    x = net.input(shape, type, **quantization(draw, type, 1e-3, 1.0), **values)
    index = net.tensor((), "int32", data=np.array(axis - rank if draw.chance(3) else axis))
    y = net.output(shape[:axis] + shape[axis + 1 :], "int32")
    net.operator(name, [x, index], [y], output_type="int32")
    return net.case()

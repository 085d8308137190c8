# SPDX-License-Identifier: Apache-2.0
"""Operators that move values along axes: cut, join, turn, pad, pick."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from conformance.draw import Draw
from conformance.net import Case, Net
from conformance.operators import operator

Shape = tuple[int, ...]

NOT_MOVED = "types that the oracle does not move either"


def quantization(draw: Draw, kind: str) -> dict[str, Any]:
    return {"scale": draw.scale(), "zero_point": draw.zero_point(kind)} if kind in ("int8", "int16") else {}


def axis_of(draw: Draw, rank: int) -> tuple[int, int]:
    """An axis, and a number that means it: it may count from the end."""
    axis = draw.below(rank)
    return axis, axis - rank if draw.below(2) else axis


@operator("PAD", "PADV2")
def pad(draw: Draw, name: str) -> Case:
    net = Net(draw)
    kind = draw.pick(["int8", "int8", "int16", "int32", "float32"])
    shape = draw.dims(draw.between(1, 5), high=4)
    paddings = [(draw.pick([0, 0, 1, 2]), draw.pick([0, 0, 1, 3])) for _ in shape]
    after = tuple(before + size + behind for size, (before, behind) in zip(shape, paddings, strict=True))
    same = quantization(draw, kind)
    x, y = net.input(shape, kind, **same), net.output(after, kind, **same)
    inputs = [x, net.constant(np.array(paddings))]
    if name == "PADV2":
        if draw.below(2):
            inputs.append(net.input((1,), kind, **same))
        else:
            inputs.append(net.constant([draw.between(0, 100)], kind, **same))
    net.operator(name, inputs, [y])
    return net.case()


@operator("CONCATENATION")
def concatenation(draw: Draw) -> Case:
    net = Net(draw)
    kind = draw.pick(["int8", "int8", "int16", "int32", "int64", "float32", "bool"])
    count = draw.pick([2, 1, 3, 10])
    shape = draw.dims(draw.between(1, 4), high=4)
    axis, named = axis_of(draw, len(shape))
    same = quantization(draw, kind)
    sizes = [draw.between(1, 4) for _ in range(count)]
    xs = [net.input((*shape[:axis], size, *shape[axis + 1 :]), kind, **same) for size in sizes]
    other = draw.chance(8) and kind == "int8"
    y = net.output(
        (*shape[:axis], sum(sizes), *shape[axis + 1 :]),
        kind,
        **({"scale": same["scale"] * 2, "zero_point": same["zero_point"]} if other else same),
    )
    net.operator("CONCATENATION", xs, [y], axis=named)
    return net.case()


@operator("PACK")
def pack(draw: Draw) -> Case:
    net = Net(draw)
    kind = draw.pick(["int8", "int8", "int16", "int32", "int64", "float32"])
    shape = draw.dims(draw.between(0, 3))
    count = draw.between(1, 4)
    axis, named = axis_of(draw, len(shape) + 1)
    same = quantization(draw, kind)
    xs = [net.input(shape, kind, **same) for _ in range(count)]
    y = net.output((*shape[:axis], count, *shape[axis:]), kind, **same)
    net.operator("PACK", xs, [y], values_count=count, axis=named)
    return net.case()


@operator("UNPACK")
def unpack(draw: Draw) -> Case:
    net = Net(draw)
    kind = draw.pick(["int8", "int8", "int16", "int32", "float32"])
    shape = draw.dims(draw.between(1, 4))
    axis, named = axis_of(draw, len(shape))
    same = quantization(draw, kind)
    x = net.input(shape, kind, **same)
    ys = [net.output(shape[:axis] + shape[axis + 1 :], kind, **same) for _ in range(shape[axis])]
    net.operator("UNPACK", [x], ys, num=shape[axis], axis=named)
    return net.case()


@operator("SPLIT", "SPLIT_V")
def split(draw: Draw, name: str) -> Case:
    net = Net(draw)
    kind = draw.pick(["int8", "int8", "int16", "int32", "float32"])
    shape = draw.dims(draw.between(1, 4), high=4)
    axis, named = axis_of(draw, len(shape))
    count = draw.between(1, 4)
    sizes = [draw.between(1, 4)] * count if name == "SPLIT" else [draw.between(1, 4) for _ in range(count)]
    same = quantization(draw, kind)
    x = net.input((*shape[:axis], sum(sizes), *shape[axis + 1 :]), kind, **same)
    ys = [net.output((*shape[:axis], size, *shape[axis + 1 :]), kind, **same) for size in sizes]
    where = net.constant(np.array(named) if draw.below(2) else [named])
    inputs = [where, x] if name == "SPLIT" else [x, net.constant(sizes), where]
    net.operator(name, inputs, ys, num_splits=count)
    return net.case()


@operator("SQUEEZE")
def squeeze(draw: Draw) -> Case:
    net = Net(draw)
    kind = draw.pick(["int8", "int8", "int16", "int32", "float32", "int64", "bool"])
    shape = tuple(draw.pick([1, draw.between(2, 5)]) for _ in range(draw.between(1, 5)))
    ones = [i for i, size in enumerate(shape) if size == 1]
    chosen = [i for i in ones if draw.below(2)]
    gone = chosen or ones
    same = quantization(draw, kind)
    x = net.input(shape, kind, **same)
    y = net.output([size for i, size in enumerate(shape) if i not in gone], kind, **same)
    net.operator("SQUEEZE", [x], [y], squeeze_dims=[i - len(shape) if draw.below(2) else i for i in chosen])
    return net.case()


@operator("EXPAND_DIMS")
def expand_dims(draw: Draw) -> Case:
    net = Net(draw)
    kind = draw.pick(["int8", "int8", "int16", "float32"])
    shape = draw.dims(draw.between(1, 4))
    axis, named = axis_of(draw, len(shape) + 1)
    same = quantization(draw, kind)
    x, y = net.input(shape, kind, **same), net.output((*shape[:axis], 1, *shape[axis:]), kind, **same)
    net.operator("EXPAND_DIMS", [x, net.constant(np.array(named) if draw.below(2) else [named])], [y])
    return net.case()


@operator("TRANSPOSE")
def transpose(draw: Draw) -> Case:
    net = Net(draw)
    kind = draw.pick(["int8", "int8", "int16", "float32"])
    shape = draw.dims(draw.between(1, 5))
    left, order = list(range(len(shape))), []
    while left:
        order.append(left.pop(draw.below(len(left))))
    same = quantization(draw, kind)
    x, y = net.input(shape, kind, **same), net.output([shape[i] for i in order], kind, **same)
    net.operator("TRANSPOSE", [x, net.constant(order)], [y])
    return net.case()


@operator("STRIDED_SLICE")
def strided_slice(draw: Draw) -> Case:
    net = Net(draw)
    kind = draw.pick(["int8", "int8", "int16", "int32", "float32", "bool"])
    shape = draw.dims(draw.between(1, 4), high=6)
    begins, ends, strides, after = [], [], [], []
    masks = {"begin_mask": 0, "end_mask": 0, "shrink_axis_mask": 0}
    for axis, size in enumerate(shape):
        shrink = draw.chance(5)
        stride = 1 if shrink else draw.pick([1, 1, 2, 3, -1, -2])
        first = draw.below(size)
        last = draw.between(first, size - 1) if stride > 0 else draw.between(0, first)
        # What is written down may lie outside, where it is clamped.
        begin = first - size if draw.below(2) else first
        end = last + (1 if stride > 0 else -1)
        if stride > 0 and end == size:
            end = draw.pick([size, size + 3])
        elif stride < 0 and end == -1:
            end = -size - draw.pick([1, 4])
        elif draw.below(2):
            end -= size
        if not shrink and draw.chance(4):
            masks["begin_mask"] |= 1 << axis
            first = 0 if stride > 0 else size - 1
        if not shrink and draw.chance(4):
            masks["end_mask"] |= 1 << axis
            last = size - 1 if stride > 0 else 0
        if shrink:
            masks["shrink_axis_mask"] |= 1 << axis
            end = draw.pick([end, 0])
        else:
            after.append(abs(last - first) // abs(stride) + 1)
        begins.append(begin)
        ends.append(end)
        strides.append(stride)
    same = quantization(draw, kind)
    x, y = net.input(shape, kind, **same), net.output(after, kind, **same)
    net.operator("STRIDED_SLICE", [x, net.constant(begins), net.constant(ends), net.constant(strides)], [y], **masks)
    return net.case()


@operator("SLICE")
def slice_(draw: Draw) -> Case:
    net = Net(draw)
    kind = draw.pick(["int8", "int8", "int16", "int32", "float32", "bool"])
    index = draw.pick(["int32", "int64"])
    shape = draw.dims(draw.between(1, 5))
    begins = [draw.below(size) for size in shape]
    sizes = [draw.between(1, size - begin) for size, begin in zip(shape, begins, strict=True)]
    written = [-1 if begin + size == whole and draw.below(2) else size
               for begin, size, whole in zip(begins, sizes, shape, strict=True)]  # fmt: skip
    same = quantization(draw, kind)
    x, y = net.input(shape, kind, **same), net.output(sizes, kind, **same)
    net.operator("SLICE", [x, net.constant(begins, index), net.constant(written, index)], [y])
    return net.case()


@operator("GATHER")
def gather(draw: Draw) -> Case:
    net = Net(draw)
    kind = draw.pick(["int8", "int8", "float32"])
    shape = draw.dims(draw.between(1, 4))
    batch_dims = draw.pick([0, 0, 1]) if len(shape) > 1 else 0
    axis = draw.between(batch_dims, len(shape) - 1)
    where = (*shape[:batch_dims], *draw.dims(draw.between(0 if batch_dims == 0 else 1, 2), high=4))
    same = quantization(draw, kind)
    x = net.input(shape, kind, **same)
    positions = [draw.below(shape[axis]) for _ in range(math.prod(where))]
    if draw.below(2):
        at = net.input(where, "int32", values=list(range(shape[axis])))
    else:
        at = net.constant(np.array(positions).reshape(where))
    y = net.output((*shape[:axis], *where[batch_dims:], *shape[axis + 1 :]), kind, **same)
    net.operator(
        "GATHER",
        [x, at],
        [y],
        axis=axis - len(shape) if draw.below(2) else axis,
        batch_dims=batch_dims - len(where) if batch_dims and draw.below(2) else batch_dims,
    )
    return net.case()


@operator("SHAPE")
def shape_(draw: Draw) -> Case:
    net = Net(draw)
    kind = draw.pick(["int8", "int8", "int16", "int32", "float32", "int64", "bool"])
    shape = draw.dims(draw.between(1, 6))
    x = net.input(shape, kind, **quantization(draw, kind))
    out_type = draw.pick(["int32", "int32", "int32", "int64"])
    y = net.output((len(shape),), out_type)
    net.operator("SHAPE", [x], [y], out_type=out_type)
    return net.case()

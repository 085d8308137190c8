# SPDX-License-Identifier: Apache-2.0
"""Operators that rearrange or resize images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.draw import Draw
from conformance.net import Case, Net
from conformance.operators import operator
from conformance.operators.move import quantization


@operator("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")
def depth_and_space(draw: Draw, name: str) -> Case:
    net = Net(draw)
    kind = draw.pick(["int8", "int8", "float32"])
    batch, height, width, depth = draw.dims(4, high=4)
    block = draw.between(1, 3)
    deep = (batch, height, width, depth * block * block)
    wide = (batch, height * block, width * block, depth)
    same = quantization(draw, kind)
    before, after = (deep, wide) if name == "DEPTH_TO_SPACE" else (wide, deep)
    x, y = net.input(before, kind, **same), net.output(after, kind, **same)
    net.operator(name, [x], [y], block_size=block)
    return net.case()


@operator("BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND")
def batch_and_space(draw: Draw, name: str) -> Case:
    net = Net(draw)
    kind = draw.pick(["int8", "int8", "float32"])
    spatial = draw.between(1, 2)
    batch, depth = draw.between(1, 3), draw.between(1, 9)
    blocks, margins, small, large = [], [], [], []
    for _ in range(spatial):
        block, size = draw.between(1, 3), draw.between(1, 4)
        whole = block * size
        before = draw.below(min(3, whole))
        behind = draw.below(min(3, whole - before))
        blocks.append(block)
        margins.append((before, behind))
        small.append(size)
        large.append(whole - before - behind)
    images = batch
    for block in blocks:
        images *= block
    same = quantization(draw, kind)
    wide, dealt = (batch, *large, depth), (images, *small, depth)
    before, after = (wide, dealt) if name == "SPACE_TO_BATCH_ND" else (dealt, wide)
    x, y = net.input(before, kind, **same), net.output(after, kind, **same)
    net.operator(name, [x, net.constant(blocks), net.constant(margins)], [y])
    case = net.case()
    if name == "BATCH_TO_SPACE_ND" or not any(map(any, margins)):
        return case
    # What the oracle fills margins with was never set in it: mostly zeros, but not always.
    return replace(case, expected=[_dealt(values, blocks, margins).tobytes() for (values,) in case.vectors])


def _dealt(values: NDArray[Any], blocks: list[int], margins: list[tuple[int, int]]) -> NDArray[Any]:
    """The image with margins of zeros, its pixels dealt out to one batch for each place in a block."""
    image = np.pad(values, [(0, 0), *margins, (0, 0)])
    if len(blocks) == 1:
        return np.concatenate([image[:, i :: blocks[0]] for i in range(blocks[0])])
    return np.concatenate(
        [image[:, i :: blocks[0], j :: blocks[1]] for i in range(blocks[0]) for j in range(blocks[1])]
    )


@operator("RESIZE_NEAREST_NEIGHBOR")
def resize_nearest_neighbor(draw: Draw) -> Case:
    net = Net(draw)
    kind = draw.pick(["int8", "int8", "int16", "float32"])
    batch, height, width, depth = draw.between(1, 2), draw.between(1, 8), draw.between(1, 8), draw.between(1, 9)
    size = [draw.between(1, 17), draw.between(1, 17)]
    same = quantization(draw, kind)
    x, y = net.input((batch, height, width, depth), kind, **same), net.output((batch, *size, depth), kind, **same)
    net.operator(
        "RESIZE_NEAREST_NEIGHBOR",
        [x, net.constant(size)],
        [y],
        align_corners=draw.below(2) == 1,
        half_pixel_centers=draw.below(2) == 1,
    )
    return net.case()


@operator(
    "RESIZE_BILINEAR",
    refuses={"10 fractional bits do not tell the pixels": "the oracle reads past the input's last pixel"},
)
def resize_bilinear(draw: Draw) -> Case:
    net = Net(draw)
    batch, height, width, depth = draw.between(1, 2), draw.between(1, 8), draw.between(1, 8), draw.between(1, 9)
    size = [draw.between(1, 17), draw.between(1, 17)]
    if draw.chance(20):
        size[0] = draw.between(200, 1200)
        size[1], width, depth = 1, 1, 1
    same = quantization(draw, "int8")
    x, y = net.input((batch, height, width, depth), **same), net.output((batch, *size, depth), **same)
    corners, centers = draw.pick([(False, False), (True, False), (False, True), (False, True)])
    if draw.chance(30):
        corners = centers = True  # refused
    net.operator("RESIZE_BILINEAR", [x, net.constant(size)], [y], align_corners=corners, half_pixel_centers=centers)
    return net.case()

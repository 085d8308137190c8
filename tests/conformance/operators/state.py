# SPDX-License-Identifier: Apache-2.0
"""Models that keep state: variables behind handles, given their first values by a subgraph that runs once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.draw import Draw
from conformance.net import Case, Net
from conformance.operators import operator
from tinyhil.model.writer import GraphWriter

_TYPES = ["int8", "int8", "int8", "int16", "int32", "float32", "int64", "bool"]


def _values(draw: Draw, shape: tuple[int, ...], kind: str) -> NDArray[Any]:
    if kind == "bool":
        return draw.array(shape, 0, 1)
    span = 127 if kind == "int8" else 20000
    values = draw.array(shape, -span, span)
    return values.astype(np.float32) / 8 if kind == "float32" else values


def _quantization(draw: Draw, kind: str) -> dict[str, Any]:
    return {"scale": 0.05, "zero_point": draw.zero_point(kind)} if kind in ("int8", "int16") else {}


def _handle(graph: GraphWriter, name: str, container: str) -> int:
    handle = graph.tensor((), "resource")
    graph.operator("VAR_HANDLE", [], [handle], shared_name=name, container=container)
    return handle


@operator("ASSIGN_VARIABLE", "CALL_ONCE", "READ_VARIABLE", "VAR_HANDLE")
def variables(draw: Draw, name: str) -> Case:
    """One to three variables: each vector reads the old value and assigns the input."""
    net = Net(draw)
    count = draw.between(1, 3)
    kinds = [draw.pick(_TYPES) for _ in range(count)]
    shapes = [draw.dims(draw.between(0, 3)) for _ in range(count)]
    quantizations = [_quantization(draw, kind) for kind in kinds]
    container = draw.pick(["", "box"])
    starts = [draw.below(2) == 1 or name == "CALL_ONCE" for _ in range(count)]
    if any(starts):
        start = net.subgraph()
        for k in range(count):
            if starts[k]:
                first = start.tensor(shapes[k], kinds[k], data=_values(draw, shapes[k], kinds[k]), **quantizations[k])
                start.operator("ASSIGN_VARIABLE", [_handle(start, f"v{k}", container), first], [])
        net.operator("CALL_ONCE", [], [], init_subgraph_index=start.index)
    for k in range(count):
        x, old = net.input(shapes[k], kinds[k], **quantizations[k]), net.output(shapes[k], kinds[k], **quantizations[k])
        handle = _handle(net, f"v{k}", container)
        net.operator("READ_VARIABLE", [handle], [old])
        if draw.below(2):
            handle = _handle(net, f"v{k}", container)  # another handle of the same variable
        net.operator("ASSIGN_VARIABLE", [handle, x], [])
        if draw.below(2):
            again = net.output(shapes[k], kinds[k], **quantizations[k])
            net.operator("READ_VARIABLE", [handle], [again])
        if kinds[k] == "int8" and draw.below(2):
            total = net.output(shapes[k], scale=0.1, zero_point=3)
            net.operator("ADD", [old, x], [total])
    if draw.below(2):
        return net.case(stateful=True, steps=6)
    return net.case()

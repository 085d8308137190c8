# SPDX-License-Identifier: Apache-2.0
"""BATCH_MATMUL, SVDF."""

from __future__ import annotations

import numpy as np

from conformance.draw import Draw
from conformance.net import Case, Net
from conformance.operators import operator
from conformance.operators.arithmetic import quantization, two_shapes
from conformance.operators.convolution import ACTIVATIONS, output_scale


@operator("BATCH_MATMUL")
def batch_matmul(draw: Draw) -> Case:
    net = Net(draw)
    rows, depth, columns = draw.between(1, 7), draw.between(1, 20), draw.between(1, 7)
    left, right, batches = two_shapes(draw, (0, 3))
    adj_x, adj_y = draw.below(2) == 1, draw.below(2) == 1
    other_depth = depth + 1 if draw.chance(30) else depth  # contradictory
    type = draw.pick(["int8", "int8", "int8", "float32"])
    one, other = quantization(draw, type, 1e-3, 1.0), quantization(draw, type, 1e-3, 1.0)
    a = net.input((*left, *((depth, rows) if adj_x else (rows, depth))), type, **one)
    b = net.input((*right, *((columns, other_depth) if adj_y else (other_depth, columns))), type, **other)
    result = {}
    if type == "int8":
        scale = output_scale(draw, one["scale"], other["scale"], depth)
        result = {"scale": scale, "zero_point": draw.zero_point()}
    y = net.output((*batches, rows, columns), type, **result)
    net.operator("BATCH_MATMUL", [a, b], [y], adj_x=adj_x, adj_y=adj_y)
    return net.case()


@operator("SVDF")
def svdf(draw: Draw) -> Case:
    """Six steps: the state is what the operator is for."""
    net = Net(draw)
    batches, inputs, rank = draw.between(1, 3), draw.between(1, 20), draw.between(1, 3)
    units, memory = draw.between(1, 6), draw.between(1, 8)
    filters = units * rank
    type = draw.pick(["int16", "int8"])
    input_scale, feature_scale = draw.scale(1e-2, 1.0), draw.scale(1e-3, 0.1)
    state_scale = output_scale(draw, input_scale, feature_scale, inputs) / (64 if type == "int16" else 1)
    state_scale, time_scale = float(np.float32(state_scale)), draw.scale(1e-4, 0.01)
    x = net.input((batches, inputs), scale=input_scale, zero_point=draw.zero_point())
    features = net.tensor((filters, inputs), scale=feature_scale, data=draw.weights((filters, inputs)))
    highest = 32767 if type == "int16" else 127
    times = draw.array((filters, memory), -highest, highest)
    weights = net.tensor((filters, memory), type, scale=time_scale, data=times)
    product = float(np.float32(state_scale) * np.float32(time_scale))
    bias_scale = product + 1e-3 if draw.chance(30) else product
    bias = net.tensor((units,), "int32", scale=bias_scale, data=draw.array((units,), -4000, 4000))
    zero_point = 0 if type == "int16" else draw.zero_point()
    state = net.tensor(
        (batches, filters * memory), type, scale=state_scale, zero_point=zero_point, variable=not draw.chance(30)
    )
    spread = np.sqrt(rank * memory) * highest * highest * product / 400
    y = net.output((batches, units), scale=float(np.float32(spread * draw.scale(0.1, 10.0))),
                   zero_point=draw.zero_point())  # fmt: skip
    net.operator(
        "SVDF", [x, features, weights, bias, state], [y], rank=rank, fused_activation_function=draw.pick(ACTIVATIONS)
    )
    return net.case(stateful=True, steps=6)

# SPDX-License-Identifier: Apache-2.0
"""Models that contradict themselves: each check of a Prepare has to meet what it refuses.

One to three changes of a generated model's tensors, operator and options. The oracle checks few of them and dies of
some, so such a model runs in the firmware alone: it is refused or loaded, and never harms.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from tinyhil.model import schema

if TYPE_CHECKING:
    from conformance.net import Net

TYPES = ["int8", "int16", "int32", "int64", "uint8", "bool", "float32"]
OPTION_VALUES = [-1000000, -3, -1, 0, 1, 2, 3, 7, 9, 100, 40000, 2000000000]
SCALES = [1e-38, 1e-30, 1e-12, 1e-7, 1.0, 3.0, 1e6, 1e12, 1e30, 3e38]


def mutate(net: Net, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 3)):
        rng.choice([_tensor, _tensor, _tensor, _operator, _option])(net, rng)


def _tensor(net: Net, rng: random.Random) -> None:
    at = rng.randrange(len(net._tensors))
    tensor = net._tensors[at]
    shape, scales, kind = list(tensor.shape), tensor.scales, rng.randrange(10)
    if kind == 0:
        tensor = replace(tensor, type=rng.choice(TYPES))
    elif kind == 1:
        tensor = replace(tensor, scales=(), zero_points=())
    elif kind == 2 and scales:
        tensor = replace(tensor, scales=(rng.choice(SCALES),) * len(scales))
    elif kind == 3 and scales:
        tensor = replace(tensor, zero_points=(rng.choice([1, -5, 100]),) * len(scales))
    elif kind == 4 and shape:
        count = shape[rng.randrange(len(shape))]
        tensor = replace(
            tensor, scales=(0.1,) * count, zero_points=(0,) * count, quantized_dimension=rng.randrange(len(shape))
        )
    elif kind == 5 and shape:
        which = rng.randrange(len(shape))
        shape[which] = rng.choice([1, max(1, shape[which] - 1), shape[which] + 1, 2 * shape[which], 40000])
    elif kind == 6:
        shape.insert(rng.randint(0, len(shape)), rng.choice([1, 1, 2]))
    elif kind == 7 and shape:
        shape.pop(rng.randrange(len(shape)))
    elif kind == 8 and tensor.buffer:  # computed elsewhere, it says
        tensor = replace(tensor, buffer=0)
        net._inputs[at] = (tensor.shape, tensor.type, None)
    else:
        tensor = replace(tensor, is_variable=not tensor.is_variable)
    net._tensors[at] = replace(tensor, shape=tuple(shape[:6]))


def _operator(net: Net, rng: random.Random) -> None:
    at = rng.randrange(len(net._operators))
    op = net._operators[at]
    inputs, outputs, kind = list(op.inputs), list(op.outputs), rng.randrange(6)
    if kind == 0 and inputs:
        inputs.pop()
    elif kind == 1 and inputs:
        inputs.append(inputs[0])
    elif kind == 2 and inputs:
        inputs[rng.randrange(len(inputs))] = rng.choice([-1, *inputs])
    elif kind == 3:
        outputs.append(net.tensor((2,), scale=0.5))
    elif kind == 4:
        op = replace(op, table=rng.choice(["SplitOptions", "AddOptions", ""]), options={})
    elif len(outputs) > 1:
        outputs.pop()
    net._operators[at] = replace(op, inputs=tuple(inputs), outputs=tuple(outputs))


def _option(net: Net, rng: random.Random) -> None:
    at = rng.randrange(len(net._operators))
    op = net._operators[at]
    fields = [(name, kind) for _, name, kind, _ in schema.OPTIONS.get(op.table, ()) if kind not in ("i32[]", "text")]
    if not fields:
        return
    name, kind = rng.choice(fields)
    value: float = rng.choice([0.0, -1.0, 1e-20, 1e20, float("inf"), float("nan")])
    if kind != "f32":
        value = rng.choice(OPTION_VALUES)
        value = value if kind == "i32" else value % 12 if kind != "bool" else value % 2
    net._operators[at] = replace(op, options={**op.options, name: value})

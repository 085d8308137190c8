# SPDX-License-Identifier: Apache-2.0
"""What TFLite Micro computes otherwise on a device than the oracle, which is its reference kernels on the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyhil.model import Model
from tinyhil.model.graph import Tensor


@dataclass(frozen=True)
class Difference:
    """applies: to which models of a single operator. case: the number of one that shows it; None: none always does.
    core: of the boards that have it, by board.yaml's name; empty: all.
    """

    kernels: tuple[str, ...]  # of TFLite Micro
    operator: str
    applies: Callable[[Model], bool]
    reason: str
    case: int | None
    core: str = ""


def _input(model: Model, which: int) -> Tensor:
    return model.tensors[model.operators[0].inputs[which]]


def _values(model: Model, tensor: Tensor, type: str) -> NDArray[np.int64]:
    return np.frombuffer(model.data, type, tensor.elements, tensor.data_offset).astype(np.int64).reshape(tensor.shape)


def _rank(model: Model) -> int:
    return max(len(model.tensors[i].shape) for i in model.operators[0].inputs[:2] if i >= 0)


def _type(model: Model, which: int = 0) -> str:
    return _input(model, which).type


def _keeps_its_order(model: Model) -> bool:
    order = _input(model, 1)
    return [int(value) % order.elements for value in _values(model, order, "<i4")] == list(range(order.elements))


def _has_a_zero_point(model: Model) -> bool:
    state = _input(model, 4)
    return state.type == "int8" and state.zero_points != (0,)


def _may_leave_int8(model: Model) -> bool:
    """Whether some input could make a feature that int8 does not hold."""
    source, weights, state = (_input(model, which) for which in (0, 1, 4))
    if state.type != "int8" or state.zero_points != (0,):
        return False
    largest = max(127 - source.zero_points[0], 128 + source.zero_points[0])
    sums = np.abs(_values(model, weights, "i1")).sum(axis=1)
    return bool(sums.max() * largest * source.scales[0] * weights.scales[0] / state.scales[0] > 126)


def _has_groups_and_no_bias(model: Model) -> bool:
    inputs = model.operators[0].inputs
    return (len(inputs) == 2 or inputs[2] < 0) and _input(model, 0).shape[3] != _input(model, 1).shape[3]


def _is_one_row(model: Model) -> bool:
    source, weights = _input(model, 0).shape, _input(model, 1).shape
    step = int(str(model.operators[0].options["stride_w"])) * source[3]
    return source[1] == weights[1] == 1 and step % 4 == 0


def _repeats_single_values(model: Model) -> bool:
    """Whether one input has several rows of one value each, for longer rows of the other."""
    rows = [(1, 1, 1, *_input(model, which).shape)[-3:] for which in (0, 1)]
    return _type(model) == "int8" and any(
        height > 1 and (width, depth) == (1, 1) and other[1] > 1
        for (height, width, depth), other in zip(rows, reversed(rows), strict=True)
    )


def _leads_past_the_last_pixel(model: Model) -> bool:
    operator, one = model.operators[0], 1 << 10
    source, output = _input(model, 0).shape, model.tensors[operator.outputs[0]].shape
    for length, wanted in zip(source[1:3], output[1:3], strict=True):
        between = bool(operator.options["align_corners"]) and wanted > 1
        step = (one * (length - between) + (wanted - between) // 2) // (wanted - between)
        start = step // 2 - one // 2 if operator.options["half_pixel_centers"] else 0
        if ((wanted - 1) * step + start) // one >= length:
            return True
    return False


@dataclass(frozen=True)
class _Axis:
    """One of TRANSPOSE_CONV's two."""

    source: int
    window: int
    stride: int
    output: int
    same: bool

    @property
    def cut(self) -> int:
        """How much is left out at the start."""
        windows = -(-self.output // self.stride) if self.same else 1
        return max(0, (windows - 1) * self.stride + self.window - self.output) // 2 if self.same else 0

    @property
    def covered(self) -> int:
        return (self.source - 1) * self.stride + max(self.window, self.stride)


def _axes(model: Model) -> tuple[_Axis, _Axis]:
    operator = model.operators[0]
    options, source, weights = operator.options, _input(model, 2).shape, _input(model, 1).shape
    output, same = model.tensors[operator.outputs[0]].shape, options["padding"] == "SAME"
    y, x = (
        _Axis(source[i], weights[i], int(str(options[stride])), output[i], same)
        for i, stride in ((1, "stride_h"), (2, "stride_w"))
    )
    return y, x


def _is_longer_than_its_windows(model: Model) -> bool:
    return any(axis.output > axis.covered for axis in _axes(model))


def _is_cut_at_the_top(model: Model) -> bool:
    y, _ = _axes(model)
    return y.cut % y.stride != 0 or y.cut >= y.source * y.stride


def _has_wide_steps(model: Model) -> bool:
    y, x = _axes(model)
    whole_steps = y.source - -(-y.cut // y.stride)
    return whole_steps * y.stride > y.output or max(x.window, y.stride) < max(x.window, x.stride)


CMSIS_NN = ("cmsis_nn",)
BOTH = ("reference", "cmsis_nn")
OLDER = "int16: its multiplier is a quotient of floats, that of the oracle, which is two months younger, one of doubles"
DIFFERENCES = [
    Difference(BOTH, "ABS", lambda m: _type(m) == "int16", OLDER, 131),
    Difference(BOTH, "LEAKY_RELU", lambda m: _type(m) == "int16", OLDER, 261),
    Difference(BOTH, "RELU", lambda m: _type(m) == "int16", OLDER, 38),
    Difference(
        BOTH, "RESIZE_BILINEAR", _leads_past_the_last_pixel, "reads past the last pixel, as the oracle does", None
    ),
    Difference(
        BOTH,
        "SPACE_TO_BATCH_ND",
        lambda _: True,
        "fills margins with what was never set: with zeros, unless the memory held something else before",
        None,
    ),
    Difference(CMSIS_NN, "BATCH_MATMUL", lambda m: _rank(m) > 4, "takes four dimensions, and refuses more", 221),
    Difference(
        CMSIS_NN, "CONV_2D", _has_groups_and_no_bias, "several groups and no bias: reads a bias beside address 0", 11
    ),
    Difference(
        CMSIS_NN, "CONV_2D", _is_one_row, "one row: wrong where its windows leave columns over", 488, core="Cortex-M55"
    ),
    Difference(CMSIS_NN, "MAXIMUM", _repeats_single_values, "int8: skips values where rows of one are repeated", 71),
    Difference(CMSIS_NN, "MINIMUM", _repeats_single_values, "int8: skips values where rows of one are repeated", 62),
    Difference(CMSIS_NN, "MAXIMUM", lambda m: _rank(m) > 4, "takes four dimensions, and aborts on more", 302),
    Difference(CMSIS_NN, "MINIMUM", lambda m: _rank(m) > 4, "takes four dimensions, and aborts on more", 84),
    Difference(CMSIS_NN, "PAD", lambda m: _type(m) == "int8" and _rank(m) > 4, "int8: takes four dimensions", 176),
    Difference(CMSIS_NN, "PADV2", lambda m: _type(m) == "int8" and _rank(m) > 4, "int8: takes four dimensions", 375),
    Difference(CMSIS_NN, "SVDF", _has_a_zero_point, "state of int8: takes its zero point for 0", 139),
    Difference(CMSIS_NN, "SVDF", _may_leave_int8, "state of int8: keeps features to int16, so that they wrap", 4),
    Difference(
        CMSIS_NN, "TRANSPOSE", lambda m: _type(m) == "int8" and _rank(m) > 4, "int8: takes four dimensions", 189
    ),
    Difference(
        CMSIS_NN,
        "TRANSPOSE",
        lambda m: _type(m) == "int8" and _rank(m) == 2 and _keeps_its_order(m),
        "int8: transposes two dimensions whatever their order is to be",
        459,
    ),
    Difference(
        CMSIS_NN,
        "TRANSPOSE_CONV",
        lambda m: m.operators[0].options["fused_activation_function"] != "NONE",
        "leaves the fused activation out",
        4,
    ),
    Difference(
        CMSIS_NN,
        "TRANSPOSE_CONV",
        _is_longer_than_its_windows,
        "takes what no window covers for a part of the next row",
        11,
    ),
    Difference(
        CMSIS_NN,
        "TRANSPOSE_CONV",
        _is_cut_at_the_top,
        "shifts rows where the rows that padding cuts off at the top are not whole steps, or all of them",
        0,
    ),
    Difference(
        CMSIS_NN,
        "TRANSPOSE_CONV",
        _has_wide_steps,
        "writes past its output, where rows end within a step, or past its scratch memory, where columns have the "
        "longer steps",
        84,
    ),
]
"""TFLite Micro 90b983c2b with CMSIS-NN 4ab83cc3c. A case to which none of these applies must be exact."""

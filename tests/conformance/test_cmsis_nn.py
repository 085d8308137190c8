# SPDX-License-Identifier: Apache-2.0
"""The kernels that call CMSIS-NN: bit for bit the oracle, and computed by CMSIS-NN wherever it can do the case.

On the host they run in plain C, under the sanitizers; what the library branches on (DSP and vector instructions) runs
on a Cortex-M4F and a Cortex-M55.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from host_engine import HostEngine, build_host_engine

from conformance.operators import OPERATORS, Operator
from conformance.oracle import Oracle, Refusal
from conformance.runner import Conformance, draw_case
from conformance.wide import WIDE
from tinyhil import assets
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.library import cmsis_nn_library
from tinyhil.model import parse_model
from tinyhil.upstream import find_cmsis_nn

ON_HOST, ON_DEVICE = 100, 12
BOARDS = ["mps2_an386", "mps3_an547"]


def registered() -> list[str]:
    text = (assets.firmware_dir() / "kernels/cmsis_nn/ops.h").read_text(encoding="utf-8")
    return sorted(re.findall(r"kCmsisNnOp_(\w+);", text))


def path_of(model: bytes) -> str:
    """Whose kernel computes the model's operator: CMSIS-NN, where it knows types, shapes and sizes."""
    parsed = parse_model(model, "case.tflite")
    (op,) = parsed.operators
    tensors = [parsed.tensors[i] for i in op.inputs if i >= 0]
    output = parsed.tensors[op.outputs[0]]
    first, second = tensors[0], tensors[min(1, len(tensors) - 1)]
    if first.type != "int8" or output.type != "int8":
        return "reference"
    sizes = [int(_count(tensor.shape)) for tensor in (first, second, output)]
    if op.name in ("ADD", "MUL"):
        exact = sizes[0] == sizes[1] == sizes[2]
    elif op.name in ("MAXIMUM", "MINIMUM"):
        exact = {sizes[0], sizes[1]} <= {1, sizes[2]}
    elif op.name == "SOFTMAX":
        exact = first.shape[-1] < 256
    elif op.name == "SVDF":
        exact = tensors[4].zero_points[0] == 0
    elif op.name == "DEPTHWISE_CONV_2D":
        # One channel and row make it what arm_convolve_1_x_n_s8 is not always exact for.
        exact = (
            first.shape[1] > 1 or first.shape[3] > 1 or second.shape[1] > 1 or _ends_evenly(first, second, output, op)
        )
    else:
        exact = True
    return "cmsis_nn" if exact else "reference"


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for dim in shape:
        count *= dim
    return count


def _ends_evenly(first, second, output, op) -> bool:
    """Along a row: the windows leave no column over, and the first that hangs over the edge does so by one column."""
    width, size, stride = first.shape[2], second.shape[2], op.options["stride_w"]
    missing = (output.shape[2] - 1) * stride + size - width
    if missing < 0 or size > width:
        return False
    left = missing // 2
    right = missing - left
    over = [x for x in range(output.shape[2]) if x * stride - left + size > width]
    return not over or (over[0] * stride - left + size == width + 1 and right <= max(left, len(over)))


@pytest.fixture(scope="module")
def program() -> Path:
    return build_host_engine(assets.cache_dir() / "tests", library=cmsis_nn_library(find_cmsis_nn()))


@pytest.mark.needs("native", "oracle", "cmsis_nn")
@pytest.mark.parametrize("cases", [OPERATORS, WIDE], ids=["any", "wide"])
@pytest.mark.parametrize("name", registered())
def test_cmsis_nn_equals_the_oracle_on_the_host(name: str, cases: Mapping[str, Operator], program: Path) -> None:
    if name not in cases:
        pytest.skip("no wide cases")
    suite = Conformance(partial(HostEngine, program), cases, path_of)
    tally = suite.run(name, range(ON_HOST if cases is OPERATORS else ON_HOST // 3))
    suite.close()
    assert not tally.failures, tally.failures[0]


@pytest.fixture(scope="module", params=BOARDS)
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    board = load_board(request.param)
    with Device.open(board, "qemu", build_image(board, kernels="cmsis_nn")) as device:
        yield device


@pytest.mark.needs("arm-gcc", "qemu", "oracle", "cmsis_nn")
@pytest.mark.parametrize("name", registered())
def test_cmsis_nn_equals_the_oracle_on_a_board(name: str, device: Device) -> None:
    operators = [cases[name] for cases in (OPERATORS, WIDE) if name in cases]
    drawn = [draw_case(operator, number)[1] for operator in operators for number in range(ON_DEVICE)]
    oracle = Oracle()
    paths: Counter[str] = Counter()
    for case, answer in zip(drawn, oracle.run(drawn), strict=True):
        if isinstance(answer, Refusal):
            continue
        model = parse_model(case.model, f"{name}.tflite")
        device.load(model)
        for vector, want in zip(case.vectors, answer, strict=True):
            result = device.run(vector, keep_state=case.stateful)
            assert b"".join(output.tobytes() for output in result.outputs) == want
        (found,) = device.op_paths()
        assert (found.path, found.runs) == (path_of(case.model), len(case.vectors))
        paths[found.path] += 1
    oracle.close()
    assert paths["cmsis_nn"] >= ON_DEVICE // 4

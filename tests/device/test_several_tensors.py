# SPDX-License-Identifier: Apache-2.0
"""A model with several inputs of several types, and every kind of output: what an operator computed, what another one
reads too, a constant, an input as it came. Golden set, link and verdict know each by its place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.golden import GoldenSet, make_golden
from tinyhil.model import Model, parse_model
from tinyhil.model.writer import ModelWriter
from tinyhil.verdict import assert_golden, run_golden

CONSTANT = np.array([1, -2, 3], np.int8)


@pytest.fixture(scope="module")
def several() -> Model:
    net = ModelWriter()
    first = net.tensor((2, 3), scale=0.5, zero_point=-3)
    second = net.tensor((2, 3), scale=0.25, zero_point=10)
    third = net.tensor((4,), "float32")
    added, cut = (net.tensor((2, 3), scale=0.6) for _ in range(2))
    net.operator("ADD", [first, second], [added])
    net.operator("RELU", [added], [cut])
    highest = net.tensor((), "int32")
    net.operator("ARG_MAX", [third, net.tensor((), "int32", data=np.array(0, np.int32))], [highest], output_type=2)
    constant = net.tensor((3,), scale=1.0, data=CONSTANT)
    outputs = [cut, added, constant, highest, first]
    return parse_model(net.finish([first, second, third], outputs), "several.tflite")


@pytest.fixture(scope="module")
def expected(several: Model) -> GoldenSet:
    return make_golden(several)


@pytest.mark.needs("native", "oracle")
def test_the_oracle_gives_what_each_output_is(expected: GoldenSet) -> None:
    cut, added, constant, highest, passed = expected.outputs
    assert (cut == np.maximum(added, 0)).all()
    assert (constant == CONSTANT).all()
    assert (highest == expected.inputs[2].argmax(axis=1)).all()
    assert (passed == expected.inputs[0]).all()


@pytest.mark.needs("native", "arm-gcc", "qemu", "oracle")
@pytest.mark.parametrize("name", ["native", "mps2_an386", "virtual_cortex_m0"])
def test_every_output_is_exact_and_a_wrong_one_is_named(several: Model, expected: GoldenSet, name: str) -> None:
    board = load_board(name)
    with Device.open(board, next(iter(board.targets)), build_image(board), several) as device:
        device.load(several)
        assert_golden(device, expected)
        for number in range(len(expected.outputs)):
            outputs = [array.copy() for array in expected.outputs]
            outputs[number].reshape(len(expected), -1)[1, -1] += 1
            difference = run_golden(device, replace(expected, outputs=outputs)).difference
            assert difference is not None
            assert difference.output is not None
            assert (difference.vector, difference.output.output) == (1, number)

# SPDX-License-Identifier: Apache-2.0
"""A sample of every operator's cases on devices: a core without hardware division, one with DSP and float
instructions, one with vector instructions. TINYHIL_TEST_DEVICE_CASES says how many of each (6).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from conformance.device_engine import DeviceEngine
from conformance.operators import OPERATORS
from conformance.runner import Conformance, store
from tinyhil.board import Board, load_board
from tinyhil.build import Image, build_image
from tinyhil.device import Device

CASES = int(os.environ.get("TINYHIL_TEST_DEVICE_CASES", "6"))
BOARDS = ["virtual_cortex_m0", "mps2_an386", "mps3_an547"]

pytestmark = pytest.mark.needs("arm-gcc", "qemu", "oracle")


def start(board: Board, image: Image) -> DeviceEngine:
    return DeviceEngine(partial(Device.open, board, "qemu", image))


@pytest.fixture(scope="module", params=BOARDS)
def on_device(request: pytest.FixtureRequest) -> Iterator[Conformance]:
    board = load_board(request.param)
    suite = Conformance(partial(start, board, build_image(board)))
    yield suite
    suite.close()


def sample(operator: str, count: int) -> list[int]:
    """Numbers of cases that the suite runs on the host too; the same in every run."""
    return sorted(random.Random(f"{operator} on a device").sample(range(max(500, count)), count))


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_a_sample_of_an_operators_cases_is_exact_on_a_device(name: str, on_device: Conformance) -> None:
    tally = on_device.run(name, sample(name, CASES))
    if tally.failures:
        small = on_device.shrink(tally.failures[0])
        pytest.fail(f"{small}\n{store(small, Path('out') / 'conformance')}", pytrace=False)
    assert tally.cases == CASES
    assert tally.equal > 0

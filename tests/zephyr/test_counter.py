# SPDX-License-Identifier: Apache-2.0
"""What measures an inference on Zephyr: SysTick, borrowed, or the timing functions, which read the DWT on Cortex-M.

Renode counts both at one instruction a tick, so they must agree to the single one, and on every run.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from plain_build import build

from tinyhil.assets import zephyr_app_dir
from tinyhil.board import load_board
from tinyhil.device import Device
from tinyhil.golden import golden_for
from tinyhil.matrix import own_model
from tinyhil.model import load_model
from tinyhil.zephyr import find_workspace
from tinyhil.zephyr.built import image_in

pytestmark = pytest.mark.needs("zephyr", "renode", "oracle")
BOARD = "stm32f746g_disco"


def counts(folder: Path, counter: str) -> list[int | None]:
    """Of two inferences each of three inputs."""
    board, workspace, model = load_board(BOARD), find_workspace(), load_model(own_model("digits"))
    modules = workspace.modules([*workspace.cmsis_modules(), *board.zephyr.modules])  # type: ignore[union-attr]
    options = [f"-DZEPHYR_MODULES={';'.join(map(str, modules))}", f"-DCONFIG_TINYHIL_COUNTER_{counter}=y"]
    build(zephyr_app_dir(), BOARD, folder, *options)
    inputs = golden_for(model).inputs
    with Device.open(board, "renode", image_in(folder), model) as device:
        device.load(model)
        return [device.run([array[i] for array in inputs]).units for i in (0, 1, 2, 0, 1, 2)]


def test_systick_and_the_timing_functions_count_the_same(tmp_path):
    by_systick = counts(tmp_path / "systick", "SYSTICK")
    assert by_systick[:3] == by_systick[3:]
    assert None not in by_systick
    assert counts(tmp_path / "timing", "TIMING") == by_systick


def test_without_a_counter_nothing_is_measured_and_the_numbers_are_the_same(tmp_path):
    assert counts(tmp_path, "NONE") == [None] * 6

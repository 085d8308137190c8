# SPDX-License-Identifier: Apache-2.0
"""An application of one's own with tinyhil in it: zephyr_app/samples/user_app, built and run on QEMU."""

from __future__ import annotations

import re
import subprocess

import pytest
from plain_build import build

from tinyhil.assets import zephyr_app_dir
from tinyhil.board import load_board
from tinyhil.build import Image
from tinyhil.device import Device
from tinyhil.golden import golden_for
from tinyhil.matrix import own_model
from tinyhil.model import load_model
from tinyhil.verdict import assert_golden
from tinyhil.zephyr import find_workspace

pytestmark = pytest.mark.needs("zephyr", "qemu", "oracle")
APP = zephyr_app_dir() / "samples" / "user_app"
BOARD = "mps2_an385"


@pytest.fixture(scope="module")
def digits():
    path = own_model("digits")
    return load_model(path)


@pytest.fixture(scope="module")
def in_test_mode(tmp_path_factory) -> Image:
    folder = tmp_path_factory.mktemp("test_mode")
    version = find_workspace().version
    variable = "EXTRA_CONF_FILE" if version >= (3, 4) else "OVERLAY_CONFIG"
    # Sending by interrupt is what an application that has a CDC-ACM port, for whatever, gets.
    options = [f"-D{variable}={APP / 'test_mode.conf'}", "-DCONFIG_TINYHIL_UART_WRITE_INTERRUPT=y"]
    elf = build(APP, BOARD, folder, *options)
    return Image(BOARD, elf, "0" * 16, "bundled", "builtin", "reference", "", (), 0, 0, None, firmware="zephyr")


def test_the_product_itself_runs_the_model(tmp_path):
    elf = build(APP, BOARD, tmp_path / "product")
    command = ["qemu-system-arm", "-M", "mps2-an385", "-display", "none", "-monitor", "none", "-kernel", str(elf)]
    with subprocess.Popen([*command, "-serial", "null", "-serial", "stdio"], stdout=subprocess.PIPE, text=True) as qemu:
        assert qemu.stdout is not None
        try:
            said = next(line for line in qemu.stdout if line.startswith(("digit", "the model")))
        finally:
            qemu.kill()
    assert re.fullmatch(r"digit \d, arena \d+ bytes", said.strip())


def test_in_test_mode_the_same_firmware_is_exact(in_test_mode, digits):
    with Device.open(load_board(BOARD), "qemu", in_test_mode, digits) as device:
        device.load(digits)
        assert_golden(device, golden_for(digits).subset(range(8)))
        memory = device.memory()
    assert memory.arena_bytes == 32768
    assert 0 < memory.stack_peak < memory.stack_bytes == 8192


def test_counts_are_the_same_each_time_though_the_rest_of_the_firmware_runs_on(in_test_mode, digits):
    with Device.open(load_board(BOARD), "qemu", in_test_mode, digits) as device:
        device.load(digits)
        inputs = [array[0] for array in golden_for(digits).inputs]
        counts = {device.run(inputs).units for _ in range(20)}
    assert len(counts) == 1
    assert counts.pop() > 0

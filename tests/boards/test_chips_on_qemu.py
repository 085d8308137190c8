# SPDX-License-Identifier: Apache-2.0
"""What QEMU can show of boards that it does not have: the STM32 port on another STM32F4, the engine on a Cortex-M0.

A Cortex-M0 faults on every word access that is not aligned, and QEMU's does too: what runs there, runs on silicon.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tiny_firmware
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.golden import golden_for
from tinyhil.matrix import own_models
from tinyhil.model import load_model
from tinyhil.verdict import assert_golden

HERE = Path(__file__).parent
pytestmark = pytest.mark.needs("arm-gcc", "qemu")

NETDUINO = {
    "name: stm32f4_disco": "name: chip",
    "TINYHIL_UART_BASE: 0x40004400": "TINYHIL_UART_BASE: 0x40011000",  # USART1: the machine's first serial port
}
NETDUINO_TARGET = "targets: {qemu: {machine: netduinoplus2, instructions_per_tick: 5.952381}}\n"
MICROBIT = """\
name: chip
title: A Cortex-M0 with room for models
core: Cortex-M0
virtual: true
memory:
  flash: {base: 0x00000000, bytes: 256K}
  ram: {base: 0x20000000, bytes: 64K}
slot: {memory: flash, offset: 128K, bytes: 128K, writable: false}
stack_bytes: 4K
build:
  compiler: arm-none-eabi
  cpu: [-mcpu=cortex-m0, -mthumb]
  ports: [cortex_m, nrf51]
  linker_script: cortex_m/image.ld
targets:
  qemu: {machine: microbit, args: [-global, nrf51-soc.sram-size=0x10000], instructions_per_tick: 62.5}
"""


@pytest.fixture
def chip(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A board that exists in this test only."""
    folder = tmp_path / "platforms" / "chip"
    folder.mkdir(parents=True)
    if request.param == "stm32f405":
        text = (tiny_firmware.REAL_PLATFORMS / "stm32f4_disco" / "board.yaml").read_text().partition("targets:")[0]
        for old, new in NETDUINO.items():
            assert old in text
            text = text.replace(old, new)
        text += NETDUINO_TARGET
    else:
        text = MICROBIT
        (folder / "nrf51").mkdir()
        shutil.copy(HERE / "nrf51_uart.cc", folder / "nrf51" / "uart.cc")
    (folder / "board.yaml").write_text(text)
    monkeypatch.setenv("TINYHIL_PLATFORMS", str(folder.parent))
    return "chip"


@pytest.mark.parametrize("chip", ["stm32f405", "cortex_m0"], indirect=True)
def test_every_output_and_every_operator_is_the_oracles(chip: str) -> None:
    board, (path,) = load_board(chip), own_models()
    model = load_model(path)
    with Device.open(board, "qemu", build_image(board), model) as opened:
        opened.load(model)
        assert_golden(opened, golden_for(model).subset(range(12)))


@pytest.mark.parametrize("chip", ["cortex_m0"], indirect=True)
@pytest.mark.parametrize("name", ["hello_world_int8", "kws_ref_model", "micro_speech_quantized"])
def test_public_models_are_exact_on_a_cortex_m0(chip: str, public_models: Path, name: str) -> None:
    board, model = load_board(chip), load_model(public_models / f"{name}.tflite")
    with Device.open(board, "qemu", build_image(board), model) as opened:
        opened.load(model)
        assert_golden(opened, golden_for(model).subset(range(4)))

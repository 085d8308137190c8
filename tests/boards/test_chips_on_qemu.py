# SPDX-License-Identifier: Apache-2.0
"""What QEMU can show of boards that it does not have: the STM32 port on another STM32F4, the engine on a Cortex-M0.

A Cortex-M0 faults on every word access that is not aligned, and QEMU's does too: what runs there, runs on silicon.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny_firmware
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.errors import ArenaOverflow
from tinyhil.golden import golden_for
from tinyhil.matrix import own_model
from tinyhil.model import load_model
from tinyhil.verdict import assert_golden

pytestmark = pytest.mark.needs("arm-gcc", "qemu")

NETDUINO = {
    "name: stm32f4_disco": "name: chip",
    "TINYHIL_UART_BASE: 0x40004400": "TINYHIL_UART_BASE: 0x40011000",  # USART1: the machine's first serial port
    "TINYHIL_UART_IRQ: 38": "TINYHIL_UART_IRQ: 37",
}
NETDUINO_TARGET = "targets: {qemu: {machine: netduinoplus2, instructions_per_tick: 5.952381}}\n"


@pytest.fixture
def stm32f405(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A board that exists in this test only."""
    folder = tmp_path / "platforms" / "chip"
    folder.mkdir(parents=True)
    text = (tiny_firmware.REAL_PLATFORMS / "stm32f4_disco" / "board.yaml").read_text().partition("targets:")[0]
    for old, new in NETDUINO.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "board.yaml").write_text(text + NETDUINO_TARGET)
    monkeypatch.setenv("TINYHIL_PLATFORMS", str(folder.parent))
    return "chip"


@pytest.mark.parametrize("chip", ["stm32f405", "microbit"])
def test_every_output_and_every_operator_is_the_oracles(chip: str, request: pytest.FixtureRequest) -> None:
    board, path = load_board(request.getfixturevalue(chip) if chip == "stm32f405" else chip), own_model("digits")
    model = load_model(path)
    with Device.open(board, "qemu", build_image(board), model) as opened:
        opened.load(model)
        assert_golden(opened, golden_for(model).subset(range(12)))


def test_public_models_are_exact_on_a_cortex_m0_and_their_counts_do_not_change(public_models: Path) -> None:
    board = load_board("virtual_cortex_m0")
    for path in sorted(public_models.glob("*.tflite")):
        model = load_model(path)
        with Device.open(board, "qemu", build_image(board), model) as opened:
            opened.load(model)
            golden = golden_for(model).subset([0])
            first = assert_golden(opened, golden)
            assert opened.run([array[0] for array in golden.inputs]).units == first.units, path.name


def test_what_the_silicon_has_no_room_for_is_refused_on_the_microbit(public_models: Path) -> None:
    board, model = load_board("microbit"), load_model(public_models / "kws_ref_model.tflite")
    with Device.open(board, "qemu", build_image(board), model) as opened, pytest.raises(ArenaOverflow):
        opened.load(model)

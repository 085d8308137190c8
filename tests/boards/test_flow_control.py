# SPDX-License-Identifier: Apache-2.0
"""A board whose file names the pins of RTS and CTS has a UART that uses them."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny_firmware
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.golden import golden_for
from tinyhil.matrix import own_model
from tinyhil.model import load_model
from tinyhil.verdict import assert_golden


@pytest.fixture
def wired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The nRF52840 DK with flow control."""
    folder = tmp_path / "platforms" / "nrf52840dk"
    folder.mkdir(parents=True)
    for path in (tiny_firmware.REAL_PLATFORMS / "nrf52840dk").iterdir():
        text = path.read_text()
        if path.name == "board.yaml":
            assert "TINYHIL_TX_PIN: 6\n" in text
            text = text.replace(
                "TINYHIL_TX_PIN: 6\n", "TINYHIL_TX_PIN: 6\n    TINYHIL_RTS_PIN: 5\n    TINYHIL_CTS_PIN: 7\n"
            )
            text = text.replace("serial: {usb", "serial: {flow_control: rts_cts, usb")
        (folder / path.name).write_text(text)
    monkeypatch.setenv("TINYHIL_PLATFORMS", str(folder.parent))
    return "nrf52840dk"


@pytest.mark.needs("arm-gcc")
def test_its_image_is_another_and_its_port_is_opened_with_flow_control(
    wired: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = load_board(wired)
    assert board.targets["serial"].serial.flow_control == "rts_cts"
    with_pins = build_image(board).build_id
    monkeypatch.delenv("TINYHIL_PLATFORMS")
    assert build_image(load_board(wired)).build_id != with_pins


@pytest.mark.needs("arm-gcc", "renode")
def test_it_runs(wired: str) -> None:
    """As far as an emulator shows it: its UART takes the registers, and drives no lines."""
    board, model = load_board(wired), load_model(own_model("digits"))
    with Device.open(board, "renode", build_image(board), model) as device:
        device.load(model)
        assert_golden(device, golden_for(model).subset(range(2)))

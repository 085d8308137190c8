# SPDX-License-Identifier: Apache-2.0
"""A bad line delays a verdict and never changes it; a fast one is used; one that is not so fast is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from desk import Desk
from rig import EmulatedBoard, Faults

from tinyhil.device import Device
from tinyhil.errors import DeviceRestarted
from tinyhil.flash.hexfile import elf_segments
from tinyhil.golden import golden_for
from tinyhil.link.commands import Commands
from tinyhil.model import load_model
from tinyhil.model.writer import ModelWriter

BAD = {"drop": 0.001, "flip": 0.001, "insert": 0.001, "burst_every": 20}


def spoil(rig: EmulatedBoard) -> None:
    """Drops, flips and insertions of each 0.1 % of the bytes and lost bursts, both ways."""
    rig.to_board.faults = Faults(**BAD, seed=3)  # type: ignore[arg-type]
    rig.to_host.faults = Faults(**BAD, seed=4)  # type: ignore[arg-type]


def run_many(device: Device, desk: Desk, count: int) -> None:
    """Inferences in turn over the golden vectors, every output compared."""
    golden = golden_for(desk.model)
    vectors = len(golden.kinds)
    for number in range(count):
        vector = number % vectors
        result = device.run([array[vector] for array in golden.inputs])
        for got, want in zip(result.outputs, golden.outputs, strict=True):
            assert np.array_equal(got, want[vector]), number


def test_no_verdict_is_wrong_on_a_line_that_drops_flips_inserts_and_loses_bursts(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("oneboard")
    desk.flash_all()
    with desk.open() as device:
        device.load(desk.model)
        spoil(desk.rig)
        run_many(device, desk, 60)
    assert desk.rig.to_board.faults.hurt > 0 and desk.rig.to_host.faults.hurt > 0


def test_the_fastest_rate_that_passes_the_loopback_check_is_taken(desk: Desk) -> None:
    desk.flash_all()
    with desk.open() as device:
        assert device.identity()["baud"] == "1000000"


def test_a_rate_that_the_adapter_garbles_is_left_for_a_slower_one(desk: Desk) -> None:
    desk.flash_all()
    desk.rig.max_baud = 500_000
    with desk.open() as device:
        assert device.identity()["baud"] == "460800"
        device.load(desk.model)
        run_many(device, desk, 3)


def test_a_board_that_was_left_at_a_fast_rate_is_found_there(desk: Desk) -> None:
    desk.flash_all()
    first = desk.open()
    first._target._open.close()  # type: ignore[attr-defined]  # as a process that was killed
    first._target._at_end.close()  # type: ignore[attr-defined]
    with desk.open() as device:
        assert device.identity()["baud"] == "1000000"
        assert "recovered" not in device.identity()
    assert desk.rig.resets == 0


@pytest.mark.parametrize("power", [True, False], ids=["power stays on", "power goes"])
def test_a_model_whose_transfer_a_reset_cuts_short_goes_on_where_it_was_or_from_the_start(
    desk_of: Callable[..., Desk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, power: bool
) -> None:
    """RAM that kept what was written is not written again; what is not there is."""
    writer = ModelWriter()
    x, y = (writer.tensor((1, 8), scale=0.1) for _ in range(2))
    writer.operator("RESHAPE", [x], [y])
    for number in range(4):  # tensors that nothing reads: bytes to be transferred
        writer.tensor((1, 8000), scale=0.1, data=np.random.default_rng(number).integers(-99, 99, 8000, np.int8))
    path = tmp_path / "large.tflite"
    path.write_bytes(writer.finish([x], [y]))
    model = load_model(path)
    desk = desk_of("ramboard")
    serial = desk.board.targets["serial"]
    desk.board = replace(desk.board, targets={"serial": replace(serial, serial=replace(serial.serial, baud=()))})
    desk.rig.program(elf_segments(desk.image.elf))
    desk.rig.power_on()
    desk.rig.wait_ready()
    starts: list[int] = []
    write_slot = Commands.write_slot

    def noted(self: Commands, image: bytes, start: int = 0) -> None:
        starts.append(start)
        write_slot(self, image, start)

    monkeypatch.setattr(Commands, "write_slot", noted)
    with desk.open() as device:
        half = desk.rig.to_board.passed + len(model.data) // 2
        desk.rig.after = (half, desk.rig.press_reset_button if power else desk.rig.reset)
        device.load(model)
        vector = [np.arange(8, dtype=np.int8).reshape(1, 8)]
        assert device.run(vector).outputs[0].tolist() == vector[0].tolist()
    assert desk.rig.resets == 1
    assert len(starts) == 2 and starts[0] == 0
    if power:
        assert starts[1] > len(model.data) // 8
    else:
        assert starts[1] == 0


def test_a_transfer_that_a_reset_cuts_short_is_taken_up_again(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("oneboard")
    desk.flash_all()
    with desk.open() as device:
        device.load(desk.model)
        desk.rig.reset()
        desk.rig.wait_ready()
        with pytest.raises(DeviceRestarted):
            device.run(desk.vector)
        device.reconnect()
        device.load(desk.model)
        run_many(device, desk, 3)


def test_a_session_that_another_host_took_is_noticed(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("oneboard")
    desk.flash_all()
    with desk.open() as device:
        device.load(desk.model)
        desk.rig.reset()
        desk.rig.wait_ready()
        with pytest.raises(DeviceRestarted, match="restarted in the middle of its session"):
            device.memory()

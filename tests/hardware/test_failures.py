# SPDX-License-Identifier: Apache-2.0
"""Each failure of a real board has its own name, exit status and next step, and is known soon after it can be seen."""

from __future__ import annotations

import os
import pty
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import serial
from desk import Desk

from tinyhil import ports
from tinyhil.attachment import Attachment
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.errors import (
    BoardError,
    DeviceFault,
    DeviceRestarted,
    GarbledLine,
    OutputMismatch,
    PortBusy,
    PortDenied,
    PortNotFound,
    SilentDevice,
    TargetHung,
    TinyhilError,
    Unplugged,
)
from tinyhil.golden import golden_for
from tinyhil.model import Model, load_model
from tinyhil.model.writer import ModelWriter
from tinyhil.verdict import assert_golden

SOON_S = 5.0


@contextmanager
def raises_soon(kind: type[TinyhilError], match: str, *, after_s: float = 0.0) -> Iterator[SimpleNamespace]:
    """The error of exactly this class, within 5 s of what could be seen, with a next step."""
    found = SimpleNamespace(value=None)
    began = time.monotonic()
    with pytest.raises(kind, match=match) as caught:
        yield found
    found.value = caught.value
    assert type(caught.value) is kind
    assert caught.value.next_step or kind in (OutputMismatch, DeviceFault)
    assert time.monotonic() - began < after_s + SOON_S


# The port -------------------------------------------------------------------------------------------------------------
def usb(device: str, vid: int | None = 0x1366, pid: int = 0x1015, number: str = "000683000001") -> SimpleNamespace:
    return SimpleNamespace(device=device, vid=vid, pid=pid if vid else None, serial_number=number, description="n/a")


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """The serial ports that this computer has."""
    found: list[SimpleNamespace] = []
    monkeypatch.setattr(ports, "_present", lambda: found)
    return found


NRF = load_board("nrf52840dk").targets["serial"].serial


def test_a_port_is_found_by_usb_id_serial_number_pattern_and_board(
    present: list[SimpleNamespace], tmp_path: Path
) -> None:
    path = str(tmp_path / "ttyACM0")
    Path(path).touch()
    present += [usb("/dev/ttyUSB9", 0x0403, 0x6001, "A1"), usb(path), usb("/dev/ttyACM1")]
    for wanted in ("", "1366:1015", "000683000001", path, str(tmp_path / "ttyACM*")):
        found = ports.find_port(wanted, NRF, "nrf52840dk")
        assert (found.url, found.serial_number, found.usb) == (path, "000683000001", "1366:1015"), wanted
    assert ports.find_port("A1", NRF, "nrf52840dk").url == "/dev/ttyUSB9"
    second = ports.find_port("", replace(NRF, interface=1), "nrf52840dk")
    assert second.url == "/dev/ttyACM1"
    assert second.board_key == found.board_key  # two ports, one board, one lock
    for url in ("rfc2217://pi:4000", "socket://pi:4001"):
        assert ports.find_port(url, NRF, "nrf52840dk").url == url


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("", "no serial port with a USB id of 1366:1015"),
        ("2341:0043", "no serial port with USB id 2341:0043"),
        ("12345", "no serial port with USB serial number 12345"),
        ("/dev/ttyACM77", "no serial port /dev/ttyACM77"),
        ("/dev/serial/by-id/*nothing*", "no serial port"),
    ],
)
def test_a_port_that_is_not_there(present: list[SimpleNamespace], wanted: str, says: str) -> None:
    present.append(usb("/dev/ttyUSB9", 0x0403, 0x6001, "A1"))
    with raises_soon(PortNotFound, says) as found:
        ports.find_port(wanted, NRF, "nrf52840dk")
    assert "/dev/ttyUSB9 (0403:6001 A1)" in found.value.next_step


def test_two_boards_that_fit_are_told_apart_by_the_user(present: list[SimpleNamespace]) -> None:
    present += [usb("/dev/ttyACM0"), usb("/dev/ttyACM1", number="000683000002")]
    with raises_soon(PortNotFound, "2 boards have a serial port .*: 000683000001, 000683000002"):
        ports.find_port("", NRF, "nrf52840dk")


def test_a_board_without_usb_ids_needs_a_port(present: list[SimpleNamespace]) -> None:
    with raises_soon(PortNotFound, "does not say where its serial port is found"):
        ports.find_port("", load_board("stm32f4_disco").targets["serial"].serial, "stm32f4_disco")


def test_a_server_that_is_not_there() -> None:
    with raises_soon(PortNotFound, "socket://127.0.0.1:1 cannot be reached"):
        ports.open_port(ports.Port("socket://127.0.0.1:1"), 115200, rts_cts=False)


def test_a_port_that_may_not_be_opened_comes_with_the_udev_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    path = os.ttyname(slave)
    os.close(slave)
    Path(path).chmod(0)
    port = ports.Port(path, "000683000001", "1366:1015")
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with raises_soon(PortDenied, "may not be opened by this user") as found:
            ports.open_port(port, 115200, rts_cts=False)
    finally:
        if root:
            os.seteuid(0)
        os.close(master)
    rule = 'SUBSYSTEM=="tty", ATTRS{idVendor}=="1366", ATTRS{idProduct}=="1015", MODE="0660", TAG+="uaccess"'
    assert rule in found.value.details.splitlines()


def test_a_port_that_another_program_has_open_says_which(desk: Desk) -> None:
    import subprocess
    import sys

    code = "import os, sys, time; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print(1, flush=True); time.sleep(99)"
    other = subprocess.Popen([sys.executable, "-c", code, desk.rig.port], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None and other.stdout.readline()
        with raises_soon(PortBusy, f"is in use by process {other.pid} "):
            desk.open()
    finally:
        other.kill()
        other.wait()


def test_a_port_that_this_process_has_open_is_busy_too(desk: Desk) -> None:
    with serial.Serial(desk.rig.port, exclusive=True), raises_soon(PortBusy, "is in use"):
        desk.open()


# Silence and garbage --------------------------------------------------------------------------------------------------
def test_a_board_that_says_nothing(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("oneboard", flash="none")
    with raises_soon(SilentDevice, "does not answer"):
        desk.open()


def test_a_board_that_says_nothing_after_its_reset(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("oneboard", flash="none", reset="true")
    with raises_soon(SilentDevice, "does not answer after its reset"):
        desk.open()


def test_bytes_that_mean_nothing_are_a_question_of_the_baud_rate(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("oneboard", flash="none")
    desk.flash_all()
    desk.rig.wait_ready()
    desk.rig.poke(0x40004010, (25_000_000 // 57600).to_bytes(4, "little"))
    desk.rig.chatter()
    with raises_soon(GarbledLine, "at 115,200 baud is neither frames nor text: another baud rate") as found:
        desk.open()
    assert found.value.details.startswith("received: ")


def test_a_reset_command_that_fails_is_quoted(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("oneboard", flash="none", reset="echo no such relay >&2; exit 3")
    with raises_soon(BoardError, "ended with status 3") as found:
        desk.open()
    assert "no such relay" in found.value.details


# Recovery -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("option", ["reset", "power"])
def test_a_hung_board_is_brought_back_once_and_the_report_says_so(desk_of: Callable[..., Desk], option: str) -> None:
    desk = desk_of("oneboard", **{option: "openocd -f x -c init -c 'reset run' -c shutdown", "flash": "none"})
    desk.flash_all()
    desk.rig.wait_ready()
    desk.rig.freeze()
    with desk.open() as device:
        assert "brought it back" in device.identity()["recovered"]
        device.load(desk.model)
        assert device.run(desk.vector).outputs
    assert desk.rig.resets == 1


def test_a_board_that_restarts_on_its_own_is_noticed_and_goes_on(desk: Desk) -> None:
    desk.flash_all()
    with desk.open() as device:
        device.load(desk.model)
        desk.rig.reset()
        desk.rig.wait_ready()
        with raises_soon(DeviceRestarted, "restarted in the middle"):
            for _ in range(3):
                device.run(desk.vector)
        desk.rig.wait_ready()


def test_a_board_that_is_unplugged_in_the_middle(desk: Desk) -> None:
    desk.flash_all()
    with desk.open() as device:
        device.load(desk.model)
        threading.Timer(0.3, desk.rig.unplug).start()
        with raises_soon(Unplugged, "vanished in the middle"):
            while True:
                device.run(desk.vector)


# In the operators -----------------------------------------------------------------------------------------------------
OPERATORS = Path(__file__).with_name("hang_ops.cc")


def model_with(name: str, folder: Path) -> Model:
    """A SOFTMAX-free chain: RESHAPE, and then the custom operator."""
    writer = ModelWriter()
    x, y, z = (writer.tensor((1, 8), scale=0.1) for _ in range(3))
    writer.operator("RESHAPE", [x], [y])
    writer.operator(name, [y], [z], custom=True)
    path = folder / f"{name.lower()}.tflite"
    path.write_bytes(writer.finish([x], [z]))
    return load_model(path)


@pytest.fixture
def bad_ops(desk_of: Callable[..., Desk], tmp_path: Path) -> Callable[[str], Desk]:
    def make(name: str) -> Desk:
        desk = desk_of("oneboard")
        desk.image = build_image(desk.board, extra_sources=(OPERATORS,))
        desk.model = model_with(name, tmp_path)
        desk.flash_all()
        desk.rig.wait_ready()
        return desk

    return make


def deadline_s(desk: Desk) -> float:
    """What the operators may take at the board's clock: before that nothing can be seen."""
    from tinyhil.device import operator_work
    from tinyhil.target.serial import SerialTarget

    target = SerialTarget(desk.board, desk.image, None, Attachment())
    return sum(target.op_allowance_s(work) or 0.0 for work in operator_work(desk.model))


@pytest.mark.parametrize("checksums", [True, False])
def test_a_hang_names_its_operator_and_leaves_the_board_in_order(
    bad_ops: Callable[[str], Desk], checksums: bool
) -> None:
    desk = bad_ops("FOREVER")
    with desk.open() as device:
        device.load(desk.model)
        with raises_soon(TargetHung, "hangs in operator 1 FOREVER: no progress in", after_s=deadline_s(desk)) as found:
            device.run(desk.vector, checksums=checksums)
        if checksums:
            assert "brought it back; it answers again" in found.value.details
        assert "recovered" in device.identity()


CAUSES = {
    "NOWHERE": ("BusFault", "ReadNowhere", "no memory at 0x70000000"),
    "UNALIGNED": ("UsageFault", "ReadUnaligned", "an unaligned access"),
    "DEEP": ("StackOverflow", "", "stack overflow"),  # the core could not save where it was
    "JUMP": ("UsageFault", "", "a jump to an address that is not Thumb code"),
}


@pytest.mark.parametrize("name", CAUSES)
def test_a_fault_has_its_registers_its_place_its_caller_and_its_likely_cause(
    bad_ops: Callable[[str], Desk], name: str
) -> None:
    kind, function, cause = CAUSES[name]
    desk = bad_ops(name)
    with desk.open() as device:
        device.load(desk.model)
        with raises_soon(DeviceFault, f"took a {kind} at 0x[0-9a-f]{{8}}.*{function}") as found:
            device.run(desk.vector)
    details = found.value.details
    assert f"likely cause: {cause}" in details
    assert "lr 0x" in details and "cfsr 0x" in details
    if name == "NOWHERE":
        assert re.search("called from 0x[0-9a-f]{8} tinyhil::", details)


def test_another_output_is_a_mismatch_and_no_error_of_the_board(desk: Desk) -> None:
    golden = golden_for(desk.model).subset(range(1))
    spoilt = replace(golden, outputs=[np.bitwise_xor(array, 1) for array in golden.outputs])
    desk.flash_all()
    with desk.open() as device:
        device.load(desk.model)
        with raises_soon(OutputMismatch, "output 0"):
            assert_golden(device, spoilt)

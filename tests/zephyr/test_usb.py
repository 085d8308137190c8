# SPDX-License-Identifier: Apache-2.0
"""The link on a USB CDC-ACM port: Zephyr's USB stack on QEMU, with a controller of our own (usb/, usb_host.py)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import serial
from plain_build import build
from usb_host import UsbHost

from tinyhil.assets import zephyr_app_dir
from tinyhil.attachment import Attachment
from tinyhil.board import load_board
from tinyhil.build import Image
from tinyhil.device import Device
from tinyhil.errors import DeviceFault, Unplugged
from tinyhil.golden import golden_for
from tinyhil.matrix import own_model
from tinyhil.model import Model, load_model
from tinyhil.target.symbols import Symbols
from tinyhil.verdict import assert_golden
from tinyhil.zephyr import find_workspace
from tinyhil.zephyr.built import image_in

pytestmark = pytest.mark.needs("zephyr", "qemu", "oracle")

APP = zephyr_app_dir()
USER_APP = APP / "samples" / "user_app"
CONTROLLER = Path(__file__).with_name("usb")
BOARD_YAML = """\
name: usbboard
title: MPS2 AN385 on a USB cable
core: Cortex-M3
virtual: true
memory:
  flash: {base: 0x00000000, bytes: 4M}
  ram: {base: 0x20000000, bytes: 4M}
slot: {memory: flash, offset: 1M, bytes: 3M, writable: true}
stack_bytes: 8K
clock_hz: 25000000
targets:
  serial: {}
zephyr: {board: mps2_an385}
"""

QUESTION, ANSWER = b"name%", b"m-name-dut-[tinyhil]\r\nm-ready\r\n"
PACKET = QUESTION * 12
UNDEFINED = b"\x00\xde"  # Thumb: udf #0
PATIENCE_S = 20.0


@pytest.fixture(scope="module", autouse=True)
def boards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("boards")
    (folder / "usbboard").mkdir()
    (folder / "usbboard" / "board.yaml").write_text(BOARD_YAML)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYHIL_PLATFORMS", str(folder))
        patch.setenv("TINYHIL_LOCKS", str(folder / "locks"))
        yield


def built(app: Path, folder: Path, overlays: list[Path], confs: list[Path]) -> Image:
    variable = "EXTRA_CONF_FILE" if find_workspace().version >= (3, 4) else "OVERLAY_CONFIG"
    overlays = [*overlays, CONTROLLER / "controller.overlay", APP / "usb.overlay"]
    build(
        app,
        "mps2_an385",
        folder,
        f"-DZEPHYR_EXTRA_MODULES={APP.parent};{CONTROLLER}",
        f"-DDTC_OVERLAY_FILE={';'.join(map(str, overlays))}",
        f"-D{variable}={';'.join(map(str, [*confs, APP / 'usb.conf']))}",
        "-DTINYHIL_BOARD=usbboard",
        "-DTINYHIL_BUILD_ID=0123456789abcdef",
    )
    return image_in(folder)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The application, its link on USB, its slot in RAM."""
    board = APP / "boards" / "mps2_an385"
    return built(APP, tmp_path_factory.mktemp("app"), [board / "app.overlay", board / "slot.overlay"], [])


@pytest.fixture(scope="module")
def digits() -> Model:
    return load_model(own_model("digits"))


@pytest.fixture
def host(image: Image) -> Iterator[UsbHost]:
    """The computer that the board is plugged into; it knows the device already."""
    computer = UsbHost(image.elf)
    try:
        computer.plug()
        yield computer
    finally:
        computer.close()


def opened(host: UsbHost, image: Image, model: Model, *, pulled_after_bytes: int | None = None) -> Device:
    attachment = Attachment(port=host.open_port(pulled_after_bytes=pulled_after_bytes), flash="none")
    return Device.open(load_board("usbboard"), "serial", image, model, attachment=attachment)


class Terminal:
    """A person at the port."""

    def __init__(self, url: str) -> None:
        self._port = serial.serial_for_url(url, timeout=0.05)

    def hears(self, wanted: bytes, times: int = 1) -> bool:
        heard = b""
        end = time.monotonic() + PATIENCE_S
        while heard.count(wanted) < times and time.monotonic() < end:
            heard += self._port.read(4096)
        return heard.count(wanted) == times

    def is_answered(self, question: bytes = QUESTION, answer: bytes = ANSWER) -> bool:
        self._port.write(question)
        return self.hears(answer)


def fill(host: UsbHost) -> int:
    """Questions to a device whose answers nobody fetches, until it takes no more. How many it took."""
    device = host.device
    taken = 0
    end = time.monotonic() + PATIENCE_S
    refused_since = 0.0
    while time.monotonic() < end:
        handshake, _ = host.bus.tell(b"o", device.bulk_out, PACKET)
        if handshake == b"A":
            taken += PACKET.count(QUESTION)
            refused_since = 0.0
        elif not refused_since:
            refused_since = time.monotonic()
        elif time.monotonic() - refused_since > 0.25:
            return taken
    raise AssertionError(f"the device took {taken} questions and never said no")


# The link ------------------------------------------------------------------------------------------------------------
def test_the_device_says_that_it_is_a_serial_port_of_tinyhils(host):
    assert (host.device.product, host.device.vid, host.device.pid) == ("tinyhil", 0x2FE3, 0x0100)
    assert host.device.bulk_in > 0
    assert host.device.bulk_out > 0


def test_a_model_goes_into_the_slot_and_computes_what_the_oracle_does(host, image, digits):
    with opened(host, image, digits) as device:
        device.load(digits)
        assert_golden(device, golden_for(digits).subset(range(4)))
        inputs = [array[0] for array in golden_for(digits).inputs]
        assert len({device.run(inputs).units for _ in range(5)}) == 1
        assert device.info["damaged_frames"] == "0"


def test_the_next_session_finds_the_device_as_the_first_did(host, image, digits):
    for _ in range(2):
        with opened(host, image, digits) as device:
            device.load(digits)
            assert_golden(device, golden_for(digits).subset(range(1)))
        host.close_port()


# What a cable does ---------------------------------------------------------------------------------------------------
def test_while_nobody_reads_it_takes_no_more_and_nothing_is_lost(host):
    taken = fill(host)
    assert Terminal(host.open_port()).hears(ANSWER, taken)


def test_a_computer_that_sleeps_gets_the_answer_when_it_wakes(host):
    terminal = Terminal(host.open_port())
    assert terminal.is_answered()
    host.suspend()
    host.bus.patiently(b"o", host.device.bulk_out, QUESTION)  # as if it had come just before
    time.sleep(0.05)
    host.resume()
    assert terminal.hears(ANSWER)
    assert terminal.is_answered()


@pytest.mark.parametrize("what", [b"D", b"R"], ids=["unplugged", "reset"])
def test_a_device_cut_short_while_it_answers_is_found_again(host, what):
    fill(host)
    host.bus.tell(what)
    time.sleep(0.05)
    host.plug()
    assert Terminal(host.open_port()).is_answered(b"again%", b"Unknown command: again]")  # behind what it had to say


def test_a_transfer_whose_cable_was_pulled_goes_through_the_second_time(host, image, digits):
    with pytest.raises(Unplugged), opened(host, image, digits, pulled_after_bytes=8192) as device:
        device.load(digits)
    host.unplug()
    host.plug()
    with opened(host, image, digits) as device:
        device.load(digits)
        assert_golden(device, golden_for(digits).subset(range(1)))


# Faults --------------------------------------------------------------------------------------------------------------
def function(image: Image, name: str) -> int:
    return next(start for start, _, symbol in Symbols(image.elf)._functions if name in symbol)


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("StackPeakBytes", lambda device, inputs: device.memory()),
        ("EvalConv", lambda device, inputs: device.run(inputs)),  # interrupts are off
    ],
    ids=["command", "inference"],
)
def test_a_fault_comes_with_its_registers_and_function(
    host: UsbHost, image: Image, digits: Model, name: str, ask: Callable[..., object]
) -> None:
    with opened(host, image, digits) as device:
        device.load(digits)
        at = function(image, name)
        host.write_memory(at, UNDEFINED)
        with pytest.raises(DeviceFault, match=f"UsageFault at {at:#010x} in .*{name}") as fault:
            ask(device, [array[0] for array in golden_for(digits).inputs])
    assert "cfsr 0x00010000" in fault.value.details  # UNDEFINSTR


# An application of one's own ----------------------------------------------------------------------------------------
def said(console: Path) -> int:
    return console.read_text().count("alive for")


def test_test_mode_is_on_usb_beside_the_applications_own_console(tmp_path, digits):
    image = built(USER_APP, tmp_path, [USER_APP / "boards" / "mps2_an385.overlay"], [USER_APP / "test_mode.conf"])
    console = tmp_path / "console.txt"
    host = UsbHost(image.elf, console=console)
    try:
        host.plug()
        with opened(host, image, digits) as device:
            device.load(digits)
            assert_golden(device, golden_for(digits).subset(range(4)))
            assert said(console) > 0
            host.write_memory(function(image, "StackPeakBytes"), UNDEFINED)
            with pytest.raises(DeviceFault, match="UsageFault"):
                device.memory()
        before = said(console)
        end = time.monotonic() + PATIENCE_S
        while said(console) < before + 2 and time.monotonic() < end:
            time.sleep(0.05)
        assert said(console) >= before + 2  # only the command loop ended
    finally:
        host.close()

# SPDX-License-Identifier: Apache-2.0
"""What is on the board is found out, what is not there yet is flashed, and nothing else."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from desk import Desk
from fake_probe import read_hex

from tinyhil.errors import FlashFailed, NoFlasher, WrongDevice, WrongImage
from tinyhil.flash import find_flasher
from tinyhil.flash.hexfile import elf_segments, intel_hex
from tinyhil.golden import golden_for
from tinyhil.model import load_model
from tinyhil.verdict import run_golden


def covered(desk: Desk) -> list[str]:
    """Which parts of the board were programmed."""
    assert desk.image.slot is not None
    return ["model" if part[0][0] == desk.image.slot.base else "image" for part in desk.rig.programmed]


def other_model(desk: Desk, folder: Path) -> Path:
    """The same model as another file: a byte that the reader does not look at differs."""
    path = folder / "other.tflite"
    path.write_bytes(desk.model.data + bytes(16))
    return path


def test_a_blank_board_gets_image_and_model_and_computes_what_the_oracle_does(desk: Desk) -> None:
    with desk.open() as device:
        assert covered(desk) == ["image", "model"]
        assert device.identity()["flashed"] == "image, model with openocd"
        device.load(desk.model)
        tally = run_golden(device, golden_for(desk.model).subset(range(2)))
    assert tally.difference is None
    assert tally.units


def test_what_is_on_the_board_already_is_not_flashed_again(desk: Desk) -> None:
    desk.flash_all()
    with desk.open() as device:
        device.load(desk.model)
        assert "flashed" not in device.identity()
    assert desk.rig.programmed == [] and desk.rig.tool_log == []


def test_another_model_flashes_the_slot_alone_on_an_open_device_and_on_a_new_one(desk: Desk, tmp_path: Path) -> None:
    other = load_model(other_model(desk, tmp_path))
    desk.flash_all()
    with desk.open() as device:
        device.load(desk.model)
        device.load(other)
        assert covered(desk) == ["model"]
        device.load(other)
        assert covered(desk) == ["model"]
    with desk.open() as device:
        device.load(desk.model)
        assert covered(desk) == ["model", "model"]
        assert device.run(desk.vector).outputs


def test_a_slot_of_ram_is_filled_over_the_link(desk_of: Callable[..., Desk], tmp_path: Path) -> None:
    desk = desk_of("ramboard")
    with desk.open() as device:
        device.load(desk.model)
        device.load(load_model(other_model(desk, tmp_path)))
    assert covered(desk) == ["image"]


def test_a_stale_image_is_flashed_over(desk: Desk) -> None:
    desk.flash_all()
    newer = replace(desk.image, build_id="0123456789abcdef")
    with pytest.raises(WrongImage, match=f"after flashing the board still runs build {desk.image.build_id}"):
        desk.open(image=newer)
    assert covered(desk) == ["image"]


def test_a_probe_of_another_board_is_noticed(desk: Desk) -> None:
    desk.flash_all()
    desk.rig.ignore_programming = True
    with pytest.raises(WrongImage, match="after flashing the board still runs build") as caught:
        desk.open(image=replace(desk.image, build_id="0123456789abcdef"))
    assert "--port" in caught.value.next_step


def test_without_a_tool_a_stale_image_is_an_error_that_says_what_to_install(desk: Desk) -> None:
    desk.flash_all()
    with pytest.raises(WrongImage, match="the board runs build") as caught:
        desk.open(image=replace(desk.image, build_id="0123456789abcdef"), flash="none")
    assert "--flash none" in caught.value.next_step


def test_another_board_is_an_error_and_is_not_flashed(desk_of: Callable[..., Desk]) -> None:
    desk_of("ramboard").flash_all()
    desk = desk_of("deskboard")
    with pytest.raises(WrongDevice, match="is a ramboard, not a deskboard"):
        desk.open()
    assert desk.rig.programmed == []


def test_another_chip_is_an_error_and_is_not_flashed(desk: Desk) -> None:
    desk.flash_all()
    assert desk.board.soc is not None
    desk.board = replace(desk.board, soc=replace(desk.board.soc, id=0x12345678))
    with pytest.raises(WrongDevice, match="says it is 0x41043860; a deskboard has 0x12345678"):
        desk.open()
    assert desk.rig.programmed == []


# The tools ----------------------------------------------------------------------------------------------------------
SERIAL = "000683000001"

WEST = ["west", "flash", "--skip-rebuild", "--build-dir", "BUILD"]
OPENOCD = ["openocd", "-f", "board/some_board.cfg", "-f", "extra.cfg", "-c", f"adapter serial {SERIAL}"]
JLINK = ["JLinkExe", "-NoGui", "1", "-ExitOnError", "1", "-AutoConnect", "1", "-Device", "nRF52840_xxAA"]
JLINK += ["-If", "SWD", "-Speed", "4000", "-SelectEmuBySN", "683000001", "-CommandFile"]
CALLS = {
    "openocd": (
        [*OPENOCD, "-c", "program {FILE} verify reset exit"],
        [*OPENOCD, "-c", "init", "-c", "reset run", "-c", "shutdown"],
    ),
    "jlink": ([*JLINK, 'loadfile "FILE"', "r", "g", "exit"], [*JLINK, "r", "g", "exit"]),
    "stflash": (
        ["st-flash", "--serial", SERIAL, "--reset", "--format", "ihex", "write", "FILE"],
        ["st-flash", "--serial", SERIAL, "reset"],
    ),
    "west": (
        [*WEST, "--runner", "nrfjprog", "--dev-id", SERIAL, "--hex-file", "FILE"],
        None,
    ),
}


@pytest.mark.parametrize("tool", CALLS)
def test_each_tool_is_called_exactly_so_and_writes_the_board(desk: Desk, tool: str, tmp_path: Path) -> None:
    flash, reset = CALLS[tool]
    flasher = find_flasher(desk.board, tool, SERIAL, tmp_path / "build")
    file = tmp_path / "image.hex"
    file.write_text(intel_hex(elf_segments(desk.image.elf)))
    flasher.flash(file)
    words = [word.replace("FILE", str(file)).replace("BUILD", str(tmp_path / "build")) for word in flash]
    assert desk.rig.tool_log == [words]
    content = desk.rig.flash_file.read_bytes()
    assert all(content[at : at + len(data)] == data for at, data in elf_segments(desk.image.elf))
    assert desk.rig.resets == 1
    assert flasher.reset() is (reset is not None)
    assert desk.rig.tool_log[1:] == ([reset] if reset else [])


@pytest.mark.parametrize("tool", ["jlink", "stflash"])
def test_a_whole_run_goes_through_the_other_tools_too(desk_of: Callable[..., Desk], tool: str) -> None:
    desk = desk_of(flash=tool)
    with desk.open() as device:
        device.load(desk.model)
    assert covered(desk) == ["image", "model"]


@pytest.fixture
def fake_pyocd(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """pyOCD's API as far as it is used, with signatures of its own, behind which the board's probe is."""
    calls: list[object] = []

    class FakeTarget:
        def reset(self, reset_type: object = None) -> None:
            calls.append("reset")
            desk.rig.reset()

    class FakeSession:
        target = FakeTarget()

        def __enter__(self) -> FakeSession:
            return self

        def __exit__(self, *error: object) -> None:
            calls.append("closed")

    class ConnectHelper:
        @staticmethod
        def session_with_chosen_probe(
            blocking: bool = True,
            return_first: bool = False,
            unique_id: str | None = None,
            auto_open: bool = True,
            options: dict[str, object] | None = None,
        ) -> FakeSession | None:
            calls.append((blocking, return_first, unique_id, options))
            return None if unique_id == "nobody" else FakeSession()

    class FileProgrammer:
        def __init__(self, session: FakeSession, progress: object = None, chip_erase: str | None = None) -> None:
            assert chip_erase == "sector", "anything else would erase what the file does not cover"

        def program(self, file_or_path: str, file_format: str | None = None) -> None:
            assert file_format == "hex"
            desk.rig.program(read_hex(file_or_path))

    names = {"pyocd": {}, "pyocd.core": {}, "pyocd.flash": {}}
    names["pyocd.core.helpers"] = {"ConnectHelper": ConnectHelper}
    names["pyocd.flash.file_programmer"] = {"FileProgrammer": FileProgrammer}
    for name, content in names.items():
        module = types.ModuleType(name)
        module.__dict__.update(content)
        module.__spec__ = types.SimpleNamespace(name=name)  # type: ignore[assignment]
        monkeypatch.setitem(sys.modules, name, module)
    return calls


def test_pyocd_flashes_through_its_python_api(desk: Desk, fake_pyocd: list[object]) -> None:
    with desk.open(flash="pyocd") as device:
        device.load(desk.model)
    assert covered(desk) == ["image", "model"]
    session = (False, True, None, {"target_override": "nrf52840", "hide_programming_progress": True})
    assert fake_pyocd == [session, "reset", "closed"] * 3  # a reset because it was silent; image; model


def test_pyocd_without_its_probe_says_so(desk: Desk, fake_pyocd: list[object]) -> None:
    with pytest.raises(FlashFailed, match="pyOCD could not reset the board: it found no debug probe nobody"):
        find_flasher(desk.board, "pyocd", "nobody").reset()


def test_the_first_tool_that_is_there_is_taken(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyocd", None)
    assert find_flasher(desk.board, "", "", tmp_path).name == "west"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert find_flasher(desk.board, "", "").name == "openocd"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoFlasher) as caught:
        find_flasher(desk.board, "", "")
    assert [line.split(":")[0] for line in caught.value.details.splitlines()] == list(desk.board.flash)


@pytest.mark.parametrize(("wanted", "says"), [("none", "switched off"), ("dfu", "no flashing tool 'dfu'")])
def test_a_tool_that_is_not_there_is_refused(desk: Desk, wanted: str, says: str) -> None:
    with pytest.raises(NoFlasher, match=says):
        find_flasher(desk.board, wanted, "")


def test_a_tool_that_fails_is_quoted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.flash_all()
    monkeypatch.setenv("FAKE_TOOL_FAILS", "Error: unable to find a matching CMSIS-DAP device")
    with pytest.raises(FlashFailed, match=r"OpenOCD could not flash image\.hex: it ended with status 1") as caught:
        desk.open(image=replace(desk.image, build_id="0123456789abcdef"))
    assert "unable to find a matching CMSIS-DAP device" in caught.value.details
    assert "$ openocd" in caught.value.details


def test_a_hex_file_holds_what_it_was_made_of(tmp_path: Path) -> None:
    segments = [(0x0800FFF0, bytes(range(64))), (0x10000, b"\xff" * 70000), (0xFFFFFFF0, b"end")]
    file = tmp_path / "x.hex"
    file.write_text(intel_hex(segments))
    assert read_hex(str(file)) == segments

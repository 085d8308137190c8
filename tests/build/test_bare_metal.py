# SPDX-License-Identifier: Apache-2.0
"""Images for microcontrollers: what fits, what does not and by how much, and what each part takes."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

import tiny_firmware
from tinyhil.board import Board, load_board
from tinyhil.build import build_image
from tinyhil.elf import GROUPS, figures, layout, symbol_sizes
from tinyhil.errors import ArenaOverflow, FlashOverflow

pytestmark = pytest.mark.needs("arm-gcc")

BOARDS = ["mps2_an385", "mps2_an386", "mps2_an500", "mps2_an505", "mps3_an547"]


@pytest.fixture
def resized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Makes a board like mps3_an547 with other memory sizes."""

    def make(*, flash_bytes: int = 512 * 1024, ram_bytes: int = 512 * 1024) -> Board:
        folder = tmp_path / "platforms" / "small"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tiny_firmware.REAL_PLATFORMS / "mps3_an547", folder)
        text = (folder / "board.yaml").read_text()
        text = text.replace("name: mps3_an547", "name: small")
        text = text.replace("base: 0x00000000, bytes: 512K", f"base: 0x00000000, bytes: {flash_bytes}")
        text = text.replace("base: 0x20000000, bytes: 512K", f"base: 0x20000000, bytes: {ram_bytes}")
        (folder / "board.yaml").write_text(text)
        monkeypatch.setenv("TINYHIL_PLATFORMS", str(folder.parent))
        return load_board("small")

    return make


@pytest.mark.parametrize("name", BOARDS)
def test_the_firmware_builds_for_every_board_and_leaves_an_arena_of_128_kb(name: str) -> None:
    board = load_board(name)
    image = build_image(board)
    assert image.kind == "slot"
    assert image.slot is not None and image.slot.bytes >= 64 + 333_288
    assert board.memory["ram"].bytes - image.ram_bytes >= 128 * 1024
    assert 0 < image.flash_bytes < board.memory["flash"].bytes


@pytest.mark.parametrize("name", BOARDS)
def test_no_libc_is_linked_but_our_own_few_functions(name: str) -> None:
    map_text = build_image(load_board(name)).map.read_text()
    archives = set(re.findall(r"^(?:LOAD )?\S*/(lib\w+\.a)", map_text, flags=re.MULTILINE))
    assert archives <= {"libgcc.a"}


def test_an_image_that_misses_the_flash_says_by_how_much(firmware: Path, resized: type) -> None:
    with pytest.raises(FlashOverflow) as caught:
        build_image(resized(flash_bytes=512))
    error = caught.value
    assert error.exit_status == 15
    assert error.available_bytes == 512
    assert f"{error.missing_bytes:,} are missing" in error.message
    assert "small" in error.message
    assert build_image(resized(flash_bytes=error.needed_bytes)).flash_bytes <= error.needed_bytes
    with pytest.raises(FlashOverflow) as caught:
        build_image(resized(flash_bytes=error.needed_bytes - 8))
    assert caught.value.missing_bytes == 8


def test_data_that_misses_the_ram_says_by_how_much(firmware: Path, resized: type) -> None:
    with pytest.raises(FlashOverflow, match="ram of small") as caught:
        build_image(resized(ram_bytes=8192))
    assert build_image(resized(ram_bytes=caught.value.needed_bytes))


def test_a_bundled_model_that_misses_the_flash_says_by_how_much(firmware: Path, tmp_path: Path) -> None:
    model = tmp_path / "large.tflite"
    model.write_bytes(bytes(512 * 1024))
    with pytest.raises(FlashOverflow, match="bundled image does not fit the flash of mps3_an547") as caught:
        build_image(load_board("mps3_an547"), model=model)
    assert "slot" in caught.value.next_step
    assert caught.value.needed_bytes > 512 * 1024


def test_a_bundled_model_whose_tensors_miss_the_ram_is_refused_with_the_bytes_that_are_missing(
    firmware: Path, resized: type
) -> None:
    digits = tiny_firmware.REAL_FIRMWARE / "models/digits/digits.tflite"
    small = resized(ram_bytes=64 * 1024)
    taken = build_image(small, model=digits, ops=["SOFTMAX"]).ram_bytes
    with pytest.raises(ArenaOverflow, match=r"digits needs an arena of at least .* on small") as caught:
        build_image(resized(ram_bytes=taken + 1024), model=digits, ops=["SOFTMAX"])
    assert caught.value.available_bytes == 1024
    assert caught.value.missing_bytes == caught.value.needed_bytes - 1024 > 0


def test_a_bundled_image_has_the_room_of_the_slot(firmware: Path, tmp_path: Path) -> None:
    board = load_board("mps2_an386")
    assert board.slot.memory == "flash"
    model = tmp_path / "large.tflite"
    model.write_bytes(bytes(2 * 1024 * 1024))
    assert build_image(board, model=model).flash_bytes > board.slot.base - board.memory["flash"].base


@pytest.mark.parametrize("name", ["mps2_an385", "mps3_an547"])
def test_symbols_add_up_to_the_image(name: str, tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(bytes(5000))
    image = build_image(load_board(name), model=model, ops=["SOFTMAX"])
    totals: Counter[str] = Counter()
    groups: Counter[str] = Counter()
    for symbol in symbol_sizes(image.elf):
        assert symbol.bytes > 0
        totals[symbol.section] += symbol.bytes
        groups[symbol.group] += symbol.bytes
    assert totals == figures(image.elf).sections
    assert set(groups) == set(GROUPS)
    assert groups["model"] == pytest.approx(5000, abs=16)


@pytest.mark.parametrize("name", ["mps2_an386", "mps3_an547"])
def test_parts_and_sections_add_up_to_the_image(name: str) -> None:
    image = build_image(load_board(name))
    sections, groups = layout(image.elf, groups=True)
    for parts in (sections, groups):
        assert sum(flash for flash, _ in parts.values()) == image.flash_bytes
        assert sum(ram for _, ram in parts.values()) == image.ram_bytes
    assert set(groups) <= set(GROUPS)


def test_symbols_belong_to_the_part_they_come_from() -> None:
    symbols = {symbol.name: symbol for symbol in symbol_sizes(build_image(load_board("mps2_an386")).elf)}
    assert symbols["Reset_Handler"].group == "startup"
    assert symbols["UART_Handler"].group == "link"
    assert symbols["memcpy"].group == "libc"
    assert symbols["_ZN7tinyhil9TheEngineEv"].group == "engine"
    assert symbols["_ZN7tinyhil7AppMainEv"].group == "app"
    assert {symbol.group for name, symbol in symbols.items() if "EvalConv" in name} == {"kernels"}


def test_a_bundled_image_links_only_the_operators_it_registers(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(bytes(16))
    image = build_image(load_board("mps2_an386"), model=model, ops=["SOFTMAX"])
    names = " ".join(symbol.name for symbol in symbol_sizes(image.elf))
    assert "EvalSoftmax" in names
    assert "EvalConv" not in names

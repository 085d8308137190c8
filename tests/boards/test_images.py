# SPDX-License-Identifier: Apache-2.0
"""The real firmware builds for every bare-metal board and fits it, with and without a model linked in."""

from __future__ import annotations

import pytest

from tinyhil.board import board_names, load_board
from tinyhil.build import Image, build_image
from tinyhil.matrix import own_model
from tinyhil.model import load_model

BARE_METAL = [name for name in board_names() if (spec := load_board(name).bare_metal) and spec.compiler != "host"]
pytestmark = [pytest.mark.needs("arm-gcc"), pytest.mark.parametrize("name", BARE_METAL)]


def loaded_and_used(image: Image) -> list[tuple[int, int]]:
    """The address ranges of an image's sections, and of what is loaded of them."""
    from elftools.elf.elffile import ELFFile

    ranges = []
    with image.elf.open("rb") as stream:
        for segment in ELFFile(stream).iter_segments("PT_LOAD"):
            ranges.append((segment["p_vaddr"], segment["p_vaddr"] + segment["p_memsz"]))
            if segment["p_filesz"]:
                ranges.append((segment["p_paddr"], segment["p_paddr"] + segment["p_filesz"]))
    return ranges


def test_a_slot_image_leaves_the_slot_free(name: str) -> None:
    board = load_board(name)
    ranges = loaded_and_used(build_image(board))
    slot_end = board.slot.base + board.slot.bytes
    assert ranges
    for start, end in ranges:
        assert any(region.base <= start and end <= region.end for region in board.memory.values())
        assert end <= board.slot.base or start >= slot_end


def test_a_bundled_image_fits(name: str) -> None:
    board = load_board(name)
    model = own_model("digits")
    image = build_image(board, model=model, ops=sorted({op.name for op in load_model(model).operators}))
    assert model.stat().st_size < image.flash_bytes <= board.memory["flash"].bytes
    for start, end in loaded_and_used(image):
        assert any(region.base <= start and end <= region.end for region in board.memory.values())


def test_the_slot_of_a_chip_starts_on_a_flash_sector(name: str) -> None:
    """A flasher erases whole sectors: the model's may not be the firmware's."""
    board = load_board(name)
    sector_bytes = {
        "nrf52840dk": 4 << 10,
        "nucleo_h753zi": 128 << 10,
        "nucleo_l552ze_q": 4 << 10,
        "stm32f072b_disco": 2 << 10,
        "stm32f4_disco": 128 << 10,  # those from 128 kB on
        "stm32f746g_disco": 256 << 10,  # those from 256 kB on
    }.get(name)
    if sector_bytes is None:
        pytest.skip("the board's memory for code is RAM")
    assert (board.slot.base - board.memory["flash"].base) % sector_bytes == 0

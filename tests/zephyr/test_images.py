# SPDX-License-Identifier: Apache-2.0
"""Images that a real workspace builds, on QEMU. The device tests too: pytest tests/device --hil-firmware zephyr."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from plain_build import build

from tinyhil.assets import zephyr_app_dir
from tinyhil.board import load_board
from tinyhil.build import Image, build_image
from tinyhil.device import Device
from tinyhil.errors import ArenaOverflow, FlashOverflow
from tinyhil.golden import golden_for
from tinyhil.matrix import own_model
from tinyhil.model import load_model
from tinyhil.record import Cell
from tinyhil.runner import Plan, run_cell
from tinyhil.verdict import assert_golden
from tinyhil.zephyr import build_zephyr
from tinyhil.zephyr.built import image_in

pytestmark = pytest.mark.needs("zephyr", "qemu", "oracle")
BOARD = "mps2_an385"
MOST_FLASH_BYTES = 60 << 10
MOST_RAM_BYTES = 16 << 10


@pytest.fixture(scope="module")
def image() -> Image:
    return build_zephyr(load_board(BOARD))


@pytest.fixture(scope="module")
def digits() -> Path:
    return own_model("digits")


def test_the_same_numbers_as_on_bare_metal_in_a_record_that_tells_them_apart(digits):
    records = [
        run_cell(Cell(BOARD, "qemu", digits, firmware=firmware), Plan(vectors=8)).record
        for firmware in ("bare_metal", "zephyr")
    ]
    assert [record.verdict for record in records] == ["pass", "pass"], [record.error for record in records]
    assert [(record.identity.image or {})["firmware"] for record in records] == ["bare_metal", "zephyr"]
    assert (records[1].identity.image or {})["firmware_version"].startswith("Zephyr ")
    assert records[1].command.endswith("--firmware zephyr --vectors 8")


def test_the_slot_is_where_board_yaml_has_it(image):
    slot = load_board(BOARD).slot
    assert image.slot is not None
    assert (image.slot.base, image.slot.bytes) == (slot.base, slot.bytes)


def test_a_build_of_what_is_built_is_silent(image):
    lines: list[str] = []
    assert build_zephyr(load_board(BOARD), progress=lines.append) == image
    assert lines == []


def test_a_build_folder_describes_itself(image):
    folder = next(
        path
        for path in (image.elf.parents[2] / "build").glob(f"{BOARD}-*")
        if (path / "zephyr" / "zephyr.elf").is_file() and image_in(path).build_id == image.build_id
    )
    found = image_in(folder)
    assert (found.board_name, found.kind, found.engine, found.kernels) == (BOARD, "slot", "builtin", "reference")
    assert (found.flash_bytes, found.ram_bytes, found.slot) == (image.flash_bytes, image.ram_bytes, image.slot)


def test_a_model_linked_in_has_only_its_operators(image, digits):
    model = load_model(digits)
    ops = sorted({operator.name for operator in model.operators})
    board = load_board(BOARD)
    bundled = build_image(board, model=digits, ops=ops, firmware="zephyr")
    assert (bundled.kind, bundled.slot) == ("bundled", None)
    assert bundled.flash_bytes < image.flash_bytes + len(model.data)
    with Device.open(board, "qemu", bundled, model) as device:
        device.load(model)
        assert_golden(device, golden_for(model).subset(range(4)))


def test_an_arena_of_a_given_size_is_no_part_of_the_images_ram_and_one_too_large_is_refused(image):
    board = load_board(BOARD)
    sized = build_zephyr(board, arena_bytes=100_000)
    assert abs(sized.ram_bytes - image.ram_bytes) < 256
    ram = board.memory["ram"].bytes
    with pytest.raises(ArenaOverflow) as refused:
        build_zephyr(board, arena_bytes=ram)
    assert 0 < refused.value.missing_bytes < 64 << 10


def test_a_model_larger_than_the_flash_is_refused_with_the_bytes_that_are_missing(tmp_path, digits):
    board = load_board("qemu_cortex_m3")
    large = tmp_path / "large.tflite"
    large.write_bytes(digits.read_bytes() + np.zeros(256 << 10, np.uint8).tobytes())
    with pytest.raises(FlashOverflow) as refused:
        build_zephyr(board, model=large, ops=["SOFTMAX"])
    assert 0 < refused.value.missing_bytes < 256 << 10


@pytest.fixture(scope="module")
def default_image(tmp_path_factory) -> Image:
    """What `west build -b mps2_an385 zephyr_app` makes."""
    folder = tmp_path_factory.mktemp("default")
    build(zephyr_app_dir(), BOARD, folder)
    return image_in(folder)


def test_the_default_application_keeps_to_its_budget_of_flash_and_ram(default_image):
    assert default_image.flash_bytes <= MOST_FLASH_BYTES
    assert default_image.ram_bytes <= MOST_RAM_BYTES


def test_the_default_application_has_the_operators_of_the_projects_own_model(default_image, digits):
    model = load_model(digits)
    with Device.open(load_board(BOARD), "qemu", default_image, model) as device:
        device.load(model)
        assert_golden(device, golden_for(model).subset(range(4)))


@pytest.mark.needs("native")
def test_on_the_host_it_is_a_process_whose_slot_is_filled_over_the_link(digits):
    board, model = load_board("native"), load_model(digits)
    host_image = build_zephyr(board)
    assert host_image.slot is not None and host_image.slot.bytes == board.slot.bytes
    with Device.open(board, "native", host_image, model) as device:
        device.load(model)
        assert_golden(device, golden_for(model).subset(range(8)))
        assert device.memory().arena_bytes == board.memory["ram"].bytes

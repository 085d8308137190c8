# SPDX-License-Identifier: Apache-2.0
"""A kernel set lies over the reference set: its registrations first, the reference's for all that it has not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import tiny_firmware
from tinyhil.board import load_board
from tinyhil.build import build_image

pytestmark = pytest.mark.needs("native")

OPS = """
#include "kernels/ops.h"
namespace tinyhil { extern const OpRegistration kFastOnesOp_ADD; }
"""
ADD = """
#include "kernels/fast_ones/ops.h"
namespace tinyhil { extern const OpRegistration kFastOnesOp_ADD = {"fast_ADD"}; }
"""
ALL_OPS = """
#include "kernels/fast_ones/ops.h"
namespace tinyhil {
const OpRegistration* const kOps[] = {&kFastOnesOp_ADD, &kOp_SOFTMAX};
const uint32_t kOpCount = 2;
}  // namespace tinyhil
"""


@pytest.fixture
def layered(firmware: Path) -> Path:
    folder = firmware / "kernels/fast_ones"
    folder.mkdir()
    for name, text in {"ops.h": OPS, "add.cc": ADD, "all_ops.cc": ALL_OPS}.items():
        (folder / name).write_text(text)
    return firmware


def operators(**options: object) -> list[str]:
    image = build_image(load_board("native"), kernels="fast_ones", **options)  # type: ignore[arg-type]
    done = subprocess.run([image.elf], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=True)
    board, build_id, kind, *names = done.stdout.split()
    assert (board, build_id, kind) == ("native", image.build_id, image.kind)
    return names


def test_a_slot_image_has_the_sets_own_table(layered: Path) -> None:
    assert operators() == ["fast_ADD", "SOFTMAX"]


def test_a_bundled_image_registers_the_sets_operators_before_those_of_the_reference(
    layered: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.tflite"
    model.write_text("")
    assert operators(model=model, ops=["SOFTMAX", "ADD"]) == ["fast_ADD", "SOFTMAX"]
    assert operators(model=model, ops=["SOFTMAX"]) == ["SOFTMAX"]


def test_custom_operators_stand_beside_those_of_the_set(layered: Path, tmp_path: Path) -> None:
    source = tmp_path / "mine.cc"
    source.write_text(tiny_firmware.operator("Mine"))
    assert operators(extra_sources=[source]) == ["fast_ADD", "Mine", "SOFTMAX"]

# SPDX-License-Identifier: Apache-2.0
"""The boards in a real Renode: the oracle's numbers, and QEMU's instruction counts where QEMU has the board too."""

from __future__ import annotations

import pytest

from tinyhil.board import board_names, load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.errors import MissingTool
from tinyhil.matrix import own_models
from tinyhil.record import Cell
from tinyhil.runner import Plan, run_cell

pytestmark = pytest.mark.needs("renode", "arm-gcc")

BOARDS = [name for name in board_names() if "renode" in load_board(name).targets]
BOTH = [name for name in BOARDS if "qemu" in load_board(name).targets]


def instructions(board: str, target: str) -> float:
    outcome = run_cell(Cell(board, target, own_models()[0]), Plan(vectors=2))
    assert outcome.record.verdict == "pass", outcome.record.headline()
    assert outcome.record.figures["inference"].unit == "instructions"
    return outcome.record.figures["inference"].value


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_computes_the_oracles_numbers_and_counts_the_same_twice(name):
    assert instructions(name, "renode") == instructions(name, "renode")


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.needs("qemu")
def test_two_emulators_of_one_board_count_alike(name):
    assert instructions(name, "renode") == pytest.approx(instructions(name, "qemu"), rel=0.005)


def test_a_post_mortem_says_where_the_device_is_and_holds_a_snapshot():
    board = load_board("mps2_an386")
    with Device.open(board, "renode", build_image(board)) as device:
        files = device.post_mortem()
    assert b"tinyhil::AppMain" in files["registers.txt"]
    assert b"PC / R15" in files["registers.txt"]
    assert len(files["state.save"]) > 1000


def test_a_device_that_spins_is_found_where_it_spins():
    board = load_board("mps2_an386")
    with Device.open(board, "renode", build_image(board)) as device:
        assert "tinyhil::" in device._target.where()


@pytest.mark.needs("cmsis_nn")
def test_an_mve_image_runs_or_renode_is_named_as_too_old_for_it():
    outcome = run_cell(Cell("mps3_an547", "renode", own_models()[0], kernels="cmsis_nn"), Plan(vectors=2))
    if outcome.record.verdict != "pass":
        assert outcome.record.error is not None
        assert "runs an image with MVE instructions" in outcome.record.error.message
        assert outcome.record.exit_status == MissingTool.exit_status

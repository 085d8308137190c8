# SPDX-License-Identifier: Apache-2.0
"""Well-known models pass bit for bit, final outputs and every operator's, on every emulated board."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tinyhil.board import Board, board_names, load_board

TINYHIL = Path(sys.executable).with_name("tinyhil")


def _has_room(board: Board) -> bool:
    """An emulated board with memory for all of the models; on smaller ones tests/device says what is refused."""
    room = board.slot.bytes > 400_000 and board.memory["ram"].bytes > 200_000
    return next(iter(board.targets)) == "qemu" and board.bare_metal is not None and room


@pytest.mark.needs("arm-gcc", "qemu", "oracle", "public-models")
def test_the_public_models_pass_on_every_emulated_board(public_models, tmp_path):
    boards = [name for name in board_names() if _has_room(load_board(name))]
    command = [TINYHIL, "matrix", "--boards", ",".join(boards), "--models", public_models, "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    records = json.loads((tmp_path / "matrix.json").read_text())["records"]
    cells = {(record["cell"]["board"], record["cell"]["model"]) for record in records if record["verdict"] == "pass"}
    assert len(cells) == len(boards) * len(list(public_models.glob("*.tflite")))
    assert all(record["vectors"]["count"] >= 8 for record in records)

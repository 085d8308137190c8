# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from desk import Desk
from rig import EmulatedBoard, write_board

from tinyhil import requirements
from tinyhil.attachment import Attachment
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.matrix import own_model
from tinyhil.model import Model, load_model


@pytest.fixture(autouse=True)
def _needs() -> None:
    for name in ("qemu", "arm-gcc"):
        if reason := requirements.missing(name):
            pytest.skip(f"needs {name}: {reason}")


@pytest.fixture(scope="session")
def boards_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """deskboard: its slot is flash; ramboard: its slot is RAM; oneboard: as deskboard, and has one baud rate."""
    folder = tmp_path_factory.mktemp("boards")
    write_board(folder)
    write_board(folder, "ramboard", writable=True)
    write_board(folder, "oneboard", baud="")
    return folder


@pytest.fixture(autouse=True)
def platforms(boards_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINYHIL_PLATFORMS", str(boards_folder))
    monkeypatch.setenv("TINYHIL_LOCKS", str(tmp_path / "locks"))
    return boards_folder


@pytest.fixture(scope="session")
def digits() -> Model:
    return load_model(own_model("digits"))


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedBoard]:
    board = EmulatedBoard(tmp_path / "desk")
    for name, value in board.environment().items():
        monkeypatch.setenv(name, value)
    yield board
    board.close()


@pytest.fixture
def desk_of(rig: EmulatedBoard, digits: Model) -> Callable[..., Desk]:
    def make(name: str = "deskboard", **attached: Any) -> Desk:
        board = load_board(name)
        return Desk(
            rig, board, build_image(board), digits, Attachment(**{"port": rig.port, "flash": "openocd", **attached})
        )

    return make


@pytest.fixture
def desk(desk_of: Callable[..., Desk]) -> Desk:
    return desk_of()

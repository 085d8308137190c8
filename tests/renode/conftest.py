# SPDX-License-Identifier: Apache-2.0
"""A Renode that is none, and a board of the host that has a Renode platform."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from tinyhil.assets import platforms_dir
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.target import renode

FAKE = Path(__file__).with_name("fake_renode.py")


@pytest.fixture
def fake_renode(tmp_path, monkeypatch):
    """Makes tinyhil find the fake, misbehaving as it is told; nothing of it is left afterwards."""
    program = tmp_path / "renode"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("RENODE", str(program))
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    renode.POOL.close()

    def misbehave(how: str) -> Path:
        monkeypatch.setenv("FAKE_RENODE", how)
        return program

    misbehave("")
    yield misbehave
    renode.POOL.close()


@pytest.fixture
def host_board(tmp_path, monkeypatch):
    """A board whose firmware runs on the host, with a Renode target. `board` belongs to the plugin."""
    folder = tmp_path / "platforms" / "host_in_renode"
    folder.mkdir(parents=True)
    native = (platforms_dir() / "native" / "board.yaml").read_text()
    (folder / "board.resc").write_text("mach create $name\n")
    (folder / "board.repl").write_text("cpu: CPU.CortexM @ sysbus\n")
    (folder / "board.yaml").write_text(
        native.replace("name: native", "name: host_in_renode").replace(
            "  native: {}",
            "  renode:\n    script: board.resc\n    platform: board.repl\n    uart: sysbus.uart0\n    mips: 100\n"
            '    instructions_per_tick: 1\n    since: "1.15.3"\n',
        )
    )
    monkeypatch.setenv("TINYHIL_PLATFORMS", str(tmp_path / "platforms"))
    return load_board("host_in_renode")


@pytest.fixture
def host_image(host_board):
    return build_image(host_board)

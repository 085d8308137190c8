# SPDX-License-Identifier: Apache-2.0
"""pytest, the command line and Robot on a real board: the same options, and one lock."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from desk import Desk

from tinyhil.errors import BoardInUse
from tinyhil.lock import BoardLock
from tinyhil.ports import Port

SUITE = "*** Settings ***\nLibrary    tinyhil.robot\n\n*** Test Cases ***\nRuns\n    Start Device\n    Load Model\n"
TEST = "def test_runs(device): assert device.info['board'] == 'deskboard'\n"


def command(kind: str, desk: Desk, folder: Path) -> list[str]:
    port, model = desk.rig.port, str(desk.model.path)
    if kind == "cli":
        options = ["--board", "deskboard", "--target", "serial", "--port", port, "--flash", "openocd", "--vectors", "1"]
        return ["-m", "tinyhil", "run", model, *options]
    if kind == "pytest":
        (folder / "test_it.py").write_text(TEST)
        options = ["--hil-board", "deskboard", "--hil-target", "serial", "--hil-port", port, "--hil-flash", "openocd"]
        return [
            "-m",
            "pytest",
            "-q",
            str(folder / "test_it.py"),
            "--hil-model",
            model,
            *options,
            "-p",
            "no:cacheprovider",
        ]
    (folder / "suite.robot").write_text(SUITE)
    variables = [f"PORT:{port}", "BOARD:deskboard", "TARGET:serial", f"MODEL:{model}", "FLASH:openocd"]
    words = [word for variable in variables for word in ("--variable", variable)]
    return ["-m", "robot", "--outputdir", str(folder / "out"), *words, str(folder / "suite.robot")]


@pytest.mark.parametrize("kind", ["cli", "pytest", "robot"])
def test_each_runs_on_the_board_and_respects_its_lock(desk_of: Callable[..., Desk], kind: str, tmp_path: Path) -> None:
    if kind == "robot":
        pytest.importorskip("robot")
    desk = desk_of()
    desk.flash_all()
    words = [sys.executable, *command(kind, desk, tmp_path)]
    lock = BoardLock(Port(desk.rig.port).board_key)
    lock.acquire()
    refused = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert refused.returncode == {"cli": BoardInUse.exit_status}.get(kind, 1)
    assert "is in use by process" in refused.stdout + refused.stderr
    lock.release()
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr


LEAVES_OPEN = """
import os
from tinyhil.attachment import Attachment
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.device import Device

def opened():
    board = load_board("deskboard")
    return Device.open(board, "serial", build_image(board), attachment=Attachment(os.environ["PORT"], flash="none"))

def test_that_fails():
    device = opened()
    assert device.info["board"] == "another"

def test_that_comes_next():
    with opened() as device:
        assert device.info["board"] == "deskboard"
"""


def test_a_test_that_fails_leaves_port_and_lock_to_the_next(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.flash_all()
    monkeypatch.setenv("PORT", desk.rig.port)
    (tmp_path / "test_it.py").write_text(LEAVES_OPEN)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert "1 failed, 1 passed" in done.stdout, done.stdout


def test_the_record_says_which_board_it_was_and_how_to_run_it_again(desk: Desk, tmp_path: Path) -> None:
    desk.flash_all()
    words = [sys.executable, *command("cli", desk, tmp_path), "--json", "--wait", "5"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=180)
    record = json.loads(done.stdout)
    assert record["verdict"] == "pass", done.stdout
    target = record["identity"]["target"]
    assert (target["name"], target["port"], target["soc"]) == ("serial", desk.rig.port, "41043860")
    assert f"--port {desk.rig.port} --wait 5 --flash openocd" in record["command"]
    assert record["figures"]["inference"]["unit"] == "cycles"

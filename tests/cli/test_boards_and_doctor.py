# SPDX-License-Identifier: Apache-2.0
"""`tinyhil boards` and `tinyhil doctor`."""

from __future__ import annotations

import json
import sys

import pytest
from fake_zephyr import make_workspace

from tinyhil.board import board_names, load_board
from tinyhil.errors import MissingTool


def test_boards_lists_every_board_with_its_targets(tinyhil):
    rows = [line.split() for line in tinyhil("boards").stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == board_names()
    for row in rows:
        assert any(target in " ".join(row) for target in load_board(row[0]).targets)


def test_boards_as_json_has_memory_and_core(tinyhil):
    boards = {board["name"]: board for board in json.loads(tinyhil("boards", "--json").stdout)["boards"]}
    assert boards["mps2_an386"]["core"] == "Cortex-M4F"
    assert boards["mps2_an386"]["memory"]["ram"] == {"base": 0x2000_0000, "bytes": 4 << 20}


@pytest.mark.needs("arm-gcc", "qemu")
def test_doctor_is_content_where_all_is_installed(tinyhil):
    done = tinyhil("doctor", "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["ok"]
    versions = {check["name"]: check["version"] for check in report["checks"]}
    assert "QEMU" in versions["qemu-system-arm"]
    assert versions["python"] == sys.version.split()[0]


def test_doctor_names_what_is_missing_and_the_command_that_installs_it(tinyhil, tmp_path):
    done = tinyhil("doctor", PATH=str(tmp_path))
    assert done.returncode == MissingTool.exit_status
    for tool in ("arm-none-eabi-g++", "qemu-system-arm"):
        (line,) = [number for number, text in enumerate(done.stdout.splitlines()) if text.startswith(f"missing {tool}")]
        assert "apt-get install" in done.stdout.splitlines()[line + 1]
    assert "4 missing" in done.stdout


def test_doctor_sees_a_cache_folder_that_cannot_be_written(tinyhil):
    done = tinyhil("doctor", TINYHIL_CACHE="/dev/null/cache")
    assert done.returncode == MissingTool.exit_status
    assert "TINYHIL_CACHE" in done.stdout


def test_doctor_shows_the_zephyr_workspace_and_what_is_wrong_with_one(tinyhil, tmp_path):
    topdir = make_workspace(tmp_path / "workspace", "3.7.0")
    report = json.loads(tinyhil("doctor", "--json", TINYHIL_WEST_WORKSPACE=str(topdir)).stdout)
    row = {check["name"]: check for check in report["checks"]}["Zephyr workspace"]
    assert (row["status"], row["version"], row["where"]) == ("ok", "3.7.0 (untried)", str(topdir))
    report = json.loads(tinyhil("doctor", "--json", TINYHIL_WEST_WORKSPACE=str(topdir / "gone")).stdout)
    row = {check["name"]: check for check in report["checks"]}["Zephyr workspace"]
    assert row["status"] == "absent"
    assert "no such folder" in row["purpose"] and "west init" in row["next_step"]


def test_doctor_names_what_a_zephyr_build_calls_and_does_not_find(tinyhil, tmp_path):
    report = json.loads(tinyhil("doctor", "--json", PATH=str(tmp_path)).stdout)
    rows = {check["name"]: check for check in report["checks"]}
    for name, package in (("cmake", "cmake"), ("ninja", "ninja-build"), ("dtc", "device-tree-compiler")):
        assert rows[name]["status"] == "absent"
        assert f"apt-get install -y {package}" in rows[name]["next_step"]
    assert "tinyhil[zephyr]" in rows["west"]["next_step"]

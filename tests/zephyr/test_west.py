# SPDX-License-Identifier: Apache-2.0
"""`west tinyhil` in a workspace whose manifest repository is tinyhil, with the real west."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_zephyr import commit, make_workspace

from tinyhil.errors import FlashOverflow, MissingTool

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = """
manifest:
  projects:
    - name: zephyr
      url: https://example.invalid/zephyr
      revision: main
  self:
    west-commands: zephyr_app/west-commands.yml
"""

pytestmark = [pytest.mark.needs("git", "west"), pytest.mark.usefixtures("programs")]


@pytest.fixture
def topdir(tmp_path) -> Path:
    """A workspace that `west init -l` made, with a Zephyr that only looks like one."""
    topdir = make_workspace(tmp_path / "workspace")
    clone = topdir / "tinyhil"
    clone.mkdir()
    for name in ("scripts", "firmware", "platforms", "zephyr"):
        if (ROOT / name).exists():
            (clone / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "zephyr_app", clone / "zephyr_app")
    (clone / "zephyr_app" / "west.yml").write_text(MANIFEST)
    commit(topdir / "zephyr")
    done = west(topdir, "init", "-l", "--mf", "zephyr_app/west.yml", "tinyhil")
    assert done.returncode == 0, done.stderr
    return topdir


def west(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    hidden = ("TINYHIL_WEST_WORKSPACE", "ZEPHYR_BASE")
    return subprocess.run(
        [sys.executable, "-m", "west", *map(str, words)],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in hidden},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_west_lists_the_command(topdir):
    assert "tinyhil:" in west(topdir, "help").stdout


def test_build_builds_on_zephyr_in_this_workspace(topdir, programs):
    done = west(topdir / "tinyhil" / "zephyr_app", "tinyhil", "build", "--board", "mps2_an385", "--json")
    assert done.returncode == 0, done.stderr
    image = json.loads(done.stdout)
    assert image["firmware"] == "zephyr"
    assert image["firmware_version"].startswith("Zephyr 3.4.0")
    (asked,) = programs.calls("cmake")
    assert f"-DZEPHYR_MODULES={topdir}/modules/hal/cmsis" in asked


def test_run_runs_on_zephyr(topdir, programs, monkeypatch):
    programs.make("ninja", 'echo "error: of the test"; exit 1')
    model = ROOT / "firmware" / "models" / "digits" / "digits.tflite"
    done = west(topdir, "tinyhil", "run", model, "--board", "mps2_an385", "--json")
    record = json.loads(done.stdout)
    assert record["cell"]["firmware"] == "zephyr"
    assert done.returncode == record["error"]["exit_status"]


def test_matrix_runs_on_what_is_asked_for(topdir, programs):
    programs.make("ninja", "exit 1")
    model = ROOT / "firmware" / "models" / "digits" / "digits.tflite"
    words = ["--boards", "mps2_an385,mps3_an547", "--models", model, "--out", topdir / "out"]
    assert west(topdir, "tinyhil", "matrix", *words).returncode
    records = json.loads((topdir / "out" / "matrix.json").read_text())["records"]
    assert [(each["cell"]["board"], each["cell"]["firmware"]) for each in records] == [
        ("mps2_an385", "zephyr"),
        ("mps3_an547", "zephyr"),
    ]


def test_an_exit_status_is_handed_on(topdir, programs):
    programs.make("ninja", 'echo "region \\`FLASH\' overflowed by 8 bytes"; exit 1')
    done = west(topdir, "tinyhil", "build", "--board", "mps2_an385")
    assert done.returncode == FlashOverflow.exit_status
    assert "8 are missing" in done.stderr
    done = west(topdir, "tinyhil", "build", "--board", "nrf52840dk")
    assert done.returncode == MissingTool.exit_status
    assert "hal_nordic" in done.stderr


def test_help_is_tinyhils_own(topdir):
    done = west(topdir, "tinyhil", "run", "--help")
    assert done.returncode == 0
    assert "--firmware" in done.stdout and "Run MODEL on a board" in done.stdout


def test_another_command_is_refused(topdir):
    done = west(topdir, "tinyhil", "golden")
    assert done.returncode == 2
    assert "build" in done.stderr

# SPDX-License-Identifier: Apache-2.0
"""tinyhil from its wheel, in a user's own repository: boards and firmware come along; nothing is written into it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tinyhil.board import board_names
from tinyhil.matrix import own_model, own_models

ROOT = Path(__file__).resolve().parents[2]

SUITE = """
from tinyhil.verdict import assert_golden

def test_the_board_computes_what_my_desk_does(device, golden):
    assert_golden(device, golden)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        folder,
    ]
    subprocess.run([*command, ROOT], check=True, timeout=300)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The bin folder of a virtual environment with the wheel, read-only, and this one's other packages."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, check=True, timeout=300)
    (site,) = folder.glob("lib/python*/site-packages")
    # Behind the wheel's own: an editable tinyhil there is no module, so the wheel's is the only one.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for path in sorted((site / "tinyhil").rglob("*")):
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    return folder / "bin"


@pytest.fixture
def repository(tmp_path) -> Path:
    """A user's own folder: a model, and a test of it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    model = own_model("digits")
    shutil.copy(model, folder / "mine.tflite")
    shutil.copy(model.with_name(model.stem + ".golden.npz"), folder / "mine.golden.npz")
    (folder / "test_mine.py").write_text(SUITE)
    return folder


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path in folder.rglob("*"):
        status = path.stat()
        found[str(path)] = (status.st_size, status.st_mtime_ns)
    return found


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """Runs a command in a repository as a user of the wheel would; all calls share one fresh cache folder."""
    cache = tmp_path_factory.mktemp("cache")
    hidden = ("PYTHONPATH", "TINYHIL_PLATFORMS")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}

    def run(repository: Path, *command: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in command],
            cwd=repository,
            env={**environment, "TINYHIL_CACHE": str(cache)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def test_the_wheel_carries_every_board_and_the_whole_firmware(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for board in board_names():
        assert f"tinyhil/_assets/platforms/{board}/board.yaml" in names
    for path in (ROOT / "platforms").rglob("*.re[ps][lc]"):
        assert f"tinyhil/_assets/platforms/{path.relative_to(ROOT / 'platforms')}" in names
    for path in (ROOT / "firmware").rglob("*.[ch]*"):
        assert f"tinyhil/_assets/firmware/{path.relative_to(ROOT / 'firmware')}" in names
    for path in (path for folder in ("zephyr_app", "zephyr") for path in (ROOT / folder).rglob("*") if path.is_file()):
        assert "__pycache__" in path.parts or f"tinyhil/_assets/{path.relative_to(ROOT)}" in names
    for path in own_models():
        assert f"tinyhil/_assets/firmware/{path.relative_to(ROOT / 'firmware')}" in names
    for path in (ROOT / "scripts" / "tinyhil").rglob("*.json"):
        assert f"tinyhil/{path.relative_to(ROOT / 'scripts' / 'tinyhil')}" in names
    for path in (path for path in (ROOT / "ci").rglob("*") if path.is_file()):
        assert f"tinyhil/_assets/{path.relative_to(ROOT)}" in names
    assert "tinyhil/_assets/scripts/install_renode.sh" in names
    assert "tinyhil/report/page.html.j2" in names
    assert not [name for name in names if "__pycache__" in name]


def test_it_is_the_wheel_that_runs(installed, repository, call):
    done = call(repository, installed / "python", "-c", "import tinyhil; print(tinyhil.__file__)")
    assert done.stdout.startswith(str(installed.parent))


@pytest.mark.needs("native")
def test_it_runs_and_writes_nothing_into_itself(installed, repository, call):
    package = next(installed.parent.glob("lib/python*/site-packages/tinyhil"))
    before = contents(package)
    for command in (["doctor"], ["boards"], ["model", "mine.tflite"], ["run", "mine.tflite", "--board", "native"]):
        done = call(repository, installed / "tinyhil", *command)
        assert done.returncode == 0, done.stdout + done.stderr
    done = call(repository, installed / "tinyhil", "matrix", "--boards", "native")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "digits" in done.stdout
    assert contents(package) == before


@pytest.mark.needs("native")
def test_the_plugin_is_there_in_a_users_own_repository(installed, repository, call):
    pytest_there = [installed / "python", "-m", "pytest", "-v", "--hil-model", "mine.tflite"]
    done = call(repository, *pytest_there, "--hil-board", "native")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_the_board_computes_what_my_desk_does[native-mine] PASSED" in done.stdout


@pytest.mark.needs("arm-gcc", "qemu")
def test_several_boards_from_the_wheel(installed, repository, call):
    pytest_there = [installed / "python", "-m", "pytest", "-v", "--hil-model", "mine.tflite"]
    done = call(repository, *pytest_there, "--hil-board", "mps2_an386,mps3_an547")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.mark.needs("arm-gcc", "qemu")
def test_init_from_the_wheel_writes_a_test_that_passes_at_once(installed, tmp_path, call):
    done = call(tmp_path, installed / "tinyhil", "init")
    assert done.returncode == 0, done.stdout + done.stderr
    done = call(tmp_path, installed / "python", "-m", "pytest", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_the_board_computes_what_the_oracle_does[mps2_an386-digits] PASSED" in done.stdout
    done = call(tmp_path, installed / "tinyhil", "matrix")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "matrix.html").is_file()

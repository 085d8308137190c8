# SPDX-License-Identifier: Apache-2.0
"""However tinyhil ends, no emulator stays behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tinyhil.errors import CellTimeout
from tinyhil.golden import load

TINYHIL = Path(sys.executable).with_name("tinyhil")
pytestmark = pytest.mark.needs("arm-gcc", "qemu")


class Started:
    """A tinyhil process and all that it started, told apart from others by a variable in their environment."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self._token = f"TINYHIL_TEST_TOKEN={uuid.uuid4().hex}"
        name, _, value = self._token.partition("=")
        self.process = subprocess.Popen(
            [str(TINYHIL), *map(str, arguments)],
            cwd=folder,
            env={**os.environ, name: value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def emulators(self) -> list[int]:
        """The emulators that it started and that still run."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                emulator = b"qemu-system-arm" in (entry / "cmdline").read_bytes().split(b"\0")[0]
                ours = self._token.encode() in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if emulator and ours:
                found.append(int(entry.name))
        return found

    def wait_for_emulator(self) -> None:
        for _ in range(3000):
            if self.emulators() or self.process.poll() is not None:
                break
            time.sleep(0.02)
        assert self.emulators(), self.process.communicate()

    def wait_until_no_emulator(self) -> bool:
        for _ in range(250):
            if not self.emulators():
                return True
            time.sleep(0.02)
        return False


@pytest.fixture
def start(tmp_path, lasting):
    """Starts tinyhil on a model that keeps the emulator busy."""
    started = []

    def go(command: str, *arguments: object) -> Started:
        words = ["run", lasting, "--board", "mps2_an386"] if command == "run" else ["matrix", "--models", lasting]
        started.append(Started(tmp_path, *words, *arguments))
        started[-1].wait_for_emulator()
        time.sleep(0.3)
        return started[-1]

    yield go
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()


@pytest.mark.parametrize("command", ["run", "matrix"])
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)]
)
def test_no_emulator_outlives_tinyhil(start, command, number, status):
    started = start(command)
    started.process.send_signal(number)
    _, err = started.process.communicate(timeout=30)
    assert started.process.returncode == status
    assert "Traceback" not in err
    assert started.wait_until_no_emulator()


def test_an_interrupted_matrix_says_how_much_is_missing_and_writes_what_it_has(start, tmp_path):
    started = start("matrix", "--boards", "mps2_an385,mps2_an386")
    started.process.send_signal(signal.SIGINT)
    _, err = started.process.communicate(timeout=30)
    assert "interrupted: 2 cells have no verdict" in err
    assert '"complete": false' in (tmp_path / "out" / "matrix.json").read_text()


def test_a_cell_that_uses_up_its_time_is_stopped_and_the_others_pass(tinyhil, lasting, digits):
    quick = lasting.with_name("quick.tflite")
    shutil.copy(digits, quick)
    load(digits.with_name("digits.golden.npz")).subset([0, 1]).save(quick.with_name("quick.golden.npz"))
    boards = ["--boards", "mps2_an385,mps2_an386"]
    done = tinyhil("matrix", *boards, "--models", lasting.parent, "--cell-timeout", 5)
    assert done.returncode == CellTimeout.exit_status
    assert done.stdout.count("no verdict within the 5 s that a cell may take") >= 2
    assert "2 PASS, 2 ERROR" in done.stdout

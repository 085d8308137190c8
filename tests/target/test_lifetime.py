# SPDX-License-Identifier: Apache-2.0
"""No emulator outlives what started it, however that ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

OPENS_A_DEVICE = """
import sys, time
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.device import Device
board = load_board(sys.argv[1])
device = Device.open(board, sys.argv[2], build_image(board))
print(device._target.process.pid, flush=True)
{then}
"""


def start(rig, then: str) -> tuple[subprocess.Popen[str], int]:
    code = OPENS_A_DEVICE.format(then=then)
    python = subprocess.Popen(
        [sys.executable, "-c", code, rig.board.name, rig.target], stdout=subprocess.PIPE, text=True
    )
    return python, int(python.stdout.readline())


def test_it_ends_with_the_device(rig, gone):
    with rig.open() as device:
        pid = device._target.process.pid
    assert gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_it_ends_when_python_is_killed(rig, gone):
    python, pid = start(rig, "time.sleep(60)")
    python.kill()
    python.wait()
    assert gone(pid)


def test_it_ends_with_a_program_that_forgot_to_close_it(rig, gone):
    python, pid = start(rig, "")
    assert python.wait() == 0
    assert gone(pid)


def test_it_ends_with_a_program_that_is_interrupted(rig, gone):
    python, pid = start(rig, "time.sleep(60)")
    python.send_signal(signal.SIGINT)
    python.wait()
    assert gone(pid)


def test_it_lives_on_when_the_thread_that_opened_it_has_ended(rig):
    opened = []
    thread = threading.Thread(target=lambda: opened.append(rig.open()))
    thread.start()
    thread.join()
    with opened[0] as device:
        time.sleep(0.2)
        assert device.run(rig.vector).outputs


def test_nothing_stays_open_behind_many_devices(rig):
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with rig.open():
        pass
    before = descriptors()
    for _ in range(3):
        with rig.open():
            pass
    assert descriptors() == before

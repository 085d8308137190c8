# SPDX-License-Identifier: Apache-2.0
"""MLPerf Tiny's own runner, unchanged, against any board on any target.

The board is started (and, where it is a real one, locked, identified and flashed) with the model declared as one of the
benchmarks. Its line comes out at a pseudo-terminal, at which the runner finds the one device it looks for.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tinyhil.errors import BadInput, MissingTool
from tinyhil.link.channel import TtyChannel
from tinyhil.slot import BENCHMARKS

if TYPE_CHECKING:
    from tinyhil.device import Device
    from tinyhil.link.channel import Channel

MODES = {"performance": "p", "accuracy": "a"}

_USB = "1209:0001"
_DEVICES = """\
- name: tinyhil
  type: dut
  baud: {{energy: 9600, performance: {baud}, accuracy: {baud}}}
  usb:
    0x1209: 0x0001
"""
_READ_S = 0.5


@contextlib.contextmanager
def as_terminal(channel: Channel) -> Iterator[str]:
    """The line as a terminal of this computer; its path."""
    master, slave = os.openpty()
    tty.setraw(slave)
    ours = TtyChannel(master)
    ended = threading.Event()

    def carry(source: Channel, sink: Channel) -> None:
        with contextlib.suppress(EOFError):
            while not ended.is_set():
                if data := source.read(_READ_S):
                    sink.write(data)

    threads = [threading.Thread(target=carry, args=pair, daemon=True) for pair in ((channel, ours), (ours, channel))]
    for thread in threads:
        thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        ours.close()
        os.close(slave)


def check_runner(runner: Path) -> Path:
    """The runner's program, in a checkout of mlcommons/tiny, its folder benchmark/runner, or main.py itself.

    Raises MissingTool where it is not there.
    """
    for found in (runner, runner / "main.py", runner / "benchmark" / "runner" / "main.py"):
        if found.is_file():
            return found.resolve()
    raise MissingTool(
        f"there is no MLPerf Tiny runner in {runner}",
        next_step="Clone github.com/mlcommons/tiny, and name its folder benchmark/runner.",
    )


def run(
    device: Device,
    benchmark: str,
    runner: Path,
    dataset: Path,
    out: Path,
    *,
    mode: str = "performance",
    python: str = sys.executable,
    arguments: Sequence[str] = (),
) -> int:
    """Runs the runner to its end; its exit status. It leaves its sessions in `out`.

    device: opened with this benchmark. mode: one of MODES. python: one that has the runner's own requirements.
    arguments: more of the runner's.

    Raises BadInput, MissingTool, and what the device raises.
    """
    if benchmark not in BENCHMARKS[1:]:
        raise BadInput(f"there is no benchmark {benchmark!r}", next_step=f"There are: {', '.join(BENCHMARKS[1:])}.")
    program = check_runner(runner)
    labels = dataset / benchmark / "y_labels.csv"
    if not labels.is_file():
        raise BadInput(
            f"the data set has no {labels}",
            next_step="Name the folder that holds the benchmark's own, with its files and y_labels.csv in it.",
        )
    out.mkdir(parents=True, exist_ok=True)
    devices = out / "devices.yaml"
    devices.write_text(_DEVICES.format(baud=921600 if benchmark == "ad01" else 115200), encoding="utf-8")
    script = program.with_name(f"tests_{mode}.yaml")
    with as_terminal(device.hand_over()) as port:
        command: list[str | Path]
        launcher = Path(__file__).with_name("mlperf_launcher.py")
        command = [python, launcher, port, _USB, program, "-d", devices.resolve(), "-m", MODES[mode]]
        command += ["-s", dataset.resolve()]
        if script.is_file():
            command += ["-t", script]
        command += arguments
        return subprocess.run(
            [str(word) for word in command], cwd=out, stdin=subprocess.DEVNULL, check=False
        ).returncode

# SPDX-License-Identifier: Apache-2.0
"""A Zephyr application built as anybody would: CMake and ninja, in the workspace that is found, without tinyhil."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tinyhil.zephyr import find_workspace
from tinyhil.zephyr.tools import find_tools


def configure(app: Path, board: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    tools, workspace = find_tools(host=board.startswith("native")), find_workspace()
    command = [str(tools.cmake), "-GNinja", "-S", str(app), "-B", str(folder), f"-DBOARD={board}"]
    command += [f"-DZEPHYR_MODULES={workspace.module('cmsis')}", f"-DPython3_EXECUTABLE={tools.python}"]
    command += [f"-DPYTHON_PREFER={tools.python}", f"-DCMAKE_MAKE_PROGRAM={tools.ninja}", *options]
    environment = {**os.environ, **tools.environment, "ZEPHYR_BASE": str(workspace.zephyr_base)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def build(app: Path, board: str, folder: Path, *options: str) -> Path:
    """The image."""
    done = configure(app, board, folder, *options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    made = subprocess.run([str(find_tools().ninja), "-C", str(folder)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-3000:]
    return folder / "zephyr" / "zephyr.elf"

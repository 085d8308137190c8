# SPDX-License-Identifier: Apache-2.0
"""Robot in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from robot_suites import Ran


@pytest.fixture
def robot(tmp_path):
    """Runs Robot with the arguments, the output in a folder of its own."""

    def run(*arguments: object, module: str = "robot", **environment: str) -> Ran:
        out = tmp_path / "out"
        command = [sys.executable, "-m", module, "--outputdir", str(out), *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, **environment}, cwd=tmp_path
        )
        return Ran(done.returncode, done.stdout + done.stderr, out)

    return run

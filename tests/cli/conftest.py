# SPDX-License-Identifier: Apache-2.0
"""Runs the real command, in an empty folder, as a user would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tinyhil.golden import load
from tinyhil.matrix import own_model

TINYHIL = Path(sys.executable).with_name("tinyhil")


@pytest.fixture
def tinyhil(tmp_path):
    """Calls tinyhil with these arguments and further environment variables; returns the finished process."""

    def run(*arguments: object, timeout_s: float = 300, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(TINYHIL), *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def digits() -> Path:
    """The project's own model, with a stored golden set beside it."""
    return own_model("digits")


@pytest.fixture
def lasting(tmp_path, digits) -> Path:
    """The same model with so many stored vectors that it keeps an emulator busy for half a minute."""
    stored = load(digits.with_name("digits.golden.npz"))
    folder = tmp_path / "lasting"
    folder.mkdir()
    shutil.copy(digits, folder / "lasting.tflite")
    stored.subset(list(range(len(stored))) * 20).save(folder / "lasting.golden.npz")
    return folder / "lasting.tflite"


@pytest.fixture
def fake_tool(tmp_path):
    """Puts a shell script in front of everything on PATH; returns that PATH."""

    def make(name: str, body: str) -> str:
        folder = tmp_path / "fake-bin"
        folder.mkdir(exist_ok=True)
        script = folder / name
        script.write_text(f"#!/bin/bash\n{body}\n")
        script.chmod(0o755)
        return f"{folder}{os.pathsep}{os.environ['PATH']}"

    return make

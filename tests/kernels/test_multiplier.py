# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tinyhil import assets

pytestmark = pytest.mark.needs("native")


def test_a_million_awkward_multipliers_equal_double_arithmetic(tmp_path: Path) -> None:
    firmware = assets.firmware_dir()
    program = tmp_path / "multiplier_check"
    sources = [Path(__file__).with_name("multiplier_check.cc"), firmware / "interpreter" / "quantize.cc"]
    flags = ["-std=c++17", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", f"-I{firmware}"]
    subprocess.run(["g++", *flags, *map(str, sources), "-o", str(program)], check=True)
    done = subprocess.run([program, "1000000"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout

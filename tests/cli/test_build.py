# SPDX-License-Identifier: Apache-2.0
"""`tinyhil build`: an image, once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs("arm-gcc")
BOARD = "mps2_an386"


def test_it_names_the_image_and_its_sizes(tinyhil):
    done = tinyhil("build", "--board", BOARD)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[0]).is_file()
    for word in ("build id", "flash", "RAM"):
        assert word in done.stdout


def test_a_second_build_is_the_same_file_untouched(tinyhil):
    elf = Path(json.loads(tinyhil("build", "--board", BOARD, "--json").stdout)["elf"])
    before = elf.stat().st_mtime_ns
    assert json.loads(tinyhil("build", "--board", BOARD, "--json").stdout)["elf"] == str(elf)
    assert elf.stat().st_mtime_ns == before


def test_a_bundled_image_has_the_model_and_only_its_operators(tinyhil, digits):
    slot = json.loads(tinyhil("build", "--board", BOARD, "--json").stdout)
    bundled = json.loads(tinyhil("build", "--board", BOARD, "--model", digits, "--json").stdout)
    assert (slot["kind"], bundled["kind"]) == ("slot", "bundled")
    assert bundled["flash_bytes"] < slot["flash_bytes"] + digits.stat().st_size

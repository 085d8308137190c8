# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

import tiny_firmware


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TINYHIL_CACHE", str(folder))
    return folder


@pytest.fixture
def firmware(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny firmware tree that the test may change, with an empty cache."""
    root = tmp_path / "clone"
    folder = tiny_firmware.make_tree(root)
    tiny_firmware.use_tree(root, monkeypatch)
    return folder

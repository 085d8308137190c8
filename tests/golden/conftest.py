# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tinyhil.assets import firmware_dir
from tinyhil.model import Model, load_model
from tinyhil.oracle import tflm

WriteModel = Callable[[bytes], Model]


@pytest.fixture(scope="session")
def digits() -> Model:
    """The project's own model; its golden set is stored beside it."""
    return load_model(firmware_dir() / "models" / "digits" / "digits.tflite")


@pytest.fixture
def write_model(tmp_path: Path) -> WriteModel:
    """Writes a model of these bytes where nothing is stored beside it, and loads it."""

    def write(data: bytes) -> Model:
        path = tmp_path / "model.tflite"
        path.write_bytes(data)
        return load_model(path)

    return write


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own; returns it."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TINYHIL_CACHE", str(folder))
    return folder


@pytest.fixture
def no_oracle(monkeypatch: pytest.MonkeyPatch):
    """As on a machine that the oracle's wheel is not made for."""
    monkeypatch.setattr(tflm.importlib.util, "find_spec", lambda name: None)
    tflm._installed_version.cache_clear()
    yield
    tflm._installed_version.cache_clear()

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from host_engine import HostEngine, build_host_engine

from tinyhil import assets


@pytest.fixture(scope="session")
def host_engine_program() -> Path:
    return build_host_engine(assets.cache_dir() / "tests")


@pytest.fixture
def engine(host_engine_program: Path) -> Iterator[HostEngine]:
    engine = HostEngine(host_engine_program)
    yield engine
    engine.close()

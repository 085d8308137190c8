# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator

import pytest
from host_engine import build_host_engine

from conformance.runner import Conformance
from tinyhil import assets


@pytest.fixture(scope="session")
def conformance() -> Iterator[Conformance]:
    suite = Conformance(build_host_engine(assets.cache_dir() / "tests"))
    yield suite
    suite.close()

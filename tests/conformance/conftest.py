# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from host_engine import HostEngine, build_host_engine

from conformance.runner import Conformance
from tinyhil import assets


@pytest.fixture(scope="session")
def conformance() -> Iterator[Conformance]:
    suite = Conformance(partial(HostEngine, build_host_engine(assets.cache_dir() / "tests")))
    yield suite
    suite.close()

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from host_engine import HostEngine, Ran, Refused, build_host_engine

from tinyhil import assets
from tinyhil.model.writer import ModelWriter

pytestmark = pytest.mark.needs("native")

OP_UNSUPPORTED = 4


@pytest.fixture
def engine() -> Iterator[HostEngine]:
    """An engine that has RESHAPE and the custom operator Negate, and nothing else."""
    program = build_host_engine(assets.cache_dir() / "tests", Path(__file__).with_name("custom_table.cc"))
    engine = HostEngine(program)
    yield engine
    engine.close()


def model_of(name: str, *, custom: bool) -> bytes:
    writer = ModelWriter()
    x, y = (writer.tensor((1, 6), scale=0.1) for _ in range(2))
    writer.operator(name, [x], [y], custom=custom)
    return writer.finish([x], [y])


def test_a_custom_operator_is_found_by_its_name(engine: HostEngine) -> None:
    values = np.array([-128, -1, 0, 1, 5, 127], np.int8)
    result = engine.run(model_of("Negate", custom=True), [values.tobytes()], 6)
    assert isinstance(result, Ran)
    assert list(np.frombuffer(result.outputs[0], np.int8)) == [127, 1, 0, -1, -5, -127]


@pytest.mark.parametrize("name", ["Negat", "Negate2", "negate", "RESHAPE"])
def test_another_custom_name_is_refused(engine: HostEngine, name: str) -> None:
    refused = engine.run(model_of(name, custom=True), [], 6)
    assert isinstance(refused, Refused)
    assert refused.code == OP_UNSUPPORTED


def test_an_operator_outside_the_table_is_refused(engine: HostEngine) -> None:
    refused = engine.run(model_of("SOFTMAX", custom=False), [], 6)
    assert isinstance(refused, Refused)
    assert refused.code == OP_UNSUPPORTED

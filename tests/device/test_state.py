# SPDX-License-Identifier: Apache-2.0
"""Models with state over the link: each vector from the state after loading, or all of them one sequence, as the set
has it and as the oracle made it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinyhil import golden
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.model import load_model
from tinyhil.model.writer import GraphWriter, ModelWriter
from tinyhil.verdict import assert_golden

pytestmark = pytest.mark.needs("native", "oracle")


def handle(graph: GraphWriter) -> int:
    index = graph.tensor((), "resource")
    graph.operator("VAR_HANDLE", [], [index], shared_name="sum")
    return index


@pytest.fixture
def summing(tmp_path: Path) -> Path:
    """Adds its input to a variable that starts at 5."""
    writer = ModelWriter()
    start = writer.subgraph()
    five = start.tensor((1, 4), scale=1.0, data=np.full((1, 4), 5))
    start.operator("ASSIGN_VARIABLE", [handle(start), five], [])
    x, old, new = (writer.tensor((1, 4), scale=1.0) for _ in range(3))
    writer.operator("CALL_ONCE", [], [], init_subgraph_index=start.index)
    total = handle(writer)
    writer.operator("READ_VARIABLE", [total], [old])
    writer.operator("ADD", [x, old], [new])
    writer.operator("ASSIGN_VARIABLE", [total, new], [])
    path = tmp_path / "summing.tflite"
    path.write_bytes(writer.finish([x], [new]))
    return path


@pytest.mark.parametrize("engine", ["builtin", pytest.param("tflm", marks=pytest.mark.needs("tflm"))])
@pytest.mark.parametrize(("keep_state", "last"), [(True, 5 + 1 + 2 + 3), (False, 5 + 3)])
def test_the_device_keeps_the_state_or_puts_it_back_as_the_set_says(
    summing: Path, keep_state: bool, last: int, engine: str
) -> None:
    model, board = load_model(summing), load_board("native")
    inputs = np.array([np.full((1, 4), n, np.int8) for n in (1, 2, 3)])
    made = golden.make_golden(model, inputs=[inputs], keep_state=keep_state)
    assert made.outputs[0][-1, 0, 0] == last
    made.save(summing.with_suffix(".npz"))
    stored = golden.load(summing.with_suffix(".npz"))
    assert stored.keeps_state == keep_state
    assert golden.verify(model, stored) == []
    with Device.open(board, "native", build_image(board, engine=engine), model) as device:
        device.load(model)
        assert_golden(device, stored)

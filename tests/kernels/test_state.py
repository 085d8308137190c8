# SPDX-License-Identifier: Apache-2.0
"""State between inferences, subgraphs, and graphs whose inputs and outputs meet, under sanitizers."""

from __future__ import annotations

import numpy as np
import pytest
from host_engine import HostEngine, Ran, Refused

from tinyhil.model.writer import GraphWriter, ModelWriter

pytestmark = pytest.mark.needs("native")

MALFORMED, UNSUPPORTED = 2, 3


def handle(graph: GraphWriter, name: str = "v") -> int:
    index = graph.tensor((), "resource")
    graph.operator("VAR_HANDLE", [], [index], shared_name=name)
    return index


def accumulator(first: int = 10, width: int = 4) -> bytes:
    """Gives the variable, which starts as `first`, and assigns the input to it."""
    writer = ModelWriter()
    start = writer.subgraph()
    value = start.tensor((width,), scale=1.0, data=np.full(width, first))
    start.operator("ASSIGN_VARIABLE", [handle(start), value], [])
    x, y = (writer.tensor((width,), scale=1.0) for _ in range(2))
    writer.operator("CALL_ONCE", [], [], init_subgraph_index=start.index)
    v = handle(writer)
    writer.operator("READ_VARIABLE", [v], [y])
    writer.operator("ASSIGN_VARIABLE", [v, x], [])
    return writer.finish([x], [y])


def test_state_is_kept_or_put_back(engine: HostEngine) -> None:
    vectors = [bytes([n] * 4) for n in (1, 2, 3)]
    kept = engine.run(accumulator(), vectors, 4, keep_state=True)
    assert isinstance(kept, Ran)
    assert [output[0] for output in kept.outputs] == [10, 1, 2]
    put_back = engine.run(accumulator(), vectors, 4)
    assert isinstance(put_back, Ran)
    assert [output[0] for output in put_back.outputs] == [10, 10, 10]


def test_a_called_subgraph_shares_memory_with_what_its_caller_does_not_need_then(engine: HostEngine) -> None:
    width = 8192

    def model(called: bool) -> bytes:
        writer = ModelWriter()
        if called:
            start = writer.subgraph()
            a = start.tensor((width,), scale=1.0, data=np.ones(width))
            b, c = (start.tensor((width,), scale=1.0) for _ in range(2))
            start.operator("ADD", [a, a], [b])
            start.operator("ADD", [b, b], [c])
            writer.operator("CALL_ONCE", [], [], init_subgraph_index=start.index)
        tensors = [writer.tensor((width,), scale=1.0) for _ in range(4)]
        for i in range(3):
            writer.operator("ADD", [tensors[i], tensors[i]], [tensors[i + 1]])
        return writer.finish([tensors[0]], [tensors[3]])

    alone, calling = (engine.run(model(called), [bytes(width)], width) for called in (False, True))
    assert isinstance(alone, Ran)
    assert isinstance(calling, Ran)
    # While the subgraph runs the caller needs its input alone: two tensors beside it, one more than in the caller.
    assert calling.arena_used <= alone.arena_used + width + 1024


def test_an_input_may_be_an_output_and_an_output_an_operators_input(engine: HostEngine) -> None:
    writer = ModelWriter()
    x, y, z = (writer.tensor((4,), scale=1.0) for _ in range(3))
    writer.operator("ADD", [x, x], [y])
    writer.operator("ADD", [y, x], [z])
    result = engine.run(writer.finish([x], [x, y, z, y]), [bytes([1, 2, 3, 4])], 16)
    assert isinstance(result, Ran)
    assert result.outputs == [bytes([1, 2, 3, 4, 2, 4, 6, 8, 3, 6, 9, 12, 2, 4, 6, 8])]


def test_every_input_of_several_keeps_its_value_until_it_is_read(engine: HostEngine) -> None:
    writer = ModelWriter()
    xs = [writer.tensor((4,), scale=1.0) for _ in range(5)]
    total = xs[0]
    for x in xs[1:]:
        after = writer.tensor((4,), scale=1.0)
        writer.operator("ADD", [total, x], [after])
        total = after
    vector = b"".join(bytes([n] * 4) for n in range(1, 6))
    result = engine.run(writer.finish(xs, [total]), [vector], 4)
    assert isinstance(result, Ran)
    assert result.outputs == [bytes([15] * 4)]


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        ("no subgraph", MALFORMED, "subgraphs[0].operators[0].init_subgraph_index: no such subgraph to call"),
        ("nested", UNSUPPORTED, "subgraphs[1].operators[0]: a call inside a called subgraph is not supported"),
        ("inputs", UNSUPPORTED, "subgraphs[1].inputs: a subgraph that is called once takes none"),
        ("never assigned", MALFORMED, "operators: a variable is read that no operator assigns"),
        ("other size", MALFORMED, "a variable of another size"),
        ("handle as value", UNSUPPORTED, "a variable's handle can only be read or assigned through"),
        ("handle as output", UNSUPPORTED, "outputs[0]: a variable's handle cannot be an output"),
    ],
)
def test_what_contradicts_itself_is_refused_by_field(engine: HostEngine, spoil: str, code: int, words: str) -> None:
    writer = ModelWriter()
    start = writer.subgraph()
    x, y = (writer.tensor((4,), scale=1.0) for _ in range(2))
    outputs = [y]
    if spoil in ("no subgraph", "nested", "inputs"):
        writer.operator("CALL_ONCE", [], [], init_subgraph_index=7 if spoil == "no subgraph" else start.index)
        if spoil == "nested":
            start.operator("CALL_ONCE", [], [], init_subgraph_index=1)
        if spoil == "inputs":
            start.inputs = [start.tensor((4,), scale=1.0)]
        writer.operator("RESHAPE", [x], [y])
    else:
        v = handle(writer)
        if spoil == "other size":
            writer.operator("ASSIGN_VARIABLE", [v, writer.tensor((5,), scale=1.0, data=np.zeros(5))], [])
        writer.operator("READ_VARIABLE", [v], [y])
        if spoil == "handle as value":
            writer.operator("ASSIGN_VARIABLE", [v, v], [])
        if spoil == "handle as output":
            writer.operator("ASSIGN_VARIABLE", [v, x], [])
            outputs = [v, y]
    refused = engine.run(writer.finish([x], outputs), [], 4)
    assert isinstance(refused, Refused)
    assert (refused.code, words in refused.text) == (code, True), refused.text

# SPDX-License-Identifier: Apache-2.0
"""The interpreter itself: the arena it needs, the order it demands, and what it refuses, under sanitizers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from host_engine import HostEngine, Ran, Refused

from conformance.operators import OPERATORS
from conformance.runner import draw_case
from tinyhil.matrix import own_model
from tinyhil.model import load_model
from tinyhil.model.writer import ModelWriter

pytestmark = pytest.mark.needs("native")

MALFORMED, UNSUPPORTED, OP_UNSUPPORTED, ARENA_TOO_SMALL = 2, 3, 4, 5


def digits() -> tuple[bytes, bytes, int]:
    """A model of several operators, one input vector for it, and the bytes of its output."""
    model = load_model(own_model("digits"))
    (tensor,) = model.input_tensors
    return model.data, bytes(tensor.bytes), sum(t.bytes for t in model.output_tensors)


def test_the_arena_it_needs_is_exact(engine: HostEngine) -> None:
    data, vector, output = digits()
    free = engine.run(data, [vector], output)
    assert isinstance(free, Ran)
    exact = engine.run(data, [vector], output, arena_bytes=free.arena_used)
    assert exact == free
    for missing in (16, 32, free.arena_used // 64 * 16):
        refused = engine.run(data, [], output, arena_bytes=free.arena_used - missing)
        assert isinstance(refused, Refused)
        assert refused.code == ARENA_TOO_SMALL
        assert (refused.want, refused.got) == (free.arena_used, free.arena_used - missing)


@pytest.mark.parametrize("arena_bytes", [0, 15, 16, 64, 256, 1024])
def test_a_tiny_arena_is_refused_with_a_lower_bound(engine: HostEngine, arena_bytes: int) -> None:
    data, _, output = digits()
    refused = engine.run(data, [], output, arena_bytes=arena_bytes)
    assert isinstance(refused, Refused)
    assert refused.code == ARENA_TOO_SMALL
    assert refused.want > refused.got


def chain(count: int, width: int = 64) -> bytes:
    """`count` ADDs in a row, each of the two tensors before it."""
    writer = ModelWriter()
    tensors = [writer.tensor((1, width), scale=0.1) for _ in range(2)]
    inputs = list(tensors)
    for _ in range(count):
        tensors.append(writer.tensor((1, width), scale=0.1))
        writer.operator("ADD", tensors[-3:-1], [tensors[-1]])
    return writer.finish(inputs, [tensors[-1]])


def test_tensors_share_memory_when_their_lifetimes_do_not_overlap(engine: HostEngine) -> None:
    width = 4096
    few, many = (engine.run(chain(count, width), [], width) for count in (3, 60))
    assert isinstance(few, Ran)
    assert isinstance(many, Ran)
    assert few.arena_used >= 3 * width
    assert many.arena_used - few.arena_used < 57 * 256  # metadata, but not one more tensor of 4,096 bytes


def test_a_long_chain_keeps_every_value_until_it_is_read(engine: HostEngine) -> None:
    a, b = np.full(64, 3, np.int8), np.full(64, 1, np.int8)
    result = engine.run(chain(6), [a.tobytes() + b.tobytes()], 64)
    assert isinstance(result, Ran)
    x, y = 3, 1
    for _ in range(6):
        x, y = y, min(127, x + y)
    assert set(result.outputs[0]) == {y}


def test_a_tensor_read_before_it_is_written_is_refused(engine: HostEngine) -> None:
    writer = ModelWriter()
    x, never, y = (writer.tensor((4,), scale=0.1) for _ in range(3))
    writer.operator("ADD", [x, never], [y])
    refused = engine.run(writer.finish([x], [y]), [], 4)
    assert isinstance(refused, Refused)
    assert refused.code == MALFORMED
    assert refused.text == "subgraphs[0].operators[0].inputs: read before it is written"


def test_a_tensor_written_twice_is_refused(engine: HostEngine) -> None:
    writer = ModelWriter()
    x, y = (writer.tensor((4,), scale=0.1) for _ in range(2))
    for _ in range(2):
        writer.operator("RESHAPE", [x], [y])
    refused = engine.run(writer.finish([x], [y]), [], 4)
    assert isinstance(refused, Refused)
    assert (refused.code, "written twice" in refused.text) == (MALFORMED, True)


def test_an_output_nobody_writes_is_refused(engine: HostEngine) -> None:
    writer = ModelWriter()
    x, y, z = (writer.tensor((4,), scale=0.1) for _ in range(3))
    writer.operator("RESHAPE", [x], [y])
    refused = engine.run(writer.finish([x], [y, z]), [], 4)
    assert isinstance(refused, Refused)
    assert refused.text == "subgraphs[0].outputs[1]: never written"


@pytest.mark.parametrize("custom", [False, True])
def test_an_unknown_operator_is_refused_by_its_place(engine: HostEngine, custom: bool) -> None:
    writer = ModelWriter()
    x, y = (writer.tensor((4,), scale=0.1) for _ in range(2))
    writer.operator("Shazam" if custom else "COS", [x], [y], custom=custom)
    refused = engine.run(writer.finish([x], [y]), [], 4)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.text.split(":")[0]) == (OP_UNSUPPORTED, "subgraphs[0].operators[0]")


def test_constants_may_be_outputs(engine: HostEngine) -> None:
    writer = ModelWriter()
    x, y = (writer.tensor((4,), scale=0.1) for _ in range(2))
    constant = writer.tensor((4,), scale=0.1, data=np.array([1, 2, 3, 4]))
    writer.operator("ADD", [x, constant], [y])
    result = engine.run(writer.finish([x], [y, constant]), [bytes(4)], 8)
    assert isinstance(result, Ran)
    assert result.outputs == [bytes([1, 2, 3, 4, 1, 2, 3, 4])]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"scale": 0.0}, MALFORMED, "quantization.scale[0]: must be positive and finite"),
        ({"scale": float("nan")}, MALFORMED, "quantization.scale[0]: must be positive and finite"),
        ({"scale": 0.1, "zero_point": 300}, MALFORMED, "quantization.zero_point[0]: outside the tensor's type"),
        ({"scale": None}, UNSUPPORTED, "must have one quantization scale"),
        ({"scale": 0.1, "type": "int16"}, UNSUPPORTED, "must have the first input's type"),
        ({"scale": 0.1, "variable": True}, UNSUPPORTED, "inputs[1]: a variable cannot be an input"),
    ],
)
def test_bad_tensors_are_refused_by_field(engine: HostEngine, change: dict, code: int, words: str) -> None:
    writer = ModelWriter()
    x = writer.tensor((4,), scale=0.1)
    z = writer.tensor((4,), **change)
    y = writer.tensor((4,), scale=0.1)
    writer.operator("ADD", [x, z], [y])
    refused = engine.run(writer.finish([x, z], [y]), [], 4)
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert words in refused.text


def test_a_model_cut_anywhere_is_refused_or_lacks_nothing_it_uses(engine: HostEngine) -> None:
    data, vector, output = digits()
    whole = engine.run(data, [vector], output)
    harmless = 0
    for length in [*range(64), *range(64, len(data), max(1, len(data) // 300))]:
        if isinstance(engine.run(data[:length], [], output), Ran):
            assert engine.run(data[:length], [vector], output) == whole, f"cut at {length} bytes"
            harmless += 1
    assert harmless < 30  # buffers that no operator reads may lie at the end of the file


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_damaged_models_are_refused_or_run_but_never_harm(name: str, engine: HostEngine) -> None:
    rng = np.random.default_rng(sum(name.encode()))
    ran = refused = 0
    for number in range(12):
        _, case = draw_case(OPERATORS[name], number)
        for _ in range(60):
            damaged = bytearray(case.model)
            for _ in range(int(rng.integers(1, 4))):
                at = int(rng.integers(len(damaged)))
                damaged[at] = int(rng.choice([rng.integers(256), damaged[at] ^ (1 << rng.integers(8)), 0, 255]))
            # Without vectors: a damaged shape may ask for other inputs than the undamaged one.
            if isinstance(engine.run(bytes(damaged), [], case.output_bytes, 1 << 18), Ran):
                ran += 1
            else:
                refused += 1
    assert ran > 0
    assert refused > 0


@pytest.mark.needs("public-models")
def test_public_models_need_the_arena_they_report(engine: HostEngine, public_models: Path) -> None:
    for path in sorted(public_models.glob("*.tflite")):
        model = load_model(path)
        output = sum(t.bytes for t in model.output_tensors)
        vector = bytes(sum(t.bytes for t in model.input_tensors))
        free = engine.run(model.data, [vector], output)
        assert isinstance(free, Ran), path.name
        assert engine.run(model.data, [vector], output, arena_bytes=free.arena_used) == free
        refused = engine.run(model.data, [], output, arena_bytes=free.arena_used - 16)
        assert isinstance(refused, Refused)
        assert refused.want == free.arena_used


@pytest.mark.parametrize("multiplier", [0, 1, -1, 3])
def test_a_depthwise_convolution_with_fewer_outputs_than_inputs_is_refused(engine: HostEngine, multiplier: int) -> None:
    writer = ModelWriter()
    x = writer.tensor((1, 2, 2, 4), scale=0.1)
    w = writer.tensor((1, 1, 1, 2), scale=0.1, data=np.ones((1, 1, 1, 2)))
    y = writer.tensor((1, 2, 2, 2), scale=0.1)
    writer.operator("DEPTHWISE_CONV_2D", [x, w], [y], padding="VALID", depth_multiplier=multiplier)
    refused = engine.run(writer.finish([x], [y]), [], 8)
    assert isinstance(refused, Refused)
    assert refused.code == MALFORMED

# SPDX-License-Identifier: Apache-2.0
"""Which models an engine takes: decided on the host, by the firmware's own table of operators."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import small_models

from tinyhil.assets import firmware_dir
from tinyhil.errors import FloatModel, UnsupportedOperator
from tinyhil.model import check_runnable, find_unsupported, load_model, parse_model, supported_operators
from tinyhil.model.writer import ModelWriter


def test_the_builtin_engines_operators_are_those_that_its_kernels_declare():
    header = (firmware_dir() / "kernels" / "ops.h").read_text()
    assert supported_operators("builtin") == set(re.findall(r"OpRegistration kOp_(\w+);", header))
    assert {"CONV_2D", "SOFTMAX", "ADD"} <= supported_operators("builtin")


def test_an_engine_nobody_knows_is_a_programming_error():
    with pytest.raises(ValueError, match="builtin"):
        supported_operators("no_such_engine")


def test_a_quantized_model_with_float_at_its_boundary_is_runnable():
    check_runnable(parse_model(small_models.convolution(), "small.tflite"))


def test_the_projects_own_models_are_runnable():
    models = sorted((firmware_dir() / "models").glob("*/*.tflite"))
    assert models
    for path in models:
        check_runnable(load_model(path))


def test_the_public_models_are_runnable(public_models: Path):
    for path in sorted(public_models.glob("*.tflite")):
        check_runnable(load_model(path))


def test_every_unsupported_operator_is_named_with_its_places_and_the_engine():
    model = parse_model(small_models.unsupported(), "small.tflite")
    with pytest.raises(UnsupportedOperator) as raised:
        check_runnable(model, "builtin")
    message = str(raised.value)
    assert message.startswith("small.tflite: engine builtin cannot run it: ")
    assert "COS (operators 1, 2) is not implemented" in message
    assert "my_filter (operator 3) is not implemented" in message
    assert "ADD" not in message
    assert "CONV_2D" in raised.value.next_step


def test_unsupported_operators_come_in_the_order_in_which_they_run():
    found = find_unsupported(parse_model(small_models.unsupported(), "small.tflite"))
    assert [item.operator.index for item in found if item.operator] == [1, 2, 3]


@pytest.mark.parametrize(("weights", "reason"), [("float32", "it was never quantized"), ("int8", "only its weights")])
def test_a_model_that_computes_in_float_is_called_so(weights: str, reason: str):
    model = parse_model(small_models.never_quantized(weights), "small.tflite")
    with pytest.raises(FloatModel, match=reason) as raised:
        check_runnable(model)
    assert "full-integer" in raised.value.next_step


def test_a_float_operator_in_a_quantized_model_is_named():
    writer = ModelWriter()
    x = writer.tensor((1, 4), scale=0.1)
    y = writer.tensor((1, 4), scale=0.1)
    f, g = (writer.tensor((1, 4), "float32") for _ in range(2))
    writer.operator("ADD", [x, x], [y])
    writer.operator("DEQUANTIZE", [y], [f])
    writer.operator("SOFTMAX", [f], [g])
    with pytest.raises(UnsupportedOperator, match=r"SOFTMAX \(operator 2\) on float32 is not implemented"):
        check_runnable(parse_model(writer.finish([x], [g]), "mixed.tflite"))


def test_an_integer_type_that_no_kernel_takes_is_named():
    writer = ModelWriter()
    x, y = (writer.tensor((1, 4), "int16", scale=0.1) for _ in range(2))
    writer.operator("SOFTMAX", [x], [y])
    with pytest.raises(UnsupportedOperator, match=r"SOFTMAX \(operator 0\) on int16 is not implemented"):
        check_runnable(parse_model(writer.finish([x], [y]), "wide.tflite"))


def test_uint8_at_the_boundary_is_fine():
    writer = ModelWriter()
    x = writer.tensor((1, 4), "uint8", scale=0.1, zero_point=128)
    q, y = (writer.tensor((1, 4), scale=0.1) for _ in range(2))
    writer.operator("QUANTIZE", [x], [q])
    writer.operator("ADD", [q, q], [y])
    check_runnable(parse_model(writer.finish([x], [y]), "unsigned.tflite"))


def test_state_between_inferences_is_fine():
    writer = ModelWriter()
    x = writer.tensor((1, 4), scale=0.1)
    state = writer.tensor((1, 4), scale=0.1, variable=True)
    y = writer.tensor((1, 4), scale=0.1)
    writer.operator("ADD", [x, state], [y])
    model = parse_model(writer.finish([x], [y]), "stateful.tflite")
    check_runnable(model)
    assert model.is_stateful
    assert [t.index for t in model.reads(model.operators[0])] == [x]


def test_an_unknown_operator_in_another_subgraph_is_refused():
    writer = ModelWriter()
    start = writer.subgraph()
    a, b = (start.tensor((1, 4), scale=0.1) for _ in range(2))
    start.operator("COS", [a], [b])
    start.inputs, start.outputs = [a], [b]
    x, y = (writer.tensor((1, 4), scale=0.1) for _ in range(2))
    writer.operator("CALL_ONCE", [], [], init_subgraph_index=start.index)
    writer.operator("RESHAPE", [x], [y])
    with pytest.raises(UnsupportedOperator, match="COS in subgraph 1"):
        check_runnable(parse_model(writer.finish([x], [y]), "calls.tflite"))

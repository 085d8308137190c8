# SPDX-License-Identifier: Apache-2.0
"""What load_model reads, and that it refuses, by name, whatever contradicts itself."""

from __future__ import annotations

import json
import re
import struct
from dataclasses import replace
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
import small_models
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyhil.errors import MalformedModel, ModelError, NotTflite
from tinyhil.model import find_unsupported, load_model, parse_model, schema
from tinyhil.model.describe import describe
from tinyhil.model.writer import ModelWriter

CONVOLUTION = small_models.convolution()
PUBLIC = {
    "kws_ref_model": (2_656_768, "CONV_2D DEPTHWISE_CONV_2D AVERAGE_POOL_2D RESHAPE FULLY_CONNECTED SOFTMAX"),
    "vww_96_int8": (7_489_664, "CONV_2D DEPTHWISE_CONV_2D AVERAGE_POOL_2D RESHAPE FULLY_CONNECTED SOFTMAX"),
    "pretrainedResnet_quant": (12_501_632, "CONV_2D AVERAGE_POOL_2D RESHAPE FULLY_CONNECTED SOFTMAX ADD"),
    "ad01_int8": (264_192, "FULLY_CONNECTED"),
    "micro_speech_quantized": (336_000, "RESHAPE DEPTHWISE_CONV_2D FULLY_CONNECTED SOFTMAX"),
    "hello_world_int8": (288, "FULLY_CONNECTED"),
}


def test_reads_tensors_with_their_quantization():
    model = parse_model(CONVOLUTION, "small.tflite")
    by_name = {tensor.name: tensor for tensor in model.tensors}
    image, quantized, weights = by_name["image"], by_name["quantized"], by_name["conv/weights"]
    assert (image.type, image.shape, image.scales, image.bytes) == ("float32", (1, 6, 6, 3), (), 432)
    assert quantized.scales == pytest.approx((0.02,))
    assert (quantized.zero_points, quantized.per_channel, quantized.is_constant) == ((-5,), False, False)
    assert weights.scales == pytest.approx((0.01, 0.02, 0.015, 0.012))
    assert (weights.per_channel, weights.quantized_dimension, weights.is_constant) == (True, 0, True)
    assert model.constant(weights).shape == (4, 3, 3, 3)
    assert (model.input_tensors, [t.name for t in model.output_tensors]) == ((image,), ["probabilities"])


def test_reads_operators_with_their_options_and_multiply_accumulates():
    model = parse_model(CONVOLUTION, "small.tflite")
    names = "QUANTIZE CONV_2D DEPTHWISE_CONV_2D ADD AVERAGE_POOL_2D RESHAPE FULLY_CONNECTED SOFTMAX DEQUANTIZE"
    assert " ".join(op.name for op in model.operators) == names
    conv, depthwise, dense = model.operators[1], model.operators[2], model.operators[6]
    assert (conv.options["padding"], conv.options["stride_h"]) == ("SAME", 2)
    assert conv.options["fused_activation_function"] == "RELU"
    assert conv.macs == 3 * 3 * 4 * (3 * 3 * 3)
    assert depthwise.macs == 3 * 3 * 4 * (3 * 3)
    assert dense.macs == 5 * 4
    assert model.macs == conv.macs + depthwise.macs + dense.macs
    assert dense.inputs[2] == -1


def test_an_operator_reads_activations_in_the_order_of_its_inputs_and_no_constants():
    model = parse_model(CONVOLUTION, "small.tflite")
    conv, add = model.operators[1], model.operators[3]
    assert [t.index for t in model.reads(conv)] == [conv.inputs[0]]
    assert [t.index for t in model.reads(add)] == list(add.inputs)
    assert [t.index for t in model.writes(conv)] == list(conv.outputs)


def test_reads_custom_operators_by_name():
    custom = parse_model(small_models.unsupported(), "small.tflite").operators[3]
    assert (custom.name, custom.custom_name, custom.custom_options_bytes) == ("my_filter", "my_filter", 3)


@pytest.mark.parametrize("name", PUBLIC)
def test_reads_the_public_models(public_models: Path, name: str):
    model = load_model(public_models / f"{name}.tflite")
    macs, operators = PUBLIC[name]
    assert model.macs == macs
    assert {op.name for op in model.operators} == set(operators.split())
    assert model.name == name


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "shorter than a file header"),
        (b"TFL3", "shorter than a file header"),
        (b"# a text file, and no model", "not b'TFL3'"),
        (b"\x1c\x00\x00\x00TFL2" + bytes(100), "not b'TFL3'"),
    ],
)
def test_what_is_no_tflite_file_is_called_so(tmp_path: Path, content: bytes, reason: str):
    path = tmp_path / "x.tflite"
    path.write_bytes(content)
    with pytest.raises(NotTflite, match=re.escape(reason)) as raised:
        load_model(path)
    assert str(path) in str(raised.value)
    assert raised.value.next_step


def test_a_folder_or_a_missing_file_is_no_model(tmp_path: Path):
    with pytest.raises(NotTflite, match="is not a file"):
        load_model(tmp_path)
    with pytest.raises(NotTflite, match="no such file"):
        load_model(tmp_path / "absent.tflite")


def test_a_truncated_model_is_refused_at_every_length():
    for length in range(len(CONVOLUTION)):
        with pytest.raises((NotTflite, MalformedModel)):
            parse_model(CONVOLUTION[:length], "cut.tflite")


@pytest.mark.parametrize("name", PUBLIC)
def test_a_truncated_public_model_is_refused(public_models: Path, name: str):
    data = (public_models / f"{name}.tflite").read_bytes()
    for length in range(8, len(data), max(1, len(data) // 200)):
        with pytest.raises(MalformedModel):
            parse_model(data[:length], "cut.tflite")


def loads_or_is_refused(data: bytes) -> None:
    """Nothing but a ModelError, and what loads can be described and judged."""
    try:
        model = parse_model(data, "mutated.tflite")
    except ModelError as error:
        assert str(error).startswith("mutated.tflite: ")
        return
    json.dumps(describe(model))
    find_unsupported(model)
    for tensor in model.tensors:
        if tensor.is_constant and tensor.type in schema.NUMPY_TYPES and not tensor.is_sparse:
            assert model.constant(tensor).nbytes == tensor.bytes


@pytest.mark.parametrize("value", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC, len(CONVOLUTION) - 4])
def test_any_word_may_be_damaged(value: int):
    for at in range(0, len(CONVOLUTION) - 3, 4):
        loads_or_is_refused(CONVOLUTION[:at] + struct.pack("<I", value) + CONVOLUTION[at + 4 :])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.integers(8, len(CONVOLUTION) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_any_bytes_may_be_damaged(changes: list[tuple[int, int]]):
    data = bytearray(CONVOLUTION)
    for at, value in changes:
        data[at] = value
    loads_or_is_refused(bytes(data))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_may_follow_the_identifier(tail: bytes):
    loads_or_is_refused(b"\x08\x00\x00\x00TFL3" + tail)


def writer_with_one_add() -> tuple[ModelWriter, int, int]:
    writer = ModelWriter()
    x = writer.tensor((1, 4), scale=0.1)
    return writer, x, writer.tensor((1, 4), scale=0.1)


def refusal(writer: ModelWriter, inputs: list[int], outputs: list[int]) -> str:
    with pytest.raises(MalformedModel) as raised:
        parse_model(writer.finish(inputs, outputs), "bad.tflite")
    return str(raised.value)


def test_the_message_names_the_field_that_contradicts_the_file():
    writer, x, y = writer_with_one_add()
    writer.operator("ADD", [x, 99], [y])
    assert refusal(writer, [x], [y]).startswith("bad.tflite: subgraphs[0].operators[0].inputs[1]: is tensor 99")

    writer, x, y = writer_with_one_add()
    writer.operator("ADD", [x, x], [-1])
    assert "subgraphs[0].operators[0].outputs[0]: is tensor -1" in refusal(writer, [x], [y])

    writer, x, y = writer_with_one_add()
    assert "subgraphs[0].outputs[0]: no operator writes tensor 1" in refusal(writer, [x], [y])
    assert "subgraphs[0].inputs: there is none" in refusal(writer, [], [y])
    assert "subgraphs[0].inputs[0]: is tensor 7" in refusal(writer, [7], [y])

    writer, x, y = writer_with_one_add()
    writer.operator("ADD", [x, y], [y])
    assert "operators[0].inputs[1]: tensor 1 is read before any operator writes it" in refusal(writer, [x], [y])

    writer, x, y = writer_with_one_add()
    writer.operator("ADD", [x, x], [y])
    writer.operator("ADD", [x, x], [y])
    assert "operators[1].outputs[0]: tensor 1 is a constant, a model input or already written" in refusal(
        writer, [x], [y]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"buffer": 77}, "subgraphs[0].tensors[1].buffer: is 77, but there are 1 buffers"),
        ({"shape": (1, -4)}, "subgraphs[0].tensors[1].shape[1]: is -4"),
        ({"shape": (1,) * 9}, "subgraphs[0].tensors[1].shape: 9 dimensions"),
        ({"shape": (1 << 20, 1 << 20)}, "a tensor of 2 GiB or more"),
        ({"scales": (float("nan"),)}, "subgraphs[0].tensors[1].quantization.scale[0]: is nan"),
        ({"scales": (-1.0,)}, "subgraphs[0].tensors[1].quantization.scale[0]: is -1.0"),
        ({"scales": (0.1, 0.1)}, "subgraphs[0].tensors[1].quantization.zero_point: 1 zero points for 2 scales"),
        ({"zero_points": (128,)}, "subgraphs[0].tensors[1].quantization.zero_point[0]: is 128, outside int8"),
    ],
)
def test_a_tensor_that_cannot_be_is_named(change: dict[str, object], message: str):
    writer, x, y = writer_with_one_add()
    writer.operator("ADD", [x, x], [y])
    writer._tensors[y] = replace(writer._tensors[y], **change)
    assert message in refusal(writer, [x], [y])


def test_a_constant_shorter_than_its_tensor_is_named():
    writer, x, y = writer_with_one_add()
    constant = writer.tensor((1, 4), scale=0.1, data=np.array([1, 2, 3, 4]))
    writer._tensors[constant] = replace(writer._tensors[constant], shape=(1, 5))
    writer.operator("ADD", [x, constant], [y])
    assert "subgraphs[0].tensors[2].buffer: buffers[1] has 4 bytes, but the tensor has 5" in refusal(writer, [x], [y])


def test_a_small_file_that_stands_for_an_enormous_one_is_refused_soon():
    builder = flatbuffers.Builder(0)
    name = builder.CreateString("x" * 60_000)
    builder.StartObject(4)
    builder.PrependUOffsetTRelativeSlot(schema.TENSOR_NAME, name, 0)
    tensor = builder.EndObject()
    builder.StartVector(4, 40_000, 4)
    for _ in range(40_000):
        builder.PrependUOffsetTRelative(tensor)
    tensors = builder.EndVector()
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(schema.GRAPH_TENSORS, tensors, 0)
    graph = builder.EndObject()
    builder.StartVector(4, 1, 4)
    builder.PrependUOffsetTRelative(graph)
    graphs = builder.EndVector()
    builder.StartObject(3)
    builder.PrependUint32Slot(schema.MODEL_VERSION, 3, 0)
    builder.PrependUOffsetTRelativeSlot(schema.MODEL_SUBGRAPHS, graphs, 0)
    builder.Finish(builder.EndObject(), file_identifier=b"TFL3")
    with pytest.raises(MalformedModel, match="share the same bytes over and over"):
        parse_model(bytes(builder.Output()), "bomb.tflite")


def test_names_cannot_steer_the_terminal():
    writer = ModelWriter("\x1b[31mred\x1b[0m\x07")
    x = writer.tensor((1, 4), scale=0.1, name="\x1b]0;title\x07")
    writer.operator("evil\x1b[2J", [x], [y := writer.tensor((1, 4), scale=0.1)], custom=True)
    model = parse_model(writer.finish([x], [y]), "x.tflite")
    for text in (model.description, model.tensors[0].name, model.operators[0].name):
        assert text.isprintable()

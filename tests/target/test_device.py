# SPDX-License-Identifier: Apache-2.0
"""What the device class adds to the link: models provided and checked, counts, restarts."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from small_models import convolution, sum_of_two

from tinyhil import golden
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.errors import SlotOverflow, TargetError, UnsupportedOperator, WrongDevice
from tinyhil.link.frame import encode_frame
from tinyhil.link.protocol import Request
from tinyhil.model import parse_model
from tinyhil.model.writer import ModelWriter
from tinyhil.verdict import compare


@pytest.fixture
def other():
    return parse_model(sum_of_two(), "sum_of_two.tflite")


def test_another_model_takes_the_place_of_the_first_and_the_first_comes_back(rig, other):
    known = golden.golden_for(rig.model)
    with rig.open() as device:
        assert device.load(other).op_names == ["ADD"]
        a, b = (np.full((1, 2, 3), value, np.int8) for value in (13, 51))
        # 0.5 * (13 + 7) + 0.25 * (51 - 11) = 20 = 0.75 * (28 - 1), rounded
        np.testing.assert_array_equal(device.run([a, b]).outputs[0], np.full((1, 2, 3), 28, np.int8))
        device.load(rig.model)
        assert compare(known, 3, device.run([array[3] for array in known.inputs])) is None


def test_where_the_slot_cannot_be_written_another_model_comes_with_a_restart(rig, other):
    with rig.open() as device:
        device.info["slot_writable"] = "0"
        first = device._target
        assert device.load(other).op_names == ["ADD"]
        assert device._target is not first


def test_a_device_can_be_opened_before_there_is_a_model(rig):
    with Device.open(rig.board, rig.target, rig.image) as device:
        with pytest.raises(TargetError, match="no model"):
            device.run(rig.vector)
        device.load(rig.model)
        device.run(rig.vector)


def test_several_inputs_and_float_tensors_arrive_as_they_are(rig):
    model = parse_model(convolution(), "convolution.tflite")
    with rig.open() as device:
        loaded = device.load(model)
        assert [(tensor.type, tensor.shape) for tensor in loaded.inputs] == [("float32", (1, 6, 6, 3))]
        result = device.run([np.zeros((1, 6, 6, 3), np.float32)])
        assert (result.outputs[0].dtype, result.outputs[0].shape) == (np.float32, (1, 5))


def test_a_model_of_300_operators_has_results_for_each(rig):
    writer = ModelWriter()
    x = tensor = writer.tensor((1, 4), scale=0.5, zero_point=0)
    for _ in range(300):
        before, tensor = tensor, writer.tensor((1, 4), scale=0.5, zero_point=0)
        writer.operator("QUANTIZE", [before], [tensor])
    model = parse_model(writer.finish([x], [tensor]), "deep.tflite")
    vector = [np.array([[1, -2, 3, -4]], np.int8)]
    with rig.open() as device:
        assert device.load(model).op_names == ["QUANTIZE"] * 300
        result = device.run(vector, checksums=True, profile=True)
        np.testing.assert_array_equal(result.outputs[0], vector[0])
        assert len(set(result.op_reads + result.op_writes)) == 1
        assert len(result.op_reads) == len(result.op_writes) == 300
        assert [(op.path, op.runs) for op in device.op_paths()] == [("reference", 1)] * 300
        if device.unit:
            assert len(result.op_units) == 300
            assert min(result.op_units) > 0


def test_a_model_with_more_inputs_than_the_link_can_run_is_refused(native_rig):
    writer = ModelWriter()
    inputs = [writer.tensor((1, 4), scale=0.5, zero_point=0) for _ in range(300)]
    total = inputs[0]
    for tensor in inputs[1:]:
        before, total = total, writer.tensor((1, 4), scale=0.5, zero_point=0)
        writer.operator("ADD", [before, tensor], [total])
    model = parse_model(writer.finish(inputs, [total]), "wide.tflite")
    with native_rig.open() as device, pytest.raises(UnsupportedOperator, match=r"inputs.*255.*300"):
        device.load(model)


def test_a_model_larger_than_the_slot_is_refused_before_anything_starts(rig):
    image = replace(rig.image, slot=replace(rig.image.slot, bytes=1000))
    with pytest.raises(SlotOverflow) as refused:
        Device.open(rig.board, rig.target, image, rig.model)
    assert refused.value.missing_bytes == len(rig.model.data) + 64 - 1000


def test_a_bundled_image_runs_its_own_model_and_no_other(rig, other):
    image = build_image(rig.board, model=rig.model.path)
    known = golden.golden_for(rig.model)
    with Device.open(rig.board, rig.target, image, rig.model) as device:
        assert device.info["kind"] == "bundled"
        device.load(rig.model)
        assert compare(known, 0, device.run([array[0] for array in known.inputs])) is None
        with pytest.raises(WrongDevice, match="another model"):
            device.load(other)


def test_after_a_reset_the_device_has_its_slot_and_no_model(rig):
    with rig.open() as device:
        device.reset()
        with pytest.raises(TargetError, match="no model"):
            device.run(rig.vector)
        device.load(rig.model)
        device.run(rig.vector)


def test_counts_are_of_the_plain_inference_alone_and_always_the_same(qemu_rig):
    with qemu_rig.open() as device:
        assert device.unit == "instructions"
        assert "icount" in device.unit_source
        counts = {device.run(qemu_rig.vector).units for _ in range(5)}
        assert len(counts) == 1
        assert device.run(qemu_rig.vector, checksums=True).units is None
        profile = device.run(qemu_rig.vector, profile=True)
        assert profile.units is None
        assert 0.99 * counts.pop() < sum(profile.op_units)


def test_taking_checksums_does_not_change_what_an_operator_costs(qemu_rig):
    with qemu_rig.open() as device:
        alone = device.run(qemu_rig.vector, profile=True).op_units
        assert device.run(qemu_rig.vector, profile=True, checksums=True).op_units == alone


def test_a_native_device_counts_nothing(native_rig):
    with native_rig.open() as device:
        assert (device.unit, device.run(native_rig.vector).units) == ("", None)
        assert device.run(native_rig.vector, profile=True).op_units is None


@pytest.mark.parametrize("qemu_with_memory_access", [(6, 2), (99,)])
def test_an_input_arrives_alike_through_memory_and_over_the_link(qemu_rig, monkeypatch, qemu_with_memory_access):
    monkeypatch.setattr("tinyhil.target.qemu._FIRST_WITH_MEMORY", qemu_with_memory_access)
    known = golden.golden_for(qemu_rig.model)
    with qemu_rig.open() as device:
        assert (device._target.write_memory is None) == (qemu_with_memory_access == (99,))
        for vector in range(3):
            result = device.run([array[vector] for array in known.inputs], checksums=True)
            assert compare(known, vector, result) is None


def test_a_person_can_type_after_a_frame_that_never_ended(rig):
    """The device gives the frame up after a pause; until then what is typed is lost in it."""
    with rig.open() as device:
        channel = device._link._channel
        channel.write(encode_frame(Request.MEMORY, 1, 1)[:-3])
        said = b""
        for attempt in range(10):
            time.sleep(1.5 * 1.5**attempt)  # a pause is counted in looks at the UART: long where the host is busy
            channel.write(b"hil mem *?%")
            said += channel.read(1.0)
            if said:
                break
        assert b"hil mem arena-used=" in said

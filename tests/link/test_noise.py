# SPDX-License-Identifier: Apache-2.0
"""A line that damages one byte in a thousand, either way, delays verdicts and never changes one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from faulty import FaultyChannel

from tinyhil import golden
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.errors import DeviceRefused, LinkBroken
from tinyhil.model import parse_model
from tinyhil.model.writer import ModelWriter
from tinyhil.verdict import compare

pytestmark = pytest.mark.needs("native")

RATE = 0.001


@pytest.fixture
def noisy(native_board, sanitized_image):
    """Opens a device with a model behind a faulty line."""
    opened = []

    def open_device(model, *, board=native_board, image=sanitized_image, rates=(RATE, RATE), patience_s=30.0):
        lines = []

        def wrap(channel):
            lines.append(FaultyChannel(channel, rates=rates, seed=1))
            return lines[-1]

        target = next(iter(board.targets))
        device = Device.open(board, target, image, model, patience_s=patience_s, wrap=wrap)
        opened.append(device)
        return device, lines[-1]

    yield open_device
    for device in opened:
        device.close()


def test_a_thousand_inferences_have_no_wrong_verdict(noisy, digits):
    device, line = noisy(digits)
    device.load(digits)
    expected = golden.golden_for(digits)
    for number, vector in enumerate(itertools.islice(itertools.cycle(range(len(expected))), 1000)):
        result = device.run([array[vector] for array in expected.inputs], checksums=number % 2 == 0)
        assert compare(expected, vector, result) is None
    hit = [line.to_device.faults, line.from_device.faults]
    assert all(count > 10 for faults in hit for count in faults.values()), hit
    assert device._link.resent > 50


@pytest.mark.needs("qemu", "arm-gcc")
def test_nor_have_a_hundred_on_an_emulated_board(noisy, digits):
    board = load_board("mps2_an386")
    device, line = noisy(digits, board=board, image=build_image(board))
    device.load(digits)
    expected = golden.golden_for(digits)
    for vector in range(100):
        result = device.run([array[vector] for array in expected.inputs], checksums=True)
        assert compare(expected, vector, result) is None
    assert line.faults > 5


def large_model():
    """20,000 bytes in, 20,000 out: many frames on their way at once."""
    writer = ModelWriter()
    x = writer.tensor((1, 20000), scale=0.5, zero_point=-3, name="x")
    y = writer.tensor((1, 20000), scale=0.5, zero_point=4, name="y")
    writer.operator("QUANTIZE", [x], [y])
    return parse_model(writer.finish([x], [y]), "large.tflite")


def test_transfers_of_many_frames_come_through_whole(noisy):
    model = large_model()
    device, line = noisy(model)
    device.load(model)
    rng = np.random.default_rng(5)
    for _ in range(10):
        vector = rng.integers(-128, 128, (1, 20000), dtype=np.int8)
        result = device.run([vector])
        np.testing.assert_array_equal(result.outputs[0], np.clip(vector.astype(int) + 7, -128, 127))
    assert line.faults > 100


def test_a_model_written_into_the_slot_over_a_faulty_line_arrives_whole(noisy, digits):
    device, line = noisy(large_model())
    device.load(digits)
    expected = golden.golden_for(digits)
    assert compare(expected, 0, device.run([array[0] for array in expected.inputs])) is None
    assert line.faults > 10


def test_a_line_that_lets_nothing_through_is_named(noisy, digits):
    with pytest.raises(LinkBroken, match="damaged"):
        noisy(digits, rates=(0.0, 0.5), patience_s=1.0)


def test_an_input_that_changed_on_its_way_is_never_run(noisy, digits, monkeypatch):
    """As if a fault had passed every frame's checksum: what is in the tensor is not what was announced."""
    device, _ = noisy(digits, rates=(0.0, 0.0))
    device.load(digits)
    vector = np.zeros(digits.input_tensors[0].shape, np.int8)
    request = device._link.request

    def with_fault(kind, payload=b"", **limits):
        return request(kind, payload[:-1] + bytes([payload[-1] ^ 1]) if len(payload) > 60 else payload, **limits)

    monkeypatch.setattr(device._link, "request", with_fault)
    with pytest.raises(DeviceRefused, match="INPUT_CRC"):
        device.run([vector])
    monkeypatch.undo()
    device.run([vector])

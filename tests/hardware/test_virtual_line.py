# SPDX-License-Identifier: Apache-2.0
"""What the protocol makes of a line, in virtual time: exact, and the same however busy the computer is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rig import Faults
from virtual_line import Clock, VirtualLine

from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.golden import golden_for
from tinyhil.link import client
from tinyhil.link.client import Link
from tinyhil.link.commands import Commands
from tinyhil.link.protocol import Run
from tinyhil.model import Model, load_model
from tinyhil.model.writer import ModelWriter
from tinyhil.slot import slot_image
from tinyhil.target.native import NativeTarget

BAD = {"drop": 0.001, "flip": 0.001, "insert": 0.001, "burst_every": 20}
IMAGE_BYTES = 96 * 96 * 3
PLATFORMS = Path(__file__).parents[2] / "platforms"

Session = tuple[Clock, VirtualLine, Link, Commands]
Connect = Callable[..., Session]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """A session over a virtual line with the firmware, which has the model loaded."""
    monkeypatch.setenv("TINYHIL_PLATFORMS", str(PLATFORMS))
    targets: list[NativeTarget] = []

    def connect(model: Model, baud: int, *, ring_bytes: int = 4096, latency_s: float = 0.001) -> Session:
        target = NativeTarget(build_image(load_board("native")).elf, slot_image(model.data))
        targets.append(target)
        clock = Clock()
        monkeypatch.setattr(client, "time", clock)
        line = VirtualLine(target.start(), target.process.pid, clock, baud, ring_bytes=ring_bytes, latency_s=latency_s)
        link = Link(line, window=1, line_bytes_per_s=baud / 10)
        link.open(3.0)
        commands = Commands(link, allowance_s=3.0)
        commands.info()
        link.allow(ring_bytes)
        commands.describe(commands.load(0, 0.1))
        return clock, line, link, commands

    yield connect
    for target in targets:
        target.stop()


@pytest.fixture(scope="module")
def image_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """As large an input as a person detector's, and as large an output."""
    writer = ModelWriter()
    x, y = (writer.tensor(shape, scale=1 / 256, zero_point=-128) for shape in ((1, 96, 96, 3), (1, IMAGE_BYTES)))
    writer.operator("RESHAPE", [x], [y])
    path = tmp_path_factory.mktemp("model") / "image.tflite"
    path.write_bytes(writer.finish([x], [y]))
    return load_model(path)


@pytest.mark.parametrize("baud", [115200, 1_000_000])
def test_an_input_and_an_output_have_at_least_85_percent_of_the_line(
    connect: Connect, image_model: Model, baud: int
) -> None:
    clock, line, link, commands = connect(image_model, baud)
    data = os.urandom(IMAGE_BYTES)
    began = clock.now
    commands._write_inputs([data])
    written = clock.now
    assert IMAGE_BYTES * 10 / baud >= 0.85 * (written - began)
    assert commands.run([data], Run(0), allowance_s=5.0, guess_s=0.1).outputs == [data]
    began = clock.now
    assert commands._read_outputs() == [data]
    assert IMAGE_BYTES * 10 / baud >= 0.85 * (clock.now - began)
    assert (link.resent, line.overrun, line.unheard) == (0, 0, 0)


@pytest.mark.parametrize("baud", [115200, 1_000_000])
def test_an_image_loads_three_times_faster_than_by_db_commands(connect: Connect, image_model: Model, baud: int) -> None:
    """As the runner loads it: 31 bytes a command, each answered before the next."""
    clock, line, _, commands = connect(image_model, baud)
    data = os.urandom(IMAGE_BYTES)
    began = clock.now
    commands._write_inputs([data])
    by_frames_s = clock.now - began

    def ask(command: str) -> None:
        line.write(f"{command}%".encode())
        said = b""
        while not said.endswith(b"m-ready\r\n"):
            said += line.read(1.0)

    ask(f"db load {IMAGE_BYTES}")
    began = clock.now
    for at in range(0, IMAGE_BYTES, 31):
        ask(f"db {data[at : at + 31].hex()}")
    assert clock.now - began >= 3 * by_frames_s


def test_a_device_with_little_room_is_never_sent_more_than_it_has(connect: Connect, image_model: Model) -> None:
    clock, line, link, commands = connect(image_model, 115200, ring_bytes=512)
    data = os.urandom(IMAGE_BYTES)
    began = clock.now
    commands._write_inputs([data])
    assert 0.85 * (clock.now - began) <= IMAGE_BYTES * 10 / 115200
    assert 0 < line.fullest <= 512
    assert (link.resent, line.overrun) == (0, 0)


@pytest.mark.parametrize("baud", [115200, 1_000_000])
def test_a_bad_line_has_no_wrong_verdict_and_half_the_throughput(connect: Connect, digits: Model, baud: int) -> None:
    """0.1 % of the bytes each dropped, flipped and inserted, bursts lost in one frame of 20, both ways."""
    clock, line, _, commands = connect(digits, baud)
    golden = golden_for(digits)

    def seconds_each(count: int) -> float:
        began = clock.now
        for number in range(count):
            vector = number % len(golden)
            inputs = [array[vector].tobytes() for array in golden.inputs]
            reply = commands.run(inputs, Run(0), allowance_s=5.0, guess_s=0.01)
            assert reply.outputs == [array[vector].tobytes() for array in golden.outputs], number
        return (clock.now - began) / count

    clean_s = seconds_each(20)
    line.to_device = (out := Faults(**BAD, seed=3)).apply  # type: ignore[arg-type]
    line.to_host = (back := Faults(**BAD, seed=4)).apply  # type: ignore[arg-type]
    assert clean_s / seconds_each(int(os.environ.get("TINYHIL_TEST_INFERENCES", "400"))) >= 0.5
    assert out.hurt > 100 and back.hurt > 100
    assert line.overrun == 0


def test_a_bad_line_has_shorter_frames_and_a_good_one_long_ones_again(connect: Connect, image_model: Model) -> None:
    clock, line, link, commands = connect(image_model, 115200)
    longest = link.best_payload
    line.to_device = Faults(**BAD, seed=5).apply  # type: ignore[arg-type]
    line.to_host = Faults(**BAD, seed=6).apply  # type: ignore[arg-type]
    data = os.urandom(IMAGE_BYTES)
    began = clock.now
    assert commands.run([data], Run(0), allowance_s=5.0, guess_s=0.1).outputs == [data]
    assert 64 <= link.best_payload < longest / 3
    # An image there and one back; frames of 1,000 bytes would need some fifty attempts each.
    assert clock.now - began < 4 * 2 * IMAGE_BYTES * 10 / 115200
    line.to_device = line.to_host = bytes
    for _ in range(3):
        assert commands.run([data], Run(0), allowance_s=5.0, guess_s=0.1).outputs == [data]
    assert link.best_payload == longest

# SPDX-License-Identifier: Apache-2.0
"""What firmware/ports/port.h promises, on every board in a real Renode, shown by the same small application."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import tiny_firmware
from tinyhil.board import board_names, load_board
from tinyhil.build import build_image
from tinyhil.target import make_target
from tinyhil.target.base import Target

HERE = Path(__file__).parent
SLOT_CONTENT = b"THSL"
TIMEOUT_S = 60

pytestmark = [
    pytest.mark.needs("arm-gcc", "renode"),
    pytest.mark.parametrize("name", [name for name in board_names() if "renode" in load_board(name).targets]),
]


class Probe:
    """The probe application, running in Renode."""

    def __init__(self, name: str) -> None:
        board = load_board(name)
        board = replace(board, bare_metal=replace(board.build, ops=None))  # the small tree has two operators alone
        self.target: Target = make_target("renode", board, build_image(board), SLOT_CONTENT)
        self._channel = self.target.start()
        self._received = b""
        self.greeting = self.line()

    def send(self, command: str, number: int | None = None, data: bytes = b"") -> None:
        self._channel.write(command.encode() + (b"" if number is None else number.to_bytes(4, "big")) + data)

    def read(self, count: int) -> bytes:
        end = time.monotonic() + TIMEOUT_S
        while len(self._received) < count:
            assert time.monotonic() < end, f"{count - len(self._received)} bytes are missing"
            self._received += self._channel.read(1.0)
        data, self._received = self._received[:count], self._received[count:]
        return data

    def line(self) -> str:
        text = b""
        while not text.endswith(b"\n"):
            text += self.read(1)
        return text.decode().strip()

    def ask(self, command: str, number: int | None = None) -> list[int]:
        self.send(command, number)
        return [int(word, 16) for word in self.line().split()]


Start = Callable[[str], Probe]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Builds the probe for a board and starts it."""
    tiny_firmware.make_tree(tmp_path / "clone", app=(HERE / "probe.cc").read_text())
    tiny_firmware.use_tree(tmp_path / "clone", monkeypatch)
    running: list[Probe] = []

    def start(name: str) -> Probe:
        running.append(Probe(name))
        return running[-1]

    yield start
    for probe in running:
        probe.target.stop()


def test_memory_is_what_the_board_file_says(start: Start, name: str) -> None:
    probe, loaded = start(name), load_board(name)
    assert probe.greeting.split() == ["ready", f"{0x12345678:016x}", f"{0:016x}"]
    arena_base, arena_bytes, slot_base, slot_bytes, stack_bytes, stack_peak_bytes = probe.ask("m")
    ram = loaded.memory["ram"]
    assert ram.end - 16 <= arena_base + arena_bytes <= ram.end
    assert (slot_base, slot_bytes, stack_bytes) == (loaded.slot.base, loaded.slot.bytes, loaded.stack_bytes)
    assert 0 < stack_peak_bytes < 1024
    assert bytes(probe.ask("l")) == SLOT_CONTENT


def test_every_byte_passes_the_uart_unchanged(start: Start, name: str) -> None:
    probe = start(name)
    for value in range(256):  # one at a time: more at once may lose some, as on a wire
        probe.send("e", 1, bytes([value]))
        assert probe.read(2) == bytes([value]) + b"\n"


def test_instructions_are_counted_one_by_one(start: Start, name: str) -> None:
    probe = start(name)
    lengths = [*range(1, 40), 1_000, 999_999, 1_000_000]
    counts = {turns: probe.ask("c", turns)[0] / 1000 for turns in lengths}
    setup = round(counts[1]) - 2  # what the compiler puts around the loop
    assert 0 <= setup < 8
    assert {turns: round(count) - setup for turns, count in counts.items()} == {turns: 2 * turns for turns in lengths}


def test_the_same_code_counts_the_same_whatever_happened_before(start: Start, name: str) -> None:
    probe = start(name)
    dice = random.Random(name)
    seen = set()
    for _ in range(20):
        for _ in range(dice.randrange(4)):
            probe.ask("t", dice.randrange(1, 5_000))
        seen.update(round(count / 1000) for count in probe.ask("c", 123_457))
    assert len(seen) == 1


def test_the_count_survives_the_wrap_of_its_24_bits(start: Start, name: str) -> None:
    probe = start(name)
    (count,) = probe.ask("c", 20_000_000)
    assert 0 <= round(count / 1000) - 40_000_000 < 40  # the interrupt's own instructions are counted too


def test_floating_point_works(start: Start, name: str) -> None:
    assert start(name).ask("f") == [1_000_000]


def test_a_reset_is_a_power_on(start: Start, name: str) -> None:
    probe = start(name)
    probe.send("r")
    assert probe.line() == probe.greeting
    assert bytes(probe.ask("l")) == SLOT_CONTENT


def test_a_fault_is_reported_with_its_registers(start: Start, name: str) -> None:
    probe, flash = start(name), load_board(name).memory["flash"]
    probe.send("u")
    word, kind, pc, *_ = probe.line().split()
    assert (word, kind) == ("FAULT", "UsageFault")  # Renode has it on a Cortex-M0 too, where silicon has HardFault
    assert flash.base <= int(pc, 16) < flash.end

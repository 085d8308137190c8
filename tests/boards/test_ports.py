# SPDX-License-Identifier: Apache-2.0
"""What firmware/ports/port.h promises, on every board that QEMU has and on the host, shown by a small application."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import tiny_firmware
from tinyhil.board import Board, board_names, load_board
from tinyhil.build import Image, build_image

HERE = Path(__file__).parent
SLOT_CONTENT = b"THSL"
TIMEOUT_S = 30

ON_QEMU = [
    pytest.param(name, marks=pytest.mark.needs("arm-gcc", "qemu"))
    for name in board_names()
    if "qemu" in (board := load_board(name)).targets and board.bare_metal
]
ON_HOST = [pytest.param("native", marks=pytest.mark.needs("native"))]


class Probe:
    """The probe application, running."""

    def __init__(self, board: Board, image: Image, slot_file: Path) -> None:
        self._socket, other = socket.socketpair()
        self._socket.settimeout(TIMEOUT_S)
        if "qemu" in board.targets:
            target = board.targets["qemu"]
            command = [
                *("qemu-system-arm", "-machine", target.machine, *target.args, "-icount", "shift=0"),
                *("-display", "none", "-monitor", "none", "-nodefaults", "-kernel", str(image.elf)),
                *("-device", f"loader,file={slot_file},addr={board.slot.base:#x},force-raw=on"),
                *("-chardev", f"socket,id=uart,fd={other.fileno()}", "-serial", "chardev:uart"),
            ]
        else:
            command = [str(image.elf), "--slot", str(slot_file), "--fd", str(other.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[other.fileno()])
        other.close()
        self._received = b""
        self.greeting = self.line()

    def send(self, command: str, number: int | None = None, data: bytes = b"") -> None:
        self._socket.sendall(command.encode() + (b"" if number is None else number.to_bytes(4, "big")) + data)

    def read(self, count: int) -> bytes:
        while len(self._received) < count:
            more = self._socket.recv(65536)
            if not more:
                raise EOFError("the probe is gone")
            self._received += more
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

    def fault(self, kind: str) -> tuple[str, list[int]]:
        """Kind, and pc, lr, sp, cfsr, mmfar, bfar of the fault report."""
        self.send(kind)
        word, name, *numbers = self.line().split()
        assert word == "FAULT"
        return name, [int(number, 16) for number in numbers]

    def close(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()


Start = Callable[[str], Probe]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Builds the probe for a board and starts it."""
    tiny_firmware.make_tree(tmp_path / "clone", app=(HERE / "probe.cc").read_text())
    tiny_firmware.use_tree(tmp_path / "clone", monkeypatch)
    slot_file = tmp_path / "slot.bin"
    slot_file.write_bytes(SLOT_CONTENT)
    running: list[Probe] = []

    def start(name: str) -> Probe:
        loaded = load_board(name)
        running.append(Probe(loaded, build_image(loaded), slot_file))
        return running[-1]

    yield start
    for probe in running:
        probe.close()


@pytest.mark.parametrize("name", ON_QEMU + ON_HOST)
def test_memory_is_ready_when_the_application_starts(start: Start, name: str) -> None:
    assert start(name).greeting.split() == ["ready", f"{0x12345678:016x}", f"{0:016x}"]


@pytest.mark.parametrize("name", ON_QEMU + ON_HOST)
def test_every_byte_passes_the_uart_unchanged(start: Start, name: str) -> None:
    probe = start(name)
    data = bytes(range(256))  # less than the smallest ring holds
    for _ in range(4):
        probe.send("e", len(data), data)
        assert probe.read(len(data) + 1) == data + b"\n"


@pytest.mark.parametrize("name", ON_QEMU + ON_HOST)
def test_arena_and_slot_are_what_the_board_file_says(start: Start, name: str) -> None:
    probe, loaded = start(name), load_board(name)
    arena_base, arena_bytes, slot_base, slot_bytes, stack_bytes, _ = probe.ask("m")
    ram = loaded.memory["ram"]
    assert arena_base % 16 == 0
    assert slot_base % 16 == 0
    assert slot_bytes == loaded.slot.bytes
    assert arena_bytes >= min(128 * 1024, ram.bytes // 2)
    if name == "native":
        assert arena_bytes == ram.bytes
    else:
        slot_in_ram = loaded.slot.base in range(ram.base, ram.end)
        assert arena_base + arena_bytes == (loaded.slot.base if slot_in_ram else ram.end)
        assert slot_base == loaded.slot.base
        assert stack_bytes == loaded.stack_bytes
    assert probe.ask("w") == [0x5AA5] * (2 if loaded.slot.writable else 1)


@pytest.mark.parametrize("name", ON_QEMU + ON_HOST)
def test_the_slot_holds_what_the_loader_put_there(start: Start, name: str) -> None:
    assert bytes(start(name).ask("l")) == SLOT_CONTENT


@pytest.mark.parametrize("name", ON_QEMU + ON_HOST)
def test_a_reset_is_a_power_on(start: Start, name: str) -> None:
    probe = start(name)
    probe.ask("w")
    probe.send("r")
    assert probe.line() == probe.greeting
    assert bytes(probe.ask("l")) == SLOT_CONTENT


@pytest.mark.parametrize("name", ON_QEMU)
def test_floating_point_is_on(start: Start, name: str) -> None:
    assert start(name).ask("f") == [1_000_000]


@pytest.mark.parametrize("name", ON_QEMU)
def test_the_stack_peak_grows_with_what_is_used_and_stays(start: Start, name: str) -> None:
    probe = start(name)
    first = probe.ask("m")[5]
    assert 0 < first < 1024
    probe.ask("d", 500)
    deep = probe.ask("m")[5]
    assert deep >= 2000
    assert deep < load_board(name).stack_bytes
    probe.ask("d", 8)
    assert probe.ask("m")[5] == deep


def instructions_per_tick(name: str) -> float:
    per_tick = load_board(name).targets["qemu"].instructions_per_tick
    assert per_tick is not None
    return per_tick


@pytest.mark.parametrize("name", ON_QEMU)
def test_instructions_are_counted_one_by_one(start: Start, name: str) -> None:
    """A loop of known length counts exactly as many instructions as it has, wherever it ends between two ticks."""
    probe = start(name)
    per_tick = instructions_per_tick(name)
    lengths = [*range(1, 80), 1_000, 999_999, 1_000_000, 12_345_678]
    counts = {turns: probe.ask("c", turns)[0] * per_tick / 1000 for turns in lengths}
    setup = counts[1] - 2  # what the compiler puts around the loop
    assert 0 <= setup < 8
    assert {turns: round(count - setup) for turns, count in counts.items()} == {turns: 2 * turns for turns in lengths}


@pytest.mark.parametrize("name", ON_QEMU)
def test_whole_ticks_are_what_the_board_file_says(start: Start, name: str) -> None:
    (ticks,) = start(name).ask("t", 1_000_000)
    assert 0 <= ticks - 2_000_000 / instructions_per_tick(name) <= 1


@pytest.mark.parametrize("name", ON_QEMU)
def test_the_same_code_counts_the_same_whatever_happened_before(start: Start, name: str) -> None:
    probe = start(name)
    dice = random.Random(name)
    counts: dict[int, set[int]] = {turns: set() for turns in (1, 20, 21, 1_000, 123_457)}
    for _ in range(20):
        for _ in range(dice.randrange(4)):
            probe.ask("t", dice.randrange(1, 5_000))
        noise = dice.randbytes(dice.randrange(50))
        probe.send("e", len(noise), noise)
        assert probe.read(len(noise) + 1) == noise + b"\n"
        time.sleep(dice.random() * 0.01)
        for turns, seen in counts.items():
            seen.update(probe.ask("c", turns))
    assert {turns: len(seen) for turns, seen in counts.items()} == dict.fromkeys(counts, 1)


@pytest.mark.parametrize("name", ON_QEMU)
def test_the_count_survives_the_wrap_of_its_24_bits(start: Start, name: str) -> None:
    probe = start(name)
    per_tick = instructions_per_tick(name)
    wrap_turns = int(per_tick * 2**23)  # two instructions each
    for turns in [wrap_turns - 2_000, wrap_turns + 100]:  # the wrap comes while the counter is read, or just before
        count = probe.ask("c", turns)[0] * per_tick / 1000
        assert 0 <= count - 2 * turns < 40  # the interrupt's own instructions are counted too


@pytest.mark.parametrize("name", ON_QEMU)
@pytest.mark.parametrize(("kind", "expected"), [("u", "UsageFault"), ("a", "UsageFault"), ("b", "BusFault")])
def test_a_fault_is_reported_with_its_registers(start: Start, name: str, kind: str, expected: str) -> None:
    probe, loaded = start(name), load_board(name)
    if kind == "b" and loaded.targets["qemu"].machine == "microbit":
        pytest.skip("QEMU's nRF51 swallows a write to nowhere")
    reported, (pc, lr, sp, cfsr, _, bfar) = probe.fault(kind)
    flash, ram = loaded.memory["flash"], loaded.memory["ram"]
    v6m = loaded.core == "Cortex-M0"  # it has but one kind of fault, and no register that says why
    assert reported == ("HardFault" if v6m else expected)
    assert flash.base <= pc < flash.end
    assert flash.base <= lr < flash.end
    assert ram.base < sp < ram.base + 16 * 1024
    assert v6m or cfsr != 0
    assert v6m or kind != "b" or bfar == 0xF0000000


@pytest.mark.parametrize("name", ON_QEMU)
def test_a_stack_overflow_is_reported_as_such(start: Start, name: str) -> None:
    """A Cortex-M0 has neither a stack limit nor a guard: its stack ends where its RAM does, with a fault."""
    reported, _ = start(name).fault("s")
    assert reported == ("HardFault" if load_board(name).core == "Cortex-M0" else "StackOverflow")


@pytest.mark.needs("arm-gcc", "qemu")
def test_the_cortex_m_port_serves_armv6_m_too(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Cortex-M3 runs what was compiled for a Cortex-M0, and that has but one kind of fault."""
    text = (tiny_firmware.REAL_PLATFORMS / "mps2_an385" / "board.yaml").read_text()
    text = (
        text.partition("  renode:")[0]
        .replace("name: mps2_an385", "name: armv6_m")
        .replace("-mcpu=cortex-m3", "-mcpu=cortex-m0")
    )
    folder = tmp_path / "platforms" / "armv6_m"
    folder.mkdir(parents=True)
    (folder / "board.yaml").write_text(text)
    monkeypatch.setenv("TINYHIL_PLATFORMS", str(folder.parent))
    probe = start("armv6_m")
    assert probe.greeting.split() == ["ready", f"{0x12345678:016x}", f"{0:016x}"]
    short, long = (probe.ask("c", turns)[0] * 40 / 1000 for turns in (1_000, 1_017))
    assert long - short == 2 * 17
    assert probe.ask("m")[5] > 0
    reported, (pc, *_) = probe.fault("u")
    assert reported == "HardFault"
    assert pc != 0


@pytest.mark.parametrize("name", ON_HOST)
@pytest.mark.parametrize(("kind", "expected"), [("u", "SIGILL"), ("b", "SIGSEGV"), ("s", "SIGSEGV")])
def test_a_signal_of_the_host_is_reported_and_ends_the_process(
    start: Start, name: str, kind: str, expected: str
) -> None:
    probe = start(name)
    reported, (pc, *_) = probe.fault(kind)
    assert reported == expected
    assert pc != 0
    with pytest.raises((EOFError, ConnectionResetError)):
        probe.read(1)


@pytest.mark.needs("native")
def test_the_host_process_ends_when_its_input_does(start: Start) -> None:
    probe = start("native")
    with closing(probe._socket):
        probe._socket.shutdown(socket.SHUT_WR)
        assert probe._process.wait(TIMEOUT_S) == 0


@pytest.mark.needs("native")
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--slot", "/nowhere/slot.bin"], "No such file"),
        (["--slot"], "needs a value"),
        (["--arena-bytes", "many"], "not a number"),
        (["--arena-bytes", "-1"], "not a number"),
        (["--slot-bytes", "3", "--slot", "SLOT"], "longer than the model slot"),
        (["--verbose", "1"], "unknown option"),
    ],
)
def test_the_host_process_refuses_a_wrong_command_line(
    start: Start, tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    elf = build_image(load_board("native")).elf
    words = [str(tmp_path / "slot.bin") if word == "SLOT" else word for word in arguments]
    done = subprocess.run([elf, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 2
    assert complaint in done.stderr

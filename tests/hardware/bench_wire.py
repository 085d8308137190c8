# SPDX-License-Identifier: Apache-2.0
"""What the wire carries. Part of `make bench`.

    python tests/hardware/bench_wire.py [--inferences 10000]

First on the virtual line (virtual_line.py): exact, and judged. Then in real time, through the rate-pacing line of
rig.py, to an emulated board and to the same firmware as a process. Each of these is also measured without the pacing:
where the emulator, or this computer as busy as it is now, takes hardly more bytes a second than the line brings, the
row says so and is not judged.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rig import EmulatedBoard, Faults, emulated_board, write_board
from virtual_line import Clock, VirtualLine

from tinyhil.attachment import Attachment
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.flash.hexfile import elf_segments
from tinyhil.golden import golden_for
from tinyhil.link import client
from tinyhil.link.client import Link
from tinyhil.link.commands import Commands
from tinyhil.link.protocol import Run
from tinyhil.matrix import own_model
from tinyhil.model import Model, load_model
from tinyhil.model.writer import ModelWriter
from tinyhil.ports import Port, open_port
from tinyhil.slot import slot_image
from tinyhil.target.native import NativeTarget

IMAGE_BYTES = 96 * 96 * 3
BAUDS = (115200, 1_000_000)
BITS_A_BYTE = 10
LEAST_SHARE = 0.85
LEAST_RATIO = 3.0
LEAST_NOISY = 0.5
ENOUGH = 2.0  # times the line's bytes a second, that a device must take without the line for it to be the line's bench
BAD = {"drop": 0.001, "flip": 0.001, "insert": 0.001, "burst_every": 20}


class Report:
    def __init__(self) -> None:
        self.missed = 0

    def row(self, what: str, got: float, least: float, excuse: str = "") -> None:
        verdict = "ok" if got >= least else f"not judged: {excuse}" if excuse else "MISSED"
        self.missed += verdict == "MISSED"
        print(f"{what:<68} {got:6.2f}   at least {least:g}   {verdict}", flush=True)


def image_model(folder: Path) -> Model:
    """As large an input as a person detector's, an output as large, and hardly any work."""
    writer = ModelWriter()
    x, y = (writer.tensor(shape, scale=1 / 256, zero_point=-128) for shape in ((1, 96, 96, 3), (1, IMAGE_BYTES)))
    writer.operator("RESHAPE", [x], [y])
    path = folder / "image.tflite"
    path.write_bytes(writer.finish([x], [y]))
    return load_model(path)


def opened(link: Link) -> Commands:
    """A session in which the model of the slot is loaded."""
    link.open(5.0)
    commands = Commands(link, allowance_s=10.0)
    commands.info()
    commands.describe(commands.load(0, 0.1))
    return commands


# Virtual time ---------------------------------------------------------------------------------------------------------
@contextmanager
def virtual(model: Model, baud: int) -> Iterator[tuple[Clock, VirtualLine, Commands]]:
    target = NativeTarget(build_image(load_board("native")).elf, slot_image(model.data))
    clock = Clock()
    real = client.time
    client.time = clock  # type: ignore[assignment]
    try:
        line = VirtualLine(target.start(), target.process.pid, clock, baud)
        yield clock, line, opened(Link(line, window=1, line_bytes_per_s=baud / BITS_A_BYTE))
    finally:
        client.time = real
        target.stop()


def db_s(clock: Clock, line: VirtualLine) -> float:
    """Seconds to load one image with the commands of MLPerf Tiny's runner: 31 bytes each, and each answered."""

    def ask(command: str) -> None:
        line.write(f"{command}%".encode())
        said = b""
        while not said.endswith(b"m-ready\r\n"):
            said += line.read(1.0)

    ask(f"db load {IMAGE_BYTES}")
    began = clock.now
    for at in range(0, IMAGE_BYTES, 31):
        ask(f"db {secrets.token_hex(min(31, IMAGE_BYTES - at))}")
    return clock.now - began


def exact_shares(model: Model, report: Report) -> None:
    for baud in BAUDS:
        with virtual(model, baud) as (clock, line, commands):
            data, line_s = secrets.token_bytes(IMAGE_BYTES), IMAGE_BYTES * BITS_A_BYTE / baud
            began = clock.now
            commands._write_inputs([data])
            write_s = clock.now - began
            commands.run([data], Run(0), allowance_s=10.0, guess_s=0.1)
            began = clock.now
            commands._read_outputs()
            report.row(f"share of the line that an input has, {baud:,} baud", line_s / write_s, LEAST_SHARE)
            report.row(
                f"share of the line that an output has, {baud:,} baud", line_s / (clock.now - began), LEAST_SHARE
            )
            report.row(f"times faster than db commands, {baud:,} baud", db_s(clock, line) / write_s, LEAST_RATIO)


def exact_noise(model: Model, inferences: int, report: Report) -> None:
    golden = golden_for(model)
    for baud in BAUDS:
        with virtual(model, baud) as (clock, line, commands):

            def each_s(count: int, clock: Clock = clock, commands: Commands = commands) -> float:
                began = clock.now
                for number in range(count):
                    vector = number % len(golden)
                    inputs = [array[vector].tobytes() for array in golden.inputs]
                    reply = commands.run(inputs, Run(0), allowance_s=10.0, guess_s=0.01)
                    wanted = [array[vector].tobytes() for array in golden.outputs]
                    assert reply.outputs == wanted, f"inference {number} has a wrong verdict"
                return (clock.now - began) / count

            clean_s = each_s(100)
            faults: list[Any] = [Faults(**BAD, seed=seed) for seed in (3, 4)]  # type: ignore[arg-type]
            line.to_device, line.to_host = (fault.apply for fault in faults)
            noisy_s = each_s(inferences)
            hurt = sum(fault.hurt for fault in faults)
            print(f"{inferences:,} inferences over the bad line, {baud:,} baud: {hurt:,} bytes hurt, no wrong verdict")
            report.row(
                f"throughput over the bad line, of the clean one's, {baud:,} baud", clean_s / noisy_s, LEAST_NOISY
            )


# Real time ------------------------------------------------------------------------------------------------------------
class ProcessBoard(EmulatedBoard):
    """The firmware as a process of this computer, in the place of the emulated board; its rate is the host's."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        super().__init__(folder, paced=True)
        self._command = command

    def power_on(self) -> None:
        import socket

        with self._lock:
            self.power_off()
            self._uart, theirs = socket.socketpair()
            self._process = subprocess.Popen([*self._command, "--fd", str(theirs.fileno())], pass_fds=[theirs.fileno()])
            theirs.close()
            self._uart.setblocking(False)

    def board_baud(self, now: float) -> int:
        return self.host_baud()


def best_s(commands: Commands) -> float:
    """Seconds to load one image, the best of three."""
    times = []
    for _ in range(3):
        data = secrets.token_bytes(IMAGE_BYTES)
        began = time.monotonic()
        commands._write_inputs([data])
        times.append(time.monotonic() - began)
    return min(times)


def paced_share(what: str, rig: EmulatedBoard, commands: Commands, baud: int, report: Report) -> None:
    rig.paced = True
    share = IMAGE_BYTES * BITS_A_BYTE / baud / best_s(commands)
    rig.paced = False
    takes = IMAGE_BYTES / best_s(commands)
    line = baud / BITS_A_BYTE
    excuse = f"without the line it takes {takes / 1e3:.0f} kB/s here and now, the line brings {line / 1e3:.0f}"
    report.row(
        f"share of the paced line, {what}, {baud:,} baud", share, LEAST_SHARE, excuse if takes < ENOUGH * line else ""
    )


def emulated_share(folder: Path, model: Model, baud: int, report: Report) -> None:
    write_board(folder / "boards", "benchboard", baud="" if baud == BAUDS[0] else str(baud))
    os.environ["TINYHIL_PLATFORMS"] = str(folder / "boards")
    board = load_board("benchboard")
    image = build_image(board)
    del os.environ["TINYHIL_PLATFORMS"]
    assert image.slot is not None
    with emulated_board(folder / f"desk-{baud}", paced=False, args=()) as rig:
        rig.program([*elf_segments(image.elf), (image.slot.base, slot_image(model.data))])
        rig.power_on()
        rig.wait_ready()
        with Device.open(board, "serial", image, model, attachment=Attachment(rig.port, flash="none")) as device:
            device.load(model)
            if device.identity()["baud"] != str(baud):
                print(f"an emulated board did not come to {baud:,} baud on this computer, as busy as it is now")
                return
            paced_share("an emulated board", rig, device._commands, baud, report)


def process_share(folder: Path, model: Model, baud: int, report: Report) -> None:
    slot = folder / "slot.bin"
    slot.write_bytes(slot_image(model.data))
    command = [str(build_image(load_board("native")).elf), "--slot", str(slot)]
    rig = ProcessBoard(folder / f"process-{baud}", command)
    try:
        rig.power_on()
        port = open_port(Port(rig.port), baud, rts_cts=False)
        link = Link(port.channel, window=1, line_bytes_per_s=baud / BITS_A_BYTE)
        paced_share("the firmware as a process", rig, opened(link), baud, report)
        port.close()
    finally:
        rig.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inferences", type=int, default=10_000)
    given = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["TINYHIL_LOCKS"] = str(folder / "locks")
        model = image_model(folder)
        print("On the virtual line:")
        exact_shares(model, report)
        exact_noise(load_model(own_model("digits")), given.inferences, report)
        print("In real time, through the pacing line:")
        for baud in BAUDS:
            process_share(folder, model, baud, report)
            emulated_share(folder, model, baud, report)
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())

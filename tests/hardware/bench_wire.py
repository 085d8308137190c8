# SPDX-License-Identifier: Apache-2.0
"""What the wire carries, measured through the rate-pacing line between host and emulated board. Part of `make bench`.

    python tests/hardware/bench_wire.py [--inferences 10000]

Figures depend on the computer: the emulated board must be able to take a byte each 10 us at 1,000,000 baud, and so
must the line in between. Run it on one that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import serial
from rig import EmulatedBoard, Faults, emulated_board, write_board

from tinyhil.attachment import Attachment
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.flash.hexfile import elf_segments
from tinyhil.golden import golden_for
from tinyhil.matrix import own_model
from tinyhil.model import Model, load_model
from tinyhil.model.writer import ModelWriter
from tinyhil.slot import slot_image

IMAGE_BYTES = 96 * 96 * 3
LEAST_SHARE = 0.85
LEAST_RATIO = 3.0
LEAST_NOISY = 0.5
BAD = {"drop": 0.001, "flip": 0.001, "insert": 0.001, "burst_every": 20}


@contextmanager
def board_with(folder: Path, model: Model, baud: int, *, paced: bool) -> Iterator[tuple[EmulatedBoard, Device]]:
    """A device at this rate, its model loaded."""
    write_board(folder / "boards", "benchboard", baud="" if baud == 115200 else str(baud))
    os.environ["TINYHIL_PLATFORMS"] = str(folder / "boards")
    board = load_board("benchboard")
    image = build_image(board)
    assert image.slot is not None
    with emulated_board(folder / f"desk-{baud}-{time.monotonic_ns()}", paced=paced, args=()) as rig:
        rig.program([*elf_segments(image.elf), (image.slot.base, slot_image(model.data, "vww01"))])
        rig.power_on()
        rig.wait_ready()
        with Device.open(board, "serial", image, model, attachment=Attachment(rig.port, flash="none")) as device:
            assert device.identity()["baud"] == str(baud)
            device.load(model)
            yield rig, device


def image_model(folder: Path) -> Model:
    """As large an input as a person detector's, and hardly any work."""
    writer = ModelWriter()
    x, y = (writer.tensor(shape, scale=1 / 256, zero_point=-128) for shape in ((1, 96, 96, 3), (1, IMAGE_BYTES)))
    writer.operator("RESHAPE", [x], [y])
    path = folder / "image.tflite"
    path.write_bytes(writer.finish([x], [y]))
    return load_model(path)


def frames_s(device: Device) -> float:
    """Seconds to load one image in frames, the best of three."""
    data = os.urandom(IMAGE_BYTES)
    times = []
    for _ in range(3):
        began = time.monotonic()
        device._commands._write_inputs([data])
        times.append(time.monotonic() - began)
    return min(times)


def db_s(rig: EmulatedBoard) -> float:
    """Seconds to load one image with the runner's commands."""
    with serial.Serial(rig.port, 115200, timeout=10) as port:
        data = os.urandom(IMAGE_BYTES)

        def ask(command: str) -> None:
            port.write(f"{command}%".encode())
            while (line := port.readline()) != b"m-ready\r\n":
                assert line, command

        ask(f"db load {IMAGE_BYTES}")
        began = time.monotonic()
        for at in range(0, IMAGE_BYTES, 31):
            ask(f"db {data[at : at + 31].hex()}")
        return time.monotonic() - began


def inferences_s(device: Device, model: Model, count: int) -> float:
    golden = golden_for(model)
    began = time.monotonic()
    for number in range(count):
        vector = number % len(golden.kinds)
        result = device.run([array[vector] for array in golden.inputs])
        for got, want in zip(result.outputs, golden.outputs, strict=True):
            assert np.array_equal(got, want[vector]), f"inference {number} has a wrong verdict"
    return time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inferences", type=int, default=10_000)
    given = parser.parse_args()
    missed = 0

    def row(what: str, got: float, least: float, unit: str = "") -> None:
        nonlocal missed
        missed += got < least
        print(
            f"{what:<62} {got:8.2f}{unit}   at least {least:g}{unit}   {'ok' if got >= least else 'MISSED'}", flush=True
        )

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["TINYHIL_LOCKS"] = str(folder / "locks")
        image = image_model(folder)
        for baud in (115200, 1_000_000):
            with board_with(folder, image, baud, paced=True) as (rig, device):
                by_frames_s = frames_s(device)
            row(
                f"share of the line that an input has at {baud:,} baud",
                IMAGE_BYTES * 10 / by_frames_s / baud,
                LEAST_SHARE,
            )
            if baud == 115200:
                row("times faster than db commands, one image", db_s_of(folder, image) / by_frames_s, LEAST_RATIO)
        digits = load_model(own_model("digits"))
        with board_with(folder, digits, 115200, paced=True) as (rig, device):
            clean_s = inferences_s(device, digits, max(1, given.inferences // 10)) * 10
            rig.to_board.faults = Faults(**BAD, seed=3)  # type: ignore[arg-type]
            rig.to_host.faults = Faults(**BAD, seed=4)  # type: ignore[arg-type]
            noisy_s = inferences_s(device, digits, given.inferences)
            hurt = rig.to_board.faults.hurt + rig.to_host.faults.hurt
        print(f"{given.inferences:,} inferences over the bad line: {hurt:,} bytes hurt, no wrong verdict")
        row("throughput over the bad line, of the clean one's", clean_s / noisy_s, LEAST_NOISY)
    return 1 if missed else 0


def db_s_of(folder: Path, model: Model) -> float:
    with board_with(folder, model, 115200, paced=True) as (rig, device):
        device.close()
        return db_s(rig)


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Records as a matrix makes them, for tests of what is drawn from records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tinyhil.record import Cell, Figure, Identity, OperatorResult, Record

OPERATORS = (("CONV_2D", 9216, 400_000), ("DEPTHWISE_CONV_2D", 4608, 350_000), ("SOFTMAX", 0, 2_000))


def passed(
    model: str = "kws",
    board: str = "mps2_an386",
    *,
    night: int = 0,
    scale: float = 1.0,
    compiler: str = "gcc 12.2.1",
    emulator: str = "7.2.22",
    **figures: int,
) -> Record:
    """A cell that passed on a night of November. scale: of what its second operator costs."""
    units = [round(cost * (scale if index == 1 else 1)) for index, (_, _, cost) in enumerate(OPERATORS)]
    values = {"arena_used": 20_640, "stack_peak": 1_508, "flash": 48_212, "ram": 12_160, **figures}
    return Record(
        cell=Cell(board, "qemu", Path(f"{model}.tflite")),
        identity=Identity(
            tinyhil="0.1.0",
            host={"system": "Linux", "machine": "x86_64", "python": "3.11"},
            model={"name": model, "sha256": "a" * 64, "bytes": 53_936},
            image={
                "build_id": "0123456789abcdef",
                "kind": "slot",
                "engine": "builtin",
                "kernels": "reference",
                "firmware": "bare_metal",
                "firmware_version": "",
                "compiler": compiler,
                "flags": ["-O2", "-mcpu=cortex-m4"],
            },
            target={"name": "qemu-system-arm", "version": emulator},
            golden={
                "oracle": "tflm",
                "oracle_version": "0.dev20261023182759",
                "seed": 0,
                "generator": "tinyhil-vectors/1",
                "tinyhil_version": "0.1.0",
            },
        ),
        command=f"tinyhil run {model}.tflite --board {board} --target qemu",
        started_at=f"2026-11-{1 + night % 30:02}T{night // 30:02}:00:00Z",
        verdict="pass",
        vectors={"uniform": 6, "random_walk": 2},
        figures={
            "inference": Figure(sum(units), "instructions", "QEMU 7.2.22 -icount shift=0, SysTick"),
            **{name: Figure(value, "bytes", "device") for name, value in values.items()},
        },
        timings={"prepare": 0.1, "boot": 0.2, "run": 0.4, "elapsed": 0.7},
        operators=[
            OperatorResult(name, "reference", 9, macs, cost)
            for (name, macs, _), cost in zip(OPERATORS, units, strict=True)
        ],
    )


def not_passed(record: Record, verdict: str, **more: object) -> Record:
    """The same cell with another verdict."""
    return replace(record, verdict=verdict, figures={}, operators=[], **more)  # type: ignore[arg-type]

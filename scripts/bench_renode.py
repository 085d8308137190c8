# SPDX-License-Identifier: Apache-2.0
"""`make bench-renode`: what a cell in Renode costs beyond its instructions, and whether its counts can be relied on.

First the speed of Renode on this host: instructions of one long inference after another, by the wall and by the
processor time of Renode's process. Then each model on each board that Renode emulates: its golden vectors, the plain
inference REPEATS times, the same in QEMU where QEMU has the board; and a `tinyhil run` of its own, which has to start
Renode. A cell's instructions are those of its inferences, nothing else: start, link and checksums are its overhead.

Ends with 1 where an output differs, a count does not repeat, Renode's differs from QEMU's by more than 0.5 %, or a
cell's overhead is above ALLOWED_S. What else the host does can only add to a time: so the speed is the best of TRIES,
and a cell that takes too long is run again, so many times in all, and the shortest counts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from tinyhil.board import board_names, load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.errors import DoesNotFit, MissingTool, TinyhilError
from tinyhil.golden import golden_for
from tinyhil.matrix import own_models
from tinyhil.model import Model, load_model
from tinyhil.record import Cell
from tinyhil.runner import Materials, Plan, run_cell
from tinyhil.target.renode import find_renode

ROOT = Path(__file__).resolve().parents[1]
PUBLIC_MODELS = Path(os.environ.get("TINYHIL_TEST_MODELS", ROOT.parent / "shared" / "models"))
SPEED_BOARD = "nrf52840dk"
SPEED_INSTRUCTIONS = 500_000_000
REPEATS = 20
TRIES = 3
ALLOWED_S = 2.0
LIKE_QEMU = 0.005  # of the count, for models above a million instructions

T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    """Seconds: by the wall, and of processor time of this process and its children."""

    wall_s: float
    cpu_s: float


@dataclass
class Row:
    """A cell. instructions: of all its inferences; counts: distinct counts of the plain one in REPEATS runs."""

    board: str
    model: str
    verdict: str
    inference: int
    counts: int
    qemu: int | None
    instructions: int
    cost: Cost
    overhead: Cost


def _cpu_s() -> float:
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime + sum(map(_running_s, _children(os.getpid())))


def _children(pid: int) -> list[int]:
    found = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in _words(task / "children")]
    return found + [below for child in found for below in _children(child)]


def _running_s(pid: int) -> float:
    """Processor time of a process that runs, and of those that it has seen end."""
    fields = _words(Path(f"/proc/{pid}/stat"), after=")")
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def _words(file: Path, after: str = "") -> list[str]:
    text = file.read_text()
    return (text.rpartition(after)[2] if after else text).split()


def costs(work: Callable[[], T]) -> tuple[T, Cost]:
    """What the work returns, and what it cost. Renode must be idle before and after."""
    cpu, wall = _cpu_s(), time.monotonic()
    result = work()
    return result, Cost(time.monotonic() - wall, _cpu_s() - cpu)


def measure_speed(model: Model) -> tuple[int, Cost]:
    """Instructions of plain inferences, SPEED_INSTRUCTIONS or more, and what they cost. Start and load are left out."""
    board = load_board(SPEED_BOARD)
    inputs = [array[0] for array in golden_for(model).inputs]

    def runs(device: Device) -> int:
        executed = 0
        while executed < SPEED_INSTRUCTIONS:
            executed += device.run(inputs).units or SPEED_INSTRUCTIONS
        return executed

    with Device.open(board, "renode", build_image(board), model) as device:
        device.load(model)
        device.run(inputs)  # is translated now
        tried = [costs(lambda: runs(device)) for _ in range(TRIES)]
    return min(tried, key=lambda speed: speed[1].wall_s / speed[0])


def counts(board_name: str, target: str, model: Model, repeats: int) -> set[int]:
    """Distinct instruction counts of one plain inference."""
    board = load_board(board_name)
    inputs = [array[0] for array in golden_for(model).inputs]
    with Device.open(board, target, build_image(board), model) as device:
        device.load(model)
        return {device.run(inputs).units or 0 for _ in range(repeats)}


def measure_cell(board: str, model: Model, vectors: int | None, materials: Materials, speed: tuple[int, Cost]) -> Row:
    """One cell, in a Renode that waits for it, and its counts."""
    cell, plan = Cell(board, "renode", Path(model.path)), Plan(vectors=vectors)
    tried: list[tuple[Cost, Cost]] = []
    while not tried or (len(tried) < TRIES and tried[-1][1].wall_s > ALLOWED_S):
        outcome, cost = costs(lambda: run_cell(cell, plan, materials=materials))
        record = outcome.record
        if record.verdict != "pass":
            return Row(board, model.name, record.headline(), 0, 0, None, 0, cost, cost)
        inference = round(record.figures["inference"].value)
        instructions = inference * (sum(record.vectors.values()) + 1)
        tried.append((cost, overhead(instructions, cost, speed)))
    found = counts(board, "renode", model, REPEATS) | {inference}
    has_qemu = "qemu" in load_board(board).targets
    qemu = min(counts(board, "qemu", model, 1)) if has_qemu else None
    cost, beyond = min(tried, key=lambda costs: costs[1].wall_s)
    return Row(board, model.name, record.verdict, inference, len(found), qemu, instructions, cost, beyond)


def overhead(instructions: int, cost: Cost, speed: tuple[int, Cost]) -> Cost:
    """What is left of a cost when its instructions have had what they take."""
    share = instructions / speed[0]
    return Cost(cost.wall_s - share * speed[1].wall_s, cost.cpu_s - share * speed[1].cpu_s)


def measure_first(model: Model, vectors: int | None) -> Cost:
    """A whole `tinyhil run`, in a process of its own that has to start Renode."""
    command = [sys.executable, "-m", "tinyhil", "run", str(model.path), "--board", SPEED_BOARD, "--target", "renode"]
    command += [] if vectors is None else ["--vectors", str(vectors)]
    done, cost = costs(lambda: subprocess.run(command, capture_output=True, text=True, check=False))
    if done.returncode:
        raise MissingTool(f"`{' '.join(command)}` ended with {done.returncode}", details=done.stdout + done.stderr)
    return cost


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench_renode.json", help="the figures, as JSON")
    parser.add_argument("--boards", help="only these, with commas")
    parser.add_argument("--models", nargs="*", type=Path, help="these models (default: the project's own)")
    parser.add_argument("--vectors", type=int, help="golden vectors of each model (default: all)")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 200)
    try:
        find_renode()
    except MissingTool as error:
        console.print(f"{error.message}: nothing was measured. {error.next_step}")
        return 0
    models = [load_model(path) for path in arguments.models or own_models()]
    boards = [name for name in board_names() if "renode" in load_board(name).targets]
    if arguments.boards:
        boards = arguments.boards.split(",")

    longest = max([*PUBLIC_MODELS.glob("vww*.tflite"), *own_models()], key=lambda path: path.stat().st_size)
    speed = measure_speed(load_model(longest))
    console.print(
        f"Renode on this host, {longest.stem} on {SPEED_BOARD}: {speed[0] / speed[1].wall_s / 1e6:.0f} million "
        f"instructions a second, {speed[0] / speed[1].cpu_s / 1e6:.0f} million in a second of processor time"
    )
    failures: list[str] = []
    rows: list[Row] = []
    table = Table(title="A cell in a Renode that waits for it; overhead: what it takes beyond its inferences")
    for heading in ("board", "model", "verdict", "inference", f"same in {REPEATS}", "in QEMU", "cell", "wall s",
                    "CPU s", "overhead wall s", "overhead CPU s"):  # fmt: skip
        table.add_column(heading, justify="left" if heading in ("board", "model", "verdict") else "right")
    materials = Materials()
    run_cell(Cell(SPEED_BOARD, "renode", Path(models[0].path)), Plan(vectors=1), materials=materials)
    for name in boards:
        for model in models:
            try:
                row = measure_cell(name, model, arguments.vectors, materials, speed)
            except DoesNotFit:
                continue
            except TinyhilError as error:
                failures.append(f"{model.name} on {name}: {error.message}")
                continue
            rows.append(row)
            if row.verdict != "pass":
                failures.append(f"{model.name} on {name}: {row.verdict}")
            elif row.overhead.wall_s > ALLOWED_S:
                failures.append(f"{model.name} on {name}: {row.overhead.wall_s:.1f} s beyond its instructions")
            if row.counts > 1:
                failures.append(f"{model.name} on {name}: {row.counts} different counts in {REPEATS} runs")
            if row.qemu and row.qemu > 1_000_000 and abs(row.inference - row.qemu) > LIKE_QEMU * row.qemu:
                failures.append(f"{model.name} on {name}: {row.inference} instructions, {row.qemu} in QEMU")
            table.add_row(
                name, model.name, row.verdict, f"{row.inference:,}", "yes" if row.counts == 1 else "NO",
                f"{row.qemu:,}" if row.qemu else "", f"{row.instructions / 1e6:,.0f}M", f"{row.cost.wall_s:.2f}",
                f"{row.cost.cpu_s:.2f}", _marked(row.overhead.wall_s), _marked(row.overhead.cpu_s),
            )  # fmt: skip
    console.print(table)
    first = measure_first(models[0], 1)
    console.print(
        f"tinyhil run of one vector, which starts Renode: {first.wall_s:.2f} s, {first.cpu_s:.2f} s of processor time"
    )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    figures = {
        "speed": {"instructions": speed[0], **asdict(speed[1])},
        "first": asdict(first),
        "cells": [asdict(row) for row in rows],
        "failures": failures,
    }
    arguments.out.write_text(json.dumps(figures, indent=1) + "\n")
    console.print(f"figures: {arguments.out}")
    for failure in failures:
        console.print(f"FAIL {failure}", style="red", highlight=False)
    return 1 if failures else 0


def _marked(seconds: float) -> str:
    return f"{seconds:.2f}" + (" !" if seconds > ALLOWED_S else "")


if __name__ == "__main__":
    sys.exit(main())

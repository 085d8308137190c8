# SPDX-License-Identifier: Apache-2.0
"""`make bench`: size and speed of the builtin engine beside published figures of TensorFlow Lite Micro.

What is judged are instructions and bytes, which repeat to the digit, and the share of a warm matrix's CPU time that is
the emulators'; how long things take on this machine is shown beside it. Every model must also be bit for bit what its
golden set says, on every board, final outputs and each operator's.

Ends with 1 where an output differs, a count does not repeat, or a figure is above the peer's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tinyhil import golden, verdict
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.elf import symbol_sizes
from tinyhil.errors import MissingTool
from tinyhil.matrix import own_models
from tinyhil.model import Model, load_model
from tinyhil.record import ENGINES, KERNELS

ROOT = Path(__file__).resolve().parents[1]
PUBLIC_MODELS = Path(os.environ.get("TINYHIL_TEST_MODELS", ROOT.parent / "shared" / "models"))
BOARDS = ("mps2_an385", "mps2_an386", "mps2_an500", "mps2_an505", "mps3_an547")
PAIRS_BOARD = "mps2_an386"
REPEATS = 20

# tflite-micro 90b983c2b with its pinned CMSIS-NN, GCC 12.2.1 -O2, QEMU 7.2; instructions per inference:
# reference kernels, CMSIS-NN kernels.
PEER = "TFLite Micro 90b983c2b, GCC 12.2.1 -O2, QEMU 7.2"
PEER_INSTRUCTIONS = {
    "mps2_an385": {"kws": (42.1e6, 10.5e6), "vww": (99.0e6, 32.0e6), "ic": (105.8e6, 41.8e6), "ad": (1.95e6, 0.956e6)},
    "mps2_an386": {"kws": (43.1e6, 7.70e6), "vww": (100.5e6, 24.1e6), "ic": (107.5e6, 29.9e6), "ad": (1.95e6, 0.583e6)},
    "mps2_an500": {"kws": (44.2e6, 7.64e6), "vww": (103.2e6, 24.0e6), "ic": (109.4e6, 30.0e6), "ad": (1.96e6, 0.583e6)},
    "mps2_an505": {"kws": (42.9e6, 7.68e6), "vww": (100.0e6, 24.0e6), "ic": (107.5e6, 30.0e6), "ad": (1.95e6, 0.583e6)},
    "mps3_an547": {"kws": (42.1e6, 1.81e6), "vww": (96.4e6, 6.56e6), "ic": (97.7e6, 4.91e6), "ad": (1.70e6, 0.150e6)},
}
# Code and data of an image without its model on the Cortex-M4F, bytes: reference kernels, CMSIS-NN kernels.
PEER_BYTES = {"kws": (46_076, 88_932), "ad": (23_612, 35_100)}
# Instructions of the set-up (resolver and AllocateTensors) on the Cortex-M4F, and the share of them that is allowed.
PEER_SET_UP = {"kws": 690e3, "vww": 3.1e6}
SET_UP_SHARE = 0.3
SET_UP_BOARD = "mps2_an386"
# Arena used with reference kernels, bytes.
PEER_ARENA = {"kws": 22_772, "vww": 100_660, "ic": 54_340, "ad": 2_260, "micro_speech": 6_788, "hello_world": 676}
FILES = {
    "kws": "kws_ref_model.tflite",
    "vww": "vww_96_int8.tflite",
    "ic": "pretrainedResnet_quant.tflite",
    "ad": "ad01_int8.tflite",
    "micro_speech": "micro_speech_quantized.tflite",
    "hello_world": "hello_world_int8.tflite",
}
EMULATORS_SHARE = 0.6  # of the CPU time of a warm matrix, at the least
COUNTED_GROUPS = ("startup", "engine", "kernels", "libc")


@dataclass(frozen=True)
class Run:
    exact: bool
    instructions: int
    repeats: bool
    arena_used: int
    stack_peak: int
    set_up: int


def run(board_name: str, model: Model, vectors: int, engine: str = "builtin", kernels: str = "reference") -> Run:
    """All golden vectors with every operator's checksums, then the plain inference REPEATS times."""
    board = load_board(board_name)
    goldens = golden.golden_for(model)
    goldens = goldens.subset(range(min(vectors, len(goldens))))
    with Device.open(board, "qemu", build_image(board, engine=engine, kernels=kernels), model) as device:
        loaded = device.load(model)
        tally = verdict.run_golden(device, goldens)
        counts = {device.run([series[0] for series in goldens.inputs]).units for _ in range(REPEATS)}
        memory, set_up = device.memory(), device.set_up_units() or 0
    count = counts.pop()
    assert count is not None
    return Run(tally.difference is None, count, not counts, loaded.arena_used, memory.stack_peak, set_up)


def bundled_bytes(board_name: str, model: Model, engine: str = "builtin", kernels: str = "reference") -> dict[str, int]:
    """Code and data of an image with only this model's operators, by group; the model itself is left out."""
    operators = sorted({op.name for op in model.operators})
    board = load_board(board_name)
    image = build_image(board, engine=engine, kernels=kernels, model=Path(model.path), ops=operators)
    groups: dict[str, int] = {}
    for symbol in symbol_sizes(image.elf):
        groups[symbol.group] = groups.get(symbol.group, 0) + symbol.bytes
    return groups


def pairs_table(models: dict[str, Path], vectors: int, found: dict[str, Any]) -> Table:
    """Every pair of engine and kernels whose sources are here, on the Cortex-M4F: what it costs, beside the peer."""
    table = Table(title=f"Engines and kernels on the Cortex-M4F: instructions, arena, bytes as above, beside {PEER}")
    for heading in ("model", "pair", "exact", "instructions", "peer", "ratio", "arena", "bytes", "peer's"):
        table.add_column(heading, justify="left" if heading in ("model", "pair") else "right")
    for name, path in models.items():
        model = load_model(path)
        for engine, kernels in itertools.product(ENGINES, KERNELS):
            try:
                result = run(PAIRS_BOARD, model, vectors, engine, kernels)
                groups = bundled_bytes(PAIRS_BOARD, model, engine, kernels)
            except MissingTool as error:
                if not error.requirement:
                    raise
                table.add_row(name, f"{engine}/{kernels}", f"not here: {error.requirement}")
                continue
            together = sum(groups.get(group, 0) for group in COUNTED_GROUPS)
            found.setdefault("pairs", {})[f"{name} {engine}/{kernels}"] = {**vars(result), "bytes": together}
            if not result.exact:
                found["failures"].append(f"{name} with {engine}/{kernels}: outputs differ from the golden set")
            column = KERNELS.index(kernels)
            count, size = PEER_INSTRUCTIONS[PAIRS_BOARD].get(name), PEER_BYTES.get(name)
            table.add_row(
                name, f"{engine}/{kernels}", "yes" if result.exact else "NO", f"{result.instructions:,}",
                millions(count[column]) if count else "", f"{result.instructions / count[column]:.2f}" if count else "",
                f"{result.arena_used:,}", f"{together:,}", f"{size[column]:,}" if size else "",
            )  # fmt: skip
        table.add_section()
    return table


def warm(*arguments: str) -> tuple[int, float]:
    """Runs tinyhil twice; the exit status and the seconds of the second time."""
    for _ in range(2):
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "tinyhil", *arguments], capture_output=True, check=False)
    return done.returncode, time.monotonic() - began


def millions(count: float) -> str:
    return f"{count / 1e6:.3g}M"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench.json", help="where the figures go, as JSON")
    parser.add_argument("--vectors", type=int, default=8, help="golden vectors of each model (default: 8)")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 200)
    models = {name: PUBLIC_MODELS / file for name, file in FILES.items() if (PUBLIC_MODELS / file).exists()}
    if not models:
        console.print(f"{PUBLIC_MODELS} holds no public models (TINYHIL_TEST_MODELS says where they are):")
        console.print("only the project's own are measured, and nothing is compared.")
    models |= {f"own {path.stem}": path for path in own_models()}
    found: dict[str, Any] = {"peer": PEER, "boards": {}, "bundled": {}, "failures": []}
    failures: list[str] = found["failures"]

    speed = Table(title=f"Instructions per inference, beside {PEER}")
    for heading in ("model", "board", "exact", "instructions", f"same in {REPEATS} runs", "peer reference", "ratio",
                    "peer CMSIS-NN", "ratio", "arena", "peer's", "stack", "set-up"):  # fmt: skip
        speed.add_column(heading, justify="left" if heading in ("model", "board") else "right")
    for name, path in models.items():
        model = load_model(path)
        for board in BOARDS:
            result = run(board, model, arguments.vectors)
            found["boards"].setdefault(board, {})[name] = vars(result)
            reference, cmsis_nn = PEER_INSTRUCTIONS[board].get(name, (None, None))
            arena = PEER_ARENA.get(name)
            if not result.exact:
                failures.append(f"{name} on {board}: outputs differ from the golden set")
            if not result.repeats:
                failures.append(f"{name} on {board}: the count of instructions varies")
            if reference is not None and result.instructions > reference:
                failures.append(f"{name} on {board}: {result.instructions} instructions, the peer {reference:.0f}")
            if arena is not None and result.arena_used > arena:
                failures.append(f"{name} on {board}: {result.arena_used} bytes of arena, the peer {arena}")
            set_up = PEER_SET_UP.get(name)
            if board == SET_UP_BOARD and set_up is not None and result.set_up > SET_UP_SHARE * set_up:
                failures.append(f"{name} on {board}: set-up of {result.set_up} instructions, the peer's {set_up:.0f}")
            speed.add_row(
                name, board, "yes" if result.exact else "NO", f"{result.instructions:,}",
                "yes" if result.repeats else "NO",
                millions(reference) if reference else "", f"{result.instructions / reference:.2f}" if reference else "",
                millions(cmsis_nn) if cmsis_nn else "", f"{result.instructions / cmsis_nn:.2f}" if cmsis_nn else "",
                f"{result.arena_used:,}", f"{arena:,}" if arena else "", f"{result.stack_peak:,}",
                f"{result.set_up:,}",
            )  # fmt: skip
        speed.add_section()
    console.print(speed)

    size = Table(title=f"Bytes of a bundled image without its model, Cortex-M4F, beside {PEER}")
    for heading in ("model", *COUNTED_GROUPS, "together", "peer reference", "ratio", "peer CMSIS-NN", "link", "app"):
        size.add_column(heading, justify="left" if heading == "model" else "right")
    for name, path in models.items():
        groups = bundled_bytes("mps2_an386", load_model(path))
        found["bundled"][name] = groups
        together = sum(groups.get(group, 0) for group in COUNTED_GROUPS)
        reference, cmsis_nn = PEER_BYTES.get(name, (None, None))
        if reference is not None and together > reference:
            failures.append(f"{name} bundled: {together} bytes of code and data, the peer {reference}")
        size.add_row(
            name, *(f"{groups.get(group, 0):,}" for group in COUNTED_GROUPS), f"{together:,}",
            f"{reference:,}" if reference else "", f"{together / reference:.2f}" if reference else "",
            f"{cmsis_nn:,}" if cmsis_nn else "", f"{groups.get('link', 0):,}", f"{groups.get('app', 0):,}",
        )  # fmt: skip
    console.print(size)
    console.print(pairs_table(models, arguments.vectors, found))

    with tempfile.TemporaryDirectory() as out:
        status, seconds = warm("matrix", "--out", out)
        cpu_s = json.loads(Path(out, "matrix.json").read_text())["cpu_s"]
    share = cpu_s["children"] / (cpu_s["children"] + cpu_s["tinyhil"])
    found["warm_matrix"] = {"status": status, "seconds": seconds, "cpu_s": cpu_s, "emulators_share": share}
    console.print(f"warm tinyhil matrix: {share:.0%} of its CPU time in emulators, {seconds:.1f} s, status {status}")
    if status != 0 or share < EMULATORS_SHARE:
        failures.append(f"a warm matrix ends with {status}, {share:.0%} of its CPU time in emulators")
    if "kws" in models:
        status, seconds = warm("run", str(models["kws"]), "--board", "mps2_an386")
        found["warm_run"] = {"status": status, "seconds": seconds}
        console.print(f"warm tinyhil run of kws: {seconds:.2f} s, status {status}")
        if status != 0:
            failures.append(f"a warm run of kws ends with {status}")

    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n")
    console.print(f"figures: {arguments.out}")
    for failure in failures:
        console.print(f"FAIL {failure}", style="red", highlight=False)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

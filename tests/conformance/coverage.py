# SPDX-License-Identifier: Apache-2.0
"""make coverage: which branches of the reference kernels the conformance cases take, by gcov.

Each operator's cases run (without the oracle: only what runs matters here), and as many models that contradict
themselves. A branch is counted once for each place in the sources, whatever it was instantiated for. Ends with 1 below
95 %.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from host_engine import HERE, HostEngine

from conformance.draw import Draw
from conformance.operators import OPERATORS
from tinyhil import assets

LEAST = 95.0
FLAGS = ["-std=c++17", "-O0", "--coverage", "-fno-exceptions", "-fno-rtti", "-ffp-contract=off"]

Branches = dict[tuple[str, int, int], bool]  # file, line and place in it -> taken


def build(folder: Path) -> Path:
    firmware = assets.firmware_dir()
    sources = [
        HERE / "host_engine.cc",
        *sorted(firmware.glob("interpreter/*.cc")),
        *sorted(firmware.glob("kernels/reference/*.cc")),
        firmware / "engine" / "builtin.cc",
    ]

    def compile_one(source: Path) -> str:
        target = folder / f"{source.parent.name}-{source.stem}.o"
        subprocess.run(["g++", *FLAGS, f"-I{firmware}", "-c", str(source), "-o", str(target)], check=True)
        return str(target)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, sources))
    program = folder / "host_engine"
    subprocess.run(["g++", *FLAGS, *objects, "-o", str(program)], check=True)
    return program


def run(program: Path, count: int) -> None:
    engine = HostEngine(program)
    for operator in OPERATORS.values():
        for number in range(count):
            case = operator.generate(Draw(f"{operator.name}/{number}"))
            vectors = [b"".join(array.tobytes() for array in vector) for vector in case.vectors]
            engine.run(case.model, vectors, case.output_bytes, 1 << 18)
        for number in range(count):
            try:
                case = operator.generate(Draw(f"{operator.name}/{number}", damage=True))
            except (ValueError, ZeroDivisionError, KeyError, IndexError):  # what the writer itself refuses
                continue
            engine.run(case.model, [], case.output_bytes, 1 << 18)
            if number % 8 == 0:  # an arena in which only some of it fits
                engine.run(case.model, [], case.output_bytes, 64 + number % 512)
    engine.close()


def branches(folder: Path) -> Branches:
    found: Branches = defaultdict(bool)
    root = assets.firmware_dir()
    for data in sorted(folder.glob("reference-*.gcda")):
        done = subprocess.run(
            ["gcov", "--branch-probabilities", "--json-format", "--stdout", str(data)],
            cwd=folder, capture_output=True, check=True,
        )  # fmt: skip
        for file in json.loads(done.stdout)["files"]:
            path = Path(file["file"])
            if path.parent.name != "reference" or root not in path.parents:
                continue
            for line in file["lines"]:
                for place, branch in enumerate(line["branches"]):
                    found[(path.name, line["line_number"], place)] |= branch["count"] > 0
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="make coverage", description=__doc__)
    parser.add_argument("--count", "-n", type=int, default=500, help="cases of each operator (500)")
    parser.add_argument("--missing", action="store_true", help="list the lines with branches that were never taken")
    options = parser.parse_args()
    if shutil.which("gcov") is None:
        parser.error("gcov, which comes with GCC, is not installed")
    with tempfile.TemporaryDirectory(prefix="tinyhil-coverage-") as name:
        folder = Path(name)
        run(build(folder), options.count)
        found = branches(folder)
    files: dict[str, list[bool]] = defaultdict(list)
    for (file, _, _), taken in found.items():
        files[file].append(taken)
    for file, taken_ones in sorted(files.items()):
        print(f"{file:28} {sum(taken_ones):5} of {len(taken_ones):5} {100 * sum(taken_ones) / len(taken_ones):6.1f} %")
    if options.missing:
        for file, line in sorted({(file, line) for (file, line, _), taken in found.items() if not taken}):
            print(f"never taken: {file}:{line}")
    share = 100 * sum(found.values()) / len(found)
    print(f"branches of the reference kernels that were taken: {sum(found.values())} of {len(found)}, {share:.1f} %")
    return 0 if share >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())

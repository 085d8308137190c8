# SPDX-License-Identifier: Apache-2.0
"""Compiles a fuzz target: for libFuzzer with clang, or with the host's compiler for a run without a fuzzer."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tinyhil import assets

HERE = Path(__file__).parent
TARGETS = ("model", "link")
CORPUS = HERE / "corpus"
_SLOT_MODEL = CORPUS / "slot_model.tflite"
_FLAGS = [
    *("-std=c++17", "-O1", "-g", "-fno-omit-frame-pointer", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"),
    "-fno-sanitize-recover=all",
]


def find_clang() -> str | None:
    """The newest clang++ there is."""
    names = ["clang++", *(f"clang++-{version}" for version in range(25, 11, -1))]
    return next((path for path in map(shutil.which, names) if path), None)


def build(target: str, folder: Path, *, fuzzer: bool) -> Path:
    """The program, built where its sources changed. With `fuzzer` a libFuzzer binary, else one of replay.cc."""
    firmware = assets.firmware_dir()
    folders = ["interpreter", "kernels/reference", *(["link", "app"] if target == "link" else [])]
    sources = [
        HERE / f"fuzz_{target}.cc",
        *([] if fuzzer else [HERE / "replay.cc"]),
        firmware / "engine" / "builtin.cc",
        *(path for name in folders for path in sorted((firmware / name).glob("*.cc")) if path.name != "app.cc"),
    ]
    compiler = find_clang() if fuzzer else shutil.which("g++")
    assert compiler, "clang++ is needed: scripts/setup.sh fuzz" if fuzzer else "g++ is needed"
    sanitizers = f"-fsanitize=address,undefined{',fuzzer' if fuzzer else ''}"
    flags = [*_FLAGS, sanitizers, f'-DTINYHIL_FUZZ_MODEL="{_SLOT_MODEL}"', f"-I{firmware}", f"-I{HERE}"]
    common = hashlib.sha256(" ".join([compiler, *flags]).encode())
    for path in (*sorted(firmware.rglob("*.h")), *HERE.glob("*.h"), firmware / "app" / "app.cc", _SLOT_MODEL):
        common.update(path.read_bytes())

    def object_of(source: Path) -> Path:
        digest = common.copy()
        digest.update(source.read_bytes())
        return folder / "objects" / f"fuzz-{source.stem}-{digest.hexdigest()[:16]}.o"

    (folder / "objects").mkdir(parents=True, exist_ok=True)
    objects = [object_of(source) for source in sources]
    program = folder / f"fuzz_{target}-{hashlib.sha256(str(objects).encode()).hexdigest()[:16]}"
    if program.exists():
        return program

    def run(output: Path, arguments: list[str]) -> None:
        if output.exists():
            return
        partial = output.with_name(f"{output.name}.partial")
        done = subprocess.run([compiler, *flags, *arguments, "-o", str(partial)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        partial.replace(output)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda pair: run(pair[1], ["-c", str(pair[0])]), zip(sources, objects, strict=True)))
    run(program, list(map(str, objects)))
    return program

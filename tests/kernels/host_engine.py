# SPDX-License-Identifier: Apache-2.0
"""The firmware's engine as a host process under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tinyhil import assets
from tinyhil.library import Library

HERE = Path(__file__).parent
FLAGS = [
    *("-std=c++17", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-ffp-contract=off"),
    *("-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Wconversion", "-Werror"),
]
# CMSIS-NN's own sources. Its sums wrap and it shifts negative numbers left; -fwrapv defines both, and is all that is
# excluded from the sanitizers' reports.
C_FLAGS = [
    *("-std=c11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-ffp-contract=off", "-w"),
    "-fwrapv",
]


@dataclass(frozen=True)
class Refused:
    """What the engine said instead of running: Code of interpreter/error.h, path and detail, two numbers."""

    code: int
    text: str
    want: int
    got: int


@dataclass(frozen=True)
class Ran:
    """paths: for each operator whose kernel computed it, and in how many of the vectors."""

    arena_used: int
    outputs: list[bytes]
    paths: list[tuple[str, int]]


def build_host_engine(
    folder: Path, table: Path | None = None, library: Library | None = None, firmware: Path | None = None
) -> Path:
    """Compiles host_engine.cc with the interpreter and the reference kernels; each object once for each state of its
    sources.

    `table` replaces the table of all operators. `library`, CMSIS-NN, adds the kernels that call it, and their table.
    `firmware` is another tree than the project's own.
    """
    firmware = firmware or assets.firmware_dir()
    kernels = sorted((firmware / "kernels" / "reference").glob("*.cc"))
    if library is not None:
        kernels = [path for path in kernels if path.name not in ("all_ops.cc", "kernel_set.cc")]
        kernels += sorted((firmware / "kernels" / "cmsis_nn").glob("*.cc"))
    sources = [
        HERE / "host_engine.cc",
        *sorted((firmware / "interpreter").glob("*.cc")),
        *(path for path in kernels if table is None or path.name != "all_ops.cc"),
        *([table] if table else []),
        firmware / "engine" / "builtin.cc",
        *([library.root / name for name in library.sources] if library is not None else []),
    ]
    common = hashlib.sha256(" ".join([*FLAGS, *C_FLAGS, library.identity if library is not None else ""]).encode())

    def object_of(source: Path) -> Path:
        digest = common.copy()
        for path in with_headers(source, firmware):
            digest.update(path.read_bytes())
        return objects / f"{source.stem}-{digest.hexdigest()[:16]}.o"

    objects = folder / "objects"
    objects.mkdir(parents=True, exist_ok=True)
    targets = list(map(object_of, sources))
    program = folder / f"host_engine-{hashlib.sha256(str(targets).encode()).hexdigest()[:16]}"
    if program.exists():
        return program
    compiler = shutil.which("g++")
    assert compiler, "g++ is needed (the marker `needs` skips the test without it)"

    includes = [f"-isystem{path}" for path in library.includes] if library is not None else []

    def compiled(source: Path) -> list[str]:
        flags = ["-x", "c", *C_FLAGS] if source.suffix == ".c" else [*FLAGS, f"-I{firmware}"]
        return [*flags, *includes, "-c", str(source)]

    def make(target: Path, arguments: list[str]) -> None:
        """Appears whole or not at all: several test runs may share the folder."""
        if target.exists():
            return
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        done = subprocess.run([compiler, *arguments, "-o", str(partial)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        partial.replace(target)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in [
            pool.submit(make, target, compiled(source)) for source, target in zip(sources, targets, strict=True)
        ]:
            done.result()
    make(program, [*FLAGS, *map(str, targets)])
    return program


def with_headers(source: Path, firmware: Path) -> list[Path]:
    """The source and the firmware's headers that it includes, directly or not."""
    found = [source]
    for path in found:
        for name in re.findall(r'^#include "([^"]+)"', path.read_text(encoding="utf-8", errors="replace"), re.M):
            header = firmware / name
            if header.exists() and header not in found:
                found.append(header)
    return found


class HostEngine:
    """One process for many models; a sanitizer's report ends it, and is the assertion's message."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run(
        self,
        model: bytes,
        vectors: list[bytes],
        output_bytes: int,
        arena_bytes: int = 1 << 20,
        *,
        keep_state: bool = False,
    ) -> Ran | Refused:
        """Loads the model and runs it on each vector: all its inputs' bytes, one after the other.

        keep_state: the vectors are one sequence; else variables are put back before each.
        """
        assert self._process.stdin is not None
        head = struct.pack("<IIII", len(model), arena_bytes, len(vectors), keep_state)
        try:
            self._process.stdin.write(head + model)
            self._process.stdin.flush()
            code = self._u32()
            if code != 0:
                want, got, length = self._u32(), self._u32(), self._u32()
                return Refused(code, self._read(length).decode(), want, got)
            arena_used = self._u32()
            self._process.stdin.write(b"".join(vectors))
            self._process.stdin.flush()
            outputs = [self._read(output_bytes) for _ in vectors]
            return Ran(arena_used, outputs, [self._path() for _ in range(self._u32())])
        except BrokenPipeError:
            self._report()

    def close(self, check: bool = True) -> None:
        """Ends the process; unless `check` is false, a leak or another report of a sanitizer is an error."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        status = self._process.wait()
        assert status == 0 or not check, self._process.stderr.read().decode()  # leaks, too

    def _path(self) -> tuple[str, int]:
        runs, length = self._u32(), self._u32()
        return self._read(length).decode(), runs

    def _u32(self) -> int:
        return struct.unpack("<I", self._read(4))[0]

    def _read(self, count: int) -> bytes:
        data = self._process.stdout.read(count)
        if len(data) != count:
            self._report()
        return data

    def _report(self) -> None:
        self._process.wait()
        raise AssertionError(self._process.stderr.read().decode())

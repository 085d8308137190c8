# SPDX-License-Identifier: Apache-2.0
"""The firmware's end of the link as a host process under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
from pathlib import Path

from tinyhil import assets

HERE = Path(__file__).parent
FLAGS = [
    *("-std=c++17", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    *("-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Wconversion", "-Werror"),
]


def build_link_host(folder: Path) -> Path:
    """Compiles link_host.cc with the firmware's link code, once for each state of the sources."""
    firmware = assets.firmware_dir()
    sources = [
        HERE / "link_host.cc",
        *sorted((firmware / "link").glob("*.cc")),
        firmware / "app" / "model_source.cc",
        firmware / "app" / "error_text.cc",
    ]
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for path in (*sources, *sorted(firmware.glob("*/*.h"))):
        digest.update(path.read_bytes())
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / f"link_host-{digest.hexdigest()[:16]}"
    if not program.exists():
        compiler = shutil.which("g++")
        assert compiler, "g++ is needed (the marker `needs` skips the test without it)"
        fresh = program.with_name(f"{program.name}-{os.getpid()}")
        command = [compiler, *FLAGS, f"-I{firmware}", *map(str, sources), "-o", str(fresh)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        fresh.replace(program)
    return program


class LinkHost:
    """One process for many cases; a sanitizer's report ends it, and is the assertion's message."""

    NEVER = 0xFFFFFFFF

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def crc32(self, data: bytes) -> int:
        return int(self._ask("C", data))

    def encode(self, data: bytes) -> bytes:
        """The frame around `data`, zeros and all."""
        return self._ask("E", data)

    def receive(self, stream: bytes, *, pause_at: int = NEVER) -> list[str]:
        """What the device makes of a stream; nothing comes for long after `pause_at` bytes."""
        return self._ask("R", struct.pack("<I", pause_at) + stream).decode("latin-1").splitlines()

    def parse(self, line: bytes) -> list[str]:
        return self._ask("P", line).decode("latin-1").splitlines()

    def checked_line(self, text: bytes) -> bytes:
        return self._ask("L", text)

    def slot(self, content: bytes, *, off: int = 0) -> str:
        """What the device finds in a slot that begins `off` bytes behind a 16-byte boundary."""
        return self._ask("S", struct.pack("<I", off) + content).decode()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = self._process.wait()
        assert status == 0, self._process.stderr.read().decode()  # leaks, too

    def _ask(self, what: str, data: bytes) -> bytes:
        try:
            self._process.stdin.write(what.encode() + struct.pack("<I", len(data)) + data)
            self._process.stdin.flush()
        except BrokenPipeError:
            self._report()
        return self._read(struct.unpack("<I", self._read(4))[0])

    def _read(self, count: int) -> bytes:
        data = self._process.stdout.read(count)
        if len(data) != count:
            self._report()
        return data

    def _report(self) -> None:
        self._process.wait()
        raise AssertionError(self._process.stderr.read().decode())

# SPDX-License-Identifier: Apache-2.0
"""The programs tinyhil calls: where they are, which version, and how to install one that is missing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tinyhil.assets import cache_dir
from tinyhil.errors import MissingTool

PACKAGES = {
    "arm-none-eabi-g++": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "g++": "g++",
    "qemu-system-arm": "qemu-system-arm",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "cmake": "cmake",
    "ninja": "ninja-build",
    "dtc": "device-tree-compiler",
}
"""Debian and Ubuntu packages that hold each program."""

_VERSION_TIMEOUT_S = 20


@dataclass(frozen=True)
class Tool:
    """A program that is there.

    version: the first line of its `--version`.
    identity: 16 hex digits over version and program file; another build of the same version has another.
    """

    name: str
    path: Path
    version: str
    identity: str


def install_command(name: str) -> str:
    """The command that installs a program on Debian and Ubuntu."""
    return f"{'' if os.geteuid() == 0 else 'sudo '}apt-get install -y {PACKAGES.get(name, name)}"


def find_tool(name: str) -> Tool:
    """Finds a program on PATH.

    Raises:
        MissingTool: it is not there, or does not run; with the command that installs it.
    """
    path = shutil.which(name)
    if path is None:
        raise MissingTool(f"{name} is not installed (not found on PATH).", next_step=f"Run: {install_command(name)}")
    status = Path(path).stat()
    return _identify(name, path, status.st_mtime_ns, status.st_size)


@cache
def _identify(name: str, path: str, mtime_ns: int, size: int) -> Tool:
    """Asking a program for its version takes up to 50 ms, so the answer is kept while the file stays the same."""
    key = hashlib.sha256(f"{Path(path).resolve()}\n{mtime_ns}\n{size}".encode()).hexdigest()[:32]
    remembered = cache_dir() / "tools" / f"{key}.json"
    try:
        known = json.loads(remembered.read_text(encoding="utf-8"))
        return Tool(name, Path(path), str(known["version"]), str(known["identity"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=True
        )
        version = answer.stdout.splitlines()[0].strip()
    except (OSError, subprocess.SubprocessError, IndexError) as error:
        raise MissingTool(
            f"{path} does not run: {error}", next_step=f"Install it anew: {install_command(name)}"
        ) from error
    identity = hashlib.sha256(version.encode() + Path(path).read_bytes()).hexdigest()[:16]
    _remember(remembered, {"version": version, "identity": identity})
    return Tool(name, Path(path), version, identity)


def _remember(file: Path, values: dict[str, str]) -> None:
    """Best effort: where the cache cannot be written, the build says so, and asking a version needs no cache."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        fresh.write_text(json.dumps(values), encoding="utf-8")
        fresh.replace(file)
    except OSError:
        pass

# SPDX-License-Identifier: Apache-2.0
"""What tinyhil needs on this machine: what is there, which version, and the command that installs what is not."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tinyhil import __version__
from tinyhil.errors import MissingTool
from tinyhil.toolchain import find_tool, install_command
from tinyhil.upstream import Tree

EXIT_STATUS = MissingTool.exit_status


@dataclass(frozen=True)
class Check:
    """One thing that was looked for. `needed`: nothing works without it; otherwise `purpose` says what does not."""

    name: str
    found: bool
    version: str
    where: str
    needed: bool
    purpose: str
    next_step: str

    @property
    def status(self) -> str:
        if self.found:
            return "ok"
        return "missing" if self.needed else "absent"


def checks() -> list[Check]:
    """Looks for everything. Runs each tool once for its version."""
    return [
        _python(),
        Check("tinyhil", True, __version__, str(Path(__file__).parent), True, "", ""),
        _assets(),
        _cache(),
        _tool("arm-none-eabi-g++", "firmware for the boards"),
        _arm_library("libc.a", "C library for the boards", "libnewlib-arm-none-eabi"),
        _arm_library("libstdc++.a", "C++ headers for the boards", "libstdc++-arm-none-eabi-newlib"),
        _tool("qemu-system-arm", "the qemu target"),
        _renode(),
        _tool("g++", "the native target", needed=False),
        *_upstream(),
        *_zephyr(),
        _oracle(),
        _tool("clang-format", "make lint", needed=False),
    ]


def _python() -> Check:
    found = sys.version_info >= (3, 10)
    step = "" if found else "Install Python 3.10 or newer and set TINYHIL_PYTHON to it."
    return Check("python", found, platform.python_version(), sys.executable, True, "", step)


def _assets() -> Check:
    from tinyhil.assets import firmware_dir, platforms_dir

    found = platforms_dir().is_dir() and firmware_dir().is_dir()
    step = "" if found else "Install tinyhil again: its wheel carries both folders."
    return Check("boards and firmware", found, "", f"{platforms_dir()}, {firmware_dir()}", True, "", step)


def _cache() -> Check:
    from tinyhil.assets import cache_dir

    folder = cache_dir()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    found = os.access(existing, os.W_OK | os.X_OK) and existing.is_dir()
    free = f"{shutil.disk_usage(existing).free >> 20:,} MiB free"
    step = "" if found else "Point TINYHIL_CACHE at a folder that can be written."
    return Check("build cache", found, free, str(folder), True, "images and golden sets", step)


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout or done.stderr).strip().partition("\n")[0]


def _tool(name: str, purpose: str, *, needed: bool = True) -> Check:
    try:
        tool = find_tool(name)
    except MissingTool as error:
        return Check(name, False, "", "", needed, purpose, error.next_step)
    return Check(name, True, tool.version, str(tool.path), needed, purpose, "")


def _arm_library(name: str, purpose: str, package: str) -> Check:
    """The compiler answers with the bare name where it has no such file."""
    where = _first_line(["arm-none-eabi-gcc", f"-print-file-name={name}"])
    found = Path(where).is_absolute()
    return Check(
        package, found, "", where if found else "", True, purpose, "" if found else f"Run: {install_command(package)}"
    )


def _renode() -> Check:
    from tinyhil.target.renode import find_renode

    purpose = "the renode target (it says its version when it starts)"
    try:
        program = find_renode()
    except MissingTool as error:
        return Check("renode", False, "", "", False, purpose, error.next_step)
    return Check("renode", True, "", str(program), False, purpose, "")


def _zephyr() -> list[Check]:
    """The workspace and what a build in it calls."""
    from tinyhil.zephyr.tools import PROGRAMS, PYTHON_PACKAGES, find_python, find_toolchain
    from tinyhil.zephyr.workspace import find_workspace

    purpose = "--firmware zephyr"
    try:
        found = find_workspace()
        version = found.version_text + ("" if found.tried else " (untried)")
        rows = [Check("Zephyr workspace", True, version, str(found.topdir), False, purpose, "")]
    except MissingTool as error:
        rows = [Check("Zephyr workspace", False, "", "", False, f"{purpose}: {error.message}", error.next_step)]
    rows += [_tool(name, f"{purpose}: {what}", needed=False) for name, what in PROGRAMS.items()]
    packages = f"{purpose}: {', '.join(PYTHON_PACKAGES)}"
    try:
        rows.append(Check("Python for Zephyr", True, "", str(find_python()), False, packages, ""))
    except MissingTool as error:
        rows.append(Check("Python for Zephyr", False, "", "", False, packages, error.next_step))
    try:
        variant, _, compiler = find_toolchain()
        rows.append(Check("compiler for Zephyr", True, f"{variant}: {compiler}", "", False, purpose, ""))
    except MissingTool as error:
        rows.append(Check("compiler for Zephyr", False, "", "", False, error.message, error.next_step))
    west = "fetches a Zephyr workspace; west tinyhil"
    step = "" if shutil.which("west") else f"Run: {sys.executable} -m pip install 'tinyhil[zephyr]'"
    rows.append(
        Check("west", not step, _first_line(["west", "--version"]), shutil.which("west") or "", False, west, step)
    )
    rows.append(_tool("ccache", "faster Zephyr builds", needed=False))
    return rows


def _upstream() -> list[Check]:
    """Others' sources that an image may be built with."""
    from tinyhil.upstream import find_cmsis_nn, find_tflm

    looks: list[tuple[str, str, Callable[[], Tree]]] = [
        ("TFLite Micro sources", "the engine tflm", lambda: find_tflm().root),
        ("CMSIS-NN sources", "the kernels cmsis_nn", lambda: find_cmsis_nn().root),
    ]
    checks = []
    for name, purpose, find in looks:
        try:
            tree = find()
        except MissingTool as error:
            checks.append(Check(name, False, "", "", False, purpose, f"{error.message} {error.next_step}"))
        else:
            where = f"{tree.path} ({tree.found_by})"
            checks.append(Check(name, True, tree.revision[:12], where, False, purpose, ""))
    return checks


def _oracle() -> Check:
    purpose = "golden vectors made on the spot; stored sets work without it"
    try:
        version = metadata.version("tflite-micro")
    except metadata.PackageNotFoundError:
        step = f"{sys.executable} -m pip install 'tinyhil[oracle]'"
        if (platform.system(), platform.machine()) != ("Linux", "x86_64") or sys.version_info >= (3, 14):
            step = "None is published for this machine and Python: make golden sets on Linux x86-64 and store them."
        return Check("tflite-micro", False, "", "", False, purpose, step)
    return Check("tflite-micro", True, version, "", False, purpose, "")


def missing(found: list[Check]) -> list[Check]:
    """Those without which nothing works."""
    return [check for check in found if check.needed and not check.found]

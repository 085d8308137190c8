# SPDX-License-Identifier: Apache-2.0
"""What a Zephyr build calls: CMake, ninja, dtc, a Python with Zephyr's packages, a compiler. None is tinyhil's."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tinyhil.errors import MissingTool
from tinyhil.toolchain import find_tool

PROGRAMS = {
    "cmake": "configures a Zephyr build",
    "ninja": "runs a Zephyr build",
    "dtc": "checks a Zephyr build's devicetree",
}
PYTHON_PACKAGES = ("yaml", "elftools", "pykwalify", "packaging")
"""What Zephyr's build scripts import."""

_ARM_COMPILER = "arm-none-eabi-gcc"
_SDK_FOLDERS = ("~", "~/.local", "~/.local/opt", "~/bin", "/opt", "/usr/local")
_LOOK_TIMEOUT_S = 20


@dataclass(frozen=True)
class Tools:
    """What was found.

    python: runs Zephyr's scripts. variant: ZEPHYR_TOOLCHAIN_VARIANT. environment: variables that the build needs beside
    the user's. compiler: for people and for keys; ccache: whether the build uses it.
    """

    cmake: Path
    ninja: Path
    python: Path
    variant: str
    environment: Mapping[str, str]
    compiler: str
    ccache: bool


def find_tools(*, host: bool = False) -> Tools:
    """Everything that a build needs. host: for a program of this computer, not for a microcontroller.

    Raises MissingTool, with the command that installs what is not there.
    """
    found = {name: find_tool(name).path for name in PROGRAMS}
    variant, environment, compiler = _host_toolchain() if host else find_toolchain()
    return Tools(
        cmake=found["cmake"],
        ninja=found["ninja"],
        python=find_python(),
        variant=variant,
        environment=environment,
        compiler=compiler,
        ccache=shutil.which("ccache") is not None and os.environ.get("USE_CCACHE") != "0",
    )


def find_toolchain() -> tuple[str, dict[str, str], str]:
    """The compiler for Arm: what the user's environment names, else a Zephyr SDK, else the one on PATH.

    Returns ZEPHYR_TOOLCHAIN_VARIANT, the variables to set, and the compiler for people. Raises MissingTool.
    """
    variant = os.environ.get("ZEPHYR_TOOLCHAIN_VARIANT", "")
    sdk = zephyr_sdk()
    if not variant:
        variant = "zephyr" if sdk is not None else "gnuarmemb"
    if variant == "gnuarmemb":
        home = os.environ.get("GNUARMEMB_TOOLCHAIN_PATH", "")
        if home and not (Path(home) / "bin" / _ARM_COMPILER).is_file():
            raise MissingTool(
                f"$GNUARMEMB_TOOLCHAIN_PATH is {home}, and there is no bin/{_ARM_COMPILER} in it.",
                next_step="Set it to the folder that holds bin, /usr for Debian's package, or unset it.",
            )
        tool = find_tool(_ARM_COMPILER)
        place = Path(home) if home else tool.path.parent.parent
        version = tool.version if not home else _first_line([str(place / "bin" / _ARM_COMPILER), "--version"])
        return variant, {"ZEPHYR_TOOLCHAIN_VARIANT": variant, "GNUARMEMB_TOOLCHAIN_PATH": str(place)}, version
    if variant in ("zephyr", "zephyr/gnu", "zephyr/llvm"):
        if sdk is None:
            raise MissingTool(
                f"ZEPHYR_TOOLCHAIN_VARIANT is {variant}, and no Zephyr SDK is installed.",
                next_step="Set ZEPHYR_SDK_INSTALL_DIR to it, or unset ZEPHYR_TOOLCHAIN_VARIANT and install "
                "gcc-arm-none-eabi.",
            )
        return variant, {"ZEPHYR_TOOLCHAIN_VARIANT": variant}, f"Zephyr SDK {sdk.name.removeprefix('zephyr-sdk-')}"
    return variant, {}, variant  # the user's own: Zephyr says what is wrong with it


def _host_toolchain() -> tuple[str, dict[str, str], str]:
    tool = find_tool("g++")
    return "host", {"ZEPHYR_TOOLCHAIN_VARIANT": "host"}, tool.version


def zephyr_sdk() -> Path | None:
    """The Zephyr SDK: $ZEPHYR_SDK_INSTALL_DIR, or the newest at its usual places."""
    named = os.environ.get("ZEPHYR_SDK_INSTALL_DIR", "")
    if named:
        return Path(named) if (Path(named) / "sdk_version").is_file() else None
    found = [
        place
        for folder in _SDK_FOLDERS
        for place in Path(folder).expanduser().glob("zephyr-sdk-*")
        if (place / "sdk_version").is_file()
    ]
    return max(
        found,
        key=lambda place: [int(part) for part in place.name.split("-")[2].split(".") if part.isdigit()],
        default=None,
    )


def find_python() -> Path:
    """A Python that has what Zephyr's scripts import: this one, or the one on PATH. Raises MissingTool."""
    if all(importlib.util.find_spec(package) for package in PYTHON_PACKAGES):
        return Path(sys.executable)
    for name in ("python3", "python"):
        path = shutil.which(name)
        if path is not None and not lacks(path):
            return Path(path)
    missing = [package for package in PYTHON_PACKAGES if not importlib.util.find_spec(package)]
    raise MissingTool(
        f"Zephyr's build scripts need Python packages that {sys.executable} has not: {', '.join(missing)}.",
        next_step=f"Run: {sys.executable} -m pip install 'tinyhil[zephyr]'",
    )


@cache
def lacks(python: str) -> bool:
    """Whether an interpreter lacks what Zephyr's scripts import."""
    command = [python, "-c", f"import {', '.join(PYTHON_PACKAGES)}"]
    try:
        return bool(subprocess.run(command, capture_output=True, timeout=_LOOK_TIMEOUT_S, check=False).returncode)
    except (OSError, subprocess.TimeoutExpired):
        return True


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LOOK_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingTool(f"{command[0]} does not run: {error}", next_step="Install it anew.") from error
    return done.stdout.partition("\n")[0].strip()

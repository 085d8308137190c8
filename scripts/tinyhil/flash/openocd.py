# SPDX-License-Identifier: Apache-2.0
"""OpenOCD, with the configuration files that board.yaml names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyhil.flash.base import Flasher, lacks_program, run_tool


class OpenOcd(Flasher):
    name = "openocd"

    def __init__(self, settings: Mapping[str, Any], serial_number: str) -> None:
        self._config: list[str] = list(settings["config"])
        self._serial_number = serial_number

    def lacks(self) -> str:
        return lacks_program("openocd")

    def _command(self, *commands: str) -> list[str]:
        words = ["openocd"]
        for file in self._config:
            words += ["-f", file]
        if self._serial_number:
            words += ["-c", f"adapter serial {self._serial_number}"]
        for command in commands:
            words += ["-c", command]
        return words

    def flash(self, file: Path) -> None:
        # Braces: Tcl's way to take a path as it is.
        run_tool("OpenOCD", self._command(f"program {{{file}}} verify reset exit"), f"flash {file.name}")

    def reset(self) -> bool:
        run_tool("OpenOCD", self._command("init", "reset run", "shutdown"), "reset the board")
        return True

# SPDX-License-Identifier: Apache-2.0
"""SEGGER's JLinkExe, by a script of commands."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyhil.flash.base import Flasher, failed, lacks_program, run_tool


class JLink(Flasher):
    name = "jlink"

    def __init__(self, settings: Mapping[str, Any], serial_number: str) -> None:
        self._device: str = settings["device"]
        self._serial_number = serial_number.lstrip("0")  # USB shows it with zeros before, J-Link without

    def lacks(self) -> str:
        return lacks_program("JLinkExe")

    def _run(self, commands: list[str], what: str) -> str:
        with tempfile.NamedTemporaryFile("w", suffix=".jlink") as script:
            script.write("\n".join([*commands, "exit", ""]))
            script.flush()
            command = ["JLinkExe", "-NoGui", "1", "-ExitOnError", "1", "-AutoConnect", "1"]
            command += ["-Device", self._device, "-If", "SWD", "-Speed", "4000"]
            if self._serial_number:
                command += ["-SelectEmuBySN", self._serial_number]
            return run_tool("JLinkExe", [*command, "-CommandFile", script.name], what)

    def flash(self, file: Path) -> None:
        said = self._run([f'loadfile "{file}"', "r", "g"], f"flash {file.name}")
        if "Cannot connect" in said or "Failed" in said:  # older versions end with status 0 all the same
            raise failed("JLinkExe", f"flash {file.name}", "says so itself", said)

    def reset(self) -> bool:
        self._run(["r", "g"], "reset the board")
        return True

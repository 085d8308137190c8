# SPDX-License-Identifier: Apache-2.0
"""st-flash, of the open-source stlink tools."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyhil.flash.base import Flasher, lacks_program, run_tool


class StFlash(Flasher):
    name = "stflash"

    def __init__(self, settings: Mapping[str, Any], serial_number: str) -> None:
        self._serial_number = serial_number

    def lacks(self) -> str:
        return lacks_program("st-flash")

    def _command(self, *words: str | Path) -> list[str | Path]:
        chosen = ["--serial", self._serial_number] if self._serial_number else []
        return ["st-flash", *chosen, *words]

    def flash(self, file: Path) -> None:
        run_tool("st-flash", self._command("--reset", "--format", "ihex", "write", file), f"flash {file.name}")

    def reset(self) -> bool:
        run_tool("st-flash", self._command("reset"), "reset the board")
        return True

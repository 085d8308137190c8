# SPDX-License-Identifier: Apache-2.0
"""`west flash`, with whatever runner the Zephyr board has. Only for firmware that is a Zephyr build."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyhil.flash.base import Flasher, lacks_program, run_tool


class West(Flasher):
    name = "west"

    def __init__(self, settings: Mapping[str, Any], serial_number: str, build_dir: Path | None) -> None:
        self._runner: str = settings.get("runner", "")
        self._serial_number = serial_number
        self._build_dir = build_dir

    def lacks(self) -> str:
        if self._build_dir is None:
            return "the image is no Zephyr build, and west flashes those alone"
        return lacks_program("west")

    def flash(self, file: Path) -> None:
        command: list[str | Path] = ["west", "flash", "--skip-rebuild", "--build-dir", self._build_dir or ""]
        if self._runner:
            command += ["--runner", self._runner]
        if self._serial_number:
            command += ["--dev-id", self._serial_number]
        run_tool("west flash", [*command, "--hex-file", file], f"flash {file.name}")

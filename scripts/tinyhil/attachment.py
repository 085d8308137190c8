# SPDX-License-Identifier: Apache-2.0
"""How a real board hangs on this computer, as far as board.yaml and what is found do not say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Attachment:
    """Options of the serial target, the same for the command line, pytest and Robot.

    port: a path, a pattern of paths, a USB id VID:PID, a USB serial number, a URL (rfc2217://, socket://), or
        labgrid:PLACE. Empty: as board.yaml says.
    wait_s: how long to wait for a board that another process uses.
    reset, power: shell commands that reset the board, and that take its power away and give it back.
    flash: the tool to flash with; "none" never flashes. Empty: the first of board.yaml's that is installed.
    """

    port: str = ""
    wait_s: float = 0.0
    reset: str = ""
    power: str = ""
    flash: str = ""

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Attachment:
        """From options by the names of the fields; None and "" stand for the default."""
        known = {field.name for field in fields(cls)}
        given = {name: value for name, value in options.items() if name in known and value not in (None, "")}
        if "wait_s" in given:
            given["wait_s"] = float(str(given["wait_s"]))
        return cls(**given)  # type: ignore[arg-type]

    def arguments(self) -> list[str]:
        """The command-line arguments that give this attachment."""
        words = []
        for name, option in OPTIONS.items():
            value = getattr(self, name)
            if value:
                words += [f"--{option}", f"{value:g}" if isinstance(value, float) else value]
        return words


NOT_NAMED = Attachment()
"""Nothing is said: board.yaml and what is found decide."""

OPTIONS = {"port": "port", "wait_s": "wait", "reset": "reset", "power": "power", "flash": "flash"}
"""Names of the command-line options; pytest's have --hil- before them, Robot's variables are these in capitals."""

HELP = {
    "port": "serial port: path, pattern, VID:PID, USB serial number, rfc2217:// or socket:// URL, labgrid:PLACE",
    "wait_s": "seconds to wait for a board that is in use",
    "reset": "shell command that resets the board",
    "power": "shell command that switches the board off and on; labgrid: by the place's own driver",
    "flash": "flash with this tool (west, pyocd, openocd, jlink, stflash), or none",
}

# SPDX-License-Identifier: Apache-2.0
"""What a flashing tool does for us: writes a file into a board's memory, and resets the board."""

from __future__ import annotations

import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from tinyhil.errors import FlashFailed

_TIMEOUT_S = 300
_LAST_LINES = 20


class Flasher(ABC):
    """One tool for one board. Only what the file covers is erased and written, so the rest of the flash stays."""

    name: str

    @abstractmethod
    def lacks(self) -> str:
        """Why it cannot be used here; empty where it can."""

    @abstractmethod
    def flash(self, file: Path) -> None:
        """Writes an Intel HEX file and resets the board. Raises FlashFailed with the tool's own last lines."""

    def reset(self) -> bool:
        """Resets the board; False where this tool has no command for that."""
        return False


def lacks_program(name: str) -> str:
    return "" if shutil.which(name) else f"{name} is not on PATH"


def run_tool(name: str, command: Sequence[str | Path], what: str) -> str:
    """What the tool said. Raises FlashFailed where it did not end with status 0."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise failed(name, what, f"took longer than {_TIMEOUT_S} s", error.stdout or b"", words) from error
    except OSError as error:
        raise FlashFailed(
            f"{name} cannot be started: {error}", next_step="Install it, or choose another tool."
        ) from error
    if done.returncode != 0:
        raise failed(name, what, f"ended with status {done.returncode}", done.stdout, words)
    return done.stdout.decode("utf-8", "replace")


def failed(name: str, what: str, how: str, said: bytes | str, command: Sequence[str] = ()) -> FlashFailed:
    text = said if isinstance(said, str) else said.decode("utf-8", "replace")
    last = [line for line in text.splitlines() if line.strip()][-_LAST_LINES:]
    if command:
        last.append("$ " + " ".join(command))
    return FlashFailed(
        f"{name} could not {what}: it {how}",
        next_step="Its own last lines are below. Is the debug probe plugged in, and does nothing else use it?",
        details="\n".join(last),
    )

# SPDX-License-Identifier: Apache-2.0
"""The firmware as a process of this computer: our own port, or Zephyr's for the host."""

from __future__ import annotations

import os
import platform
import re
import signal
import socket
import tempfile
import time
from pathlib import Path

from tinyhil.link.channel import Channel
from tinyhil.target.process import ProcessTarget

_FAULT_PC = re.compile(rb"hil fault kind=\w+ pc=([0-9a-f]{8})")
_LOOK_S = 1.0


class NativeTarget(ProcessTarget):
    """Nothing is counted here: a host's instructions say nothing about a device's."""

    name = "native"

    def __init__(self, elf: Path, slot: bytes | None, *, arguments: tuple[str, ...] = ()) -> None:
        """slot: what the model slot holds. arguments: more of the program's own, such as --arena-bytes."""
        super().__init__(elf)
        self._elf = elf
        self._slot = slot
        self._arguments = arguments

    def start(self) -> Channel:
        ours, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as slot:
            command = [str(self._elf), "--fd", str(theirs.fileno()), *self._arguments]
            if self._slot is not None:
                slot.write(self._slot)
                slot.flush()
                command += ["--slot", f"/dev/fd/{slot.fileno()}"]
            return self._start("the native firmware", command, (theirs.fileno(), slot.fileno()), ours)

    def settle(self) -> None:
        self.process.wait_for_end()

    def where(self) -> str:
        """Ends the process: its handler for SIGABRT reports where it was."""
        if self.process.halted():
            return f"its process {self.process.pid} is stopped (by SIGSTOP, or by a debugger)"
        os.kill(self.process.pid, signal.SIGABRT)
        said = b""
        end = time.monotonic() + _LOOK_S
        while self._channel is not None and time.monotonic() < end:
            try:
                said += self._channel.read(_LOOK_S)
            except EOFError:
                break
            if match := _FAULT_PC.search(said):
                pc = int(match[1], 16)
                return f"it was at {pc:#010x} in {self.symbolize(pc) or 'a library'}"
        return ""

    def identity(self) -> dict[str, str]:
        return {"name": "native", "version": f"{platform.system()} {platform.release()} {platform.machine()}"}


class ZephyrNativeTarget(ProcessTarget):
    """Zephyr's native_sim, native_posix before it. Its UART is stdin and stdout; the slot is filled over it."""

    name = "native"
    slot_in_place = False

    def __init__(self, elf: Path) -> None:
        super().__init__(elf)
        self._elf = elf

    def start(self) -> Channel:
        ours, theirs = socket.socketpair()
        with theirs:
            # --rt: Zephyr's time is this computer's; else it would never sleep.
            return self._start("Zephyr's native firmware", [str(self._elf), "--rt"], (), ours, stdio=theirs.fileno())

    def where(self) -> str:
        return f"its process {self.process.pid} is stopped" if self.process.halted() else ""

    def identity(self) -> dict[str, str]:
        return {"name": "native", "version": f"{platform.system()} {platform.release()} {platform.machine()}"}

# SPDX-License-Identifier: Apache-2.0
"""QEMU's emulated boards, in the mode where each instruction takes the same time, so that counts are the same each run.

The UART, QEMU's monitor and its way into memory are sockets that QEMU inherits: no port, no file, nothing for another
to open. Inputs go into memory straight: an emulated UART takes about 30 us of processor time for each byte, which for
an image is many times what its inference takes.
"""

from __future__ import annotations

import base64
import collections
import re
import socket
import tempfile
import time
from pathlib import Path

from tinyhil.board import SlotSpec, TargetSpec
from tinyhil.link.channel import Channel
from tinyhil.link.commands import WriteMemory
from tinyhil.target.process import ProcessTarget
from tinyhil.toolchain import find_tool

PROGRAM = "qemu-system-arm"

_FIRST_WITH_MEMORY = (6, 2)  # the version from which `-object qtest` is there
_MONITOR_TIMEOUT_S = 2.0
_MEMORY_TIMEOUT_S = 2.0
_GATHER_S = 0.0004  # the UART sends a byte each 10 us or so
_SAMPLES = 8
_SAMPLE_PAUSE_S = 0.01
_PROGRAM_COUNTER = re.compile(rb"R15=([0-9a-fA-F]{8})")


class QemuTarget(ProcessTarget):
    name = "qemu"

    def __init__(self, spec: TargetSpec, elf: Path, slot: SlotSpec, slot_bytes: bytes | None) -> None:
        """slot_bytes: what the model slot holds."""
        super().__init__(elf)
        self._spec = spec
        self._elf = elf
        self._slot = slot
        self._slot_bytes = slot_bytes
        self._version = ""
        self._more: tuple[str, ...] = ()
        self._monitor: socket.socket | None = None
        self._memory: _Memory | None = None
        if spec.instructions_per_tick is not None:
            self.unit = "instructions"

    def debug(self, port: int) -> None:
        """Starts QEMU halted, with a GDB server on `port` of this computer alone."""
        self._more = ("-S", "-gdb", f"tcp:127.0.0.1:{port}")
        self.start()

    def start(self) -> Channel:
        tool = find_tool(PROGRAM)
        found = re.search(r"(\d+)(\.\d+)*", tool.version)
        self._version = found[0] if found else tool.version
        self.unit_source = f"QEMU {self._version} -icount shift=0, SysTick"
        numbers = tuple(int(part) for part in found[0].split(".")) if found else ()
        with_memory = numbers >= _FIRST_WITH_MEMORY
        uart, uart_theirs = socket.socketpair()
        self._monitor, monitor_theirs = socket.socketpair()
        memory, memory_theirs = socket.socketpair()
        with uart_theirs, monitor_theirs, memory_theirs, tempfile.TemporaryFile() as slot:
            command = [str(tool.path), "-M", self._spec.machine, *self._spec.args, "-icount", "shift=0"]
            command += ["-display", "none", "-kernel", str(self._elf), *self._more]
            # mux=on only for its buffer of 32 bytes: QEMU then turns its main loop once for so many, not for each. Its
            # escape character is one that no byte is.
            command += ["-chardev", f"socket,id=uart,fd={uart_theirs.fileno()},mux=on", "-echr", "256"]
            command += ["-serial", "chardev:uart"]
            command += ["-chardev", f"socket,id=monitor,fd={monitor_theirs.fileno()}"]
            command += ["-mon", "chardev=monitor,mode=readline"]  # mode=control has a thread that slows the UART down
            if with_memory:
                command += ["-chardev", f"socket,id=memory,fd={memory_theirs.fileno()}"]
                command += ["-object", "qtest,id=memory-access,chardev=memory,log=/dev/null"]
                self._memory = _Memory(memory)
            else:
                memory.close()
            if self._slot_bytes is not None:
                slot.write(self._slot_bytes)
                slot.flush()
                file = f"/dev/fd/{slot.fileno()}"
                command += ["-device", f"loader,file={file},addr={self._slot.base:#x},force-raw=on"]
            fds = [end.fileno() for end in (uart_theirs, monitor_theirs, memory_theirs)] + [slot.fileno()]
            return self._start(f"QEMU ({self._spec.machine})", command, fds, uart, gather_s=_GATHER_S)

    def stop(self) -> None:
        super().stop()
        if self._monitor is not None:
            self._monitor.close()
        if self._memory is not None:
            self._memory.close()

    @property
    def write_memory(self) -> WriteMemory | None:
        return None if self._memory is None else self._memory.write

    def press_reset(self) -> bool:
        assert self._monitor is not None
        try:
            self._monitor.sendall(b"system_reset\n")
        except OSError:
            return False
        return True

    def where(self) -> str:
        """The functions that the program counter was seen in."""
        if self.process.halted():
            return f"QEMU's process {self.process.pid} is stopped (by SIGSTOP, or by a debugger)"
        functions: collections.Counter[str] = collections.Counter()
        for _ in range(_SAMPLES):
            pc = self._program_counter()
            if pc is None:
                return "QEMU itself does not answer"
            functions[self.symbolize(pc).partition("+")[0] or f"{pc:#010x}"] += 1
            time.sleep(_SAMPLE_PAUSE_S)
        return "it is in " + ", ".join(
            f"{name} ({count} of {_SAMPLES} looks)" for name, count in functions.most_common(4)
        )

    def _program_counter(self) -> int | None:
        assert self._monitor is not None
        said = b""
        try:
            self._monitor.settimeout(_MONITOR_TIMEOUT_S)
            self._monitor.sendall(b"info registers\n")
            while (found := _PROGRAM_COUNTER.search(said)) is None:
                data = self._monitor.recv(65536)
                if not data:
                    return None
                said += data
        except OSError:
            return None
        return int(found[1], 16)

    def identity(self) -> dict[str, str]:
        return {"name": PROGRAM, "version": self._version, "machine": self._spec.machine}

    def to_units(self, milliticks: int) -> int | None:
        per_tick = self._spec.instructions_per_tick
        return None if per_tick is None else round(milliticks * per_tick / 1000)


class _Memory:
    """The emulated memory, over QEMU's qtest protocol: a line asks, a line answers, and the guest does not notice."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._socket.settimeout(_MEMORY_TIMEOUT_S)
        self._works = True

    def write(self, address: int, data: bytes) -> bool:
        """False from the first time on that it did not work: then the link is the way."""
        if data and self._works:
            self._works = self._ask(b"b64write %#x %#x %s\n" % (address, len(data), base64.b64encode(data)))
        return self._works

    def _ask(self, line: bytes) -> bool:
        answer = b""
        try:
            self._socket.sendall(line)
            while not answer.endswith(b"\n"):
                piece = self._socket.recv(4096)
                if not piece:
                    return False
                answer += piece
        except OSError:
            return False
        return answer == b"OK\n"

    def close(self) -> None:
        self._socket.close()

# SPDX-License-Identifier: Apache-2.0
"""Renode's emulated boards: one headless Renode runs many cells, one after the other, each on a fresh machine.

Renode is driven through its monitor on a pipe, and the device's UART is a pty in a folder of ours: no port is opened.
Where the system allows it, Renode also has a network namespace of its own, so that a platform script that opens a port
opens it to nobody. All that Renode writes to disk lies in that folder, which goes when Renode goes.
"""

from __future__ import annotations

import atexit
import mmap
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import tty
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

from tinyhil.assets import cache_dir
from tinyhil.board import Board, Region, SlotSpec, TargetSpec
from tinyhil.elf import uses_mve
from tinyhil.errors import MissingTool, TargetDied, TargetError, TargetHung, TargetStartFailed, UnknownBoard
from tinyhil.link.channel import Channel, TtyChannel
from tinyhil.link.client import Expired, wall_clock
from tinyhil.link.commands import WriteMemory
from tinyhil.target.base import Target
from tinyhil.target.process import Process
from tinyhil.target.symbols import Symbols

OLDEST = "1.15.3"
"""The first version that is supported."""

_SHARES_MEMORY = "1.16.1"
"""The first version that can keep a memory in a file."""

CPU = "sysbus.cpu"
QUANTUM_S = "0.001"
"""Virtual time between synchronizations. A byte for the UART arrives at one; each costs some 50 us."""

_GATHER_S = 0.0002  # the UART sends a byte each few us
_MACHINE = "tinyhil"
_TERMINAL = "terminal"
# A snapshot with the terminal in it opens only where the terminal's folder still is.
_FORGET_EXTERNALS = (
    'python "for each in list(emulationManager.CurrentEmulation.ExternalsManager.Externals): '
    'emulationManager.CurrentEmulation.ExternalsManager.RemoveExternal(each)"'
)
_ADVANCE = "emulation SetGlobalAdvanceImmediately true"
_START_S = 60.0  # a first start on a slow disk
_COMMAND_S = 30.0
_STOP_S = 5.0
_SAMPLES = 8
_LAST_BYTES = 8192
_LAST_LINES = 30
_STACK_BYTES = 2048
_CALLERS = 24
_UNDEFINED_INSTRUCTION = 1 << 16  # CFSR: UNDEFINSTR
_PROMPT = re.compile(rb"(?<=[\r\n])\((?:monitor|" + _MACHINE.encode() + rb")\) $")
_VERSION = re.compile(r"version (\d+(?:\.\d+)+)")
_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+")
_REGISTER = re.compile(r"\|\s*([\w /]+?)\s*\|(?:\s*\d+\s*\|)?\s*(0x[0-9A-Fa-f]+)\s*\|")  # a number since 1.16
_PLATFORM = re.compile(r"^\$platform\?=\$ORIGIN/(.+?)\s*$", re.MULTILINE)
_SAID_AT_START = re.compile(r"Starting emulation\.\.\.\s*")


def find_renode() -> Path:
    """Renode's program: $RENODE (the program, or its folder), PATH, or where scripts/install_renode.sh puts it.

    Raises MissingTool.
    """
    named = os.environ.get("RENODE")
    if named:
        place = Path(named)
        program = place / "renode" if place.is_dir() else place
        if os.access(program, os.X_OK) and program.is_file():
            return program.resolve()
        raise MissingTool(
            f"$RENODE is {named}, and there is no such program", next_step="Point it at Renode's folder, or unset it."
        )
    found = shutil.which("renode")
    if found is not None:
        return Path(found)
    installed = cache_dir() / "renode" / "renode"
    if os.access(installed, os.X_OK):
        return installed
    raise MissingTool(
        f"Renode is not installed (not in $RENODE, on PATH, or in {installed.parent})",
        next_step="Run scripts/install_renode.sh, or install Renode's portable build and set RENODE to its folder.",
    )


def renode_spec(board: Board) -> TargetSpec:
    """The board's Renode target. Raises UnknownBoard where it has none."""
    spec = board.targets.get("renode")
    if spec is None or spec.script is None:
        raise UnknownBoard(
            f"board {board.name} has no target 'renode': there is no Renode platform of it",
            next_step=f"It has: {', '.join(board.targets)}.",
        )
    return spec


def machine_commands(spec: TargetSpec, elf: Path, name: str, platform: Path | None = None) -> list[str]:
    """The monitor's commands that make the board's machine, named so, with the image in it, and do not start it.

    platform: the .repl to make it of instead of the script's own.
    """
    platform = platform or own_platform(spec)
    return [
        f'$name="{name}"',
        f"$bin=@{elf}",
        *([] if platform is None else [f"$platform=@{platform}"]),
        f"include @{spec.script}",
        _ADVANCE,
        f'emulation SetGlobalQuantum "{QUANTUM_S}"',
    ]


def own_platform(spec: TargetSpec) -> Path | None:
    """The .repl that the board's script loads where $platform does not name another; None where it takes no other."""
    found = None if spec.script is None else _PLATFORM.search(spec.script.read_text())
    return None if spec.script is None or found is None else spec.script.with_name(found[1])


def check_version(version: str, least: str, what: str) -> None:
    """Raises MissingTool where Renode is older than what is needed."""
    if _numbers(version) < _numbers(least):
        raise MissingTool(
            f"Renode {version} is too old: {what} needs {least} or newer",
            next_step="Run scripts/install_renode.sh, or install a newer Renode and set RENODE to its folder.",
        )


def shares_memory(version: str) -> bool:
    """Whether that version of Renode can keep a memory in a file, which others may map too."""
    return _numbers(version) >= _numbers(_SHARES_MEMORY)


def mve_refusal(version: str, board: str, elf: Path, registers: Mapping[str, int], where: str) -> MissingTool | None:
    """Why an undefined instruction in an image with MVE is Renode's fault; None where the fault is another.

    Not told from the version: 1.16.1 knows a part of MVE, and what is built of its later sources has the same number.
    """
    if not registers.get("cfsr", 0) & _UNDEFINED_INSTRUCTION or not uses_mve(elf):
        return None
    return MissingTool(
        f"Renode {version} is too old: board {board} runs an image with MVE instructions, and it does not know the one "
        f"at {registers.get('pc', 0):#010x}{f' in {where}' if where else ''}",
        next_step="Install a Renode newer than 1.16.1, use the kernels 'reference', or run the board in qemu.",
    )


def version_in(said: str) -> str:
    """The version of which Renode speaks; "" where it speaks of none."""
    found = _VERSION.search(said)
    return found[1] if found else ""


def unit_source(version: str) -> str:
    """Where counts of instructions come from."""
    return f"Renode {version}, the board's counter at one instruction a tick"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@cache
def _own_network() -> tuple[str, ...]:
    """What to put before a command for a network namespace of its own; empty where the system does not allow it."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False).returncode:
        return ()
    return (unshare, "-rn", "--")


class Renode:
    """A running Renode and its monitor. For one thread at a time; `kill` alone may be called from any."""

    def __init__(self, *, isolated: bool = True) -> None:
        """Starts it. isolated: without a network where that can be had. Raises MissingTool, TargetStartFailed."""
        program = find_renode()
        self.poolable = isolated
        self.folder = Path(tempfile.mkdtemp(prefix="tinyhil-renode-"))
        self.log = self.folder / "renode.log"
        self.lock = threading.Lock()
        self._heard = b""
        self._healthy = True
        self._monitor, theirs = socket.socketpair()
        command = [str(program), "--disable-xwt", "--console", "--plain", "--hide-log"]
        command += ["--config", str(self.folder / "config")]
        try:
            with theirs:
                self.process = Process(
                    "Renode",
                    command,
                    (),
                    stdio=theirs.fileno(),
                    environment={"TMPDIR": str(self.folder)},
                    before=_own_network() if isolated else (),
                )
        except TargetStartFailed:
            self._close()
            raise
        try:
            banner = self._until_prompt(_START_S)
            self.version = version_in(banner)
            if not self.version:
                raise TargetStartFailed(
                    f"{program} does not say which version of Renode it is",
                    next_step="Point RENODE at Renode's own program.",
                    details=banner.strip(),
                )
            check_version(self.version, OLDEST, "tinyhil")
            self.command(f"logFile @{self.log} true")
        except TargetDied as error:
            self.kill()
            raise TargetStartFailed(error.message, next_step=error.next_step, details=error.details) from error
        except BaseException:
            self.kill()
            raise

    def command(self, line: str, timeout_s: float = _COMMAND_S) -> str:
        """A command of Renode's monitor; what it prints. Raises TargetDied, TargetHung."""
        with self.lock:
            healthy, self._healthy = self._healthy, False  # until it has answered
            try:
                self._monitor.settimeout(timeout_s)
                self._monitor.sendall(line.encode() + b"\n")
            except OSError as error:
                raise self._death(str(error)) from error
            said = self._until_prompt(timeout_s, line)
            self._healthy = healthy
        # The monitor echoes what it reads, and ends that with a line feed and a carriage return.
        echo, newline, said = said.partition("\n\r")
        return (said if newline else echo).replace("\r", "").strip("\n")

    def silent_command(self, line: str, timeout_s: float = _COMMAND_S) -> None:
        """A command that prints nothing unless something is wrong. Raises TargetStartFailed with what it printed."""
        said = _SAID_AT_START.sub("", self.command(line, timeout_s)).strip()
        if said:
            raise TargetStartFailed(
                f"Renode complained about `{line}`",
                next_step="What Renode says is below; the platform files are in the board's folder.",
                details="\n".join(text for text in (said, self.last_words()) if text),
            )

    def _until_prompt(self, timeout_s: float, asked: str = "its start") -> str:
        end = time.monotonic() + timeout_s
        while not _PROMPT.search(self._heard):
            try:
                self._monitor.settimeout(max(0.001, end - time.monotonic()))
                data = self._monitor.recv(65536)
            except TimeoutError as error:
                raise TargetHung(
                    f"Renode itself does not answer: `{asked}` took longer than {timeout_s:g} s",
                    next_step="Read what it said, and run it again.",
                    details="\n".join(text for text in (self._said().strip(), self.last_words()) if text),
                ) from error
            except OSError as error:
                raise self._death(str(error)) from error
            if not data:
                raise self._death("its monitor closed")
            self._heard += data
        return self._said()

    def _said(self) -> str:
        said = _PROMPT.sub(b"", self._heard).decode("utf-8", "replace")
        self._heard = b""
        return _STEERING.sub("", said)

    def _death(self, how: str) -> TargetError:
        said = self._said().strip()
        self.process.wait_for_end()
        try:
            self.process.check(answered=True)
        except TargetDied as error:
            error.details = "\n".join(text for text in (error.details, said, self.last_words()) if text)
            return error
        return TargetDied(
            f"Renode is gone: {how}",
            next_step="Run it again.",
            details="\n".join(text for text in (said, self.last_words()) if text),
        )

    def log_bytes(self) -> int:
        """How long its log is now."""
        return self.log.stat().st_size if self.log.exists() else 0

    def last_words(self, since: int = 0) -> str:
        """The last lines of its log from the byte `since` on."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(since, size - _LAST_BYTES))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-_LAST_LINES:])

    def reset(self) -> bool:
        """Removes all machines; whether it is as good as new. A log that has grown long is no reason to keep one."""
        try:
            return self._healthy and not self.command("Clear", _STOP_S) and self.log_bytes() < 1 << 20
        except TargetError:
            return False

    def kill(self) -> None:
        """Ends it, and removes what it left."""
        self.process.stop()
        self._close()

    def _close(self) -> None:
        self._monitor.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _warm(platform: Path | None) -> Renode:
    """A new Renode that has loaded the platform once: most of its first machine's time goes into its own compiler."""
    renode = Renode()
    try:
        if platform is not None:
            renode.command(f'mach create "{_MACHINE}"')
            renode.command(f"machine LoadPlatformDescription @{platform}")
            renode.command(_ADVANCE)
        if renode.reset():
            return renode
    except TargetError:
        pass  # whoever starts a device finds it again, and says what it is
    renode.kill()
    return Renode()


class _Pool:
    """The Renodes that wait for the next cell, and the one that is being started. They end with this process."""

    def __init__(self) -> None:
        self._idle: list[Renode] = []
        self._coming: Future[Renode] | None = None
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tinyhil-renode")
        self._lock = threading.Lock()
        atexit.register(self.close)

    def expect(self, platform: Path | None) -> None:
        """Starts one, beside what the caller does next, unless one waits: its start takes seconds."""
        with self._lock:
            if not self._idle and self._coming is None:
                self._coming = self._starter.submit(_warm, platform)

    def take(self) -> Renode:
        """One that runs: idle, on its way, or new."""
        while True:
            with self._lock:
                renode = self._idle.pop() if self._idle else None
                coming = None
                if renode is None:
                    coming, self._coming = self._coming, None
            if renode is None:
                return coming.result() if coming is not None else Renode()
            try:
                renode.process.check(answered=True)
            except TargetDied:
                renode.kill()
                continue
            return renode

    def give(self, renode: Renode) -> None:
        """Takes one back, with nothing in it."""
        with self._lock:
            self._idle.append(renode)

    def close(self) -> None:
        """Ends those that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
            coming, self._coming = self._coming, None
        if coming is not None and coming.exception() is None:
            idle.append(coming.result())
        for renode in idle:
            renode.kill()


POOL = _Pool()


class _SharedRam:
    """The board's RAM as a file that Renode and this process both map: a write takes no command of the monitor's."""

    def __init__(self, renode: Renode, region: Region) -> None:
        self._renode = renode
        self._region = region
        self._folder = Path(tempfile.mkdtemp(prefix="ram-", dir=renode.folder))
        self._map: mmap.mmap | None = None
        self._offset = 0

    def share(self, platform: Path) -> Path:
        """A platform like the given one, with its RAM, `ram`, in a file."""
        shared = self._folder / platform.name
        shared.write_text(
            f'using "{platform}"\n\nram:\n    segmentSize: {self._region.bytes:#x}\n'
            f'    sharedMemoryFileRoot: "{self._folder}"\n'
        )
        return shared

    def write(self, address: int, data: bytes) -> bool:
        """False where the data lies outside, or there is no such file. Raises TargetError, OSError."""
        at = address - self._region.base
        if at < 0 or at + len(data) > self._region.bytes:
            return False
        if self._map is None and not self._open():
            return False
        assert self._map is not None
        self._map[self._offset + at : self._offset + at + len(data)] = data
        return True

    def _open(self) -> bool:
        # Renode makes the file when something touches the memory first, which the image does as it starts.
        files = list(self._folder.glob("renode-sharedSegment-*"))
        said = _NUMBER.search(self._renode.command("sysbus.ram GetSegmentAlignmentOffset 0"))
        if len(files) != 1 or said is None:
            return False
        self._offset = int(said[0], 16)
        with files[0].open("r+b") as file:
            shared = mmap.mmap(file.fileno(), 0)
        if self._offset + self._region.bytes > len(shared):
            shared.close()
            return False
        self._map = shared
        return True

    def close(self) -> None:
        if self._map is not None:
            self._map.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class RenodeTarget(Target):
    """A machine in a Renode of the pool."""

    name = "renode"
    unit = "instructions"

    def __init__(self, board: Board, elf: Path, slot: SlotSpec, slot_bytes: bytes | None) -> None:
        """slot_bytes: what the model slot holds. Raises UnknownBoard where the board has no Renode platform."""
        self._board = board
        self._spec = renode_spec(board)
        self._elf = elf
        self._slot = slot
        self._slot_bytes = slot_bytes
        self._symbols = Symbols(elf)
        self._lock = threading.Lock()
        self._stopped = False
        self._renode: Renode | None = None
        self._channel: TtyChannel | None = None
        self._version = ""
        self._words = ""
        self._log_from = 0
        self._ram: _SharedRam | None = None

    @property
    def _running(self) -> Renode:
        if self._renode is None:
            raise TargetError("Renode does not run", next_step="Start the device first.")
        return self._renode

    def start(self) -> Channel:
        self.prepare(POOL.take())
        return self.run()

    def prepare(self, renode: Renode) -> None:
        """Makes the machine in this Renode, which is the target's from now on, and does not start it."""
        self._renode = renode
        self._version = renode.version
        self._log_from = renode.log_bytes()
        check_version(renode.version, self._spec.since or OLDEST, f"board {self._board.name}")
        self.unit_source = unit_source(renode.version)
        platform = own_platform(self._spec)
        if platform is not None and shares_memory(renode.version):
            self._ram = _SharedRam(renode, self._board.memory["ram"])
            platform = self._ram.share(platform)
        for command in machine_commands(self._spec, self._elf, _MACHINE, platform):
            renode.silent_command(command)
        if self._slot_bytes is not None:
            self._load(self._slot.base, self._slot_bytes)

    def run(self) -> Channel:
        """Connects the UART and starts the machine."""
        renode = self._running
        uart = renode.folder / "uart"
        renode.silent_command(f'emulation CreateUartPtyTerminal "{_TERMINAL}" "{uart}"')
        renode.silent_command(f"connector Connect {self._spec.uart} {_TERMINAL}")
        try:
            fd = os.open(uart, os.O_RDWR | os.O_NOCTTY)
        except OSError as error:
            raise TargetStartFailed(f"Renode's UART cannot be opened: {error}", details=renode.last_words()) from error
        tty.setraw(fd)
        self._channel = TtyChannel(fd, gather_s=_GATHER_S)
        renode.silent_command("start")
        return self._channel

    def debug(self, port: int) -> None:
        """Makes the machine, halted, with a GDB server on `port`, in a Renode of its own that gdb can reach."""
        self.prepare(Renode(isolated=False))
        # The core reads them from the vector table when it starts, and gdb looks before that.
        vectors = self._register("VectorTableOffset")
        for at, register, mask in ((0, "SP", ~0), (4, "PC", ~1)):
            said = _NUMBER.search(self._running.command(f"sysbus ReadDoubleWord {vectors + at:#x}"))
            if said is not None:
                self._running.silent_command(f"{CPU} {register} {int(said[0], 16) & mask:#x}")
        self._running.silent_command(f"machine StartGdbServer {port} false")

    def stop(self) -> None:
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
        if self._channel is not None:
            self._channel.close()
        renode = self._renode
        if renode is None:
            return
        self._words = renode.last_words(self._log_from)
        # Another thread may be waiting for a command's answer: then there is nothing to be kept.
        free = renode.lock.acquire(timeout=_STOP_S)
        if free:
            renode.lock.release()
        clean = free and renode.poolable and renode.reset()
        if self._ram is not None:
            self._ram.close()
        if clean:
            POOL.give(renode)
        else:
            renode.kill()

    def check(self, *, answered: bool, ended: bool = False) -> None:
        renode = self._running
        if ended:
            renode.process.wait_for_end()
        try:
            renode.process.check(answered=answered)
        except TargetError as error:
            error.details = "\n".join(text for text in (error.details, renode.last_words(self._log_from)) if text)
            raise

    def where(self) -> str:
        """The functions that the program counter was seen in."""
        if self._running.process.halted():
            return f"Renode's process {self._running.process.pid} is stopped (by SIGSTOP, or by a debugger)"
        functions: Counter[str] = Counter()
        try:
            for _ in range(_SAMPLES):
                pc = self._register("PC")
                functions[self.symbolize(pc).partition("+")[0] or f"{pc:#010x}"] += 1
        except TargetError:
            return "Renode itself does not answer"
        return "in " + ", ".join(f"{name} ({count} of {_SAMPLES} looks)" for name, count in functions.most_common(4))

    def _register(self, name: str) -> int:
        said = self._running.command(f"{CPU} {name}")
        found = _NUMBER.search(said)
        if found is None:
            raise TargetHung(f"Renode gave no {name}, but: {said}")
        return int(found[0], 16)

    def post_mortem(self) -> dict[str, bytes]:
        """Registers, callers and a snapshot (for `renode state.save`) as files of a failure bundle. It pauses."""
        renode = self._renode
        if renode is None or self._stopped:
            return {}
        files: dict[str, bytes] = {}
        try:
            renode.command("pause")
            registers = dict(_REGISTER.findall(renode.command(f"{CPU} GetRegistersValues")))
            lines = [*self._backtrace(), "", f"executed instructions {self._register('ExecutedInstructions'):,}", ""]
            lines += [f"{name:<12} {value}" for name, value in registers.items()]
            files["registers.txt"] = ("\n".join(lines) + "\n").encode()
            renode.poolable = False  # it has no UART any more
            renode.command(f"connector Disconnect {self._spec.uart} {_TERMINAL}")
            renode.command(_FORGET_EXTERNALS)
            snapshot = renode.folder / "state.save"
            renode.command(f"Save @{snapshot}")
            files["state.save"] = snapshot.read_bytes()
        except (TargetError, OSError):
            pass  # what could be had is there
        return files

    def _backtrace(self) -> list[str]:
        """Where it is, and the return addresses on the stack: what calls it, though a stale one may be among them."""
        pc, lr, sp = (self._register(name) for name in ("PC", "LR", "SP"))
        said = self._running.command(f"sysbus ReadBytes {sp:#x} {_STACK_BYTES}")
        stack = bytes(int(number, 16) for number in re.findall(r"0x([0-9A-Fa-f]{2})\b", said))
        words = [int.from_bytes(stack[at : at + 4], "little") for at in range(0, len(stack) - 3, 4)]
        # A return address is odd (Thumb) and never the first of its function: that is a pointer to it.
        callers = [
            word for word in (lr, *words) if word & 1 and self.symbolize(word).partition("+")[2] not in ("", "0x0")
        ]
        lines = [f"#{0:<3} {pc:#010x} {self.symbolize(pc)}", "return addresses in lr and on the stack:"]
        return lines + [f"     {caller & ~1:#010x} {self.symbolize(caller)}" for caller in callers[:_CALLERS]]

    def identity(self) -> dict[str, str]:
        return {"name": "renode", "version": self._version}

    def refusal(self, registers: Mapping[str, int]) -> MissingTool | None:
        where = self.symbolize(registers.get("pc", 0))
        return mve_refusal(self._version, self._board.name, self._elf, registers, where)

    def symbolize(self, pc: int) -> str:
        return self._symbols.function_at(pc)

    def to_units(self, milliticks: int) -> int | None:
        per_tick = self._spec.instructions_per_tick
        return None if per_tick is None else round(milliticks * per_tick / 1000)

    @property
    def write_memory(self) -> WriteMemory | None:
        return self._write_memory

    def _write_memory(self, address: int, data: bytes) -> bool:
        try:
            if self._ram is None or not self._ram.write(address, data):
                self._load(address, data)
        except (TargetError, OSError, ValueError):  # ValueError: closed by another thread
            return False
        return True

    def _load(self, address: int, data: bytes) -> None:
        renode = self._running
        file = renode.folder / "memory"
        file.write_bytes(data)
        renode.silent_command(f"sysbus LoadBinary @{file} {address:#x}")

    def press_reset(self) -> bool:
        try:
            self._running.silent_command("machine Reset")
        except TargetError:
            return False
        return True

    def last_words(self) -> str:
        return self._words if self._stopped or self._renode is None else self._renode.last_words(self._log_from)

    def allowance(self, seconds: float) -> Expired:
        return self._renode.process.allowance(seconds) if self._renode is not None else wall_clock(seconds)

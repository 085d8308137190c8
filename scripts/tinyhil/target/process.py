# SPDX-License-Identifier: Apache-2.0
"""A child process that cannot outlive this one, and what can be told about it from outside.

The kernel ends the child when the thread that began it ends (Linux, PR_SET_PDEATHSIG, set by util-linux's setpriv
before the program starts). So all children are begun by one thread that lives as long as this process does. A child
whose parent ended before the kernel was told finds that out by itself, and does not start.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from tinyhil.errors import TargetDied, TargetStartFailed
from tinyhil.link.channel import SocketChannel
from tinyhil.link.client import Expired
from tinyhil.target.base import Target
from tinyhil.target.symbols import Symbols

_LAST_BYTES = 8192
_LAST_LINES = 30
_REAP_S = 2.0
_OVERLOADED = 6  # times the allowance on the wall, for a process that hardly gets the processor
_IDLE_SHARE = 0.01


@cache
def _spawner() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="tinyhil-spawn")


def _tied_to_us() -> tuple[str, ...]:
    """What to put before a command so that it ends with this process."""
    setpriv = shutil.which("setpriv") if os.uname().sysname == "Linux" else None
    if setpriv is None:
        return ()
    start_if_parent_lives = 'test "$PPID" = "$0" && exec "$@"'
    return (setpriv, "--pdeathsig", "KILL", "--", "/bin/sh", "-c", start_if_parent_lives, str(os.getpid()))


class Process:
    """A running program whose error output is kept."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        pass_fds: Sequence[int],
        *,
        stdio: int | None = None,
        environment: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
    ) -> None:
        """Starts it, its standard input and output on `stdio` (None: nowhere). Raises TargetStartFailed.

        before: a program that starts the command and takes its place, such as unshare.
        """
        self.name = name
        self.stopped = False
        self._lock = threading.Lock()
        self._words = ""
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._popen = (
                _spawner()
                .submit(self._spawn, [*before, *_tied_to_us(), *command], pass_fds, stdio, environment)
                .result()
            )
        except OSError as error:
            self._stderr.close()
            raise TargetStartFailed(f"{name} cannot be started: {error}") from error

    def _spawn(
        self,
        command: Sequence[str],
        pass_fds: Sequence[int],
        stdio: int | None,
        environment: Mapping[str, str] | None,
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if stdio is None else stdio,
            stdout=subprocess.DEVNULL if stdio is None else stdio,
            stderr=self._stderr,
            env=None if environment is None else {**os.environ, **environment},
            pass_fds=pass_fds,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def stop(self) -> None:
        """Kills it, and what it started itself. May be called from any thread, and again."""
        with self._lock:
            if self.stopped:
                return
            self.stopped = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()
            self._words = self._read_words()
            self._stderr.close()

    def last_words(self) -> str:
        """The last lines of its error output."""
        with self._lock:
            return self._words if self.stopped else self._read_words()

    def _read_words(self) -> str:
        size = os.fstat(self._stderr.fileno()).st_size
        tail = os.pread(self._stderr.fileno(), _LAST_BYTES, max(0, size - _LAST_BYTES))
        return "\n".join(tail.decode("utf-8", "replace").splitlines()[-_LAST_LINES:])

    def check(self, *, answered: bool) -> None:
        """Raises TargetDied where it has ended, TargetStartFailed where it did so before the device ever `answered`."""
        status = self._popen.poll()
        if status is None or self.stopped:
            return
        how = f"was ended by {_signal_name(-status)}" if status < 0 else f"ended with status {status}"
        words = self.last_words()
        if answered:
            raise TargetDied(
                f"{self.name} {how} in the middle",
                next_step="Run it again; if it ends again, its own last words say why.",
                details=words,
            )
        raise TargetStartFailed(
            f"{self.name} did not start: it {how}",
            next_step="Read what it said, and run `tinyhil doctor`.",
            details=words,
        )

    def wait_for_end(self) -> None:
        """Gives a process whose end shows elsewhere (its channel closed) a moment to be known as ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(_REAP_S)

    def halted(self) -> bool:
        """Whether somebody stopped it (SIGSTOP, a debugger)."""
        fields = self._stat()
        return bool(fields) and fields[0] in ("T", "t")

    def cpu_s(self) -> float | None:
        """Processor time it has used; None where that cannot be told."""
        fields = self._stat()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else None

    def _stat(self) -> list[str]:
        """The fields of /proc/<pid>/stat from the state on; empty where there is none."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return []

    def allowance(self, seconds: float) -> Expired:
        """An allowance that a slow host does not use up: it is over after so many seconds of the process's own time.

        Where the process does not run at all, seconds on the wall count; and six times as many in any case.
        """
        began = time.monotonic()
        cpu_before = self.cpu_s()

        def expired() -> bool:
            wall_s = time.monotonic() - began
            if wall_s <= seconds:
                return False
            cpu_now = self.cpu_s()
            if cpu_before is None or cpu_now is None:
                return True
            used_s = cpu_now - cpu_before
            return used_s > seconds or used_s < _IDLE_SHARE * wall_s or wall_s > _OVERLOADED * seconds

        return expired


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class ProcessTarget(Target):
    """A target that is one process, with the device's UART on a socket that it inherits."""

    def __init__(self, elf: Path) -> None:
        self._symbols = Symbols(elf)
        self._process: Process | None = None
        self._channel: SocketChannel | None = None

    def _start(
        self,
        name: str,
        command: Sequence[str],
        fds: Sequence[int],
        ours: socket.socket,
        *,
        gather_s: float = 0.0,
        stdio: int | None = None,
    ) -> SocketChannel:
        try:
            self._process = Process(name, command, fds, stdio=stdio)
        except TargetStartFailed:
            ours.close()
            raise
        self._channel = SocketChannel(ours, gather_s=gather_s)
        return self._channel

    @property
    def process(self) -> Process:
        """The process; only after `start`."""
        assert self._process is not None, "not started"
        return self._process

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
        if self._channel is not None:
            self._channel.close()

    def check(self, *, answered: bool, ended: bool = False) -> None:
        if ended:
            self.process.wait_for_end()
        self.process.check(answered=answered)

    def symbolize(self, pc: int) -> str:
        return self._symbols.function_at(pc)

    def last_words(self) -> str:
        return self._process.last_words() if self._process is not None else ""

    def allowance(self, seconds: float) -> Expired:
        return self.process.allowance(seconds)

# SPDX-License-Identifier: Apache-2.0
"""One holder a physical board, whoever asks: pytest, Robot, the command line, of any user of this computer.

A lock is an advisory lock of the kernel (flock) on a file that all users may open. The kernel gives it back when its
holder ends, however it ends; so a lock is never stale, only the words in its file are, and they are of the last holder
only while somebody holds it. A child of the holder does not inherit it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import getpass
import hashlib
import json
import os
import random
import re
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path

from tinyhil.errors import BoardInUse, OutputUnwritable

_POLL_S = 0.05
_NAME = "tinyhil-locks"

_held: weakref.WeakSet[BoardLock] = weakref.WeakSet()
_in_process = threading.Lock()
_keys: set[str] = set()


def lock_folder() -> Path:
    """Where the locks of this computer are: $TINYHIL_LOCKS, or a folder of the temporary folder that all may write."""
    given = os.environ.get("TINYHIL_LOCKS")
    # Not $TMPDIR: that may be another for each user.
    folder = (
        Path(given) if given else Path("/tmp") / _NAME if Path("/tmp").is_dir() else Path(tempfile.gettempdir()) / _NAME
    )
    with contextlib.suppress(FileExistsError):
        folder.mkdir(parents=True)
        with contextlib.suppress(OSError):
            folder.chmod(0o1777)
    return folder


class BoardLock:
    """The lock of one board. Not held until `acquire`."""

    def __init__(self, key: str, *, folder: Path | None = None) -> None:
        """key: what names the board: its USB serial number; the port where it has none."""
        readable = re.sub(r"[^A-Za-z0-9]+", "_", key).strip("_")[-40:]
        self.key = key
        self.path = (folder or lock_folder()) / f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.lock"
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        return self._fd is not None

    def acquire(self, wait_s: float = 0.0) -> None:
        """Returns once the lock is held. Raises BoardInUse, which names the holder, after `wait_s` without it."""
        end = time.monotonic() + wait_s
        while not self._try():
            left_s = end - time.monotonic()
            if left_s <= 0:
                raise BoardInUse(
                    f"board {self.key} is in use by {self.holder() or 'another process'}"
                    + (f", and was so for {wait_s:g} s" if wait_s else ""),
                    next_step="Wait for it (--wait SECONDS, pytest: --hil-wait), or end what uses it.",
                )
            time.sleep(min(left_s, _POLL_S * random.uniform(0.5, 1.5)))

    def _try(self) -> bool:
        with _in_process:
            if str(self.path) in _keys:
                return False
            fd = self._open()
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(fd)
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    return False
                raise OutputUnwritable(f"{self.path} cannot be locked: {error.strerror}") from error
            _keys.add(str(self.path))
            self._fd = fd
            _held.add(self)
        words = {
            "pid": os.getpid(),
            "user": _user(),
            "command": " ".join(sys.argv)[:200],
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(words).encode(), 0)
        return True

    def _open(self) -> int:
        # Two steps: in a folder that all may write, some kernels refuse O_CREAT on what belongs to another.
        try:
            return os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._unusable(error) from error
        with contextlib.suppress(OSError):
            os.fchmod(fd, 0o666)  # whatever the umask is
        return fd

    def _unusable(self, error: OSError) -> OutputUnwritable:
        return OutputUnwritable(
            f"the lock {self.path} cannot be opened: {error.strerror}",
            next_step="Let all users of the boards write there, or set TINYHIL_LOCKS, for all of them, to a folder "
            "where they can.",
        )

    def holder(self) -> str:
        """Who holds it, as the holder wrote it down: empty where that cannot be read."""
        try:
            words = json.loads(self.path.read_text(encoding="utf-8"))
            return f"process {words['pid']} of user {words['user']} since {words['since']}: {words['command']}"
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def release(self) -> None:
        """Gives it back. May be called where it is not held."""
        with _in_process:
            fd, self._fd = self._fd, None
            if fd is not None:
                _keys.discard(str(self.path))
                os.close(fd)

    def _forget(self) -> None:
        """In a child process: the lock stays its parent's."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _after_fork() -> None:
    global _in_process
    _in_process = threading.Lock()
    _keys.clear()
    for lock in list(_held):
        lock._forget()


os.register_at_fork(after_in_child=_after_fork)

# SPDX-License-Identifier: Apache-2.0
"""What the builders, bare metal and Zephyr, share of their cache: locks, and the error where it cannot be written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from tinyhil.errors import OutputUnwritable


@contextlib.contextmanager
def build_lock(root: Path, name: str, say: Callable[[str], None]) -> Iterator[None]:
    """Keeps a second build of the same things waiting, and says so.

    Raises NotImplementedError, before anything is done, where the file system has no locks.
    """
    import filelock

    folder = root / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        say("waiting for another build of the same board")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def unwritable(root: Path, why: str) -> OutputUnwritable:
    """The error of a cache folder that cannot be written."""
    return OutputUnwritable(
        f"The build cache {root} cannot be written: {why}",
        next_step="Make room there or make it writable, or name another folder in TINYHIL_CACHE.",
    )

# SPDX-License-Identifier: Apache-2.0
"""Files that a command makes for the user to keep: never written over unasked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tinyhil.errors import OutputUnwritable
from tinyhil.record import write_atomic


def write_new(contents: Mapping[Path, str | bytes], *, force: bool) -> list[Path]:
    """Writes the files that differ from what is there; returns those.

    Raises OutputUnwritable, before anything is written, where one is there with other contents and `force` is false;
    or where one cannot be written.
    """
    wanted = {path: text.encode() if isinstance(text, str) else text for path, text in contents.items()}
    todo = {path: content for path, content in wanted.items() if not _holds(path, content)}
    there = [str(path) for path in todo if path.exists()]
    if there and not force:
        raise OutputUnwritable(
            f"{', '.join(there)}: there already, with other contents; nothing was written",
            next_step="Write over it with --force, or choose another name with --out.",
        )
    for path, content in todo.items():
        write_atomic(path, content)
    return list(todo)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False

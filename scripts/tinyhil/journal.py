# SPDX-License-Identifier: Apache-2.0
"""What a running matrix has found so far: a record a line, on the disk before the next one begins.

A matrix that is interrupted, killed or loses its machine goes on from there with --resume. A last line that was cut off
in the middle is no record yet: its cell runs again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from tinyhil.errors import OutputUnwritable, RecordError
from tinyhil.record import Record

NAME = "records.jsonl"


class Journal:
    """Appends to out/records.jsonl. Use it as a context manager."""

    def __init__(self, out: Path, *, resume: bool) -> None:
        """Begins a new journal, or goes on with the one that is there. Raises OutputUnwritable, RecordError."""
        self.path = out / NAME
        self.found: list[Record] = []
        try:
            if resume and self.path.exists():
                self.found, whole_bytes = _read(self.path)
                os.truncate(self.path, whole_bytes)
            elif self.path.exists():
                os.truncate(self.path, 0)
            self._file = self.path.open("ab")  # two matrices in one folder append whole lines each
        except OSError as error:
            raise self._unwritable(error) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def add(self, record: Record) -> None:
        """Writes the record down, for good. Raises OutputUnwritable."""
        try:
            self._file.write(json.dumps(record.to_json()).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> OutputUnwritable:
        return OutputUnwritable(
            f"{self.path}: {error.strerror or error}",
            next_step="Free some space or choose another folder with --out, then go on with --resume.",
        )


def _read(path: Path) -> tuple[list[Record], int]:
    """The records of a journal, and how many bytes of it are whole lines. Raises RecordError, naming the line."""
    records, whole_bytes = [], 0
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            break
        try:
            records.append(Record.from_json(json.loads(line)))
        except ValueError as error:
            raise RecordError(
                f"{path}, line {number}: no JSON: {error}", next_step="Run the matrix without --resume."
            ) from error
        except RecordError as error:
            raise RecordError(
                f"{path}, line {number}: {error.message}", next_step="Run the matrix without --resume."
            ) from error
        whole_bytes += len(line)
    return records, whole_bytes

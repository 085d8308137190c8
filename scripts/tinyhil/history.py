# SPDX-License-Identifier: Apache-2.0
"""The history of all records: one SQLite file, and what goes in and out of it as JSON lines.

A *run* is one matrix of one commit on one branch. Its records are kept as they are, a row a cell; reports and the gate
are drawn from them alone. Adding a run is one transaction: a run is there whole or not at all, whatever happens to the
process, and a run that is there already is not added again. Several processes may use one file.

JSON lines: each line is {"schema": "tinyhil.history/1", "run": {...}, "record": {...}}.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinyhil.errors import HistoryError, OutputUnwritable, RecordError
from tinyhil.record import Record, validate

SCHEMA = "tinyhil.history/1"

_APPLICATION_ID = 0x74686C31  # "thl1": what SQLite keeps in the file's header for whoever wrote it
_BUSY_TIMEOUT_S = 60.0
_TABLES = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, branch TEXT NOT NULL, commit_id TEXT NOT NULL, started_at TEXT NOT NULL, tinyhil TEXT NOT NULL
);
CREATE TABLE records (
    run TEXT NOT NULL REFERENCES runs (id), cell TEXT NOT NULL, verdict TEXT NOT NULL, record TEXT NOT NULL,
    PRIMARY KEY (run, cell)
);
CREATE INDEX records_by_cell ON records (cell, run);
CREATE INDEX runs_by_branch ON runs (branch, started_at);
"""


@dataclass(frozen=True)
class Run:
    """id: the same for the same records. started_at: of its first cell, UTC, ISO 8601. commit_id: "" where unknown."""

    id: str
    branch: str
    commit_id: str
    started_at: str
    tinyhil: str

    @classmethod
    def of(cls, records: Sequence[Record], *, branch: str, commit_id: str) -> Run:
        """The run that these records make. Raises HistoryError where there is none, or two of one cell."""
        if not records:
            raise HistoryError("a run without a record", next_step="Give the file of a matrix that ran a cell.")
        slugs = [record.cell.slug for record in records]
        twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
        if twice:
            raise HistoryError(
                f"the cell {twice[0]} is there twice", next_step="Give each matrix in a run of its own, or merge them."
            )
        content = json.dumps([branch, commit_id, sorted(json.dumps(r.to_json(), sort_keys=True) for r in records)])
        return cls(
            hashlib.sha256(content.encode()).hexdigest()[:16],
            branch,
            commit_id,
            min(record.started_at for record in records),
            records[0].identity.tinyhil,
        )


class History:
    """An open history file. Use it as a context manager."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Opens the file; makes it with `create` where there is none.

        Raises HistoryError where it is missing, damaged, no history or of a newer tinyhil; OutputUnwritable.
        """
        self.path = path
        if not path.exists():
            if not create:
                raise HistoryError(
                    f"{path}: no such history", next_step="Make one: tinyhil matrix --history FILE, or history import."
                )
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputUnwritable(f"{path.parent}: {error.strerror}") from error
        self._db: sqlite3.Connection
        with self._errors():
            self._db = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
            self._db.execute("PRAGMA synchronous = FULL")
            self._prepare()

    def __enter__(self) -> History:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def _prepare(self) -> None:
        """Makes the tables of an empty file; refuses a file that is none of ours."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            application = self._db.execute("PRAGMA application_id").fetchone()[0]
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables == 0 and application in (0, _APPLICATION_ID):
                for statement in _TABLES.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                self._db.execute("PRAGMA user_version = 1")
            elif application != _APPLICATION_ID:
                raise HistoryError(
                    f"{self.path}: a database, but no history of tinyhil",
                    next_step="Choose another file with --history.",
                )
            elif version != 1:
                raise HistoryError(
                    f"{self.path}: a history of version {version}; this tinyhil knows version 1",
                    next_step="Use the tinyhil that wrote it, or a newer one.",
                )
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            text = str(error)
            if any(words in text for words in ("full", "readonly", "unable to open", "disk I/O")):
                raise OutputUnwritable(
                    f"{self.path}: {text}; nothing of this run was added, what was there is untouched",
                    next_step="Free some space, or choose another file with --history.",
                ) from error
            if "locked" in text:
                raise HistoryError(
                    f"{self.path}: another process has held it for {_BUSY_TIMEOUT_S:g} s",
                    next_step="Find out what holds it, and run this again: nothing was lost.",
                ) from error
            raise HistoryError(
                f"{self.path}: damaged, or no history at all: {text}",
                next_step="Restore a copy, or import the exported JSON lines into a new file; it was not touched.",
            ) from error

    # In -------------------------------------------------------------------------------------------------------------
    def add(self, run: Run, records: Sequence[Record]) -> bool:
        """Adds the run with its records, all or nothing. False where it is there already."""
        rows = [(run.id, r.cell.slug, r.verdict, json.dumps(r.to_json(), sort_keys=True)) for r in records]
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                if self._db.execute("SELECT 1 FROM runs WHERE id = ?", (run.id,)).fetchone():
                    self._db.execute("ROLLBACK")
                    return False
                self._db.execute(
                    "INSERT INTO runs VALUES (?, ?, ?, ?, ?)",
                    (run.id, run.branch, run.commit_id, run.started_at, run.tinyhil),
                )
                self._db.executemany("INSERT INTO records VALUES (?, ?, ?, ?)", rows)
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise
        return True

    # Out ------------------------------------------------------------------------------------------------------------
    def runs(self, *, branch: str | None = None) -> list[Run]:
        """All runs, of one branch where it is named, the oldest first."""
        with self._errors():
            rows = self._db.execute(
                "SELECT id, branch, commit_id, started_at, tinyhil FROM runs"
                " WHERE ?1 IS NULL OR branch = ?1 ORDER BY started_at, rowid",
                (branch,),
            ).fetchall()
        return [Run(*row) for row in rows]

    def branches(self) -> list[str]:
        with self._errors():
            return [row[0] for row in self._db.execute("SELECT DISTINCT branch FROM runs ORDER BY branch")]

    def records(self, run: Run) -> list[Record]:
        """The run's records. Raises HistoryError where one is of a newer schema or damaged."""
        with self._errors():
            rows = self._db.execute(
                "SELECT cell, record FROM records WHERE run = ? ORDER BY rowid", (run.id,)
            ).fetchall()
        return [self._record(cell, text) for cell, text in rows]

    def of_cell(self, slug: str, *, branch: str | None = None, last: int | None = None) -> list[tuple[Run, Record]]:
        """A cell's records, the oldest first; of the `last` runs that have it."""
        with self._errors():
            rows = self._db.execute(
                "SELECT id, branch, commit_id, started_at, tinyhil, record FROM records JOIN runs ON run = id"
                " WHERE cell = ?1 AND (?2 IS NULL OR branch = ?2) ORDER BY started_at DESC, runs.rowid DESC LIMIT ?3",
                (slug, branch, -1 if last is None else last),
            ).fetchall()
        return [(Run(*row[:5]), self._record(slug, row[5])) for row in reversed(rows)]

    def _record(self, cell: str, text: str) -> Record:
        try:
            return Record.from_json(json.loads(text))
        except (RecordError, ValueError) as error:
            raise HistoryError(
                f"{self.path}: the record of {cell}: {error}",
                next_step=getattr(error, "next_step", "") or "Restore a copy of the file.",
            ) from error


def export_lines(history: History, *, branch: str | None = None, last: int | None = None) -> Iterator[str]:
    """The runs as JSON lines, the oldest first; of the `last` runs alone where that is given."""
    runs = history.runs(branch=branch)
    for run in runs if last is None else runs[len(runs) - last :] if last < len(runs) else runs:
        for record in history.records(run):
            line = {"schema": SCHEMA, "run": asdict(run), "record": record.to_json()}
            yield json.dumps(line, sort_keys=True)


def read_lines(lines: Iterable[str], *, source: str) -> list[tuple[Run, list[Record]]]:
    """The runs in JSON lines. Raises HistoryError, naming the line: nothing of a damaged file is taken."""
    runs: dict[Run, list[Record]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{source}, line {number}"
        try:
            data = json.loads(line)
        except ValueError as error:
            raise HistoryError(
                f"{where}: no JSON: {error}", next_step="The file was cut off or damaged: export it anew."
            ) from error
        schema = data.get("schema") if isinstance(data, dict) else None
        if schema != SCHEMA:
            raise HistoryError(
                f"{where}: of schema {schema!r}; this tinyhil knows {SCHEMA}",
                next_step="Use the tinyhil that wrote it, or a newer one.",
            )
        try:
            validate(data["record"])
            runs.setdefault(_run(data["run"]), []).append(Record.from_json(data["record"]))
        except (KeyError, TypeError) as error:
            raise HistoryError(f"{where}: {error}", next_step="The line was damaged: export the file anew.") from error
        except RecordError as error:
            raise HistoryError(f"{where}: {error.message}", next_step=error.next_step) from error
    return list(runs.items())


def _run(data: Mapping[str, Any]) -> Run:
    run = Run(**data)
    if not all(isinstance(value, str) for value in asdict(run).values()):
        raise TypeError("a field of the run is no text")
    return run


def read_matrix(path: Path) -> list[Record]:
    """The records of an out/matrix.json. Raises RecordError, naming file and field."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        records = data["records"]
        if not isinstance(records, list):
            raise TypeError("records is no list")
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}", next_step="Run tinyhil matrix first.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"{path}: no result of a matrix: {error}", next_step="Give the matrix.json that tinyhil matrix wrote."
        ) from error
    found = []
    for number, record in enumerate(records):
        try:
            found.append(Record.from_json(record))
        except RecordError as error:
            raise RecordError(f"{path}, record {number}: {error.message}", next_step=error.next_step) from error
    return found


# Where the code under test is ---------------------------------------------------------------------------------------
_BRANCH_VARIABLES = ("TINYHIL_BRANCH", "GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "GIT_BRANCH")
_COMMIT_VARIABLES = ("TINYHIL_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT")


def branch_here() -> str:
    """The branch of the current folder: as a CI system says it, else as git does; "unknown" where neither does."""
    named = next((os.environ[name] for name in _BRANCH_VARIABLES if os.environ.get(name)), "")
    return named.removeprefix("origin/") or _git("rev-parse", "--abbrev-ref", "HEAD") or "unknown"


def commit_here() -> str:
    """The commit of the current folder, the same way; "" where nobody knows."""
    return next((os.environ[name] for name in _COMMIT_VARIABLES if os.environ.get(name)), "") or _git(
        "rev-parse", "HEAD"
    )


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

# SPDX-License-Identifier: Apache-2.0
"""The history keeps every record it was given, whole, whatever happens to the process or the disk."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.records import passed

from tinyhil.errors import HistoryError, OutputUnwritable, RecordError
from tinyhil.history import SCHEMA, History, Run, branch_here, commit_here, export_lines, read_lines, read_matrix
from tinyhil.record import SCHEMA as RECORD_SCHEMA

ROOT = Path(__file__).resolve().parents[1]


def add(path: Path, records, *, branch: str = "main", commit: str = "c0ffee") -> Run:
    run = Run.of(records, branch=branch, commit_id=commit)
    with History(path, create=True) as history:
        assert history.add(run, records)
    return run


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "history.sqlite"


def test_records_come_back_as_they_were(file):
    records = [passed("kws"), passed("vww", arena_used=82_144)]
    run = add(file, records)
    with History(file) as history:
        assert history.runs() == [run]
        assert history.records(run) == records


def test_runs_are_listed_by_age_and_branch(file):
    runs = [add(file, [passed(night=night)], branch=branch) for night, branch in ((5, "main"), (2, "main"), (3, "x"))]
    with History(file) as history:
        assert history.runs() == [runs[1], runs[2], runs[0]]
        assert history.runs(branch="main") == [runs[1], runs[0]]
        assert history.branches() == ["main", "x"]


def test_a_cells_last_records_are_found(file):
    for night in range(5):
        add(file, [passed("kws", night=night), passed("vww", night=night)])
    with History(file) as history:
        found = history.of_cell(passed("kws").cell.slug, branch="main", last=2)
    assert [record.started_at for _, record in found] == ["2026-11-04T00:00:00Z", "2026-11-05T00:00:00Z"]


def test_a_run_is_not_added_twice(file):
    records = [passed()]
    run = add(file, records)
    with History(file) as history:
        assert not history.add(run, records)
        assert len(history.runs()) == 1


def test_two_records_of_one_cell_are_no_run():
    with pytest.raises(HistoryError, match="there twice"):
        Run.of([passed(), passed(night=1)], branch="main", commit_id="")


def test_many_processes_add_to_one_file(file):
    def one(number: int) -> None:
        add(file, [passed(night=number)], commit=str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(24)))
    with History(file) as history:
        assert len(history.runs()) == 24


# JSON lines -----------------------------------------------------------------------------------------------------------
def test_what_was_exported_is_imported_whole(file, tmp_path):
    for night in range(3):
        add(file, [passed("kws", night=night), passed("vww", night=night)])
    with History(file) as history:
        lines = list(export_lines(history))
        runs = {run: history.records(run) for run in history.runs()}
        assert [json.loads(line)["run"]["id"] for line in export_lines(history, last=1)] == [list(runs)[-1].id] * 2
    assert len(lines) == 6
    assert dict(read_lines(lines, source="x")) == runs


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda line: line[: len(line) // 2], "line 2: no JSON"),
        (lambda line: line.replace(SCHEMA, "tinyhil.history/9"), "line 2: of schema 'tinyhil.history/9'"),
        (lambda line: line.replace(RECORD_SCHEMA, "tinyhil.record/77"), "line 2: a record of schema"),
        (lambda line: line.replace('"verdict": "pass"', '"verdict": "maybe"'), "line 2: verdict"),
        (lambda line: line.replace('"branch"', '"twig"'), "line 2: "),
        (lambda line: "[]", "line 2: of schema None"),
    ],
)
def test_a_damaged_line_is_named_and_nothing_is_taken(file, spoil, said):
    add(file, [passed("kws"), passed("vww")])
    with History(file) as history:
        first, second = export_lines(history)
    with pytest.raises(HistoryError, match=said) as caught:
        read_lines([first, spoil(second)], source="x.jsonl")
    assert caught.value.next_step


# Files that are none --------------------------------------------------------------------------------------------------
def test_a_file_that_is_not_there_is_named(file):
    with pytest.raises(HistoryError, match="no such history"):
        History(file)


@pytest.mark.parametrize("content", [b"certainly no database at all" * 50, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_refused_and_left_as_it_is(file, content):
    file.write_bytes(content)
    with pytest.raises(HistoryError, match="damaged, or no history"):
        History(file, create=True)
    assert file.read_bytes() == content


def test_a_damaged_page_in_the_middle_is_noticed(file):
    for night in range(10):
        add(file, [passed(f"model{i}", night=night) for i in range(5)])
    data = bytearray(file.read_bytes())
    data[8192:] = b"\xa5" * len(data[8192:])
    file.write_bytes(data)
    with pytest.raises(HistoryError), History(file) as history:
        for run in history.runs():
            history.records(run)


def test_somebody_elses_database_is_refused(file):
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE t (x)")
    with pytest.raises(HistoryError, match="no history of tinyhil"):
        History(file, create=True)


def test_a_newer_version_is_refused(file):
    add(file, [passed()])
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 2")
    with pytest.raises(HistoryError, match="version 2"):
        History(file)


def test_a_record_of_a_newer_schema_is_refused_by_name(file):
    run = add(file, [passed()])
    with sqlite3.connect(file) as database:
        database.execute("UPDATE records SET record = replace(record, ?, ?)", (RECORD_SCHEMA, "tinyhil.record/88"))
    with History(file) as history, pytest.raises(HistoryError, match=r"kws.*tinyhil\.record/88"):
        history.records(run)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"records": 3}', '{"schema": "x"}'])
def test_a_file_that_is_no_matrix_is_refused(tmp_path, content):
    path = tmp_path / "matrix.json"
    path.write_text(content)
    with pytest.raises(RecordError, match=r"matrix\.json: no result of a matrix"):
        read_matrix(path)


# Disk and processes ---------------------------------------------------------------------------------------------------
def test_a_full_disk_adds_nothing_and_loses_nothing(file):
    first = add(file, [passed(night=0)])
    records = [passed(f"model{i}", night=1) for i in range(200)]
    with History(file) as history:
        pages = history._db.execute("PRAGMA page_count").fetchone()[0]
        history._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(OutputUnwritable, match="full"):
            history.add(Run.of(records, branch="main", commit_id=""), records)
    with History(file) as history:
        assert history.runs() == [first]
        assert len(history.records(first)) == 1


def test_a_process_killed_while_it_adds_leaves_a_whole_file(file):
    first = add(file, [passed(night=0)])
    program = (
        "import os, sys; from pathlib import Path; from tests.records import passed;"
        "from tinyhil.history import History, Run;"
        "records = [passed(f'model{i}', night=1) for i in range(50)];"
        "history = History(Path(sys.argv[1]));"
        "history._db.execute('BEGIN IMMEDIATE');"
        "history._db.execute('INSERT INTO runs VALUES (?, ?, ?, ?, ?)', ('x', 'main', '', '2026', '0'));"
        "print('half', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(file)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'scripts'}"},
    )
    assert child.stdout is not None and child.stdout.readline() == b"half\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert child.stdin is not None
    child.stdin.close()
    with History(file) as history:
        assert history.runs() == [first]


# Where the code is ----------------------------------------------------------------------------------------------------
def test_branch_and_commit_are_what_ci_says(monkeypatch):
    for name in ("TINYHIL_BRANCH", "GITHUB_HEAD_REF", "TINYHIL_COMMIT", "CI_COMMIT_REF_NAME", "GIT_BRANCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_REF_NAME", "feature/x")
    monkeypatch.setenv("GITHUB_SHA", "abc123")
    assert (branch_here(), commit_here()) == ("feature/x", "abc123")
    monkeypatch.setenv("TINYHIL_BRANCH", "main")
    assert branch_here() == "main"


def test_without_ci_or_git_the_branch_is_unknown(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith(("TINYHIL_", "GITHUB_", "CI_", "GIT_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert (branch_here(), commit_here()) == ("unknown", "")

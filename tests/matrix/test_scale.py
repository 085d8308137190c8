# SPDX-License-Identifier: Apache-2.0
"""A matrix that is interrupted, split up, retried or spread over machines loses nothing and counts nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.matrix.test_matrix import CELLS, fake, record, run
from tests.records import passed

from tinyhil import requirements
from tinyhil.cli import cli
from tinyhil.errors import OutputUnwritable, RecordError, TargetHung
from tinyhil.history import read_matrix
from tinyhil.journal import NAME, Journal
from tinyhil.matrix import Listener, merge, own_model, plan_cells, run_matrix, shard_of
from tinyhil.record import ErrorInfo, Record
from tinyhil.runner import Plan, run_command_line

__all__ = ["fake"]  # a fixture

requirements.LOOKS["dask"] = requirements.package("distributed")

DIGITS = own_model("digits")


# Retries --------------------------------------------------------------------------------------------------------------
def failing(times: int, error: ErrorInfo, verdict: str = "error"):
    """A cell that fails so many times, and then passes."""
    left = dict.fromkeys(CELLS, times)

    def attempt(cell, guard):
        left[cell] -= 1
        return record(cell, verdict, error=error) if left[cell] >= 0 else record(cell)

    return attempt


HUNG = ErrorInfo.of(TargetHung("it stopped answering"))


def test_a_target_that_failed_is_tried_again_and_every_attempt_is_shown(fake):
    fake.cell(failing(2, HUNG))
    result = run(retries=2)
    assert [each.verdict for each in result.records] == ["pass"] * 4
    assert all([error.error_class for error in each.retried] == ["TargetHung"] * 2 for each in result.records)


def test_no_more_often_than_was_asked_for(fake):
    fake.cell(failing(2, HUNG))
    result = run(retries=1)
    assert [(each.verdict, len(each.retried)) for each in result.records] == [("error", 1)] * 4


def test_without_being_asked_nothing_is_tried_again(fake):
    fake.cell(failing(1, HUNG))
    assert {each.verdict for each in run().records} == {"error"}


@pytest.mark.parametrize(
    ("verdict", "error"),
    [
        ("fail", None),
        ("error", ErrorInfo("ArenaOverflow", 17, "too small", "", "")),
        ("error", ErrorInfo("BuildFailed", 23, "no", "", "")),
    ],
)
def test_wrong_numbers_and_what_would_fail_again_are_never_tried_again(fake, verdict, error):
    fake.cell(failing(1, error, verdict))
    assert {each.verdict for each in run(retries=3).records} == {verdict}


# Journal and resume ---------------------------------------------------------------------------------------------------
def test_a_record_is_on_the_disk_before_it_is_told(fake, tmp_path):
    told = []

    class Watcher(Listener):
        def cell_finished(self, record: Record) -> None:
            lines = (tmp_path / NAME).read_text().splitlines()
            told.append(Record.from_json(json.loads(lines[-1])) == record)

    run(out=tmp_path, listener=Watcher())
    assert told == [True] * 4


def test_a_line_that_was_cut_off_is_no_record(tmp_path):
    with Journal(tmp_path, resume=False) as journal:
        journal.add(passed("a"))
        journal.add(passed("b"))
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole[:-20])
    with Journal(tmp_path, resume=True) as journal:
        assert [each.cell.model for each in journal.found] == ["a"]
        journal.add(passed("b"))
    assert (tmp_path / NAME).read_bytes() == whole


def test_a_damaged_line_is_named(tmp_path):
    (tmp_path / NAME).write_bytes(b"{}\n")
    with pytest.raises(RecordError, match=r"records\.jsonl, line 1"):
        Journal(tmp_path, resume=True)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputUnwritable, match="nothing"):
        Journal(tmp_path / "nothing" / "here", resume=False)


@pytest.fixture
def two_models(tmp_path) -> Path:
    """Four copies of the digits under names of their own."""
    folder = tmp_path / "models"
    folder.mkdir()
    for name in "abcd":
        (folder / f"{name}.tflite").write_bytes(DIGITS.read_bytes())
        (folder / f"{name}.golden.npz").write_bytes(DIGITS.with_name("digits.golden.npz").read_bytes())
    return folder


def matrix_command(models: Path, out: Path, *more: str) -> list[str]:
    return ["matrix", "--boards", "native", "--models", str(models), "--out", str(out), "--jobs", "1", *more]


@pytest.mark.needs("native")
def test_a_killed_matrix_goes_on_where_it_was(two_models, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "tinyhil", *matrix_command(two_models, out)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    journal = out / NAME
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 1):
        assert child.poll() is None, "it was over before it could be killed"
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    before = journal.read_bytes()
    whole = before[: before.rfind(b"\n") + 1].splitlines()

    result = CliRunner().invoke(cli, matrix_command(two_models, out, "--resume"))
    assert result.exit_code == 0, result.output
    records = read_matrix(out / "matrix.json")
    assert [each.cell.model for each in records] == ["a", "b", "c", "d"]
    kept = [Record.from_json(json.loads(line)) for line in whole]
    assert records[: len(kept)] == kept  # not run again
    assert len(kept) < 4


@pytest.mark.needs("native")
def test_what_changed_in_between_runs_again(two_models, tmp_path):
    out = tmp_path / "out"
    assert CliRunner().invoke(cli, matrix_command(two_models, out)).exit_code == 0
    first = read_matrix(out / "matrix.json")
    other = two_models / "b.tflite"
    other.write_bytes(other.read_bytes() + bytes(16))
    (two_models / "b.golden.npz").unlink()
    if requirements.missing("oracle"):
        pytest.skip("needs oracle")
    assert CliRunner().invoke(cli, matrix_command(two_models, out, "--resume")).exit_code == 0
    second = read_matrix(out / "matrix.json")
    assert [old == new for old, new in zip(first, second, strict=True)] == [True, False, True, True]
    assert CliRunner().invoke(cli, matrix_command(two_models, out, "--resume", "--vectors", "2")).exit_code == 0
    assert {sum(each.vectors.values()) for each in read_matrix(out / "matrix.json")} == {2}


# Shards ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_shards_are_all_cells_and_none_twice(count):
    parts = [shard_of(CELLS, number, count) for number in range(1, count + 1)]
    assert sorted((cell for part in parts for cell in part), key=CELLS.index) == list(CELLS)


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "a/b", "1/0", "-1/2"])
def test_a_shard_that_is_none_is_refused(text):
    result = CliRunner().invoke(cli, ["matrix", "--shard", text])
    assert result.exit_code == 2 and "2/5 is the second of five" in result.output


def test_shards_merge_to_one_matrix(tmp_path):
    parts = []
    for number, models in enumerate((("a", "c"), ("b",))):
        path = tmp_path / f"shard{number}.json"
        path.write_text(json.dumps({"records": [passed(model).to_json() for model in models]}))
        parts.append(str(path))
    out = tmp_path / "out"
    result = CliRunner().invoke(cli, ["merge", *parts, "--out", str(out)])
    assert result.exit_code == 0 and "3 cells" in result.output
    assert [each.cell.model for each in read_matrix(out / "matrix.json")] == ["a", "c", "b"]
    assert (out / "matrix.html").exists() and (out / "matrix.xml").exists()


def test_two_shards_with_the_same_cell_are_refused():
    parts = [(Path("one.json"), [passed("a"), passed("b")]), (Path("two.json"), [passed("b")])]
    with pytest.raises(RecordError, match=r"b is in one\.json and in two\.json"):
        merge(parts)


# Dask -----------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def cluster():
    if reason := requirements.missing("dask"):
        pytest.skip(reason)
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as made:
        yield made


@pytest.mark.needs("native", "dask")
def test_a_worker_that_is_killed_loses_nothing_and_counts_nothing_twice(cluster, two_models, tmp_path):
    pids = [worker.pid for worker in cluster.workers.values()]
    finished = []

    class Killer(Listener):
        def cell_finished(self, record: Record) -> None:
            finished.append(record.cell.slug)
            if len(finished) == 1:
                os.kill(pids[0], signal.SIGKILL)

    cells = plan_cells([("native", "native", "bare_metal")], sorted(two_models.glob("*.tflite")))
    plan = Plan(vectors=40)
    result = run_matrix(
        cells, plan, jobs=1, cell_timeout_s=120, out=tmp_path, listener=Killer(), scheduler=cluster.scheduler_address
    )
    assert [each.verdict for each in result.records] == ["pass"] * 4, [each.headline() for each in result.records]
    assert sorted(finished) == sorted(cell.slug for cell in cells)
    assert [each.cell for each in result.records] == cells
    assert [each.command for each in result.records] == [run_command_line(cell, plan) for cell in cells]
    assert {sum(each.vectors.values()) for each in result.records} == {40}


@pytest.mark.needs("dask")
def test_a_scheduler_that_is_not_there_is_an_error_with_its_address(two_models, tmp_path):
    out = tmp_path / "out"
    result = CliRunner().invoke(cli, matrix_command(two_models, out, "--scheduler", "nonsense://nowhere:1"))
    assert result.exit_code == 31 and "nonsense://nowhere:1" in result.output

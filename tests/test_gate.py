# SPDX-License-Identifier: Apache-2.0
"""The gate tells growth from noise, like from unlike, and names what grew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.records import not_passed, passed

from tinyhil.cli import cli
from tinyhil.gate import Judgement, Limits, judge
from tinyhil.history import History, Run
from tinyhil.record import ErrorInfo, Figure, Record


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "history.sqlite"


def keep(file: Path, *records: Record, branch: str = "main") -> None:
    with History(file, create=True) as history:
        history.add(Run.of(records, branch=branch, commit_id="c0ffee"), records)


def gate(file: Path, *records: Record, branch: str = "main", limits: Limits | None = None) -> list[Judgement]:
    with History(file) as history:
        return judge(records, history, branch, limits)


def test_thirty_unchanged_nights_raise_no_alarm(file):
    keep(file, passed(night=0), passed("vww", night=0))
    for night in range(1, 31):
        now = [passed(night=night), passed("vww", night=night)]
        assert [judgement.kind for judgement in gate(file, *now)] == ["same", "same"]
        keep(file, *now)


def test_a_slow_down_of_two_percent_is_caught_and_its_operator_named(file):
    keep(file, passed(night=0))
    slower = passed(night=1, scale=1.0 + 0.02 * 752_000 / 350_000)
    (judgement,) = gate(file, slower)
    assert judgement.kind == "grew"
    (change,) = judgement.changes
    assert (change.figure, change.was, change.now) == ("inference", 752_000, 767_040)
    assert [(op.index, op.name) for op in change.operators] == [(1, "DEPTHWISE_CONV_2D")]
    text = "\n".join(judgement.lines())
    assert "inference 752,000 -> 767,040 instructions (+2.00 %)" in text
    assert "operator 1 DEPTHWISE_CONV_2D: 350,000 -> 365,040 (+4.30 %)" in text


def test_a_slow_down_creeping_below_the_limit_is_caught_where_the_baseline_stays(file):
    """Against a branch whose runs are what landed, each step is small; the limit is per step, and shown as such."""
    keep(file, passed(night=0))
    assert gate(file, passed(night=1, scale=1.005))[0].kind == "same"
    assert gate(file, passed(night=1, scale=1.012))[0].kind == "grew"


@pytest.mark.parametrize("figure", ["arena_used", "stack_peak", "flash", "ram"])
def test_growth_by_a_kibibyte_is_caught(file, figure):
    was = int(passed().figures[figure].value)
    keep(file, passed(night=0))
    (judgement,) = gate(file, passed(night=1, **{figure: was + 1024}))
    assert (judgement.kind, judgement.changes[0].figure) == ("grew", figure)
    assert gate(file, passed(night=1, **{figure: was + 256}))[0].kind == "same"


def test_what_got_better_is_told_and_passes(file):
    keep(file, passed(night=0))
    (judgement,) = gate(file, passed(night=1, arena_used=20_000))
    assert judgement.kind == "better" and not judgement.fails


def test_a_cell_that_passed_and_does_not_any_more_is_broken(file):
    keep(file, passed(night=0))
    error = ErrorInfo("TargetHung", 33, "it stopped answering", "Look.", "")
    (judgement,) = gate(file, not_passed(passed(night=1), "error", error=error))
    assert judgement.kind == "broke" and "it stopped answering" in judgement.lines()[0]


def test_a_cell_that_never_passed_is_no_regression(file):
    error = ErrorInfo("ArenaOverflow", 17, "too small", "", "")
    keep(file, not_passed(passed(night=0), "error", error=error))
    assert gate(file, not_passed(passed(night=1), "error", error=error))[0].kind == "no verdict"


def test_a_new_cell_has_no_baseline(file):
    keep(file, passed(night=0))
    assert gate(file, passed("new", night=1))[0].kind == "new"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"compiler": "gcc 13.3"}, "image compiler: gcc 12.2.1 then, gcc 13.3 now"),
        ({"emulator": "9.0"}, "target version: 7.2.22 then, 9.0 now"),
    ],
)
def test_another_toolchain_is_not_compared_and_said_so(file, changes, said):
    keep(file, passed(night=0))
    (judgement,) = gate(file, passed(night=1, scale=2, **changes))
    assert judgement.kind == "incomparable" and not judgement.fails
    assert said in judgement.reason


def test_the_last_run_of_the_same_toolchain_is_the_baseline(file):
    keep(file, passed(night=0))
    keep(file, passed(night=1, compiler="gcc 13.3", scale=0.5))
    (judgement,) = gate(file, passed(night=2, scale=1.1))
    assert judgement.kind == "grew"
    assert judgement.baseline is not None and judgement.baseline.started_at == "2026-11-01T00:00:00Z"


def test_another_model_of_the_same_name_is_compared_and_noted(file):
    keep(file, passed(night=0))
    other = passed(night=1)
    other.identity.model["sha256"] = "b" * 64  # type: ignore[index]
    (judgement,) = gate(file, other)
    assert judgement.kind == "same" and "another one" in judgement.notes[0]


def test_units_and_sources_are_never_mixed(file):
    keep(file, passed(night=0))
    cycles = passed(night=1)
    cycles.figures["inference"] = Figure(9_000_000, "cycles", "DWT")
    (judgement,) = gate(file, cycles)
    assert judgement.kind == "same"
    assert any("inference is not compared: instructions from QEMU" in note for note in judgement.notes)


def test_two_runs_that_began_in_one_second_are_two(file):
    keep(file, passed(night=0))
    assert gate(file, passed(night=0, scale=1.012))[0].kind == "grew"


def test_a_run_is_no_baseline_of_itself(file):
    now = passed(night=1, scale=1.1)
    keep(file, passed(night=0))
    keep(file, now)
    assert gate(file, now)[0].kind == "grew"


def test_branches_are_apart(file):
    keep(file, passed(night=0), branch="wip")
    assert gate(file, passed(night=1))[0].kind == "new"


# The command ----------------------------------------------------------------------------------------------------------
def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def matrix(tmp_path: Path, *records: Record) -> Path:
    path = tmp_path / "matrix.json"
    path.write_text(json.dumps({"schema": "tinyhil.matrix/1", "records": [record.to_json() for record in records]}))
    return path


def test_the_command_passes_what_is_the_same(file, tmp_path):
    keep(file, passed(night=0))
    status, said = run("gate", matrix(tmp_path, passed(night=1)), "--baseline", "main", "--history", file)
    assert (status, said) == (0, "gate against main: 1 same\n")


def test_the_command_fails_with_the_operator_that_grew(file, tmp_path):
    keep(file, passed(night=0))
    status, said = run("gate", matrix(tmp_path, passed(night=1, scale=1.2)), "--baseline", "main", "--history", file)
    assert status == 61
    assert "GREW  mps2_an386" in said and "operator 1 DEPTHWISE_CONV_2D" in said and "next step:" in said


def test_a_gate_that_compared_nothing_is_no_pass(file, tmp_path):
    keep(file, passed(night=0), branch="develop")
    status, said = run("gate", matrix(tmp_path, passed(night=1)), "--baseline", "main", "--history", file)
    assert status == 62
    assert "It has runs of: develop." in said


def test_limits_can_be_given(file, tmp_path):
    keep(file, passed(night=0))
    path = matrix(tmp_path, passed(night=1, scale=1.2, flash=50_000))
    arguments = ("gate", path, "--baseline", "main", "--history", file)
    assert run(*arguments)[0] == 61
    assert run(*arguments, "--instructions", "20", "--bytes", "4096")[0] == 0


def test_records_travel_between_jobs_as_json_lines(file, tmp_path):
    keep(file, passed(night=0))
    lines, other = tmp_path / "runs.jsonl", tmp_path / "other.sqlite"
    assert run("history", "export", "--history", file, "-o", lines)[0] == 0
    assert run("history", "import", lines, "--history", other) == (0, f"{lines}: 1 runs added, 0 were there already\n")
    assert run("history", "import", lines, "--history", other) == (0, f"{lines}: 0 runs added, 1 were there already\n")
    status, said = run("history", "show", "--history", other)
    assert status == 0 and "main" in said and "1 pass" in said


def test_a_matrix_is_imported_as_a_run(file, tmp_path):
    path = matrix(tmp_path, passed(night=0), passed("vww", night=0))
    assert run("history", "import", path, "--history", file, "--branch", "main", "--commit", "abc")[0] == 0
    with History(file) as history:
        (only,) = history.runs()
        assert (only.branch, only.commit_id, len(history.records(only))) == ("main", "abc", 2)


def test_a_missing_history_is_an_error_with_a_next_step(tmp_path):
    status, said = run(
        "gate", matrix(tmp_path, passed()), "--baseline", "main", "--history", tmp_path / "nothing.sqlite"
    )
    assert status == 60 and "no such history" in said and "next step:" in said

# SPDX-License-Identifier: Apache-2.0
"""Many cells at once: each has a record, in order, whatever becomes of the others. Cells are fakes here."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import jsonschema
import pytest

from tinyhil import matrix
from tinyhil.errors import BuildFailed, CellTimeout, OutputUnwritable, TargetDied
from tinyhil.matrix import Listener, Plan, plan_cells, prepare_out, run_matrix, write_reports
from tinyhil.record import Cell, ErrorInfo, Identity, Record, validate
from tinyhil.runner import Evidence, Guard, Outcome

SCHEMAS = Path(matrix.__file__).parent / "schemas"

CELLS = plan_cells([("m3", "qemu", "bare_metal"), ("m4", "qemu", "bare_metal")], [Path("a.tflite"), Path("b.tflite")])


def record(cell: Cell, verdict: str = "pass", **more) -> Record:
    return Record(cell, Identity("0", {}), "tinyhil run", "2026-01-02T03:04:05Z", verdict, **more)


@pytest.fixture
def fake(monkeypatch):
    """Replaces what runs a cell by a function of (cell, guard), and the build by a list of boards."""

    class Fake:
        def __init__(self):
            self.built = []

        def cell(self, function):
            monkeypatch.setattr(
                matrix,
                "run_cell",
                lambda cell, plan, *, materials, guard, progress: Outcome(function(cell, guard), Evidence()),
            )

        def build(self, function):
            monkeypatch.setattr(matrix.Materials, "image", lambda self, board, *rest, **options: function(board))

    made = Fake()
    made.build(made.built.append)
    made.cell(lambda cell, guard: record(cell))
    return made


def run(cells=CELLS, *, jobs: int = 2, cell_timeout_s: float = 60, **more):
    return run_matrix(cells, Plan(), jobs=jobs, cell_timeout_s=cell_timeout_s, **more)


def test_every_model_is_planned_on_every_board():
    assert [(cell.board, cell.model) for cell in CELLS] == [("m3", "a"), ("m3", "b"), ("m4", "a"), ("m4", "b")]


def test_every_pair_of_engine_and_kernels_is_planned_side_by_side():
    pairs = [("builtin", "reference"), ("tflm", "cmsis_nn")]
    cells = plan_cells([("m3", "qemu", "bare_metal")], [Path("a.tflite"), Path("b.tflite")], pairs)
    planned = [(cell.model, cell.engine, cell.kernels) for cell in cells]
    assert planned == [(model, *pair) for model in ("a", "b") for pair in pairs]


def test_models_of_one_file_name_are_told_apart_and_a_model_named_twice_runs_once():
    cells = plan_cells(
        [("m3", "qemu", "bare_metal")], [Path("x/kws.tflite"), Path("y/kws.tflite"), Path("x/kws.tflite")]
    )
    assert [cell.model for cell in cells] == ["x/kws", "y/kws"]


def test_records_come_in_the_order_of_the_cells_however_they_finish(fake):
    order = []

    def slow_first(cell, guard):
        time.sleep(0.2 if cell == CELLS[0] else 0)
        order.append(cell)
        return record(cell)

    fake.cell(slow_first)
    result = run()
    assert order != list(CELLS)
    assert [each.cell for each in result.records] == list(CELLS)


def test_an_image_is_built_once_per_board_before_any_cell_runs(fake):
    seen = []
    fake.cell(lambda cell, guard: (seen.append(list(fake.built)), record(cell))[1])
    run()
    assert fake.built == ["m3", "m4"]
    assert seen[0] == ["m3", "m4"]


def test_a_build_that_fails_does_not_stop_the_other_boards(fake):
    def build(board):
        if board == "m3":
            raise BuildFailed("no")

    fake.build(build)
    assert len(run().records) == 4


def test_no_more_cells_run_at_once_than_jobs(fake):
    lock, now, most = threading.Lock(), 0, 0

    def count(cell, guard):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1
        return record(cell)

    fake.cell(count)
    run(plan_cells([("m3", "qemu", "bare_metal")], [Path(f"{i}.tflite") for i in range(8)]), jobs=3)
    assert most == 3


def test_a_cell_that_takes_too_long_is_stopped_with_an_error_of_its_own(fake):
    def hang(cell, guard: Guard):
        if cell == CELLS[1]:
            while guard.reason is None:
                time.sleep(0.01)
            return record(cell, "error", error=ErrorInfo.of(guard.reason))
        return record(cell)

    fake.cell(hang)
    result = run(cell_timeout_s=0.3)
    assert [each.verdict for each in result.records] == ["pass", "error", "pass", "pass"]
    assert result.records[1].error.error_class == CellTimeout.__name__
    assert result.exit_status == CellTimeout.exit_status


def test_an_interruption_stops_running_cells_and_keeps_what_is_finished(fake):
    class Interrupting(Listener):
        def cell_finished(self, record):
            raise KeyboardInterrupt

    stopped = []

    def wait(cell, guard: Guard):
        if cell == CELLS[0]:
            return record(cell)
        while guard.reason is None:
            time.sleep(0.01)
        stopped.append(cell)
        return record(cell, "error", error=ErrorInfo.of(guard.reason))

    fake.cell(wait)
    result = run(jobs=2, listener=Interrupting())
    assert result.interrupted
    assert [each.cell for each in result.records] == [CELLS[0]]
    assert CELLS[1] in stopped
    assert result.exit_status == 130


DIED = ErrorInfo.of(TargetDied("died"))


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        (["pass"] * 4, 0),
        (["pass", "skip", "pass", "pass"], 0),
        (["pass", "error", "pass", "pass"], TargetDied.exit_status),
        (["error", "fail", "pass", "pass"], 1),
        (["skip"] * 4, 3),
    ],
)
def test_the_exit_status_is_0_only_where_nothing_failed_and_something_passed(fake, verdicts, status):
    by_cell = dict(zip(CELLS, verdicts, strict=True))
    fake.cell(lambda cell, guard: record(cell, by_cell[cell], error=DIED if by_cell[cell] == "error" else None))
    assert run().exit_status == status


def test_matrix_json_holds_valid_records_and_a_summary(fake, tmp_path):
    result = run()
    write_reports(tmp_path, result)
    data = json.loads((tmp_path / "matrix.json").read_text())
    for each in data["records"]:
        validate(each)
    schema = json.loads((SCHEMAS / "matrix.schema.json").read_text())
    schema["properties"]["records"].pop("items")  # validated above
    jsonschema.validate(data, schema)
    assert data["summary"] == {"pass": 4, "fail": 0, "error": 0, "skip": 0, "xfail": 0}
    assert data["complete"] is True
    assert (tmp_path / "matrix.xml").read_text().startswith("<?xml")


def test_a_cell_that_errs_leaves_a_bundle_and_one_that_passes_removes_it(fake, tmp_path):
    fake.cell(lambda cell, guard: record(cell, "error", error=DIED))
    result = run(CELLS[:1], out=tmp_path)
    folder = tmp_path / "failures" / CELLS[0].slug
    assert result.records[0].bundle == str(folder)
    assert json.loads((folder / "record.json").read_text())["bundle"] == str(folder)
    assert (folder / "command.txt").read_text() == "tinyhil run\n"
    fake.cell(lambda cell, guard: record(cell))
    run(CELLS[:1], out=tmp_path)
    assert list((tmp_path / "failures").iterdir()) == []


def test_a_bundle_that_cannot_be_written_is_told_and_the_matrix_goes_on(fake, tmp_path):
    (tmp_path / "failures").write_text("in the way")
    fake.cell(lambda cell, guard: record(cell, "error", error=DIED))
    result = run(out=tmp_path)
    assert len(result.records) == 4
    assert all("failures" in error.message for error in result.unwritten)


@pytest.mark.parametrize("out", ["/proc/tinyhil", "/dev/null/out"])
def test_a_folder_that_cannot_be_written_to_is_refused_before_anything_runs(out):
    with pytest.raises(OutputUnwritable, match=out):
        prepare_out(Path(out))


def test_preparing_the_folder_leaves_nothing_in_it(tmp_path):
    prepare_out(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []

# SPDX-License-Identifier: Apache-2.0
"""What a person reads at the end of a run."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tinyhil.record import (
    Accuracy,
    Cell,
    Difference,
    ErrorInfo,
    Figure,
    Identity,
    OperatorDifference,
    OutputDifference,
    Record,
)
from tinyhil.report.terminal import cell_lines, finished_line, matrix_table, short_count, summary_line, troubles

GOLDEN = {"oracle": "tflm", "oracle_version": "7", "seed": 0, "generator": "g", "tinyhil_version": "0"}


def record(board: str = "m3", model: str = "kws", verdict: str = "pass", engine: str = "builtin", **more) -> Record:
    return Record(
        cell=Cell(board, "qemu", Path(f"{model}.tflite"), engine),
        identity=Identity("0", {}, golden=GOLDEN),
        command=f"tinyhil run {model}.tflite --board {board} --target qemu",
        started_at="2026-01-02T03:04:05Z",
        verdict=verdict,
        timings={"elapsed": 1.25},
        **more,
    )


PASS = record(
    vectors={"uniform": 3, "sample": 1},
    figures={
        "inference": Figure(43_100_000, "instructions", "QEMU 7.2"),
        "arena_used": Figure(22_772, "bytes", "device"),
        "arena_available": Figure(4_000_000, "bytes", "device"),
        "stack_peak": Figure(900, "bytes", "device"),
        "stack_reserved": Figure(8192, "bytes", "device"),
    },
    accuracy=Accuracy(35, 36),
)
FAIL = record(
    verdict="fail",
    vectors={"uniform": 3, "sample": 1},
    difference=Difference(
        2,
        "uniform",
        OutputDifference(0, 3, (0, 3), -12, 7, 5, 12, 19),
        OperatorDifference(4, "DEPTHWISE_CONV_2D", "wrote", 1, 2),
        3,
    ),
)
ERROR = record("m4", verdict="error", error=ErrorInfo("TargetDied", 32, "QEMU died", "Run it by hand.", "Aborted"))


def test_a_pass_says_what_it_cost_with_unit_and_source():
    text = "\n".join(cell_lines(PASS))
    assert text.startswith("PASS  kws on m3 (qemu): bit for bit what tflm 7 computes")
    for part in (
        "43,100,000 instructions   [QEMU 7.2]",
        "22,772 of 4,000,000 bytes",
        "900 of 8,192 bytes",
        "97.2 % (35 of 36 labelled vectors)",
        "4 (3 uniform, 1 sample)",
        "1.25 s",
    ):
        assert part in text


def test_a_failure_says_where_it_differs_and_which_operator_was_first():
    first, *rest = cell_lines(FAIL)
    assert first == "FAIL  kws on m3 (qemu): output 0[0, 3]: got -12, want 7 (5 of 12 differ, vector 2 uniform)"
    text = "\n".join(rest)
    assert "5 of 12 elements of output 0, first at [0, 3] (flat index 3), by at most 19" in text
    assert "2 (uniform); 3 of 4 vectors differ" in text
    assert "4 DEPTHWISE_CONV_2D read what the oracle read and wrote something else" in text


def test_an_error_has_message_details_and_next_step_in_this_order():
    assert cell_lines(ERROR) == [
        "ERROR  kws on m4 (qemu): QEMU died",
        "  Aborted",
        "  elapsed    1.25 s",
        "next step: Run it by hand.",
    ]


def test_a_finished_cell_is_one_line():
    assert finished_line(ERROR) == "ERROR m4 x kws (qemu)  1.25 s: QEMU died"


def test_the_table_has_a_row_per_board_and_a_column_per_model():
    console = Console(file=io.StringIO(), width=120)
    console.print(matrix_table([PASS, record(model="vww", verdict="skip"), ERROR]))
    lines = console.file.getvalue().splitlines()
    assert lines[1].replace("┃", " ").split() == ["board", "kws", "vww"]
    (m3,) = [line for line in lines if "m3 (qemu)" in line]
    (m4,) = [line for line in lines if "m4 (qemu)" in line]
    assert "PASS 43.1M" in m3 and "SKIP" in m3
    assert "ERROR" in m4


def test_on_a_narrow_terminal_the_table_is_folded_and_nothing_is_cut_off():
    console = Console(file=io.StringIO(), width=50)
    names = ["a_model_with_a_long_name", "b", "c", "d"]
    console.print(matrix_table([record(model=name, figures=PASS.figures) for name in names]))
    text = console.file.getvalue()
    assert text.count("PASS") == text.count("43.1M") == 4
    assert "…" not in text


def test_what_passed_is_no_trouble():
    text = "\n".join(troubles([PASS, ERROR]))
    assert "m4" in text and "m3" not in text
    assert ERROR.command in text


def test_the_summary_counts_each_verdict():
    assert summary_line({"pass": 4, "fail": 1, "error": 0, "skip": 0}, 12.34) == "5 cells in 12.3 s: 4 PASS, 1 FAIL"
    assert summary_line({}, 0.1) == "0 cells in 0.1 s: nothing ran"


@pytest.mark.parametrize(("value", "text"), [(7, "7"), (1234, "1.234k"), (43_123_456, "43.12M"), (2_000_000_000, "2G")])
def test_counts_in_the_table_have_four_digits(value, text):
    assert short_count(Figure(value, "instructions", "QEMU")) == text


def test_pairs_of_engine_and_kernels_stand_side_by_side():
    other = record(
        engine="tflm",
        figures={"inference": Figure(7_700_000, "instructions", "QEMU 7.2"), "flash": Figure(88_932, "bytes", "slot")},
    )
    skipped = record(model="vww", engine="tflm", verdict="skip", skip_reason="no TFLite Micro")
    console = Console(width=120, no_color=True, file=io.StringIO())
    console.print(matrix_table([PASS, other, record(model="vww"), skipped]))
    lines = console.file.getvalue().splitlines()
    heading, verdict = (next(line for line in lines if word in line) for word in ("builtin/reference", "kws"))
    assert "tflm/reference" in heading
    assert verdict.count("PASS") == 2
    (instructions,) = [line for line in lines if "instructions" in line]
    assert "43,100,000" in instructions and "7,700,000" in instructions
    assert "88,932" in next(line for line in lines if "flash, bytes" in line)
    assert "SKIP" in next(line for line in lines if "vww" in line)

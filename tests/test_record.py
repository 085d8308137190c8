# SPDX-License-Identifier: Apache-2.0
"""A record follows its schema whatever happened to the cell, and survives the way to a file and back."""

from __future__ import annotations

import copy
import errno
import json
from pathlib import Path

import pytest

from tinyhil.errors import ArenaOverflow, OutputUnwritable, RecordError, TinyhilError
from tinyhil.record import (
    Accuracy,
    Cell,
    Difference,
    ErrorInfo,
    Figure,
    Identity,
    OperatorDifference,
    OperatorResult,
    OutputDifference,
    Record,
    validate,
    write_atomic,
)


def record(**changes) -> Record:
    values = {
        "cell": Cell("board", "qemu", Path("models/kws.tflite")),
        "identity": Identity(tinyhil="0.1.0", host={"system": "Linux"}),
        "command": "tinyhil run models/kws.tflite --board board --target qemu",
        "started_at": "2026-01-02T03:04:05Z",
        "verdict": "pass",
    }
    return Record(**{**values, **changes})


FULL = record(
    verdict="fail",
    identity=Identity(
        tinyhil="0.1.0",
        host={"system": "Linux", "machine": "x86_64", "python": "3.11"},
        model={"name": "kws", "sha256": "a" * 64, "bytes": 10},
        image={
            "build_id": "0123456789abcdef",
            "kind": "slot",
            "engine": "builtin",
            "kernels": "reference",
            "firmware": "zephyr",
            "firmware_version": "Zephyr 3.4.0",
            "compiler": "gcc 12",
            "flags": ["-O2"],
        },
        target={"name": "qemu-system-arm", "version": "7.2"},
        golden={
            "oracle": "tflm",
            "oracle_version": "1",
            "seed": 0,
            "generator": "tinyhil-vectors/1",
            "tinyhil_version": "0.1.0",
        },
    ),
    vectors={"uniform": 3, "sample": 1},
    figures={
        "inference": Figure(43_100_000, "instructions", "QEMU 7.2"),
        "arena_used": Figure(22_772, "bytes", "device"),
    },
    timings={"prepare": 0.1, "elapsed": 1.5},
    difference=Difference(
        1,
        "uniform",
        OutputDifference(0, 3, (0, 3), -1, 7, 5, 12, 8),
        OperatorDifference(2, "CONV_2D", "wrote", 1, 2),
        2,
    ),
    accuracy=Accuracy(35, 36),
    operators=[OperatorResult("CONV_2D", "cmsis_nn", 5, 9216, 55555), OperatorResult("RESHAPE", "reference", 5)],
    bundle="out/failures/x",
)
NAN = record(
    verdict="fail", difference=Difference(0, "sample", OutputDifference(0, 0, (), "nan", 1.5, 1, 1, "nan"), None)
)
ERROR = record(verdict="error", error=ErrorInfo.of(TinyhilError("no", next_step="Do.", details="why")))
DEFECT = record(verdict="error", error=ErrorInfo.of(ZeroDivisionError("division by zero")))
SKIP = record(verdict="skip", skip_reason="no oracle")


ON_ZEPHYR = record(cell=Cell("board", "qemu", Path("models/kws.tflite"), firmware="zephyr"))


@pytest.mark.parametrize("made", [record(), FULL, NAN, ERROR, DEFECT, SKIP, ON_ZEPHYR])
def test_a_record_follows_the_schema_and_survives_json(made):
    data = json.loads(json.dumps(made.to_json(), allow_nan=False))
    assert Record.from_json(data) == made


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda data: data.pop("verdict"), "verdict"),
        (lambda data: data.update(verdict="perhaps"), "verdict"),
        (lambda data: data.update(surplus=1), "surplus"),
        (lambda data: data["figures"]["inference"].update(unit="milliseconds"), "figures.inference.unit"),
        (lambda data: data["figures"]["inference"].pop("source"), "figures.inference"),
        (lambda data: data["identity"]["model"].update(sha256="short"), "identity.model"),
    ],
)
def test_a_record_that_breaks_the_schema_is_refused_by_field(change, field):
    data = copy.deepcopy(FULL.to_json())
    change(data)
    with pytest.raises(RecordError, match=field):
        validate(data)


@pytest.mark.parametrize("data", [{**FULL.to_json(), "schema": "tinyhil.record/9"}, {}, [], None])
def test_a_record_of_another_schema_is_refused_as_such(data):
    with pytest.raises(RecordError, match=r"tinyhil\.record/2"):
        Record.from_json(data)


@pytest.mark.parametrize(("made", "status"), [(record(), 0), (FULL, 1), (ERROR, 3), (SKIP, 0)])
def test_the_exit_status_is_the_verdicts(made, status):
    assert made.exit_status == status


def test_an_errors_own_status_and_words_are_in_the_record():
    info = ErrorInfo.of(ArenaOverflow("arena too small", needed_bytes=10, available_bytes=4, next_step="Buy RAM."))
    assert (info.error_class, info.exit_status) == ("ArenaOverflow", 17)
    assert info.lines() == ["error: arena too small", "next step: Buy RAM."]


def test_a_defect_of_tinyhil_leaves_its_traceback_in_the_record():
    try:
        raise ZeroDivisionError("division by zero")
    except ZeroDivisionError as error:
        info = ErrorInfo.of(error)
    assert "test_record.py" in info.details


def test_two_cells_never_share_a_file_name():
    cells = [
        Cell("b", "qemu", Path("x/kws.tflite"), label="x/kws"),
        Cell("b", "qemu", Path("y/kws.tflite"), label="y/kws"),
        Cell("b", "native", Path("x/kws.tflite"), label="x/kws"),
        Cell("b", "native", Path("x/kws.tflite"), label="x/kws", firmware="zephyr"),
    ]
    assert len({cell.slug for cell in cells}) == len(cells)
    assert all("/" not in cell.slug for cell in cells)


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "matrix.json"
    write_atomic(path, "before")

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputUnwritable, match=r"matrix.json: No space left"):
        write_atomic(path, "after")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]

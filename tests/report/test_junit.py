# SPDX-License-Identifier: Apache-2.0
"""JUnit XML says what the records say, in the form that CI servers count."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tinyhil.record import Cell, Difference, ErrorInfo, Figure, Identity, OutputDifference, Record
from tinyhil.report.junit import junit_xml


def record(board: str, model: str, verdict: str, **more) -> Record:
    return Record(
        cell=Cell(board, "qemu", Path(f"{model}.tflite")),
        identity=Identity("0", {}),
        command=f"tinyhil run {model}.tflite --board {board}",
        started_at="2026-01-02T03:04:05Z",
        verdict=verdict,
        timings={"elapsed": 1.25},
        **more,
    )


RECORDS = [
    record("m3", "kws", "pass", figures={"inference": Figure(1000, "instructions", "QEMU")}),
    record(
        "m3", "vww", "fail", difference=Difference(2, "uniform", OutputDifference(0, 1, (0, 1), 3, 4, 1, 2, 1), None)
    ),
    record("m4", "kws", "error", error=ErrorInfo("TargetDied", 32, "it died <&>", "Look.", "last \x1b[0m \x00 words")),
    record("m4", "vww", "skip", skip_reason="no oracle"),
]


@pytest.fixture
def root() -> ElementTree.Element:
    return ElementTree.fromstring(junit_xml(RECORDS).encode())


def test_counts_are_given_for_the_whole_and_per_board(root):
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
        "time": "5.000",
    }
    assert [(suite.get("name"), suite.get("tests")) for suite in root] == [("m3", "2"), ("m4", "2")]


def test_a_failure_has_the_fact_as_message_and_the_command_in_its_text(root):
    failure = root.find(".//failure")
    assert failure.get("message") == "output 0[0, 1]: got 3, want 4 (1 of 2 differ, vector 2 uniform)"
    assert "tinyhil run vww.tflite --board m3" in failure.text


def test_an_error_has_its_class_and_what_xml_cannot_hold_is_replaced(root):
    error = root.find(".//error")
    assert error.get("type") == "TargetDied"
    assert error.get("message") == "it died <&>"
    assert "last \N{REPLACEMENT CHARACTER}[0m \N{REPLACEMENT CHARACTER} words" in error.text


def test_a_skip_shows_its_reason(root):
    assert root.find(".//skipped").get("message") == "no oracle"


def test_figures_are_properties_with_their_unit(root):
    assert root.find(".//property[@name='inference']").get("value") == "1000 instructions"

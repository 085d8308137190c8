# SPDX-License-Identifier: Apache-2.0
"""Markdown for a job's page, CSV for a spreadsheet: what the records say, in a form that neither takes for its own."""

from __future__ import annotations

import csv
import io

from tests.records import not_passed, passed

from tinyhil.record import ErrorInfo
from tinyhil.report.tables import csv_table, markdown


def test_markdown_has_the_table_and_what_did_not_pass():
    error = ErrorInfo("TargetDied", 32, "it | died <b>", "Look.", "```\nlast words")
    text = markdown([passed("kws"), passed("vww"), not_passed(passed("kws", "nrf52840dk"), "error", error=error)])
    assert text.startswith("## tinyhil: 2 PASS, 1 ERROR\n")
    assert "| mps2\\_an386 (qemu) | ✅ PASS 752k | ✅ PASS 752k |" in text
    assert "it \\| died &lt;b&gt;" in text
    assert "\n````\n" in text  # longer than the fence within
    assert "tinyhil run kws.tflite --board nrf52840dk" in text


def test_skips_are_told_with_their_reason():
    assert "- skipped: no oracle\n" in markdown([not_passed(passed(), "skip", skip_reason="no oracle")])


def test_markdown_of_nothing():
    assert markdown([]) == "## tinyhil: nothing ran\n\n"


def test_csv_has_a_row_a_cell_and_a_unit_beside_each_number():
    rows = list(csv.DictReader(io.StringIO(csv_table([passed("kws"), passed("vww", arena_used=82_144)]))))
    assert [row["model"] for row in rows] == ["kws", "vww"]
    assert (rows[0]["inference"], rows[0]["inference_unit"]) == ("752000", "instructions")
    assert (rows[1]["arena_used"], rows[1]["arena_used_unit"]) == ("82144", "bytes")
    assert rows[0]["model_sha256"] == "a" * 64


def test_csv_hands_no_formula_to_a_spreadsheet():
    error = ErrorInfo("TargetDied", 32, "=1+1", "", "")
    (row,) = csv.DictReader(io.StringIO(csv_table([not_passed(passed(), "error", error=error)])))
    assert row["headline"] == "'=1+1"

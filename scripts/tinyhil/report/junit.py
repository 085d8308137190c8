# SPDX-License-Identifier: Apache-2.0
"""JUnit XML from records: a suite per board, a case per cell, in the form that CI servers read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from tinyhil.record import Record
from tinyhil.report.terminal import cell_lines

# What XML 1.0 cannot hold; an emulator's last words may contain it.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def junit_xml(records: Sequence[Record]) -> str:
    """The records as one JUnit document."""
    root = ElementTree.Element("testsuites", _counts(records, "tinyhil"))
    for board in dict.fromkeys(record.cell.board for record in records):
        of_board = [record for record in records if record.cell.board == board]
        suite = ElementTree.SubElement(
            root, "testsuite", {**_counts(of_board, board), "timestamp": of_board[0].started_at}
        )
        for record in of_board:
            _case(suite, record)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _counts(records: Sequence[Record], name: str) -> dict[str, str]:
    def number(verdict: str) -> str:
        return str(sum(record.outcome == verdict for record in records))

    return {
        "name": name,
        "tests": str(len(records)),
        "failures": number("fail"),
        "errors": number("error"),
        "skipped": str(int(number("skip")) + int(number("xfail"))),
        "time": f"{sum(record.timings.get('elapsed', 0.0) for record in records):.3f}",
    }


def _case(suite: ElementTree.Element, record: Record) -> None:
    cell = record.cell
    firmware = "" if cell.firmware == "bare_metal" else f"{cell.firmware}."
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {
            "classname": f"tinyhil.{cell.board}.{cell.target}.{firmware}{cell.engine}.{cell.kernels}",
            "name": _clean(cell.model),
            "time": f"{record.timings.get('elapsed', 0.0):.3f}",
        },
    )
    facts = {name: f"{figure.value} {figure.unit}" for name, figure in record.figures.items()}
    allowed, reason = record.tolerance
    if allowed:
        facts["tolerance"] = _clean(f"{allowed:g}: {reason}")
    if facts:
        properties = ElementTree.SubElement(case, "properties")
        for name, value in facts.items():
            ElementTree.SubElement(properties, "property", {"name": name, "value": value})
    text = "\n".join(cell_lines(record, again=True))
    if record.outcome == "xfail":
        ElementTree.SubElement(case, "skipped", {"type": "xfail", "message": _clean(record.headline())})
    elif record.verdict == "fail":
        kind = "OutputMismatch" if record.difference is not None else "BudgetExceeded"
        _trouble(case, "failure", kind, record.headline(), text)
    elif record.verdict == "error":
        _trouble(case, "error", record.error.error_class if record.error else "", record.headline(), text)
    elif record.verdict == "skip":
        ElementTree.SubElement(case, "skipped", {"message": _clean(record.skip_reason)})


def _trouble(case: ElementTree.Element, tag: str, kind: str, message: str, text: str) -> None:
    element = ElementTree.SubElement(case, tag, {"type": kind, "message": _clean(message)})
    element.text = _clean(text)

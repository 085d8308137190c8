# SPDX-License-Identifier: Apache-2.0
"""The records as a Markdown summary for the page of a CI job, and as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from tinyhil.record import OUTCOMES, Record
from tinyhil.report.terminal import WORDS, cell_lines, row_name, short_count

_MARKS = {"pass": "✅", "fail": "❌", "error": "💥", "skip": "⏭️", "xfail": "🟡"}
_MOST_TROUBLES = 20  # shown in full: a job page takes a mebibyte at most
_FIGURES = ("inference", "arena_used", "arena_available", "stack_peak", "stack_reserved", "flash", "ram")


def markdown(records: Sequence[Record]) -> str:
    """A board x model table, then what did not pass, in full."""
    counts = {outcome: sum(record.outcome == outcome for record in records) for outcome in OUTCOMES}
    summary = ", ".join(f"{count} {WORDS[outcome]}" for outcome, count in counts.items() if count)
    lines = [f"## tinyhil: {summary or 'nothing ran'}", ""]
    models = list(dict.fromkeys(record.cell.model for record in records))
    if records:
        lines += ["| | " + " | ".join(map(_plain, models)) + " |", "|---|" + "---:|" * len(models)]
    for row in dict.fromkeys(row_name(record.cell) for record in records):
        cells = []
        for model in models:
            found = [r for r in records if row_name(r.cell) == row and r.cell.model == model]
            cells.append(" ".join(_short(record) for record in found))
        lines.append(f"| {_plain(row)} | " + " | ".join(cells) + " |")
    troubles = [record for record in records if record.outcome in ("fail", "error")]
    for record in troubles[:_MOST_TROUBLES]:
        head, *rest = cell_lines(record, again=True)
        # A fence longer than any within.
        text = "\n".join(rest)
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
        lines += ["", f"<details><summary>{_plain(head)}</summary>", "", fence, text, fence, "", "</details>"]
    if len(troubles) > _MOST_TROUBLES:
        lines += ["", f"{len(troubles) - _MOST_TROUBLES} more did not pass: matrix.json has them all."]
    skipped = list(dict.fromkeys(record.skip_reason for record in records if record.verdict == "skip"))
    lines += ["", *(f"- skipped: {_plain(reason)}" for reason in skipped)] if skipped else []
    allowed = [f"{r.cell.model}: {r.tolerance[0]:g} ({r.tolerance[1]})" for r in records if r.tolerance[0]]
    lines += ["", *(f"- tolerance of {_plain(text)}" for text in dict.fromkeys(allowed))] if allowed else []
    return "\n".join(lines) + "\n"


def _short(record: Record) -> str:
    inference = record.figures.get("inference")
    count = f" {short_count(inference)}" if inference and record.verdict == "pass" else ""
    return f"{_MARKS[record.outcome]} {WORDS[record.outcome]}{count}"


def _plain(text: str) -> str:
    """Text that Markdown and HTML leave as it is."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\|`*_\[\]])", r"\\\1", " ".join(text.split()))


def csv_table(records: Sequence[Record]) -> str:
    """A row a cell: where it ran, its verdict, each figure in a column of its own with the unit in another."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    figures = [name for column in _FIGURES for name in (column, f"{column}_unit")]
    cell_columns = ("board", "target", "firmware", "engine", "kernels", "model", "verdict", "headline")
    last_columns = ("tolerance", "tolerance_reason", "elapsed_s", "started_at", "model_sha256", "build_id", "command")
    writer.writerow([*cell_columns, *figures, *last_columns])
    for record in records:
        cell, identity = record.cell, record.identity
        row: list[object] = [cell.board, cell.target, cell.firmware, cell.engine, cell.kernels, cell.model]
        row += [record.outcome, _safe(record.headline())]
        for name in _FIGURES:
            figure = record.figures.get(name)
            row += [figure.value, figure.unit] if figure else ["", ""]
        allowed, reason = record.tolerance
        row += [allowed or "", _safe(reason)]
        row += [record.timings.get("elapsed", ""), record.started_at]
        row += [(identity.model or {}).get("sha256", ""), (identity.image or {}).get("build_id", "")]
        writer.writerow([*row, _safe(record.command)])
    return stream.getvalue()


def _safe(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text

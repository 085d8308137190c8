# SPDX-License-Identifier: Apache-2.0
"""The records as one HTML page: it opens from a file, needs no network, and reads without a script too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyhil import __version__
from tinyhil.record import OUTCOMES, Record
from tinyhil.report import charts
from tinyhil.report.terminal import WORDS, cell_rows, diagnosis_rows, row_name, short_count

if TYPE_CHECKING:
    from tinyhil.history import History

_LOG_BYTES = 20_000  # of a device's log, from its end
_TREND_RUNS = 60
_TRENDS = ("inference", "arena_used", "flash")


def html_page(records: Sequence[Record], *, branch: str = "", commit: str = "", history: History | None = None) -> str:
    """The page. history: draws each cell's figures over the last runs of `branch`."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=False,
        undefined=jinja2.StrictUndefined,
    )
    counts = {outcome: sum(record.outcome == outcome for record in records) for outcome in OUTCOMES}
    cells = [_cell(record, number, branch, history) for number, record in enumerate(records)]
    models = list(dict.fromkeys(record.cell.model for record in records))
    rows = []
    for name in dict.fromkeys(row_name(record.cell) for record in records):
        of_row = [cell for record, cell in zip(records, cells, strict=True) if row_name(record.cell) == name]
        rows.append({"name": name, "cells": [[cell for cell in of_row if cell["model"] == model] for model in models]})
    return environment.get_template("page.html.j2").render(
        summary=", ".join(f"{count} {WORDS[outcome]}" for outcome, count in counts.items() if count) or "nothing ran",
        started=min((record.started_at for record in records), default=""),
        branch=branch,
        commit=commit,
        version=__version__,
        counts=counts,
        words=WORDS,
        filters=_filters(cells),
        models=models,
        rows=rows,
        cells=cells,
    )


def _filters(cells: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """What can be chosen between: name to values."""
    names = cells[0]["filters"] if cells else {}
    return {name: sorted({str(cell["filters"][name]) for cell in cells}) for name in names}


def _cell(record: Record, number: int, branch: str, history: History | None) -> dict[str, Any]:
    from markupsafe import Markup

    cell, inference = record.cell, record.figures.get("inference")
    arena = record.figures.get("arena_used")
    profile = charts.profile_rows(record.operators)
    for row in profile:
        row["bar"] = Markup(charts.share_bar(float(str(row["share"]))))
    trends, runs = _trends(record, branch, history)
    return {
        "anchor": f"cell-{number}",
        "model": cell.model,
        "title": f"{cell.model} on {row_name(cell)}",
        "verdict": record.outcome,
        "word": WORDS[record.outcome],
        "count": short_count(inference) if inference and record.verdict == "pass" else "",
        "headline": record.headline(),
        "filters": {
            "verdict": WORDS[record.outcome],
            "target": cell.target,
            "firmware": cell.firmware,
            "engine": f"{cell.engine}/{cell.kernels}",
        },
        "facts": cell_rows(record, diagnosis=False),
        "next_step": record.error.next_step if record.error else "",
        "details": record.error.details.rstrip() if record.error else "",
        "diagnosis": diagnosis_rows(record.diagnosis) if record.diagnosis else [],
        "command": record.command,
        "unit": inference.unit if inference else "",
        "profile": profile,
        "arena": Markup(
            charts.arena_picture(record.arena, [op.name for op in record.operators], int(arena.value) if arena else 0)
        ),
        "layout": _layout(record),
        "identity": _identity(record),
        "log": _log(record),
        "trends": [(name, Markup(picture)) for name, picture in trends],
        "trend_runs": runs,
    }


def _trends(record: Record, branch: str, history: History | None) -> tuple[list[tuple[str, str]], int]:
    if history is None:
        return [], 0
    earlier = history.of_cell(record.cell.slug, branch=branch or None, last=_TREND_RUNS)
    pictures = []
    for name in _TRENDS:
        now = record.figures.get(name)
        if now is None:
            continue
        points = [
            (old.figures[name].value, f"{run.started_at} {run.commit_id[:12]}".rstrip())
            for run, old in earlier
            if name in old.figures and old.figures[name].unit == now.unit and old.started_at != record.started_at
        ]
        points.append((now.value, f"{record.started_at} (this)"))
        picture = charts.trend_line([value for value, _ in points], [label for _, label in points], now.unit)
        if picture:
            pictures.append((f"{name}: {now.value:,} {now.unit}", picture))
    return pictures, len(earlier)


def _layout(record: Record) -> list[tuple[str, int, int, str]]:
    """What parts of the firmware take, then sections, then what is left: (name, flash, RAM, kind)."""
    if record.layout is None:
        return []
    rows = [
        (name, *sizes, "part")
        for name, sizes in sorted(record.layout.groups.items(), key=lambda row: row[1], reverse=True)
    ]
    rows += [(name, *sizes, "section") for name, sizes in record.layout.sections.items()]
    taken = [sum(sizes[memory] for sizes in record.layout.sections.values()) for memory in (0, 1)]
    arena = record.figures.get("arena_used")
    taken[1] += int(arena.value) if arena else 0
    flash, ram = record.layout.available
    rows.append(("left, with the arena in use", flash - taken[0], ram - taken[1], "left"))
    return rows


def _identity(record: Record) -> list[tuple[str, str]]:
    """All that made the record, a row a part."""
    rows = [("tinyhil", record.identity.tinyhil), ("started", record.started_at)]
    for name in ("model", "image", "target", "golden"):
        part = getattr(record.identity, name)
        if part:
            words = [f"{key} {_value(value)}" for key, value in part.items() if value not in ("", [], {}, None)]
            rows.append((name, ", ".join(words)))
    return rows


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    if isinstance(value, dict):
        return " ".join(f"{key}={entry}" for key, entry in value.items())
    return str(value)


def _log(record: Record) -> str:
    """The end of the log in the failure bundle, where there is one."""
    if not record.bundle:
        return ""
    try:
        data = Path(record.bundle, "device.log").read_bytes()
    except OSError:
        return ""
    return data[-_LOG_BYTES:].decode("utf-8", "replace").rstrip()

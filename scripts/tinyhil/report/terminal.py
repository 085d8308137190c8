# SPDX-License-Identifier: Apache-2.0
"""Records for people at a terminal: one cell in full, or the board x model table of a matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tinyhil.golden import USER
from tinyhil.record import Cell, Diagnosis, Figure, OperatorResult, Record, TensorDifference

if TYPE_CHECKING:
    from rich.console import RenderableType

WORDS = {"pass": "PASS", "fail": "FAIL", "error": "ERROR", "skip": "SKIP", "xfail": "XFAIL"}
COLOURS = {"pass": "green", "fail": "red", "error": "magenta", "skip": "yellow", "xfail": "yellow"}


def cell_lines(record: Record, *, again: bool = False) -> list[str]:
    """One cell in full: the verdict with the fact first, then what it cost, last what to do.

    `again` adds the command that runs it again.
    """
    cell = record.cell
    head = f"{WORDS[record.outcome]}  {cell.model} on {cell.board} ({_where(cell)})"
    if record.verdict == "pass":
        allowed, _ = record.tolerance
        how = f"within {allowed:g} of" if allowed else "bit for bit"
        head += f": {how} what {_oracle(record)} computes"
    else:
        head += f": {record.headline()}"
    rows = cell_rows(record, diagnosis=True)
    if again:
        rows.append(("again", record.command))
    lines = [f"  {name:<10} {text}" for name, text in rows]
    if record.error is not None:
        lines = [f"  {line}" for line in record.error.details.rstrip().splitlines()] + lines
        lines += [f"next step: {record.error.next_step}"] if record.error.next_step else []
    return [head, *lines]


def cell_rows(record: Record, *, diagnosis: bool) -> list[tuple[str, str]]:
    """What there is to say of a cell beside its verdict, as (name, text): what differs, then what it cost."""
    rows = _difference_rows(record) if record.difference is not None else []
    if diagnosis and record.diagnosis is not None:
        rows += diagnosis_rows(record.diagnosis)
    allowed, reason = record.tolerance
    if allowed:
        rows.append(("tolerance", f"{allowed:g}: {reason}"))
    rows += _figure_rows(record)
    rows += [("retried", f"after {error.error_class}: {error.message}") for error in record.retried]
    rows += [("budget", check.words()) for check in record.budgets]
    if record.expected is not None:
        told = record.expected
        rows.append(("expected", told.note or f"to fail until {told.until}: {told.reason} ({told.owner})"))
    if record.bundle:
        rows.append(("bundle", record.bundle))
    rows.append(("elapsed", f"{record.timings.get('elapsed', 0.0):.2f} s"))
    return rows


def _where(cell: Cell) -> str:
    words = [cell.target]
    words += [] if (cell.engine, cell.kernels) == ("builtin", "reference") else [pair(cell)]
    words += [] if cell.firmware == "bare_metal" else [cell.firmware]
    return ", ".join(words)


def _oracle(record: Record) -> str:
    golden = record.identity.golden or {}
    if golden.get("oracle") == USER:
        return "the user's own set"
    return f"{golden.get('oracle', '?')} {golden.get('oracle_version', '')}".rstrip()


def _difference_rows(record: Record) -> list[tuple[str, str]]:
    difference = record.difference
    assert difference is not None
    rows = []
    at = difference.output
    if at is not None:
        rows.append(
            (
                "differs",
                f"{at.differing:,} of {at.total:,} elements of output {at.output}, first at {list(at.coordinates)} "
                f"(flat index {at.index}), by at most {at.largest}",
            )
        )
    rows.append(
        (
            "vector",
            f"{difference.vector} ({difference.kind}); "
            f"{difference.vectors_differing} of {sum(record.vectors.values())} vectors differ",
        )
    )
    operator = difference.operator_line()
    rows.append(("operator", operator or "every operator's checksums agree in the run that took them"))
    rows.append(("oracle", _oracle(record)))
    return rows


_ALONE = {
    "right": "right by itself: with the oracle's inputs it writes what the oracle writes",
    "wrong": "wrong by itself: with the oracle's inputs too",
}
_SHOWN_CHANNELS = 3


def diagnosis_rows(found: Diagnosis) -> list[tuple[str, str]]:
    """What was found of the first operator that differs, as (name, text)."""
    rows = []
    if found.tensor is not None:
        tensor, at = found.tensor, found.tensor.first
        shape = "x".join(map(str, tensor.shape))
        rows.append(("tensor", f"{tensor.tensor} {tensor.name!r}, {tensor.type} {shape}{_quantization(tensor)}"))
        rows.append(
            (
                "element",
                f"{list(at.coordinates)}: got {at.got}, want {at.want}; {at.differing:,} of {at.total:,} differ, "
                f"by at most {at.largest}",
            )
        )
        if tensor.histogram:
            rows.append(("off by", ", ".join(f"{distance:+g} x {count:,}" for distance, count in tensor.histogram)))
    if found.alone is not None:
        rows.append(("alone", _ALONE[found.alone]))
    rows.append(("perhaps" if found.tensor is not None else "diagnosis", found.cause.text))
    return rows


def _quantization(tensor: TensorDifference) -> str:
    if not tensor.scales:
        return ""
    scales = ", ".join(f"{scale:.6g}" for scale in tensor.scales[:_SHOWN_CHANNELS])
    more = ", ..." if len(tensor.scales) > _SHOWN_CHANNELS else ""
    return f", scale {scales}{more}, zero point {', '.join(map(str, tensor.zero_points[:_SHOWN_CHANNELS]))}"


def _figure_rows(record: Record) -> list[tuple[str, str]]:
    figures = record.figures
    rows = []
    if inference := figures.get("inference"):
        rows.append(("inference", f"{inference.value:,} {inference.unit}   [{inference.source}]"))
    for name in ("arena", "stack"):
        used = figures.get("arena_used" if name == "arena" else "stack_peak")
        there = figures.get("arena_available" if name == "arena" else "stack_reserved")
        if used and there:
            rows.append((name, f"{used.value:,} of {there.value:,} bytes"))
    for name, label in (("flash", "flash"), ("ram", "RAM"), ("model", "model")):
        if figure := figures.get(name):
            note = "" if name == "model" else f"   [{figure.source}]"
            rows.append((label, f"{figure.value:,} bytes{note}"))
    if record.operators and record.cell.kernels != "reference":
        rows.append(("kernels", _kernels(record.operators)))
    if accuracy := record.accuracy:
        share = 100 * accuracy.correct / accuracy.labelled
        rows.append(("accuracy", f"{share:.1f} % ({accuracy.correct} of {accuracy.labelled} labelled vectors)"))
    if record.vectors:
        kinds = ", ".join(f"{count} {kind}" for kind, count in record.vectors.items())
        rows.append(("vectors", f"{sum(record.vectors.values())} ({kinds})"))
    return rows


def _kernels(operators: Sequence[OperatorResult]) -> str:
    """Which kernel set computed how many operators, and which: cmsis_nn 12 of 13; reference RESHAPE."""
    parts = []
    for path in dict.fromkeys(operator.path for operator in operators):
        names = [operator.name for operator in operators if operator.path == path]
        kinds = ", ".join(dict.fromkeys(names))
        parts.append(f"{path or 'unknown'} {len(names)} of {len(operators)} operators ({kinds})")
    return "; ".join(parts)


def short_count(figure: Figure) -> str:
    """A figure in four significant digits: 43.10M."""
    value = float(figure.value)
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.4g}{suffix}"
    return f"{value:g}"


def finished_line(record: Record) -> str:
    """A cell in one line, for live progress."""
    cell = record.cell
    line = f"{WORDS[record.outcome]:<5} {cell.board} x {cell.model} ({_where(cell)})"
    if inference := record.figures.get("inference"):
        line += f"  {inference.value:,} {inference.unit}"
    line += f"  {record.timings.get('elapsed', 0.0):.2f} s"
    headline = record.headline()
    return f"{line}: {headline}" if headline else line


def matrix_table(records: Sequence[Record]) -> RenderableType:
    """The board x model table: verdict and cost of an inference in every cell.

    Of several engines or kernel sets it is the table of pairs instead.
    """
    from rich.table import Table
    from rich.text import Text

    if len({pair(record.cell) for record in records}) > 1:
        return pairs_table(records)
    models = list(dict.fromkeys(record.cell.model for record in records))
    units = {figure.unit for record in records if (figure := record.figures.get("inference"))}
    table = Table(caption=f"{' or '.join(sorted(units))} per inference" if units else None)
    table.add_column("board", no_wrap=True)
    for model in models:
        table.add_column(model, justify="right", min_width=6, overflow="fold")
    by_place: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        by_place.setdefault((row_name(record.cell), record.cell.model), []).append(record)
    for row in dict.fromkeys(row_name(record.cell) for record in records):
        cells = []
        for model in models:
            text = Text(justify="right")
            for record in by_place.get((row, model), []):
                inference = record.figures.get("inference")
                text.append(WORDS[record.outcome], style=COLOURS[record.outcome])
                text.append(f" {short_count(inference)}" if inference and record.verdict == "pass" else "")
            cells.append(text)
        table.add_row(row, *cells)
    return table


def pair(cell: Cell) -> str:
    """Engine and kernels of a cell."""
    return f"{cell.engine}/{cell.kernels}"


_PAIR_FIGURES = (("inference", ""), ("arena_used", "arena, bytes"), ("flash", "flash, bytes"))


def pairs_table(records: Sequence[Record]) -> RenderableType:
    """The pairs of engine and kernels side by side: for each board and model the verdict and what it costs."""
    from rich.table import Table
    from rich.text import Text

    pairs = list(dict.fromkeys(pair(record.cell) for record in records))
    table = Table(caption="flash: the image with every operator, without model")
    for heading in ("board", "model", ""):
        table.add_column(heading, no_wrap=True)
    for name in pairs:
        table.add_column(name, justify="right", no_wrap=True)
    places: dict[tuple[str, str], dict[str, Record]] = {}
    for record in records:
        places.setdefault((_place(record.cell), record.cell.model), {})[pair(record.cell)] = record
    for (place, model), found in places.items():
        there = [found.get(name) for name in pairs]
        verdicts = [Text(WORDS[record.verdict], style=COLOURS[record.verdict]) if record else "" for record in there]
        table.add_row(place, model, "verdict", *verdicts)
        for name, label in _PAIR_FIGURES:
            figures = [record.figures.get(name) if record else None for record in there]
            units = {figure.unit for figure in figures if figure}
            if units:
                cells = [f"{figure.value:,}" if figure else "" for figure in figures]
                table.add_row("", "", label or " or ".join(sorted(units)), *cells)
        table.add_section()
    return table


def _place(cell: Cell) -> str:
    place = cell.board if cell.target == cell.board else f"{cell.board} ({cell.target})"
    return place if cell.firmware == "bare_metal" else f"{place} {cell.firmware}"


def row_name(cell: Cell) -> str:
    """The row of a matrix that a cell belongs to."""
    row = _place(cell)
    return row if (cell.engine, cell.kernels) == ("builtin", "reference") else f"{row} {pair(cell)}"


def troubles(records: Sequence[Record]) -> list[str]:
    """What did not pass, in full: the fact, what to do, and the command that shows it again."""
    lines: list[str] = []
    for record in records:
        if record.verdict == "pass":
            continue
        lines += ["", *cell_lines(record, again=True)]
    return lines


def summary_line(summary: Mapping[str, int], elapsed_s: float) -> str:
    """How many cells of each verdict, and how long it took."""
    counts = ", ".join(f"{count} {WORDS[verdict]}" for verdict, count in summary.items() if count)
    return f"{sum(summary.values())} cells in {elapsed_s:.1f} s: {counts or 'nothing ran'}"

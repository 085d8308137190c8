# SPDX-License-Identifier: Apache-2.0
"""Operator by operator, for people at a terminal: what each costs, which went wrong, two cells side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyhil.record import Figure, Record
from tinyhil.report.charts import profile_rows

if TYPE_CHECKING:
    from rich.table import Table

    from tinyhil.golden import GoldenSet
    from tinyhil.verdict import Tally


def profile_table(record: Record) -> Table:
    """What each operator costs, its multiply-accumulates, the cost of one, and its share of all."""
    from rich.table import Table

    inference = record.figures.get("inference")
    unit = inference.unit if inference else "units"
    table = Table(title="operators", title_justify="left")
    for name in ("#", "operator", "kernel", "MACs", unit, "per MAC", "share"):
        table.add_column(name, justify="left" if name in ("operator", "kernel") else "right")
    for row in profile_rows(record.operators):
        units, per_mac, macs = row["units"], row["per_mac"], row["macs"]
        table.add_row(
            str(row["index"]),
            str(row["name"]),
            str(row["path"]),
            f"{macs:,}" if macs else "",
            f"{units:,}" if units is not None else "",
            f"{per_mac:.2f}" if per_mac is not None else "",
            f"{100 * float(str(row['share'])):.1f} %" if units is not None else "",
        )
    total = sum(op.units or 0 for op in record.operators)
    macs = sum(op.macs for op in record.operators)
    table.add_section()
    table.add_row("", "all", "", f"{macs:,}", f"{total:,}", f"{total / macs:.2f}" if macs else "", "")
    return table


def operator_table(golden: GoldenSet, tally: Tally) -> Table | None:
    """Each operator of the first vector that differs: did it read and write what the oracle did? None: not known."""
    from rich.table import Table

    difference, got = tally.difference, tally.mismatch
    if difference is None or got is None or got.op_reads is None or got.op_writes is None:
        return None
    table = Table(title=f"operators, vector {difference.vector} {difference.kind}", title_justify="left")
    for name in ("#", "operator", "read", "wrote"):
        table.add_column(name, justify="right" if name == "#" else "left")
    wants = zip(golden.op_reads[difference.vector], golden.op_writes[difference.vector], strict=True)
    rows = zip(golden.op_names, wants, got.op_reads, got.op_writes, strict=True)
    first = difference.operator.index if difference.operator else -1
    for index, (name, (want_read, want_wrote), read, wrote) in enumerate(rows):
        style = "bold red" if index == first else ""
        words = ["same" if same else "differs" for same in (int(want_read) == read, int(want_wrote) == wrote)]
        table.add_row(str(index), name, *words, style=style)
    return table


def comparison_table(a: Record, b: Record, names: tuple[str, str]) -> Table:
    """Two cells operator by operator, then their figures. Figures of another unit or source stand side by side only."""
    from rich.table import Table

    table = Table(title=f"A: {names[0]}\nB: {names[1]}", title_justify="left")
    for name in ("#", "operator", "MACs", "A", "B", "B / A"):
        table.add_column(name, justify="left" if name == "operator" else "right")
    same = [op.name for op in a.operators] == [op.name for op in b.operators]
    comparable = _alike(a.figures.get("inference"), b.figures.get("inference"))
    if same:
        for index, (left, right) in enumerate(zip(a.operators, b.operators, strict=True)):
            kernels = "" if left.path == right.path else f" ({left.path} / {right.path})"
            table.add_row(
                str(index),
                left.name + kernels,
                f"{left.macs:,}" if left.macs else "",
                _count(left.units),
                _count(right.units),
                _ratio(left.units, right.units) if comparable else "",
            )
        table.add_section()
    for name in dict.fromkeys((*a.figures, *b.figures)):
        one, other = a.figures.get(name), b.figures.get(name)
        unit = (one or other or Figure(0, "", "")).unit
        table.add_row(
            "",
            f"{name}, {unit}" if one is None or other is None or one.unit == other.unit else name,
            "",
            _figure(one, unit),
            _figure(other, unit),
            _ratio(one.value, other.value) if one and other and _alike(one, other) else "",
        )
    if not same:
        table.caption = "The models have other operators: they are not compared one by one."
    return table


def _alike(one: Figure | None, other: Figure | None) -> bool:
    return one is not None and other is not None and one.unit == other.unit


def _figure(figure: Figure | None, unit: str) -> str:
    if figure is None:
        return ""
    return f"{figure.value:,}" if figure.unit == unit else f"{figure.value:,} {figure.unit}"


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _ratio(one: float | None, other: float | None) -> str:
    return f"{other / one:.3f}" if one and other is not None else ""

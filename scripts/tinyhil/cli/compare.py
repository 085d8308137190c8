# SPDX-License-Identifier: Apache-2.0
"""`tinyhil compare`: two engines, boards or commits, operator by operator."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tinyhil.record import Record


@click.command("compare")
@click.argument("a")
@click.argument("b")
def compare_command(a: str, b: str) -> None:
    """Compare two cells operator by operator, and all their figures.

    A and B are FILE or FILE:CELL: a matrix.json, or a record.json of a failure bundle, and a pattern that one cell of
    it fits: 'out/matrix.json:mps2_an386*kws'. Board, target, engine, kernels and model make a cell's name.
    """
    from rich.console import Console

    from tinyhil.report.operators import comparison_table

    left, right = _find(a), _find(b)
    Console().print(comparison_table(left, right, (left.cell.slug, right.cell.slug)))


def _find(text: str) -> Record:
    """The one record that FILE:CELL means."""
    path, colon, pattern = text.rpartition(":")
    if not colon or Path(text).exists():
        path, pattern = text, "*"
    if not Path(path).is_file():
        raise click.UsageError(f"{path}: no such file; give FILE or FILE:CELL.")
    records = _records(Path(path))
    found = [record for record in records if fnmatchcase(record.cell.slug, f"*{pattern}*")]
    if len(found) != 1:
        shown = "\n  ".join(record.cell.slug for record in (found or records)[:20])
        raise click.UsageError(f"{len(found)} cells of {path} fit {pattern!r}; it must be one of\n  {shown}")
    return found[0]


def _records(path: Path) -> list[Record]:
    import json

    from tinyhil.history import read_matrix
    from tinyhil.record import Record

    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        data = None  # read_matrix says what is wrong
    if isinstance(data, dict) and "cell" in data:
        return [Record.from_json(data)]
    return read_matrix(path)

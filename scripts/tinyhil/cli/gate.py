# SPDX-License-Identifier: Apache-2.0
"""`tinyhil gate`: is it worse than on the baseline?"""

from __future__ import annotations

import json
from pathlib import Path

import click

from tinyhil.cli.history import history_option
from tinyhil.cli.options import json_option


@click.command("gate")
@click.argument("matrix", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=Path("out/matrix.json"))
@click.option("--baseline", "-b", required=True, metavar="BRANCH", help="The branch whose last runs are the baseline.")
@history_option
@click.option("--instructions", default=0.5, show_default=True, metavar="PERCENT", help="Growth that is allowed.")
@click.option("--cycles", default=2.0, show_default=True, metavar="PERCENT", help="Growth of cycles that is allowed.")
@click.option("--bytes", "size", default=256, show_default=True, metavar="N", help="Growth of each memory, in bytes.")
@json_option
def gate_command(
    matrix: Path, baseline: str, history_path: Path, instructions: float, cycles: float, size: int, as_json: bool
) -> None:
    """Compare the records of MATRIX (default: out/matrix.json) with the last like them on the baseline's branch.

    Exit status: 0 nothing grew, 61 something grew or broke, 62 nothing could be compared.
    """
    from tinyhil.errors import GateEmpty, GateFailed
    from tinyhil.gate import Limits, judge
    from tinyhil.history import History, read_matrix

    records = read_matrix(matrix)
    with History(history_path) as history:
        branches = history.branches()
        judgements = judge(records, history, baseline, Limits(instructions, cycles, size))
    counts = {kind: sum(j.kind == kind for j in judgements) for kind in dict.fromkeys(j.kind for j in judgements)}
    summary = ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "no cells"
    if as_json:
        click.echo(json.dumps({"baseline": baseline, "summary": counts, "cells": [j.to_json() for j in judgements]}))
    else:
        for judgement in judgements:
            if judgement.kind != "same":
                for line in judgement.lines():
                    click.echo(click.style(line, fg="red") if judgement.fails and line[0] != " " else line)
        click.echo(f"gate against {baseline}: {summary}")
    failing = [judgement for judgement in judgements if judgement.fails]
    if failing:
        names = ", ".join(judgement.record.cell.slug for judgement in failing[:5])
        raise GateFailed(
            f"{len(failing)} of {len(judgements)} cells are worse than on {baseline}: {names}"
            + (", ..." if len(failing) > 5 else ""),
            next_step="Look at the operators named above; where it is meant, land it: the next run is the baseline.",
        )
    if not any(judgement.kind in ("same", "better") for judgement in judgements):
        there = f"It has runs of: {', '.join(branches)}." if branches else "It has no run at all."
        raise GateEmpty(
            f"{history_path}: no cell could be compared with {baseline} ({summary})",
            next_step=f"{there} Add a run of the baseline with this toolchain: tinyhil matrix --history FILE.",
        )

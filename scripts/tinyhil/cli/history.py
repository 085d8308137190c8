# SPDX-License-Identifier: Apache-2.0
"""`tinyhil history`: what goes in and out of the file that keeps all records."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])


def default_path() -> Path:
    """$TINYHIL_HISTORY, or out/history.sqlite."""
    return Path(os.environ.get("TINYHIL_HISTORY") or Path("out", "history.sqlite"))


def history_option(function: _F) -> _F:
    """`--history FILE`, passed as `history_path`."""
    return click.option(
        "--history",
        "history_path",
        type=click.Path(dir_okay=False, path_type=Path),
        default=default_path,
        show_default="$TINYHIL_HISTORY, or out/history.sqlite",
        help="The history file.",
    )(function)


@click.group("history")
def history_group() -> None:
    """Keep every record in one SQLite file, and carry it between CI jobs as JSON lines."""


@history_group.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@history_option
@click.option("--branch", help="Of a matrix.json.  [default: as CI or git says]")
@click.option("--commit", help="Of a matrix.json.  [default: as CI or git says]")
def import_command(files: tuple[Path, ...], history_path: Path, branch: str | None, commit: str | None) -> None:
    """Add matrix.json files (a run each), or JSON lines that `history export` wrote.

    A file is added whole or not at all; what is there already is not added again.
    """
    from tinyhil.history import History, Run, branch_here, commit_here, read_lines, read_matrix

    with History(history_path, create=True) as history:
        for path in files:
            if path.suffix == ".jsonl":
                runs = read_lines(path.read_text(encoding="utf-8").splitlines(), source=str(path))
            else:
                records = read_matrix(path)
                run = Run.of(records, branch=branch or branch_here(), commit_id=commit or commit_here())
                runs = [(run, records)]
            added = [history.add(run, records) for run, records in runs]
            click.echo(f"{path}: {sum(added)} runs added, {added.count(False)} were there already")


@history_group.command("export")
@history_option
@click.option("--branch", help="Only this branch.")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the last N runs.")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="A file.  [default: stdout]")
def export_command(history_path: Path, branch: str | None, last: int | None, output: Path | None) -> None:
    """Write the runs as JSON lines."""
    from tinyhil.history import History, export_lines
    from tinyhil.record import write_atomic

    with History(history_path) as history:
        text = "".join(f"{line}\n" for line in export_lines(history, branch=branch, last=last))
    if output is None:
        sys.stdout.write(text)
    else:
        write_atomic(output, text)


@history_group.command("show")
@history_option
@click.option("--branch", help="Only this branch.")
def show_command(history_path: Path, branch: str | None) -> None:
    """List the runs, the oldest first."""
    from tinyhil.history import History
    from tinyhil.record import VERDICTS

    with History(history_path) as history:
        for run in history.runs(branch=branch):
            records = history.records(run)
            counts = {verdict: sum(record.verdict == verdict for record in records) for verdict in VERDICTS}
            summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
            click.echo(f"{run.started_at}  {run.branch}  {run.commit_id[:12] or '-':<12}  {run.id}  {summary}")

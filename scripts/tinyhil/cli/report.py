# SPDX-License-Identifier: Apache-2.0
"""`tinyhil report`: the records of a matrix drawn again, with their history."""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command("report")
@click.argument("matrix", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=Path("out/matrix.json"))
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="One self-contained page.")
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=Path), help="A summary for a CI job's page.")
@click.option("--csv", "csv_path", type=click.Path(dir_okay=False, path_type=Path), help="A row a cell.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="JUnit XML.")
@click.option(
    "--history",
    "history_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="TINYHIL_HISTORY",
    help="Draw each cell's figures over the runs in this file.  [default: $TINYHIL_HISTORY]",
)
@click.option("--branch", help="The branch whose runs are drawn.  [default: as CI or git says]")
def report_command(
    matrix: Path,
    html: Path | None,
    markdown: Path | None,
    csv_path: Path | None,
    junit: Path | None,
    history_path: Path | None,
    branch: str | None,
) -> None:
    """Draw reports from the records of MATRIX (default: out/matrix.json); without an option, the page beside it."""
    from contextlib import ExitStack

    from tinyhil.history import History, branch_here, commit_here, read_matrix
    from tinyhil.record import write_atomic
    from tinyhil.report.html import html_page
    from tinyhil.report.junit import junit_xml
    from tinyhil.report.tables import csv_table
    from tinyhil.report.tables import markdown as markdown_summary

    records = read_matrix(matrix)
    if not (html or markdown or csv_path or junit):
        html = matrix.with_suffix(".html")
    with ExitStack() as stack:
        history = stack.enter_context(History(history_path)) if history_path else None
        here = branch or branch_here()
        if html:
            page = html_page(records, branch=here, commit=commit_here()[:12], history=history)
            write_atomic(html, page)
    for path, draw in ((markdown, markdown_summary), (csv_path, csv_table), (junit, junit_xml)):
        if path:
            write_atomic(path, draw(records))
    click.echo(os.linesep.join(str(path) for path in (html, markdown, csv_path, junit) if path))

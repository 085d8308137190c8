# SPDX-License-Identifier: Apache-2.0
"""`tinyhil merge`: the shards of a matrix, together again."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("merge")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out", default="out", show_default=True, type=click.Path(file_okay=False, path_type=Path), help="Where to write."
)
@click.pass_context
def merge_command(ctx: click.Context, files: tuple[Path, ...], out: Path) -> None:
    """Write the reports of one matrix from the matrix.json FILES of its shards.

    Exit status: as the whole matrix would have had.
    """
    from tinyhil.history import read_matrix
    from tinyhil.matrix import merge, prepare_out, write_reports
    from tinyhil.report.terminal import summary_line

    result = merge([(path, read_matrix(path)) for path in dict.fromkeys(files)])
    prepare_out(out)
    write_reports(out, result)
    click.echo(f"{out / 'matrix.json'}: {summary_line(result.summary(), result.elapsed_s)}")
    ctx.exit(result.exit_status)

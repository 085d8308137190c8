# SPDX-License-Identifier: Apache-2.0
"""`tinyhil matrix`: every model on every board."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tinyhil.record import Record

from tinyhil.cli.options import budgets_option, extra_source_option, known, names


def _shard(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """I/N as two numbers."""
    if value is None:
        return None
    number, slash, count = value.partition("/")
    if not (slash and number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise click.BadParameter(f"{value!r} is no part of a whole: 2/5 is the second of five.")
    return int(number), int(count)


def _config(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    """Makes what the project's file says the defaults of the other options."""
    from tinyhil.project import load_project, project_here

    project = load_project(value) if value is not None else project_here(Path.cwd())
    if project is None:
        return None
    options = {_OPTION_OF.get(key, key): entry for key, entry in project.values.items()}
    unknown = [key for key in options if key not in {parameter.name for parameter in ctx.command.params}]
    if unknown:
        raise click.BadParameter(f"{project.path}: {', '.join(unknown)}: not for a matrix.")
    ctx.default_map = {**(ctx.default_map or {}), **options}
    return project.path


_OPTION_OF = {
    "firmware": "firmwares",
    "budgets": "budgets_path",
    "history": "history_path",
    "cell_timeout_s": "cell_timeout",
}
"""Keys of tinyhil.yaml whose option's parameter has another name."""


@click.command("matrix")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_config,
    is_eager=True,
    expose_value=False,
    help="What to test, and on what.  [default: tinyhil.yaml, where there is one]",
)
@click.option("--boards", multiple=True, callback=names, help="Boards, with commas.  [default: all with the target]")
@click.option("--target", "-t", help="qemu, renode, ...  [default: qemu; of boards that are named, each one's first]")
@click.option(
    "--firmware",
    "firmwares",
    multiple=True,
    callback=names,
    help="bare_metal, zephyr, with commas: each cell once on each.  [default: each board's first; of boards that are "
    "not named those on bare metal]",
)
@click.option("--engines", multiple=True, callback=names, help="builtin, tflm, with commas.  [default: builtin]")
@click.option(
    "--kernels", multiple=True, callback=names, help="reference, cmsis_nn, with commas.  [default: reference]"
)
@click.option(
    "--models",
    "-m",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A .tflite file or a folder of them, repeatable.  [default: tinyhil's own models]",
)
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Cells at once.  [default: the number of cores]")
@click.option("--seed", default=0, show_default=True, help="Seed of vectors that are made on the spot.")
@click.option("--vectors", type=click.IntRange(min=1), metavar="N", help="Run only the first N vectors of each model.")
@click.option(
    "--out", default="out", show_default=True, type=click.Path(file_okay=False, path_type=Path), help="Where to write."
)
@click.option(
    "--cell-timeout", default=600.0, show_default=True, type=click.FloatRange(min=0.1), help="Seconds a cell may take."
)
@click.option(
    "--require",
    multiple=True,
    callback=names,
    help="What may not be missing (oracle, tflm, cmsis_nn, zephyr): fail where a cell would skip.",
)
@click.option(
    "--history",
    "history_path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="TINYHIL_HISTORY",
    help="Add the records to this history file.  [default: $TINYHIL_HISTORY]",
)
@click.option("--retries", default=0, show_default=True, metavar="N", help="Run a cell again whose target failed.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted matrix: OUT/records.jsonl has what is done.")
@click.option("--shard", callback=_shard, metavar="I/N", help="Only the I-th of N equal parts; see tinyhil merge.")
@click.option("--scheduler", default="", metavar="tcp://HOST:PORT", help="Run the cells on a Dask cluster.")
@extra_source_option
@budgets_option
@click.pass_context
def matrix_command(
    ctx: click.Context,
    boards: tuple[str, ...],
    target: str | None,
    firmwares: tuple[str, ...],
    engines: tuple[str, ...],
    kernels: tuple[str, ...],
    models: tuple[Path, ...],
    jobs: int | None,
    seed: int,
    vectors: int | None,
    out: Path,
    cell_timeout: float,
    require: tuple[str, ...],
    history_path: Path | None,
    retries: int,
    resume: bool,
    shard: tuple[int, int] | None,
    scheduler: str,
    extra_sources: tuple[Path, ...],
    budgets_path: Path | None,
) -> None:
    """Run every model on every board and write OUT/matrix.json, OUT/matrix.xml and OUT/failures/.

    Exit status 0 only if every cell passes; one broken cell never stops the others.
    """
    from rich.console import Console

    from tinyhil.budget import load_budgets
    from tinyhil.errors import OutputUnwritable
    from tinyhil.matrix import plan_cells, prepare_out, run_matrix, shard_of, write_reports
    from tinyhil.record import ENGINES, FIRMWARES, KERNELS
    from tinyhil.report.live import LiveProgress, PlainProgress
    from tinyhil.report.terminal import matrix_table, summary_line, troubles
    from tinyhil.runner import REQUIREMENTS, Plan

    known("--require", require, REQUIREMENTS)
    known("--firmware", firmwares, FIRMWARES)
    known("--engines", engines, ENGINES)
    known("--kernels", kernels, KERNELS)
    pairs = [(engine, kernel_set) for engine in engines or ENGINES[:1] for kernel_set in kernels or KERNELS[:1]]
    cells = plan_cells(_places(boards, target, firmwares), _model_files(models), pairs)
    prepare_out(out)
    budgets = load_budgets(budgets_path) if budgets_path else None
    if budgets is not None:
        budgets.check_models(list(dict.fromkeys(cell.model for cell in cells)))
    if shard is not None:
        cells = shard_of(cells, *shard)
    plan = Plan(seed=seed, vectors=vectors, extra_sources=extra_sources, budgets=budgets, required=frozenset(require))
    live = sys.stdout.isatty() and not os.environ.get("CI")
    # A log has no width: nothing in it may be folded.
    console = Console() if live else Console(width=240, no_color=True)
    with LiveProgress(len(cells), console) if live else PlainProgress(len(cells)) as progress:
        result = run_matrix(
            cells,
            plan,
            jobs=jobs or len(os.sched_getaffinity(0)),
            cell_timeout_s=cell_timeout,
            out=out,
            listener=progress,
            retries=retries,
            resume=resume,
            scheduler=scheduler,
        )
    # Written before anything is printed, which a closed pipe may end; told after it, so that no verdict is lost.
    try:
        write_reports(out, result)
    except OutputUnwritable as error:
        result.unwritten.insert(0, error)
    for line in troubles(result.records):
        click.echo(line)
    click.echo()
    if result.records:
        console.print(matrix_table(result.records))
    click.echo(summary_line(result.summary(), result.elapsed_s))
    if result.interrupted:
        left = len(cells) - len(result.records)
        click.echo(f"interrupted: {left} cells have no verdict; the same command with --resume goes on", err=True)
    if result.unwritten:
        raise result.unwritten[0]
    click.echo(f"{out / 'matrix.json'}  {out / 'matrix.xml'}")
    if history_path is not None and result.records:
        _keep(history_path, result.records)
    ctx.exit(result.exit_status)


def _keep(path: Path, records: list[Record]) -> None:
    """Adds the records to the history."""
    from tinyhil.history import History, Run, branch_here, commit_here

    run = Run.of(records, branch=branch_here(), commit_id=commit_here())
    with History(path, create=True) as history:
        history.add(run, records)
    click.echo(f"{path}: run {run.id} of {run.branch}")


def _places(boards: tuple[str, ...], target: str | None, firmwares: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """(board, target, firmware) for each board. Without names: every board that has the target (QEMU's where none is
    asked for) and the firmware (bare metal where none is asked for)."""
    from tinyhil.board import board_names, load_board
    from tinyhil.errors import BoardFileError
    from tinyhil.runner import default_firmware, default_target

    places = []
    for name in boards or board_names():
        try:
            board = load_board(name)
        except BoardFileError:
            # Its cells will say so; the other boards run.
            places += [(name, target or "qemu", firmware) for firmware in firmwares or ("bare_metal",)]
            continue
        if boards:
            chosen = firmwares or (default_firmware(board),)
            places += [(name, target or default_target(board), firmware) for firmware in chosen]
            continue
        for firmware in firmwares or ("bare_metal",):
            if firmware in board.firmwares and (target or "qemu") in board.running(firmware).targets:
                places.append((name, target or "qemu", firmware))
    return places


def _model_files(models: tuple[Path, ...]) -> list[Path]:
    """The .tflite files named, or in the folders named; without names tinyhil's own."""
    from tinyhil.matrix import own_models

    if not models:
        return own_models()
    files: list[Path] = []
    for path in models:
        found = sorted(path.rglob("*.tflite")) if path.is_dir() else [path]
        if not found:
            raise click.UsageError(f"--models: no .tflite file under {path}.")
        files += found
    return files

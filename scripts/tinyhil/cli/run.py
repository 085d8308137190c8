# SPDX-License-Identifier: Apache-2.0
"""`tinyhil run`: one model's verdict on one board. `tinyhil diagnose`: where it first goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tinyhil.cli.options import (
    attachment_options,
    budgets_option,
    engine_options,
    extra_source_option,
    firmware_option,
    json_option,
)

if TYPE_CHECKING:
    from tinyhil.record import Record
    from tinyhil.runner import Outcome

_F = TypeVar("_F", bound=Callable[..., Any])

_CELL_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    click.option("--board", "-b", required=True, help="A board's name: see `tinyhil boards`."),
    click.option("--target", "-t", help="qemu, native, serial, ...  [default: the board's first]"),
    engine_options,
    firmware_option,
    click.option("--seed", default=0, show_default=True, help="Seed of vectors that are made on the spot."),
    click.option("--vectors", type=click.IntRange(min=1), metavar="N", help="Run only the first N vectors."),
    click.option(
        "--arena", "arena_bytes", type=click.IntRange(min=1), metavar="BYTES", help="Use an arena of this size."
    ),
    click.option(
        "--golden",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A golden set to compare with, instead of the model's own.",
    ),
    click.option(
        "--input",
        "inputs",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE.npy",
        help="Run these inputs instead, one file per input of the model.",
    ),
    click.option(
        "--expect",
        "expected",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="What the inputs must give, instead of the oracle's outputs: one .npy or .csv per output of the model.",
    ),
    click.option(
        "--labels",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE.npy",
        help="The inputs' right classes, as (n,) whole numbers: the device's accuracy is told.",
    ),
    click.option(
        "--keep-state", is_flag=True, help="The inputs are one sequence: variables pass from each to the next."
    ),
    click.option("--tolerance", type=float, default=0.0, metavar="N", help="Let outputs differ by so much."),
    click.option("--tolerance-reason", default="", metavar="TEXT", help="Why; it is shown in every report."),
    extra_source_option,
    budgets_option,
    attachment_options,
)


def _cell_options(function: _F) -> _F:
    """What chooses a cell and how it is run."""
    for option in reversed(_CELL_OPTIONS):
        function = option(function)
    return function


def _outcome(
    model: Path,
    board: str,
    target: str | None,
    engine: str,
    kernels: str,
    firmware: str | None,
    seed: int,
    vectors: int | None,
    arena_bytes: int | None,
    golden: Path | None,
    inputs: tuple[Path, ...],
    expected: tuple[Path, ...],
    labels: Path | None,
    keep_state: bool,
    tolerance: float,
    tolerance_reason: str,
    extra_sources: tuple[Path, ...],
    budgets_path: Path | None,
    **attached: str | float | None,
) -> Outcome:
    """Runs the cell that the options choose."""
    from tinyhil.attachment import Attachment
    from tinyhil.board import load_board
    from tinyhil.budget import load_budgets
    from tinyhil.record import Cell
    from tinyhil.runner import REQUIREMENTS, Plan, default_firmware, default_target, run_cell

    if golden is not None and inputs:
        raise click.UsageError("--golden and --input exclude each other: a golden set has its own inputs.")
    if not inputs and (expected or labels or keep_state):
        raise click.UsageError("--expect, --labels and --keep-state belong to --input.")
    budgets = load_budgets(budgets_path) if budgets_path else None
    plan = Plan(
        budgets=budgets,
        seed=seed,
        vectors=vectors,
        arena_bytes=arena_bytes,
        golden=golden,
        inputs=inputs,
        expected=expected,
        labels=labels,
        keep_state=keep_state,
        tolerance=tolerance,
        tolerance_reason=tolerance_reason,
        extra_sources=extra_sources,
        attachment=Attachment.of(attached),
        required=REQUIREMENTS,
    )
    found = load_board(board)
    firmware = firmware or default_firmware(found)
    cell = Cell(board, target or default_target(found), model, engine, kernels, firmware=firmware)
    return run_cell(cell, plan)


def _print(record: Record, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(record.to_json(), indent=2))
        return
    from tinyhil.report.terminal import COLOURS, cell_lines

    first, *rest = cell_lines(record)
    word, _, text = first.partition(" ")
    to_stderr = record.verdict == "error"
    click.echo(f"{click.style(word, fg=COLOURS[record.outcome], bold=True)} {text}", err=to_stderr)
    for line in rest:
        click.echo(line, err=to_stderr)


@click.command("run")
@_cell_options
@click.option("--profile", is_flag=True, help="Show what each operator costs, and its share.")
@json_option
@click.pass_context
def run_command(ctx: click.Context, /, profile: bool, as_json: bool, **chosen: Any) -> None:
    """Run MODEL on a board and compare every output with the golden set, bit for bit.

    Golden vectors are made on the spot where the model has no stored set. Exit status: 0 the same, 1 another output,
    otherwise what went wrong (see README.md).
    """
    record = _outcome(**chosen).record
    _print(record, as_json=as_json)
    if profile and not as_json and record.operators:
        from rich.console import Console

        from tinyhil.report.operators import profile_table

        Console().print(profile_table(record))
    ctx.exit(record.exit_status)


@click.command("diagnose")
@_cell_options
@json_option
@click.pass_context
def diagnose_command(ctx: click.Context, /, as_json: bool, **chosen: Any) -> None:
    """Say where MODEL first goes wrong on a board: the operator, its tensor, its elements, and a guess at the cause.

    Every operator of the first vector that differs is listed. Exit status: as of `tinyhil run`.
    """
    outcome = _outcome(**chosen)
    record, tally, golden = outcome.record, outcome.evidence.tally, outcome.evidence.golden
    if not as_json and tally is not None and golden is not None and tally.difference is not None:
        from rich.console import Console

        from tinyhil.report.operators import operator_table

        table = operator_table(golden, tally)
        if table is not None:
            Console().print(table)
    _print(record, as_json=as_json)
    ctx.exit(record.exit_status)

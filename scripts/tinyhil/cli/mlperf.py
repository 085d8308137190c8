# SPDX-License-Identifier: Apache-2.0
"""`tinyhil mlperf`: MLPerf Tiny's own runner against a board."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tinyhil.cli.options import attachment_options, firmware_option
from tinyhil.slot import BENCHMARKS

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("mlperf", context_settings={"ignore_unknown_options": True})
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--benchmark", required=True, type=click.Choice(BENCHMARKS[1:]), help="What the model stands for.")
@click.option(
    "--runner", required=True, type=click.Path(exists=True, path_type=Path), help="benchmark/runner of a clone."
)
@click.option("--dataset", required=True, type=_FOLDER, help="Folder with the benchmark's folder and its y_labels.csv.")
@click.option("--board", "-b", required=True, help="A board's name: see `tinyhil boards`.")
@click.option("--target", "-t", help="qemu, serial, ...  [default: the board's first]")
@firmware_option
@click.option("--mode", type=click.Choice(["performance", "accuracy"]), default="performance", show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="out/mlperf", show_default=True)
@click.option(
    "--python", default=sys.executable, help="A Python that has what the runner imports.  [default: this one]"
)
@attachment_options
@click.pass_context
def mlperf_command(
    ctx: click.Context,
    /,
    model: Path,
    arguments: tuple[str, ...],
    benchmark: str,
    runner: Path,
    dataset: Path,
    board: str,
    target: str | None,
    firmware: str | None,
    mode: str,
    out: Path,
    python: str,
    **attached: str | float | None,
) -> None:
    """Run MLPerf Tiny's own runner, unchanged, with MODEL on a board; further ARGUMENTS are the runner's.

    The exit status is the runner's.
    """
    from tinyhil import mlperf
    from tinyhil.attachment import Attachment
    from tinyhil.board import load_board
    from tinyhil.build import build_image
    from tinyhil.device import Device
    from tinyhil.model import load_model
    from tinyhil.runner import default_firmware, default_target

    mlperf.check_runner(runner)
    found = load_board(board)
    image = build_image(found, firmware=firmware or default_firmware(found))
    running = found.running(firmware or default_firmware(found))
    loaded = load_model(model)
    attachment = Attachment.of(attached)
    with Device.open(
        running, target or default_target(running), image, loaded, attachment=attachment, benchmark=benchmark
    ) as device:
        device.load(loaded)
        ctx.exit(mlperf.run(device, benchmark, runner, dataset, out, mode=mode, python=python, arguments=arguments))

# SPDX-License-Identifier: Apache-2.0
"""The `tinyhil` command. A subcommand is one file in this folder, imported only when it is called.

Exit statuses: 0 all is well, 1 the device computed other numbers, 2 wrong usage, 130 interrupted, 143 terminated;
everything else is the `exit_status` of the error's class (tinyhil.errors).
"""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import signal
import sys
from dataclasses import dataclass
from types import FrameType
from typing import Any

import click

from tinyhil import __version__
from tinyhil.cli.options import JSON_KEY
from tinyhil.errors import OutputUnwritable, TinyhilError

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True)
class Subcommand:
    """Where a subcommand lives, and its line in `tinyhil --help` (kept here so that help imports nothing)."""

    module: str
    attribute: str
    help: str


COMMANDS = {
    "run": Subcommand("run", "run_command", "One model on one board: the verdict and what it cost."),
    "diagnose": Subcommand("run", "diagnose_command", "Where a model first goes wrong on a board, and why."),
    "matrix": Subcommand("matrix", "matrix_command", "Every model on every board, in parallel, with reports."),
    "merge": Subcommand("merge", "merge_command", "One matrix of several shards."),
    "report": Subcommand("report", "report_command", "A matrix as a page, Markdown, CSV or JUnit XML."),
    "compare": Subcommand("compare", "compare_command", "Two cells, operator by operator."),
    "gate": Subcommand("gate", "gate_command", "Is it worse than on the baseline? For CI."),
    "history": Subcommand("history", "history_group", "Every record, kept: import, export, show."),
    "golden": Subcommand("golden", "golden_group", "Make or verify golden sets."),
    "model": Subcommand("model", "model_command", "What a .tflite file holds, and what would not run."),
    "convert": Subcommand("convert", "convert_command", "Keras, SavedModel, ONNX or PyTorch to int8, then checked."),
    "embed": Subcommand("embed", "embed_command", "A .tflite file as a C or C++ array, aligned, with its resolver."),
    "boards": Subcommand("boards", "boards_command", "The boards there are."),
    "debug": Subcommand("debug", "debug_command", "A board halted with a GDB server, the model in its slot."),
    "build": Subcommand("build", "build_command", "Build a board's firmware image."),
    "init": Subcommand("init", "init_command", "tinyhil in a repository of your own: config, a first test, CI files."),
    "install-renode": Subcommand("install_renode", "install_renode_command", "The pinned Renode, where it is found."),
    "mlperf": Subcommand(
        "mlperf", "mlperf_command", "Run MLPerf Tiny's own runner, unchanged, with a model on a board."
    ),
    "doctor": Subcommand("doctor", "doctor_command", "What is installed, what is missing, and how to install it."),
}


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is called, and turns a TinyhilError into a message and exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(importlib.import_module(f"tinyhil.cli.{entry.module}"), entry.attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else f" There are: {', '.join(COMMANDS)}."
            raise click.UsageError(f"No such command '{args[0]}'.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TinyhilError as error:
            failure = error
        except OSError as error:
            if error.errno not in _UNWRITABLE or error.filename is None:
                raise
            failure = OutputUnwritable(
                f"{error.filename}: {error.strerror}",
                next_step="Free some space or point --out or TINYHIL_CACHE at a folder that can be written.",
            )
        show_error(failure, as_json=ctx.meta.get(JSON_KEY, False))
        return ctx.exit(failure.exit_status)


def show_error(error: TinyhilError, *, as_json: bool) -> None:
    """Writes the error for people to stderr, or for machines to stdout."""
    from tinyhil.record import ErrorInfo

    info = ErrorInfo.of(error)
    if as_json:
        import json

        click.echo(json.dumps({"error": info.to_json()}, indent=2))
        return
    for line in info.lines():
        click.echo(line, err=True)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="tinyhil")
def cli() -> None:
    """Does a model compute the same numbers on the microcontroller as on your desk?"""


def _terminated(signum: int, frame: FrameType | None) -> None:
    """Unwinds like Ctrl-C, so that every emulator is stopped on the way out."""
    raise SystemExit(128 + signum)


def main() -> None:
    """Entry point of the `tinyhil` script."""
    # The host side multiplies no matrices: BLAS threads would only spin beside the emulators.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, _terminated)
    signal.signal(signal.SIGHUP, _terminated)
    try:
        status = cli.main(standalone_mode=False)
    except click.ClickException as error:
        if "--json" in sys.argv:
            import json

            usage = {"class": type(error).__name__, "exit_status": error.exit_code, "message": error.format_message()}
            click.echo(json.dumps({"error": {**usage, "next_step": "See --help.", "details": ""}}, indent=2))
        else:
            error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)

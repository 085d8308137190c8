# SPDX-License-Identifier: Apache-2.0
"""`tinyhil debug`: a board with the model in its slot, halted, for gdb."""

from __future__ import annotations

import shlex
import shutil
import socket
import time
from pathlib import Path

import click

from tinyhil.cli.options import firmware_option

_LOOK_S = 0.5


@click.command("debug")
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--board", "-b", required=True, help="A board's name: see `tinyhil boards`.")
@click.option("--target", "-t", help="renode or qemu  [default: renode where the board has it]")
@firmware_option
@click.option("--port", default=3333, show_default=True, type=click.IntRange(1, 65535), help="The GDB server's port.")
@click.pass_context
def debug_command(
    ctx: click.Context, model: Path, board: str, target: str | None, firmware: str | None, port: int
) -> None:
    """Leave a board halted before its first instruction, with MODEL in its slot and a GDB server, until Ctrl-C.

    Prints the gdb command that connects to it.
    """
    from tinyhil.board import load_board
    from tinyhil.build import build_image
    from tinyhil.model import load_model
    from tinyhil.runner import check_target, default_firmware
    from tinyhil.slot import slot_image
    from tinyhil.target import make_target

    found = load_board(board)
    name = target or ("renode" if "renode" in found.targets else "qemu")
    firmware = firmware or default_firmware(found)
    check_target(found, name, firmware)
    image = build_image(found, firmware=firmware)
    _check_port(port)
    device = make_target(name, found, image, slot_image(load_model(model).data))
    try:
        device.debug(port)
        gdb = next(
            (tool for tool in ("gdb-multiarch", "arm-none-eabi-gdb", "gdb") if shutil.which(tool)), "gdb-multiarch"
        )
        words = [gdb, str(image.elf), "-ex", f"target remote 127.0.0.1:{port}"]
        click.echo(f"{board} ({name}) is halted before its first instruction, with {model.name} in its slot.")
        if name == "renode":
            click.echo("warning: Renode opens this port on every network interface of this computer.", err=True)
        click.echo(shlex.join(words))
        click.echo("Ctrl-C ends it.")
        while True:
            device.check(answered=True)
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        click.echo()
    finally:
        device.stop()
    ctx.exit(0)


def _check_port(port: int) -> None:
    from tinyhil.errors import TargetStartFailed

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise TargetStartFailed(
                f"port {port} cannot be used: {error.strerror}", next_step="Choose another with --port."
            ) from error

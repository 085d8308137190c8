# SPDX-License-Identifier: Apache-2.0
"""`tinyhil build`: a board's firmware image."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tinyhil.cli.options import engine_options, firmware_option, json_option


@click.command("build")
@click.option("--board", "-b", required=True, help="A board's name: see `tinyhil boards`.")
@click.option(
    "--model",
    "-m",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Link this model in, with only the operators that it uses: the size of a product.",
)
@click.option(
    "--extra-source",
    "extra_sources",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.cc",
    help="C++ of your own with custom operators, repeatable.",
)
@engine_options
@firmware_option
@click.option("--zephyr", is_flag=True, help="The same as --firmware zephyr.")
@click.option(
    "--arena", "arena_bytes", type=click.IntRange(min=1), metavar="BYTES", help="On Zephyr: set aside so much RAM."
)
@json_option
def build_command(
    board: str,
    model: Path | None,
    extra_sources: tuple[Path, ...],
    engine: str,
    kernels: str,
    firmware: str | None,
    zephyr: bool,
    arena_bytes: int | None,
    as_json: bool,
) -> None:
    """Build a board's image; nothing that is unchanged is built again.

    Without --model the image has every operator and a model slot.
    """
    from tinyhil.board import load_board
    from tinyhil.build import build_image, custom_operators, registered_operators
    from tinyhil.model import check_runnable, load_model
    from tinyhil.runner import default_firmware

    if zephyr and firmware not in (None, "zephyr"):
        raise click.UsageError(f"--zephyr and --firmware {firmware} exclude each other.")
    found = load_board(board)
    ops = None
    if model is not None:
        loaded = load_model(model)
        custom = custom_operators(extra_sources)
        check_runnable(loaded, engine, custom)
        builtin = tuple(name for name in loaded.operator_names if name not in custom)
        ops = builtin + registered_operators(extra_sources)
    say = None if as_json else lambda line: click.echo(line, err=True)
    firmware = "zephyr" if zephyr else firmware or default_firmware(found)
    if arena_bytes is not None and firmware != "zephyr":
        raise click.UsageError("--arena is for --firmware zephyr: on bare metal the arena is all RAM that is left.")
    image = build_image(
        found,
        engine=engine,
        kernels=kernels,
        model=model,
        ops=ops,
        extra_sources=extra_sources,
        firmware=firmware,
        arena_bytes=arena_bytes,
        progress=say,
    )
    if as_json:
        click.echo(json.dumps(asdict(image), indent=2, default=str))
        return
    click.echo(image.elf)
    click.echo(f"  build id  {image.build_id}   [{image.compiler}]")
    if image.firmware_version:
        click.echo(f"  firmware  {image.firmware_version}")
    for tree in image.upstream:
        click.echo(f"  upstream  {tree.name} {tree.revision[:12] or '(no Git checkout)'}   [{tree.found_by}]")
    click.echo(f"  flash     {image.flash_bytes:,} bytes")
    click.echo(f"  RAM       {image.ram_bytes:,} bytes, without arena")

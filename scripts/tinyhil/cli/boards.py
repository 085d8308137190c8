# SPDX-License-Identifier: Apache-2.0
"""`tinyhil boards`: the boards there are."""

from __future__ import annotations

import json

import click

from tinyhil.cli.options import json_option


@click.command("boards")
@json_option
def boards_command(as_json: bool) -> None:
    """List the boards: core, memory, model slot and targets. The first target is the default one."""
    from tinyhil.board import board_names, load_board

    boards = [load_board(name) for name in board_names()]
    if as_json:
        rows = [
            {
                "name": board.name,
                "title": board.title,
                "core": board.core,
                "virtual": board.virtual,
                "folder": str(board.folder),
                "memory": {name: {"base": region.base, "bytes": region.bytes} for name, region in board.memory.items()},
                "targets": list(board.targets),
            }
            for board in boards
        ]
        click.echo(json.dumps({"boards": rows}, indent=2))
        return
    rows_of_text = [("board", "core", "memory", "targets", "title")] + [
        (
            board.name + (" (virtual)" if board.virtual else ""),
            board.core,
            ", ".join(f"{name} {_size(region.bytes)}" for name, region in board.memory.items()) or "-",
            ", ".join(board.targets),
            board.title,
        )
        for board in boards
    ]
    widths = [max(len(row[column]) for row in rows_of_text) for column in range(len(rows_of_text[0]))]
    for row in rows_of_text:
        click.echo("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip())


def _size(count: int) -> str:
    for unit, shift in (("MiB", 20), ("KiB", 10)):
        if count and count % (1 << shift) == 0:
            return f"{count >> shift} {unit}"
    return f"{count} bytes"

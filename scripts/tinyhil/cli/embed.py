# SPDX-License-Identifier: Apache-2.0
"""`tinyhil embed`: a .tflite file as C or C++ source."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tinyhil.cli.options import engine_options, json_option

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("embed")
@click.argument("model_path", metavar="MODEL", type=_FILE)
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The source to write: .c, .cc, .cpp or .cxx.",
)
@click.option("--header", is_flag=True, help="Put the declarations into a header beside it.")
@click.option("--name", default="", help="The array's name.  [default: of MODEL's file name, as xxd does]")
@click.option("--board", "-b", default="mps2_an386", show_default=True, help="Where the arena is measured.")
@engine_options
@click.option("--extra-source", "extra_sources", multiple=True, type=_FILE, metavar="FILE.cc", help="Custom operators.")
@click.option("--no-arena", is_flag=True, help="Do not measure the arena: needs neither compiler nor emulator.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@json_option
def embed_command(
    model_path: Path,
    out: Path,
    header: bool,
    name: str,
    board: str,
    engine: str,
    kernels: str,
    extra_sources: tuple[Path, ...],
    no_arena: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write MODEL as a C or C++ array: const, aligned to 16 bytes, with its length, SHA-256, arena, the quantization of
    its inputs and outputs, and the resolver with its operators alone.

    The names are xxd's, NAME and NAME_len. The same model gives the same text; files that hold it already are left.
    """
    from tinyhil import embed
    from tinyhil.files import write_new
    from tinyhil.model import load_model

    language = embed.LANGUAGES.get(out.suffix)
    if language is None:
        raise click.UsageError(f"--out {out}: must end in {', '.join(embed.LANGUAGES)}.")
    model = load_model(model_path)
    if name:
        embed.check_name(name)
    arena = None
    if not no_arena:
        arena = embed.measure_arena(model, board=board, engine=engine, kernels=kernels, extra_sources=extra_sources)
    header_path = out.with_suffix(".h") if header else None
    made = embed.embed(
        model, name=name, language=language, header_name=header_path.name if header_path else "", arena=arena
    )
    texts = {out: made.source} | ({header_path: made.header} if header_path else {})
    written = write_new(texts, force=force)
    if as_json:
        found = {
            "files": [str(path) for path in texts],
            "written": [str(path) for path in written],
            "name": made.name,
            "bytes": len(model.data),
            "sha256": model.sha256,
            "operators": list(model.operator_names),
            "arena": asdict(arena) if arena else None,
        }
        click.echo(json.dumps(found, indent=2))
        return
    for path in texts:
        click.echo(f"{path}{'' if path in written else ': as it was'}")
    click.echo(f"  array      {made.name}, {len(model.data):,} bytes of {language}")
    click.echo(f"  arena      {arena or 'not measured'}")
    click.echo(f"  operators  {', '.join(model.operator_names)}")

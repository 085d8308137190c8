# SPDX-License-Identifier: Apache-2.0
"""`tinyhil convert`: a float model to int8, and what that cost."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyhil.cli.options import json_option
from tinyhil.record import ENGINES

if TYPE_CHECKING:
    from tinyhil.convert import Converted, OperatorCheck

_MOST_LAYERS = 40  # of the table; the worst of more
_GOLDEN_SAMPLES = 16


def _shapes(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    try:
        shapes = tuple(tuple(int(word) for word in text.replace("x", ",").split(",")) for text in value)
    except ValueError:
        raise click.BadParameter(f"{', '.join(value)}: give lengths with commas, such as 1,28,28,1.") from None
    if any(length < 1 for shape in shapes for length in shape):
        raise click.BadParameter(f"{', '.join(value)}: every length must be 1 or more.")
    return shapes


@click.command("convert")
@click.argument("model")
@click.option(
    "--out",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The .tflite to write.  [default: MODEL's stem + _int8.tflite, in this folder]",
)
@click.option(
    "--representative",
    "-r",
    multiple=True,
    metavar="DATA",
    help="Samples as the model takes them: .npy, .npz (FILE.npz:KEY for one array of it), .csv with a line a sample, "
    "or a folder of .npy or image files. Repeat it for a model of several inputs.",
)
@click.option("--labels", metavar="DATA", help="The samples' right classes: accuracy before and after is told.")
@click.option("--float-io", is_flag=True, help="Leave inputs and outputs in float.")
@click.option(
    "--input-shape",
    "input_shapes",
    multiple=True,
    callback=_shapes,
    metavar="N,N,...",
    help="An input's shape with a batch of 1, where the model leaves it open.",
)
@click.option(
    "--float",
    "reference",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.tflite",
    help="The float model to hold MODEL against, where that is an int8 .tflite already.",
)
@click.option("--check-operators", is_flag=True, help="Only say which operators would not run; needs no data.")
@click.option("--board", "-b", help="What it is to run on.")
@click.option("--engine", type=click.Choice(ENGINES), default=ENGINES[0], show_default=True)
@click.option("--golden", is_flag=True, help="Make the golden set too, with some of the samples in it.")
@click.option("--keep-float", is_flag=True, help="Write the float .tflite too.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@json_option
@click.pass_context
def convert_command(
    ctx: click.Context,
    /,
    model: str,
    out: Path | None,
    representative: tuple[str, ...],
    labels: str | None,
    float_io: bool,
    input_shapes: tuple[tuple[int, ...], ...],
    reference: Path | None,
    check_operators: bool,
    board: str | None,
    engine: str,
    golden: bool,
    keep_float: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Convert MODEL to a fully int8 .tflite, by its framework's own converter, and check what came out.

    MODEL is a .keras, .h5, .onnx, .pt2 or float .tflite file, a SavedModel folder, or module:function, which returns a
    Keras model or a PyTorch module. An int8 .tflite is checked alone. Exit status: 0, also with warnings; 12 an
    operator that the engine lacks; 13 something is left in float.
    """
    from tinyhil import convert
    from tinyhil.board import load_board

    found = load_board(board) if board else None
    if check_operators:
        checked = convert.check_operators(model, engine=engine, board=found, input_shapes=input_shapes)
        _show_operators(model, checked, engine, board, as_json=as_json)
        ctx.exit(12 if checked.lacking else 0)
    if not representative:
        raise click.UsageError("--representative: give samples, or --check-operators, which needs none.")
    made = convert.convert(
        model,
        representative=representative,
        labels=labels,
        float_io=float_io,
        input_shapes=input_shapes,
        reference=reference,
        engine=engine,
        board=found,
    )
    files = _write(made, model, out, golden=golden, keep_float=keep_float, force=force)
    if as_json:
        click.echo(json.dumps(made.report | {"files": [str(path) for path in files]}, indent=2))
    else:
        _show(made, files, board)
    kinds = {finding.kind for finding in made.errors}
    ctx.exit(12 if "unsupported" in kinds and len(kinds) == 1 else 13 if kinds else 0)


def _write(made: Converted, model: str, out: Path | None, *, golden: bool, keep_float: bool, force: bool) -> list[Path]:
    """Writes model, report and what else was asked for; returns the files, the model first."""
    from tinyhil.files import write_new
    from tinyhil.golden import make_golden, stored_path

    checked_alone = not made.report["framework"]
    path = Path(model) if checked_alone else out or Path(f"{Path(model.split(':')[-1]).stem}_int8.tflite")
    texts: dict[Path, str | bytes] = {} if checked_alone else {path: made.int8.data}
    if checked_alone and out is not None:
        raise click.UsageError(f"--out: {model} is int8 already and was only checked.")
    if keep_float and made.reference is not None and not checked_alone:
        texts[path.with_name(f"{path.stem.removesuffix('_int8')}_float.tflite")] = made.reference.data
    report = path.with_name(f"{path.stem}.{'check' if checked_alone else 'convert'}.json")
    texts[report] = (json.dumps(made.report, indent=2) + "\n").encode()
    if golden and not made.errors:
        from tinyhil.convert import activations
        from tinyhil.convert.layers import spread

        chosen = spread(made.samples, _GOLDEN_SAMPLES)
        labels = None if made.labels is None else spread([made.labels], _GOLDEN_SAMPLES)[0]
        placed = replace(made.int8, path=path)
        golden_set = make_golden(placed, samples=activations.feed(placed, chosen), labels=labels)
        write_new(texts, force=force)
        golden_set.save(stored_path(placed))
        return [path, *(p for p in texts if p != path), stored_path(placed)]
    write_new(texts, force=force)
    return [path, *(p for p in texts if p != path)]


# What people see ------------------------------------------------------------------------------------------------------
def _show(made: Converted, files: list[Path], board: str | None) -> None:
    report = made.report
    click.echo(files[0])
    for label, text in _facts(report):
        _wrapped(f"  {label:<10} {text}", " " * 13)
    if made.comparison is not None:
        click.echo("")
        _show_layers(made)
    elif report["not_run"]:
        _wrapped(f"  layers     not compared: {report['not_run']}", " " * 13)
    if report["mistakes"]:
        click.echo("\nmistakes on a device: the share of samples whose class would stay the same")
        for name, share in report["mistakes"].items():
            click.echo(f"  {share:6.1%}  {name}")
    for severity, colour in (("error", "red"), ("warning", "yellow")):
        for finding in made.findings:
            if finding.severity == severity:
                where = f"{finding.layer}: " if finding.layer else ""
                click.echo("")
                _wrapped(f"{click.style(severity, fg=colour, bold=True)} {where}{finding.text}", "  ")
                _wrapped(f"  {finding.next_step}", "  ")
    click.echo("")
    for path in files[1:]:
        click.echo(f"written: {path}")
    if not made.errors:
        click.echo(f"next: tinyhil run {files[0]} --board {board or 'mps2_an386'}")


def _facts(report: dict[str, Any]) -> list[tuple[str, str]]:
    facts = []
    if report["framework"]:
        facts.append(("by", report["framework"]))
    size = f"{report['int8']['bytes']:,} bytes"
    if report["float"]:
        size += f", float {report['float']['bytes']:,}"
    facts.append(("size", size))
    for what in ("inputs", "outputs"):
        for tensor in report[what]:
            text = f"{tensor['type']}{tensor['shape']}"
            if tensor["scale"] is not None:
                text += f", scale {tensor['scale']:.6g}, zero point {tensor['zero_point']}"
            facts.append((what[:-1], text))
    if any(report["channels_last"]):
        facts.append(("layout", "channels last (NHWC), where the source takes channels first: feed the device so"))
    facts.append(("operators", ", ".join(report["int8"]["operators"])))
    accuracy = report["accuracy"]
    if "after" in accuracy:
        before = f"{accuracy['before']:.2%} in float, " if "before" in accuracy else ""
        facts.append(("accuracy", f"{before}{accuracy['after']:.2%} in int8, on {report['labelled']} samples"))
    return facts


def _show_layers(made: Converted) -> None:
    from rich.console import Console
    from rich.table import Table

    assert made.comparison is not None
    comparison = made.comparison
    shown = list(comparison.layers)
    if not shown:
        click.echo("no layer of the float model corresponds to one of the int8 model")
        return
    title = f"quantization error over {comparison.samples} samples"
    if len(shown) > _MOST_LAYERS:
        worst = {id(entry) for entry in comparison.worst(_MOST_LAYERS)}
        shown = [entry for entry in shown if id(entry) in worst]
        title += f", the {len(shown)} worst of {len(comparison.layers)} layers"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("#", justify="right", no_wrap=True, min_width=2)
    table.add_column("operator", no_wrap=True, min_width=max(len(entry.name) for entry in shown))
    table.add_column("layer", no_wrap=True)
    for name, width in (("SQNR dB", 7), ("max abs", 7), ("mean abs", 8), ("clipped", 7)):
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    console = Console(highlight=False, markup=False)
    room = max(12, console.width - 38 - max(len(entry.name) for entry in shown))
    for entry in shown:
        table.add_row(
            str(entry.operator),
            entry.name,
            entry.layer if len(entry.layer) <= room else "..." + entry.layer[3 - room :],
            f"{entry.sqnr_db:.1f}" if math.isfinite(entry.sqnr_db) else "exact" if entry.sqnr_db > 0 else "-",
            f"{entry.max_abs:.2g}",
            f"{entry.mean_abs:.2g}",
            f"{entry.clipped:.1%}" if entry.clipped else "",
        )
    console.print(table)
    worst_layers = ", ".join(f"{entry.layer} ({entry.sqnr_db:.1f} dB)" for entry in comparison.worst())
    if worst_layers:
        _wrapped(f"worst: {worst_layers}", "  ")
    if comparison.unmatched:
        _wrapped(f"without a float counterpart: {', '.join(comparison.unmatched[:8])}", "  ")


def _show_operators(model: str, checked: OperatorCheck, engine: str, board: str | None, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(checked), indent=2))
        return
    where = f"engine {engine}" + (f", board {board}" if board else "")
    form = "its int8 form" if checked.int8 else "its float form"
    if checked.reason:
        _wrapped(f"not quantized: {checked.reason}", "  ")
    if not checked.lacking:
        click.echo(f"{model}: {where} has all that {form} needs")
        _wrapped(f"  {', '.join(checked.operators)}", "  ")
        return
    click.echo(f"{model}: {where} lacks of {form}")
    for item in checked.lacking:
        _wrapped(f"  {item.operator} {item.why}", "    ")
        _wrapped(f"    {', '.join(item.layers)}", "    ")


def _wrapped(text: str, indent: str) -> None:
    from shutil import get_terminal_size

    width = min(120, get_terminal_size((120, 24)).columns)
    click.echo(click.wrap_text(text, width, subsequent_indent=indent, preserve_paragraphs=False))

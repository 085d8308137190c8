# SPDX-License-Identifier: Apache-2.0
"""`tinyhil model`: what a .tflite file holds, and what would not run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyhil.cli.options import json_option

if TYPE_CHECKING:
    from rich.table import Table

_PIPE_WIDTH = 160  # columns of a table that goes to no terminal


@click.command("model")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def model_command(file: Path, as_json: bool) -> None:
    """Show what FILE holds: operators with their multiply-accumulates, tensors, shapes, quantization, sizes, and what
    no engine here can run.

    Exit status 0 also where something is unsupported: `tinyhil run` is what refuses it.
    """
    from tinyhil.model import load_model
    from tinyhil.model.describe import describe

    model = describe(load_model(file))
    if as_json:
        click.echo(json.dumps(model, indent=2))
        return
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False, markup=False)
    for line in _head(model):
        console.print(line)
    console.print(_operators(model))
    console.print(_tensors(model))
    for line in _support(model):
        console.print(line)


def _head(model: dict[str, Any]) -> list[str]:
    lines = [f"{model['file']}: {model['file_bytes']:,} bytes, sha256 {model['sha256'][:16]}..."]
    if model["description"]:
        lines.append(f"description: {model['description']}")
    for what in ("inputs", "outputs"):
        lines.append(f"{what}: " + ", ".join(f"{t['type']}{t['shape']} {t['name']}" for t in model[what]))
    lines.append(
        f"{len(model['operators'])} operators, {model['macs']:,} multiply-accumulates, "
        f"{model['constant_bytes']:,} bytes of constants, {model['activation_bytes']:,} bytes of activations in all"
    )
    return lines


def _operators(model: dict[str, Any]) -> Table:
    from rich.table import Table

    refused = {
        item["operator"]: f"not on {engine}"
        for engine, verdict in model["engines"].items()
        for item in verdict["unsupported"]
    }
    table = Table(title="operators", title_justify="left")
    for name in ("#", "MACs"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("operator", "reads", "writes"):
        table.add_column(name, no_wrap=True)
    table.add_column("options")
    if refused:
        table.add_column("unsupported", no_wrap=True, style="red")
    for op in model["operators"]:
        row = [
            str(op["index"]),
            f"{op['macs']:,}" if op["macs"] else "",
            op["name"] + (" (custom)" if op["custom"] else ""),
            _shapes(model, op["inputs"]),
            _shapes(model, op["outputs"]),
            _options(op),
        ]
        table.add_row(*row, *([refused.get(op["index"], "")] if refused else []))
    return table


def _shapes(model: dict[str, Any], indices: list[int]) -> str:
    """The tensors that hold data in an inference; constants follow from the operator."""
    tensors = [model["tensors"][i] for i in indices if i >= 0]
    return " ".join(
        f"{t['index']}:{'x'.join(map(str, t['shape'])) or 'scalar'}" for t in tensors if t["role"] != "constant"
    )


def _options(op: dict[str, Any]) -> str:
    """Options that differ from what a reader would assume, in short."""
    quiet = {
        "fused_activation_function": "NONE",
        "dilation_w_factor": 1,
        "dilation_h_factor": 1,
        "pot_scale_int16": True,
    }
    short = {"fused_activation_function": "", "padding": ""}
    words = []
    for name, value in op["options"].items():
        if value == quiet.get(name) or value is False or (value == 0 and name in ("weights_format",)):
            continue
        words.append(str(value) if name in short else f"{name}={value}")
    if op["custom_options_bytes"]:
        words.append(f"{op['custom_options_bytes']} bytes of custom options")
    return ", ".join(words)


def _tensors(model: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table(title="tensors", title_justify="left")
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("name", overflow="ellipsis", no_wrap=True, max_width=48)
    for name in ("role", "type", "shape"):
        table.add_column(name, no_wrap=True)
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("quantization", no_wrap=True)
    for tensor in model["tensors"]:
        table.add_row(
            str(tensor["index"]),
            tensor["name"],
            tensor["role"],
            tensor["type"],
            "x".join(map(str, tensor["shape"])) or "scalar",
            f"{tensor['bytes']:,}",
            _quantization(tensor["quantization"]),
        )
    return table


def _quantization(quantization: dict[str, Any] | None) -> str:
    if quantization is None:
        return ""
    scales, zero_points = quantization["scales"], quantization["zero_points"]
    if len(scales) == 1:
        return f"scale {scales[0]:.6g}, zero point {zero_points[0]}"
    zeros = f"zero point {zero_points[0]}" if len(set(zero_points)) == 1 else "zero points per channel"
    return f"{len(scales)} scales {min(scales):.3g}..{max(scales):.3g} along {quantization['dimension']}, {zeros}"


def _support(model: dict[str, Any]) -> list[str]:
    lines = []
    if model["float_model"]:
        lines.append("computes in float: it was never quantized to int8, and no engine here runs it")
    for engine, verdict in model["engines"].items():
        if not verdict["unsupported"]:
            lines.append(f"engine {engine}: every operator is supported")
            continue
        lines.append(f"engine {engine} cannot run it:")
        for item in verdict["unsupported"]:
            subject = "the model" if item["operator"] is None else f"operator {item['operator']} {item['name']}"
            lines.append(f"  {subject} {item['reason']}")
    return lines

# SPDX-License-Identifier: Apache-2.0
"""`tinyhil golden`: make and verify golden sets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyhil.cli.options import json_option

if TYPE_CHECKING:
    from tinyhil.golden import GoldenSet
    from tinyhil.model import Model

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MOST_DIFFERENCES = 20  # printed of one set


@click.group("golden")
def golden_group() -> None:
    """Make or verify golden sets: what a model computes, vector by vector, as the oracle computed it."""


@golden_group.command("make")
@click.argument("model_path", metavar="MODEL", type=_FILE)
@click.option(
    "--out",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="[default: MODEL's stem + .golden.npz, beside it]",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the synthetic vectors.")
@click.option("--uniform", type=click.IntRange(min=0), help="How many uniform vectors.  [default: 3]")
@click.option("--random-walk", type=click.IntRange(min=0), help="How many random walks.  [default: 2]")
@click.option(
    "--samples",
    multiple=True,
    type=_FILE,
    metavar="FILE.npy",
    help="Real inputs to add, as (n, *shape) of the input's type; one file per input of the model.",
)
@click.option("--labels", type=_FILE, metavar="FILE.npy", help="The samples' right classes, as (n,) whole numbers.")
@click.option(
    "--expect",
    "expected",
    multiple=True,
    type=_FILE,
    metavar="FILE",
    help="Your own expected outputs of the samples, one .npy or .csv per output of the model: no oracle is asked.",
)
@click.option("--tolerance", type=float, default=0.0, metavar="N", help="Let outputs differ by so much.")
@click.option("--tolerance-reason", default="", metavar="TEXT", help="Why; it is shown in every report.")
@click.option(
    "--keep-state",
    is_flag=True,
    help="The vectors are one sequence: variables of the model pass from each to the next.",
)
@json_option
def make_command(
    model_path: Path,
    out: Path | None,
    seed: int,
    uniform: int | None,
    random_walk: int | None,
    samples: tuple[Path, ...],
    labels: Path | None,
    expected: tuple[Path, ...],
    tolerance: float,
    tolerance_reason: str,
    keep_state: bool,
    as_json: bool,
) -> None:
    """Make the golden set of MODEL: synthetic vectors of a seed, then your samples, through the oracle.

    Beside the model it is found by every later run, on machines without an oracle too. A set that is there already is
    replaced.
    """
    from tinyhil import golden, vectors
    from tinyhil.model import load_model

    if labels is not None and not samples:
        raise click.UsageError("--labels belongs to --samples.")
    if expected and not samples:
        raise click.UsageError("--expect belongs to --samples.")
    if expected and (uniform or random_walk):
        raise click.UsageError("--expect has no synthetic vectors.")
    model = load_model(model_path)
    golden.check_tolerance(tolerance, tolerance_reason)
    if expected:
        inputs = vectors.load_inputs(model, samples)
        made = golden.expected_golden(
            model,
            inputs,
            vectors.load_outputs(model, expected, len(inputs[0])),
            labels=vectors.load_array(labels) if labels is not None else None,
            keep_state=keep_state,
        )
        _keep(replace(made, tolerance=tolerance, tolerance_reason=tolerance_reason), model, out, as_json)
        return
    made = golden.make_golden(
        model,
        seed=seed,
        uniform=vectors.DEFAULT_UNIFORM if uniform is None else uniform,
        random_walk=vectors.DEFAULT_RANDOM_WALK if random_walk is None else random_walk,
        samples=vectors.load_inputs(model, samples) if samples else None,
        labels=vectors.load_array(labels) if labels is not None else None,
        keep_state=keep_state,
    )
    _keep(replace(made, tolerance=tolerance, tolerance_reason=tolerance_reason), model, out, as_json)


def _keep(made: GoldenSet, model: Model, out: Path | None, as_json: bool) -> None:
    from tinyhil.golden import stored_path

    path = out or stored_path(model)
    made.save(path)
    if as_json:
        click.echo(json.dumps({"golden": str(path), **_summary(made)}, indent=2))
    else:
        click.echo(f"{path}: {_line(made)}")


@golden_group.command("verify")
@click.argument("model_paths", metavar="[MODEL]...", nargs=-1, type=_FILE)
@json_option
def verify_command(model_paths: tuple[Path, ...], as_json: bool) -> None:
    """Make the sets stored beside each MODEL again, and say what differs.

    Without MODEL: the models that come with tinyhil.
    """
    from tinyhil import golden
    from tinyhil.errors import GoldenDiffers
    from tinyhil.matrix import own_models
    from tinyhil.model import load_model

    results: list[dict[str, Any]] = []
    for model_path in model_paths or own_models():
        model = load_model(model_path)
        path = golden.stored_path(model)
        stored = golden.load(path)
        differences = golden.verify(model, stored)
        results.append({"model": str(model_path), "golden": str(path), **_summary(stored), "differences": differences})
        if not as_json:
            click.echo(f"{'differs' if differences else 'ok'}  {path}: {_line(stored)}")
            for line in differences[:_MOST_DIFFERENCES]:
                click.echo(f"  {line}")
            if len(differences) > _MOST_DIFFERENCES:
                click.echo(f"  and {len(differences) - _MOST_DIFFERENCES} more")
    different = [result["golden"] for result in results if result["differences"]]
    if as_json:
        click.echo(json.dumps({"sets": results}, indent=2))
        if different:
            click.get_current_context().exit(GoldenDiffers.exit_status)
    elif different:
        raise GoldenDiffers(
            f"{len(different)} of {len(results)} golden sets cannot be reproduced: {', '.join(different)}",
            next_step="If model and oracle are the right ones, make the set again: tinyhil golden make.",
        )


def _summary(golden: GoldenSet) -> dict[str, Any]:
    return {
        "model_sha256": golden.model_sha256,
        "vectors": {kind: golden.kinds.count(kind) for kind in dict.fromkeys(golden.kinds)},
        "oracle": golden.oracle,
        "oracle_version": golden.oracle_version,
        "seed": golden.seed,
        "generator": golden.generator,
        "tinyhil_version": golden.tinyhil_version,
        "accuracy": golden.accuracy(),
    }


def _line(golden: GoldenSet) -> str:
    summary = _summary(golden)
    kinds = ", ".join(f"{count} {kind}" for kind, count in summary["vectors"].items())
    accuracy = "" if summary["accuracy"] is None else f", accuracy {summary['accuracy']:.1%}"
    state = ", one sequence" if golden.keeps_state else ""
    oracle = f"oracle {golden.oracle} {golden.oracle_version}".rstrip()
    if golden.tolerance:
        state += f", tolerance {golden.tolerance:g} ({golden.tolerance_reason})"
    return f"{len(golden)} vectors ({kinds}){state}, {oracle}, seed {golden.seed}{accuracy}"

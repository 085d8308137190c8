# SPDX-License-Identifier: Apache-2.0
"""From a training script to its files, and the comparison with those that are there.

A model's folder <name>/ holds train.py and what it makes:

    <name>.tflite        the model
    <name>.golden.npz    its golden set, with real samples and their labels
    <name>.json          the record: what was measured, with which versions of what
    README.md            the card, drawn from the three files above and nothing else

`train.py --card` prints the card again. `train.py --check` trains again. With the versions of the record every byte
must come out the same. With others the scores may fall short of the record's by what the recipe states and no more, and
the files that are there must hold up.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyhil import golden
from tinyhil.golden import GoldenSet
from tinyhil.model import Model, load_model, parse_model
from tinyhil.runner import Cell, Plan, run_cell

ARENA_BOARD = "mps2_an386"
"""Where the arena of the card was measured: a Cortex-M4F in QEMU, engine builtin."""


@dataclass(frozen=True)
class Made:
    """What a training gives. samples: (n, *input shape); labels: (n,), -1 for none. figures: what was measured."""

    data: bytes
    samples: NDArray[Any]
    labels: NDArray[Any] | None
    figures: dict[str, Any]
    keep_state: bool = False


@dataclass(frozen=True)
class Recipe:
    """folder: the model's. make: trains. card: the text of README.md, from model, golden set and record.

    scores: figures of the record that count, with how much worse each may be where versions differ.
    packages, programs: whose versions the record names; they make the bits.
    synthetic: how many uniform and random-walk vectors lead the golden set.
    """

    folder: Path
    make: Callable[[], Made]
    card: Callable[[Model, GoldenSet, dict[str, Any]], str]
    scores: Mapping[str, float]
    packages: Sequence[str] = ("numpy", "flatbuffers")
    programs: Sequence[str] = ()
    synthetic: tuple[int, int] = (3, 2)

    def path(self, ending: str) -> Path:
        return self.folder / f"{self.folder.name}{ending}"

    @property
    def paths(self) -> tuple[Path, Path, Path, Path]:
        """Model, golden set, record, card."""
        return self.path(".tflite"), self.path(golden.SUFFIX), self.path(".json"), self.folder / "README.md"


def main(recipe: Recipe) -> int:
    """The command line of a train.py. Returns the exit status."""
    parser = argparse.ArgumentParser(description=f"Train, quantize and write the model {recipe.folder.name}.")
    parser.add_argument("--check", action="store_true", help="train again and compare with the files that are there")
    parser.add_argument("--card", action="store_true", help="print the card of the files that are there")
    options = parser.parse_args()
    if options.card:
        model_path, golden_path, record_path, _ = recipe.paths
        record = json.loads(record_path.read_text(encoding="utf-8"))
        print(recipe.card(load_model(model_path), golden.load(golden_path), record), end="")
        return 0
    for program in recipe.programs:
        if shutil.which(program) is None:
            print(f"{program} is not installed: the data of {recipe.folder.name} cannot be made.", file=sys.stderr)
            print(f"next step: sudo apt-get install {program}", file=sys.stderr)
            return 22
    made = recipe.make()
    model = parse_model(made.data, recipe.paths[0])
    uniform, random_walk = recipe.synthetic
    vectors: dict[str, Any] = (
        {"inputs": [made.samples]}
        if made.keep_state
        else {"samples": [made.samples], "uniform": uniform, "random_walk": random_walk}
    )
    goldens = golden.make_golden(model, labels=made.labels, keep_state=made.keep_state, **vectors)
    for name in recipe.scores:
        print(f"{name.replace('_', ' ')}: {made.figures[name]:.2%}")
    return _check(recipe, model, goldens, made) if options.check else _write(recipe, model, goldens, made)


def _write(recipe: Recipe, model: Model, goldens: GoldenSet, made: Made) -> int:
    model_path, golden_path, record_path, card_path = recipe.paths
    model_path.write_bytes(model.data)
    goldens.save(golden_path)
    record = _record(recipe, model, golden_path.read_bytes(), made.figures) | {
        "versions": versions(recipe),
        "arena": {"board": ARENA_BOARD, "bytes": _arena_bytes(model_path)},
    }
    record_path.write_text(_as_text(record), encoding="utf-8")
    card_path.write_text(recipe.card(model, goldens, json.loads(_as_text(record))), encoding="utf-8")
    return 0


def _check(recipe: Recipe, model: Model, goldens: GoldenSet, made: Made) -> int:
    """Another oracle or tinyhil version is no difference, another number is."""
    model_path, golden_path, record_path, card_path = recipe.paths
    stored, stored_record = golden.load(golden_path), json.loads(record_path.read_text(encoding="utf-8"))
    as_stored = replace(goldens, oracle_version=stored.oracle_version, tinyhil_version=stored.tinyhil_version)
    with tempfile.TemporaryDirectory() as folder:
        as_stored.save(Path(folder, "golden.npz"))
        golden_bytes = Path(folder, "golden.npz").read_bytes()
    # What an engine needs is measured when the files are written; training does not tell it.
    record = stored_record | _record(recipe, model, golden_bytes, made.figures)
    same = {
        model_path: model.data == model_path.read_bytes(),
        golden_path: golden_bytes == golden_path.read_bytes(),
        record_path: _as_text(record) == record_path.read_text(encoding="utf-8"),
        card_path: recipe.card(model, as_stored, json.loads(_as_text(record))) == card_path.read_text(encoding="utf-8"),
    }
    for path, is_same in same.items():
        print(f"{path.name}: {'the same' if is_same else 'DIFFERS'}")
    if all(same.values()):
        return 0
    here = versions(recipe)
    other = {name: (here[name], known) for name, known in stored_record["versions"].items() if here[name] != known}
    if not other:
        print(
            "and the versions of all that it is made with are those of the record: that should not be", file=sys.stderr
        )
        return 1
    print("made here with " + ", ".join(f"{name} {mine} (the record: {its})" for name, (mine, its) in other.items()))
    return _hold_up(recipe, made.figures, stored_record)


def _hold_up(recipe: Recipe, figures: dict[str, Any], stored_record: dict[str, Any]) -> int:
    """Whether scores of other versions, and the stored files, are what the record states."""
    status = 0
    for name, slack in recipe.scores.items():
        stated = stored_record["figures"][name]
        holds = figures[name] >= stated - slack
        status = status if holds else 1
        verdict = "holds" if holds else "TOO LOW"
        print(f"{name}: {figures[name]:.2%}, stated {stated:.2%}, {slack:.0%} less is allowed: {verdict}")
    model = load_model(recipe.paths[0])
    for difference in golden.verify(model, golden.load(recipe.paths[1])):
        print(f"{recipe.paths[1].name}: {difference}")
        status = 1
    return status


def _record(recipe: Recipe, model: Model, golden_bytes: bytes, figures: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": recipe.folder.name,
        "bytes": len(model.data),
        "sha256": model.sha256,
        "golden_sha256": hashlib.sha256(golden_bytes).hexdigest(),
        "figures": figures,
        "scores": dict(recipe.scores),
    }


def _as_text(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=2, sort_keys=True) + "\n"


def _arena_bytes(model_path: Path) -> int:
    record = run_cell(Cell(ARENA_BOARD, "qemu", model_path), Plan(vectors=1)).record
    if record.verdict != "pass":
        raise SystemExit(f"{model_path.name} on {ARENA_BOARD}: {record.to_json()}")
    return int(record.figures["arena_used"].value)


def int8_outputs(data: bytes, inputs: NDArray[np.int8]) -> NDArray[Any]:
    """The model's first output for each of `inputs` (n, *shape), in a row each, as the oracle computes it."""
    outputs = golden.make_golden(parse_model(data, Path("model.tflite")), inputs=[inputs]).outputs[0]
    return outputs.reshape(len(inputs), -1)


def versions(recipe: Recipe) -> dict[str, str]:
    """Of the packages and programs that make the bits."""
    found = {name: metadata.version(name) for name in recipe.packages}
    for program in recipe.programs:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        found[program] = next(word for word in said.split() if word[:1].isdigit())
    return dict(sorted(found.items()))


def facts(model: Model, record: dict[str, Any]) -> str:
    """The rows of a card's table that every model has."""
    constants = (tensor for graph in model.subgraphs for tensor in graph.tensors if tensor.is_constant)
    rows = {
        "operators": ", ".join(dict.fromkeys(op.name for graph in model.subgraphs for op in graph.operators)),
        "multiply-accumulates": f"{model.macs:,}",
        "constants": f"{sum(tensor.bytes for tensor in constants):,} bytes",
        "file": f"{len(model.data):,} bytes, SHA-256 `{model.sha256}`",
        "arena": f"{record['arena']['bytes']:,} bytes on {record['arena']['board']}, engine builtin",
    }
    return "\n".join(f"| {name} | {value} |" for name, value in rows.items())


def vectors_of(goldens: GoldenSet) -> str:
    """What a card says of its golden set."""
    kinds = ", ".join(f"{goldens.kinds.count(kind)} {kind}" for kind in dict.fromkeys(goldens.kinds))
    return f"{len(goldens)} vectors from oracle {goldens.oracle} {goldens.oracle_version}:\n{kinds}."


def made_with(record: dict[str, Any]) -> str:
    """What a card says of versions."""
    return ", ".join(f"{name} {version}" for name, version in record["versions"].items())

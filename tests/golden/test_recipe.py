# SPDX-License-Identifier: Apache-2.0
"""`train.py --check`: every byte with the versions of the record, stated scores with others."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tinyhil.assets import firmware_dir

pytestmark = pytest.mark.needs("oracle")

Train = Callable[..., int]


@pytest.fixture
def recipes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(firmware_dir() / "models"))
    module = importlib.import_module("training.recipe")
    monkeypatch.setattr(module, "_arena_bytes", lambda path: 1234)
    return module


@pytest.fixture
def train(recipes: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Runs the train.py of a model of one layer; `weight` and `accuracy` are what the training comes to."""
    layers, quantize = importlib.import_module("training.layers"), importlib.import_module("training.quantize")
    folder = tmp_path / "tiny"
    folder.mkdir()

    def run(*arguments: str, weight: float = 1.0, accuracy: float = 0.9) -> int:
        def make() -> object:
            dense = layers.Dense("dense", 2, 2)
            dense.weights["w"] = np.array([[weight, -1.0], [-1.0, 1.0]])
            inputs = np.array([[1.0, 0.0], [0.0, 1.0]])
            q = quantize.Quantizer("tiny", "x", inputs, (np.float32(1 / 64), 0))
            dense.emit(q)
            samples = (inputs * 64).astype(np.int8)
            return recipes.Made(q.finish(), samples, np.array([0, 1]), {"int8_accuracy": accuracy})

        recipe = recipes.Recipe(
            folder,
            make,
            lambda model, goldens, record: f"# tiny\n{recipes.facts(model, record)}\n",
            {"int8_accuracy": 0.05},
        )
        monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
        return int(recipes.main(recipe))

    assert run() == 0
    return run


def made_with_another_numpy(folder: Path) -> None:
    path = folder / "tiny" / "tiny.json"
    record = json.loads(path.read_text())
    record["versions"]["numpy"] = "0.1"
    path.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")


def test_the_files_are_written_and_made_again(train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    names = {path.name for path in (tmp_path / "tiny").iterdir()}
    assert names == {"tiny.tflite", "tiny.golden.npz", "tiny.json", "README.md"}
    assert train("--check") == 0
    assert capsys.readouterr().out.count("the same") == 4


def test_another_byte_is_an_error_where_the_versions_are_the_records(train: Train, capsys: pytest.CaptureFixture[str]):
    assert train("--check", weight=0.5) == 1
    said = capsys.readouterr()
    assert "tiny.tflite: DIFFERS" in said.out
    assert "should not be" in said.err


@pytest.mark.parametrize(("accuracy", "status", "verdict"), [(0.86, 0, "holds"), (0.84, 1, "TOO LOW")])
def test_other_versions_are_held_to_the_stated_scores(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str], accuracy: float, status: int, verdict: str
):
    made_with_another_numpy(tmp_path)
    assert train("--check", weight=0.5, accuracy=accuracy) == status
    said = capsys.readouterr().out
    assert "(the record: 0.1)" in said
    assert f"int8_accuracy: {accuracy:.2%}, stated 90.00%, 5% less is allowed: {verdict}" in said


def test_other_versions_that_give_the_same_bytes_are_no_difference(train: Train, tmp_path: Path):
    made_with_another_numpy(tmp_path)
    assert train("--check") == 0


def test_the_card_is_printed_without_training(train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    capsys.readouterr()
    assert train("--card") == 0
    card = capsys.readouterr().out
    assert card == (tmp_path / "tiny" / "README.md").read_text()
    assert "1,234 bytes on mps2_an386" in card


def test_a_program_that_is_missing_is_named_with_how_to_get_it(
    recipes: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    recipe = recipes.Recipe(tmp_path, lambda: None, lambda *_: "", {}, programs=("speaks-for-nobody",))
    monkeypatch.setattr(sys, "argv", ["train.py"])
    assert recipes.main(recipe) == 22
    assert "apt-get install speaks-for-nobody" in capsys.readouterr().err

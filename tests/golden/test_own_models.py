# SPDX-License-Identifier: Apache-2.0
"""The project's own models: what their cards and records say is so, and boards compute it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tinyhil.assets import firmware_dir
from tinyhil.golden import load, stored_path
from tinyhil.matrix import own_models
from tinyhil.model import Model, load_model
from tinyhil.record import Cell
from tinyhil.runner import Plan, run_cell

LARGEST_TOGETHER = 1_000_000
LEAST_ACCURACY = {"digits": 0.97, "kws": 0.85, "kws_stream": 0.85, "resnet": 0.95, "vibration": 0.85}
MODELS = own_models()


@pytest.fixture(params=MODELS, ids=lambda path: path.stem)
def own(request: pytest.FixtureRequest) -> Model:
    return load_model(request.param)


@pytest.fixture
def record(own: Model) -> dict[str, Any]:
    """What the training script recorded."""
    found: dict[str, Any] = json.loads(own.path.with_suffix(".json").read_text(encoding="utf-8"))
    return found


def test_every_model_here_is_held_to_an_accuracy():
    assert {path.stem for path in MODELS} == set(LEAST_ACCURACY)
    assert {path.parent.name for path in MODELS} == set(LEAST_ACCURACY)


def test_the_files_are_those_of_the_record(own: Model, record: dict[str, Any]):
    assert (record["bytes"], record["sha256"]) == (len(own.data), own.sha256)
    assert record["golden_sha256"] == hashlib.sha256(stored_path(own).read_bytes()).hexdigest()


@pytest.mark.needs("sklearn")
def test_the_card_is_what_the_script_makes_of_the_record(own: Model):
    done = subprocess.run(
        [sys.executable, str(own.path.with_name("train.py")), "--card"], capture_output=True, text=True, check=True
    )
    assert done.stdout == own.path.with_name("README.md").read_text(encoding="utf-8")


def test_the_card_states_the_record(own: Model, record: dict[str, Any]):
    card = own.path.with_name("README.md").read_text(encoding="utf-8")
    assert own.sha256 in card
    assert f"{own.macs:,}" in card
    for operator in own.operators:
        assert operator.name in card
    assert f"{record['arena']['bytes']:,} bytes on {record['arena']['board']}" in card
    for score in record["scores"]:
        value = record["figures"][score]
        assert f"{value:.2%}" in card or f"{value:.3f}" in card, score


def test_the_scores_are_worth_a_model(own: Model, record: dict[str, Any]):
    assert record["figures"]["int8_accuracy"] >= LEAST_ACCURACY[own.name]
    for name, value in record["figures"].items():
        if name.startswith("float_"):
            assert abs(value - record["figures"][name.replace("float_", "int8_")]) <= 0.02


@pytest.mark.parametrize(
    ("board", "target"),
    [
        pytest.param("native", "native", marks=pytest.mark.needs("native")),
        pytest.param("mps2_an386", "qemu", marks=pytest.mark.needs("qemu", "arm-gcc")),
    ],
)
def test_a_board_classifies_the_samples_as_the_golden_set_does(
    own: Model, record: dict[str, Any], board: str, target: str
):
    if own.name == "digits":
        pytest.skip("tests/cli, tests/matrix and tests/device run all of them")
    golden = load(stored_path(own))
    assert golden.labels is not None
    result = run_cell(Cell(board, target, own.path), Plan()).record
    assert result.verdict == "pass", result.to_json()
    assert result.accuracy is not None
    assert result.accuracy.labelled == int((golden.labels >= 0).sum()) >= 2
    assert result.accuracy.correct / result.accuracy.labelled == golden.accuracy()
    assert result.accuracy.correct / result.accuracy.labelled >= LEAST_ACCURACY[own.name] - 0.1
    if board == record["arena"]["board"]:
        assert result.figures["arena_used"].value <= record["arena"]["bytes"]


def test_all_committed_files_of_the_models_are_small():
    files = [path for path in (firmware_dir() / "models").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in files) < LARGEST_TOGETHER


LAYERS = """
branch = Chain(Pad("p", (1, 1), (1, 1), (0, 0)), Depthwise("d", (3, 3), (2, 2), 4, True, "VALID"),
               Conv("c", (1, 1), (1, 1), 4, 6, False))
net = Chain(Conv("a", (3, 2), (1, 1), 2, 4, True), Residual("r", Chain(AveragePool(), Pad("q", (0, 0), (0, 0), (0, 2))),
            branch), Residual("s", Chain(), Conv("t", (1, 1), (1, 1), 6, 6, False)), Mean("m"), Dense("o", 6, 5))
whole = np.clip(np.rint(40 * normal("inputs", 64 * 128).reshape(64, 8, 8, 2)), -128, 127)
if aware:
    for layer in net.parts():
        layer.fake = FakeQuant() if layer.weights or isinstance(layer, (Residual, Mean)) else None
    net.forward(whole / 32)
    for layer in net.parts():
        if layer.fake:
            layer.fake.learns = False
q = Quantizer("layers", "x", whole / 32, (np.float32(1 / 32), 0))
net.emit(q)
scale, zero = q.quantization
got = int8_outputs(q.finish(), whole.astype(np.int8)) - float(zero)
print(np.abs(got - net.forward(whole / 32) / float(scale)).max())
"""


@pytest.mark.needs("oracle")
@pytest.mark.parametrize(("aware", "steps"), [(False, 12), (True, 3)])
def test_what_is_quantized_computes_what_was_trained(tmp_path: Path, aware: bool, steps: float):
    """Every layer that models are built of. In steps of the int8 output: after training rounding adds up from layer to
    layer; training aware of it has rounded in the same places."""
    imports = "import sys, numpy as np\nsys.path.insert(0, {!r})\n".format(str(firmware_dir() / "models"))
    imports += "".join(f"from training.{name} import *\n" for name in ("exact", "layers", "quantize", "recipe"))
    path = tmp_path / "layers.py"
    path.write_text(f"{imports}aware = {aware}\n{LAYERS}")
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 0 < float(done.stdout) <= steps

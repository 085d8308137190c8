# SPDX-License-Identifier: Apache-2.0
"""Each front end for real: a model of its framework becomes int8, is what it was, and runs on a board bit for bit.

Needs the frameworks (`tinyhil[convert-tensorflow]`, `[convert-onnx]`, `[convert-torch]`): skipped where they are not.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import tinyhil
from tinyhil import requirements
from tinyhil.cli import cli
from tinyhil.model import load_model

pytestmark = pytest.mark.needs("oracle")
SIDE, CHANNELS, CLASSES = 8, 3, 4

TORCH_NETS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))
        self.classes = nn.Linear(8 * 4 * 4, 4)

    def forward(self, x):
        return torch.softmax(self.classes(torch.flatten(self.features(x), 1)), 1)

def net():
    return Net().eval()

def with_example():
    return net(), torch.zeros(1, 3, 8, 8)

def broken():
    raise RuntimeError("no weights here")

def nothing():
    return 42

def program(batch=1):
    return torch.export.export(net(), (torch.zeros(batch, 3, 8, 8),))
"""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    x = np.random.default_rng(5).uniform(0, 1, (60, SIDE, SIDE, CHANNELS)).astype(np.float32)
    np.save("x.npy", x)
    np.save("channels_first.npy", x.transpose(0, 3, 1, 2))
    (tmp_path / "torch_nets.py").write_text(TORCH_NETS)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["convert", *map(str, arguments)])


def converted(source: str, samples: str, *more: str) -> dict[str, Any]:
    """Converts, and holds what came out against what was asked for."""
    done = run(source, "-r", samples, "-o", "out_int8.tflite", "--golden", "--keep-float", "--json", *more)
    assert done.exit_code == 0, done.output
    report = json.loads(done.output)
    model = load_model("out_int8.tflite")
    assert [t.type for t in (*model.input_tensors, *model.output_tensors)] == ["int8", "int8"]
    assert not [t for t in model.tensors if t.type == "float32"]
    assert report["layers"] and min(layer["sqnr_db"] for layer in report["layers"]) > 20
    assert not [f for f in report["findings"] if f["kind"] in ("conversion_differs", "saturation", "low_sqnr")]
    _on_a_board()
    return report


def _on_a_board() -> None:
    if requirements.missing("qemu") or requirements.missing("arm-gcc"):
        return
    done = CliRunner().invoke(cli, ["run", "out_int8.tflite", "--board", "mps2_an386"])
    assert done.exit_code == 0 and "bit for bit" in done.output, done.output


# Keras and SavedModel -------------------------------------------------------------------------------------------------
def keras_model() -> Any:
    keras: Any = importlib.import_module("keras")
    keras.utils.set_random_seed(3)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, CHANNELS)),
            layers.Conv2D(8, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax"),
        ],
        name="net",
    )


@pytest.mark.needs("tensorflow")
@pytest.mark.parametrize("form", ["net.keras", "net.h5", "net_saved"])
def test_keras_and_saved_model(here, form):
    model = keras_model()
    if "." in form:
        model.save(form)
    else:
        model.export(form, verbose=False)
    labels = np.asarray(model(np.load("x.npy"))).argmax(axis=1)
    np.save("y.npy", labels)
    report = converted(form, "x.npy", "--labels", "y.npy")
    assert report["accuracy"]["before"] == 1.0 and report["accuracy"]["after"] >= 0.9
    assert report["framework"].startswith("TensorFlow") and report["channels_last"] == [False]
    assert not {"SHAPE", "STRIDED_SLICE", "PACK"} & set(report["int8"]["operators"])


@pytest.mark.needs("tensorflow")
def test_several_inputs_keep_their_order_and_whole_numbers_their_type(here):
    keras: Any = importlib.import_module("keras")
    layers = keras.layers
    image, vector = keras.Input((4, 4, 1), name="zeta"), keras.Input((6,), name="alpha")
    joined = layers.Concatenate()([layers.Flatten()(layers.Conv2D(3, 3)(image)), layers.Dense(4)(vector)])
    model = keras.Model([image, vector], [layers.Dense(3, activation="softmax")(joined), layers.Dense(1)(joined)])
    model.save("two.keras")
    rng = np.random.default_rng(0)
    samples = {"a": rng.uniform(0, 1, (40, 4, 4, 1)), "b": rng.uniform(-5, 5, (40, 6))}
    np.savez("two.npz", **samples)
    done = run("two.keras", "-r", "two.npz", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.output)
    assert [tensor["shape"] for tensor in report["inputs"]] == [[1, 4, 4, 1], [1, 6]]
    assert min(layer["sqnr_db"] for layer in report["layers"]) > 20
    keras.Sequential([keras.Input((5,), dtype="int32"), layers.Embedding(9, 4), layers.Flatten()]).save("ids.keras")
    np.save("ids.npy", rng.integers(0, 9, (40, 5)))
    done = run("ids.keras", "-r", "ids.npy", "--json")
    assert json.loads(done.output)["inputs"][0]["type"] == "int32"


@pytest.mark.needs("tensorflow")
def test_an_lstm_is_named_before_it_is_trained(here):
    keras: Any = importlib.import_module("keras")
    keras.Sequential([keras.Input((8, 4)), keras.layers.LSTM(6), keras.layers.Dense(2)]).save("lstm.keras")
    done = run("lstm.keras", "--check-operators")
    assert done.exit_code == 12 and ("WHILE" in done.output or "LSTM" in done.output), done.output


@pytest.mark.needs("tensorflow")
def test_a_supported_network_passes_the_check_of_operators_untrained(here):
    keras_model().save("net.keras")
    done = run("net.keras", "--check-operators", "--board", "mps2_an386", "--json")
    assert done.exit_code == 0 and json.loads(done.output)["int8"] is True


@pytest.mark.needs("tensorflow")
def test_an_open_length_is_asked_for(here):
    keras: Any = importlib.import_module("keras")
    layers = keras.layers
    keras.Sequential(
        [keras.Input((None, 4)), layers.Conv1D(3, 3), layers.GlobalAveragePooling1D(), layers.Dense(2)]
    ).save("open.keras")
    np.save("sequence.npy", np.random.default_rng(0).uniform(-1, 1, (30, 16, 4)).astype(np.float32))
    done = run("open.keras", "-r", "sequence.npy")
    assert done.exit_code == 14 and "[1, ?, 4]" in done.output and "--input-shape" in done.output
    assert run("open.keras", "-r", "sequence.npy", "--input-shape", "1,16,4").exit_code == 0


@pytest.mark.needs("tensorflow")
@pytest.mark.parametrize("name", ["bad.h5", "bad.keras"])
def test_a_damaged_keras_file_is_refused(here, name):
    keras_model().save(name)
    data = Path(name).read_bytes()
    Path(name).write_bytes(data[: len(data) // 2])
    done = run(name, "-r", "x.npy")
    assert done.exit_code == 18 and "cannot load it" in done.output and "Traceback" not in done.output


@pytest.mark.needs("tensorflow")
def test_a_damaged_saved_model_is_refused(here):
    keras_model().export("net_saved", verbose=False)
    shutil.rmtree("net_saved/variables")
    done = run("net_saved", "-r", "x.npy")
    assert done.exit_code == 18 and "cannot load it" in done.output


# ONNX -----------------------------------------------------------------------------------------------------------------
def onnx_model(path: str, batch: int | str = 1, operator: str = "Relu", side: int | str = SIDE) -> None:
    onnx: Any = importlib.import_module("onnx")
    rng = np.random.default_rng(4)
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weights = {
        "w": rng.normal(0, 0.3, (8, CHANNELS, 3, 3)).astype(np.float32),
        "b": rng.normal(0, 0.1, 8).astype(np.float32),
        "d": rng.normal(0, 0.3, (8 * 4 * 4, CLASSES)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "w", "b"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node(operator, ["conv"], ["active"]),
        helper.make_node("MaxPool", ["active"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "d"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["classes"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", kind, [batch, CHANNELS, side, side])],
        [helper.make_tensor_value_info("classes", kind, [batch, CLASSES])],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


@pytest.mark.needs("onnx2tf", "tensorflow")
@pytest.mark.parametrize("batch", [1, "n"])
def test_onnx_with_a_fixed_and_with_an_open_batch(here, batch):
    onnx_model("net.onnx", batch)
    report = converted("net.onnx", "channels_first.npy")
    assert report["channels_last"] == [True] and report["inputs"][0]["shape"] == [1, SIDE, SIDE, CHANNELS]


@pytest.mark.needs("onnx2tf", "tensorflow")
def test_samples_with_channels_last_are_not_onnxs(here):
    onnx_model("net.onnx")
    done = run("net.onnx", "-r", "x.npy")
    assert done.exit_code == 14 and "NHWC (channels last)" in done.output


@pytest.mark.needs("onnx2tf", "tensorflow")
def test_onnx_that_cannot_be_read_or_has_open_sides_is_refused(here):
    Path("bad.onnx").write_bytes(b"nothing of the kind")
    done = run("bad.onnx", "-r", "x.npy")
    assert done.exit_code == 18 and "cannot read it" in done.output
    onnx_model("open.onnx", "n", side="h")
    done = run("open.onnx", "-r", "channels_first.npy")
    assert done.exit_code == 14 and "[1, 3, ?, ?]" in done.output


# PyTorch --------------------------------------------------------------------------------------------------------------
@pytest.mark.needs("litert_torch")
def test_a_pytorch_module_of_a_function(here):
    report = converted("torch_nets:with_example", "channels_first.npy")
    assert report["channels_last"] == [True] and "litert-torch" in report["framework"]


@pytest.mark.needs("litert_torch")
def test_an_exported_program(here, monkeypatch):
    monkeypatch.syspath_prepend(str(here))
    nets: Any = importlib.import_module("torch_nets")
    torch: Any = importlib.import_module("torch")
    torch.export.save(nets.program(), "net.pt2")
    converted("net.pt2", "channels_first.npy")
    torch.export.save(nets.program(batch=2), "batch.pt2")
    done = run("batch.pt2", "-r", "channels_first.npy")
    assert done.exit_code == 14 and "a batch of 1 is needed" in done.output
    Path("bad.pt2").write_bytes(Path("net.pt2").read_bytes()[:500])
    done = run("bad.pt2", "-r", "channels_first.npy")
    assert done.exit_code == 18 and "cannot load it" in done.output


@pytest.mark.needs("litert_torch")
def test_a_float_tflite_is_quantized_too(here):
    converted("torch_nets:with_example", "channels_first.npy")
    shutil.copy("out_float.tflite", "mine.tflite")
    done = run("mine.tflite", "-r", "x.npy", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["int8"]["sha256"] == load_model("out_int8.tflite").sha256


@pytest.mark.needs("litert_torch")
@pytest.mark.parametrize(
    ("place", "status", "words"),
    [
        ("torch_nets:net", 18, "does not say which shape it takes"),
        ("torch_nets:broken", 18, "no weights here"),
        ("torch_nets:nothing", 14, "returned int"),
        ("torch_nets:absent", 14, "has no function 'absent'"),
        ("no_such_module:net", 14, "cannot be imported"),
    ],
)
def test_a_function_that_will_not_do_is_told(here, place, status, words):
    done = run(place, "-r", "channels_first.npy")
    assert done.exit_code == status and words in done.output, done.output


# The tutorial ---------------------------------------------------------------------------------------------------------
@pytest.mark.needs("tensorflow", "sklearn", "arm-gcc", "qemu")
def test_the_tutorial_as_it_stands(here):
    text = (Path(tinyhil.__file__).parent / "convert" / "README.md").read_text(encoding="utf-8")
    section = text.split("## In five minutes\n")[1].split("\n## ")[0]
    (script,) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    Path("make_digits.py").write_text(script)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    said = []
    for line in re.findall(r"^(?:python|tinyhil) .*", section, flags=re.MULTILINE):
        done = subprocess.run(
            shlex.split(line), env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        said.append(done.stdout)
    _, operators, _, made, ran, embedded, mistake = said
    assert "has all that its int8 form needs" in operators
    assert "accuracy" in made and "quantization error over 128 samples" in made
    assert "bit for bit" in ran and "digits_int8_tflite" in embedded
    assert "float values were cast, not quantized" in " ".join(mistake.split())

# SPDX-License-Identifier: Apache-2.0
"""`tinyhil convert` without any converter: int8 models checked, operators listed, refusals by name."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pairs
import pytest
import small_models
from click.testing import CliRunner, Result

from tinyhil.cli import cli


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder with net_float.tflite, net_int8.tflite, x.npy and y.npy, and the current one."""
    monkeypatch.chdir(tmp_path)
    pair = pairs.make(tmp_path)
    np.save("x.npy", pair.samples)
    np.save("y.npy", pair.labels)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["convert", *map(str, arguments)])


@pytest.mark.needs("oracle")
def test_an_int8_model_is_checked_against_its_float_model(here):
    done = run("net_int8.tflite", "--float", "net_float.tflite", "-r", "x.npy", "--labels", "y.npy")
    assert done.exit_code == 0, done.output
    for words in ("100.00% in float", "SQNR dB", "first/Relu", "worst: ", "zero point left out", "next: tinyhil run"):
        assert words in done.output
    report = json.loads((here / "net_int8.check.json").read_text())
    assert report["schema"] == "tinyhil.convert/1" and report["findings"] == []
    assert report["accuracy"]["before"] == 1.0 and report["accuracy"]["after"] > 0.9
    assert [layer["name"] for layer in report["layers"]] == ["FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX"]


@pytest.mark.needs("oracle")
def test_json_is_the_report_and_the_files(here):
    done = run("net_int8.tflite", "-r", "x.npy", "--json")
    said = json.loads(done.output)
    assert said["files"] == ["net_int8.tflite", "net_int8.check.json"]
    assert said["layers"] is None and said["inputs"][0]["zero_point"] == -128


@pytest.mark.needs("oracle")
def test_a_golden_set_with_the_samples_is_made_when_asked_for(here):
    from tinyhil.golden import load

    assert run("net_int8.tflite", "-r", "x.npy", "--labels", "y.npy", "--golden").exit_code == 0
    golden = load(here / "net_int8.golden.npz")
    assert golden.kinds.count("sample") == 16 and golden.accuracy() is not None


@pytest.mark.needs("oracle")
def test_a_float_operator_that_is_left_is_status_13(here):
    (here / "conv.tflite").write_bytes(small_models.convolution())
    np.save("image.npy", np.random.default_rng(0).uniform(-1, 1, (30, 6, 6, 3)).astype(np.float32))
    done = run("conv.tflite", "-r", "image.npy")
    assert done.exit_code == 13 and "operator 0 QUANTIZE works on float32" in done.output
    assert run("conv.tflite", "-r", "image.npy", "--float-io", "--force").exit_code == 0


def test_operators_that_an_engine_lacks_are_status_12_before_anything_runs(here):
    (here / "bad.tflite").write_bytes(small_models.unsupported())
    done = run("bad.tflite", "--check-operators")
    assert done.exit_code == 12
    assert "COS is not in engine builtin" in done.output and "my_filter is a custom operator" in done.output
    assert run("net_float.tflite", "--check-operators", "--board", "mps2_an386").exit_code == 0
    lacking = json.loads(run("bad.tflite", "--check-operators", "--json", "--engine", "tflm").output)["lacking"]
    assert [item["operator"] for item in lacking] == ["my_filter"]


@pytest.mark.parametrize(
    ("name", "extra"),
    [("m.keras", "convert-tensorflow"), ("m.onnx", "convert-onnx"), ("m.pt2", "convert-torch"), ("f.h5", "tensorflow")],
)
def test_a_front_end_whose_packages_are_absent_names_the_extra(here, monkeypatch, name, extra):
    found = importlib.util.find_spec
    absent = ("tensorflow", "onnx2tf", "litert_torch", "ai_edge_quantizer")
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None if package in absent else found(package))
    (here / name).write_bytes(b"")
    done = run(name, "-r", "x.npy")
    assert done.exit_code == 22 and "is not installed" in done.output and extra in done.output


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["no.keras", "-r", "x.npy"], 14, "no such file"),
        (["nothing", "-r", "x.npy"], 14, "module:function"),
        ([".", "-r", "x.npy"], 14, "a folder without saved_model.pb"),
        (["weights.pth", "-r", "x.npy"], 14, "torch.export.save"),
        (["net_int8.tflite"], 2, "--check-operators, which needs none"),
        (["net_int8.tflite", "-r", "no.npy"], 14, "no.npy: no such file"),
        (["net_int8.tflite", "-r", "y.npy"], 14, "must be [n, 8]"),
        (["net_int8.tflite", "-r", "x.npy", "--labels", "three.npy"], 14, "there are 3, but 64 samples"),
        (["net_int8.tflite", "-r", "x.npy", "-o", "y.tflite"], 2, "is int8 already"),
        (["net_int8.tflite", "-r", "x.npy", "--input-shape", "1,x"], 2, "give lengths with commas"),
        (["net_int8.tflite", "-r", "x.npy", "--board", "nowhere"], 20, "nowhere"),
        (["net_int8.tflite", "-r", "x.npy", "--float", "net_int8.tflite"], 14, "is no float model"),
        (["net_int8.tflite", "-r", "x.npy", "--float", "other.tflite"], 14, "takes [1, 4], but net_int8.tflite takes"),
        (["net_int8.tflite", "-r", "x.npy", "--float", "broken.tflite"], 10, "not a .tflite model"),
        (["broken.tflite", "-r", "x.npy"], 10, "not a .tflite model"),
    ],
)
def test_what_cannot_be_converted_is_refused_by_name(here, arguments, status, words):
    (here / "broken.tflite").write_bytes(b"nothing of the kind")
    (here / "weights.pth").write_bytes(b"")
    (here / "other.tflite").write_bytes(small_models.never_quantized())
    np.save("three.npy", np.zeros(3, int))
    done = run(*arguments)
    assert done.exit_code == status and words in " ".join(done.output.split()), done.output
    assert "Traceback" not in done.output


@pytest.mark.needs("oracle")
def test_a_report_that_is_there_is_written_over_only_when_told(here):
    (here / "net_int8.check.json").write_text("mine")
    assert run("net_int8.tflite", "-r", "x.npy").exit_code == 50
    assert (here / "net_int8.check.json").read_text() == "mine"
    assert run("net_int8.tflite", "-r", "x.npy", "--force").exit_code == 0

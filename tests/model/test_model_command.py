# SPDX-License-Identifier: Apache-2.0
"""`tinyhil model`: what a person reads, and what a machine does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import small_models
from click.testing import CliRunner, Result

from tinyhil.assets import firmware_dir
from tinyhil.cli import cli
from tinyhil.errors import MalformedModel, NotTflite

DIGITS = firmware_dir() / "models" / "digits" / "digits.tflite"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["model", *map(str, arguments)])


@pytest.fixture
def file(tmp_path: Path):
    def write(data: bytes) -> Path:
        path = tmp_path / "x.tflite"
        path.write_bytes(data)
        return path

    return write


def test_shows_operators_tensors_quantization_and_sizes():
    result = call(DIGITS)
    assert result.exit_code == 0
    for fact in (
        "int8[1, 8, 8, 1] image",
        "153,728 multiply-accumulates",
        "DEPTHWISE_CONV_2D",
        "16 scales",
        "scale 0.00390625, zero point -128",
        "engine builtin: every operator is supported",
    ):
        assert fact in result.output


def test_gives_the_same_to_machines():
    result = call(DIGITS, "--json")
    model = json.loads(result.output)
    assert (model["name"], model["macs"], model["file_bytes"]) == ("digits", 153_728, DIGITS.stat().st_size)
    assert sum(op["macs"] for op in model["operators"]) == model["macs"]
    assert model["inputs"][0]["shape"] == [1, 8, 8, 1]
    assert model["operators"][0]["options"]["padding"] == "SAME"
    assert model["engines"] == {"builtin": {"unsupported": []}, "tflm": {"unsupported": []}}


def test_says_what_is_unsupported_and_on_which_engine(file):
    path = file(small_models.unsupported())
    result = call(path)
    assert result.exit_code == 0
    assert "engine builtin cannot run it:" in result.output
    assert "operator 1 COS is not implemented" in result.output
    assert "my_filter (custom)" in result.output
    refused = json.loads(call(path, "--json").output)["engines"]["builtin"]["unsupported"]
    assert [(item["operator"], item["name"]) for item in refused] == [
        (1, "COS"),
        (2, "COS"),
        (3, "my_filter"),
    ]


def test_says_that_a_model_computes_in_float(file):
    assert "computes in float" in call(file(small_models.never_quantized())).output


@pytest.mark.parametrize(("cut", "error"), [(4, NotTflite), (500, MalformedModel)])
def test_a_bad_file_has_its_own_exit_status(file, cut: int, error: type[NotTflite] | type[MalformedModel]):
    result = call(file(small_models.convolution()[:cut]), "--json")
    assert result.exit_code == error.exit_status
    assert json.loads(result.output)["error"]["class"] == error.__name__

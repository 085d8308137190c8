# SPDX-License-Identifier: Apache-2.0
"""`tinyhil golden make` and `tinyhil golden verify`."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_models
from click.testing import CliRunner, Result

from tinyhil import golden as sets
from tinyhil.cli import cli
from tinyhil.errors import BadInput, GoldenDiffers, GoldenError, OracleMissing, StaleGolden
from tinyhil.model import Model


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["golden", *map(str, arguments)])


@pytest.fixture
def copy_of_digits(digits: Model, tmp_path: Path) -> Path:
    for path in (digits.path, sets.stored_path(digits)):
        shutil.copy(path, tmp_path)
    return tmp_path / digits.path.name


@pytest.mark.needs("oracle")
def test_make_stores_a_set_beside_the_model_that_later_runs_find(write_model, tmp_path: Path):
    model = write_model(small_models.convolution())
    np.save(tmp_path / "samples.npy", np.zeros((2, 6, 6, 3), np.float32))
    np.save(tmp_path / "labels.npy", np.array([3, 1]))
    result = call(
        *("make", model.path, "--seed", 9, "--uniform", 1, "--random-walk", 0),
        *("--samples", tmp_path / "samples.npy", "--labels", tmp_path / "labels.npy", "--json"),
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["vectors"] == {
        "uniform": 1,
        "minimum": 1,
        "maximum": 1,
        "zero_point": 1,
        "sample": 2,
    }
    found = sets.golden_for(model)
    assert (found.seed, list(found.labels)) == (9, [-1, -1, -1, -1, 3, 1])


@pytest.mark.needs("oracle")
def test_make_writes_where_it_is_told(write_model, tmp_path: Path):
    model = write_model(small_models.convolution())
    result = call("make", model.path, "-o", tmp_path / "elsewhere.npz")
    assert f"{tmp_path / 'elsewhere.npz'}: 8 vectors (3 uniform, 2 random_walk" in result.output
    assert not sets.stored_path(model).exists()


@pytest.mark.needs("oracle")
def test_make_refuses_samples_of_another_shape(write_model, tmp_path: Path):
    model = write_model(small_models.convolution())
    np.save(tmp_path / "samples.npy", np.zeros((2, 5, 6, 3), np.float32))
    result = call("make", model.path, "--samples", tmp_path / "samples.npy")
    assert result.exit_code == BadInput.exit_status
    assert "samples.npy: shape is [2, 5, 6, 3], must be [n, 1, 6, 6, 3]" in result.output


def test_make_without_an_oracle_says_what_to_do(write_model, no_oracle: None):
    result = call("make", write_model(small_models.convolution()).path)
    assert result.exit_code == OracleMissing.exit_status
    assert "next step: " in result.output


@pytest.mark.needs("oracle")
def test_verify_without_a_model_verifies_the_projects_own():
    result = call("verify")
    assert result.exit_code == 0, result.output
    assert "digits.golden.npz: 368 vectors" in result.output


@pytest.mark.needs("oracle")
def test_verify_names_what_differs_and_fails(copy_of_digits: Path):
    path = copy_of_digits.with_name("digits.golden.npz")
    stored = sets.load(path).subset([0, 1])
    replace(stored, outputs=[stored.outputs[0] ^ np.int8(1)]).save(path)
    result = call("verify", copy_of_digits)
    assert result.exit_code == GoldenDiffers.exit_status
    assert "vector 1 (uniform): output 0: 10 of 10 values differ" in result.output
    result = call("verify", copy_of_digits, "--json")
    assert result.exit_code == GoldenDiffers.exit_status
    assert len(json.loads(result.output)["sets"][0]["differences"]) == 2


def test_verify_refuses_a_stale_set(write_model, digits: Model):
    model = write_model(small_models.convolution())
    shutil.copy(sets.stored_path(digits), sets.stored_path(model))
    assert call("verify", model.path).exit_code == StaleGolden.exit_status


def test_verify_of_a_model_without_a_set_is_an_error(write_model):
    result = call("verify", write_model(small_models.convolution()).path)
    assert result.exit_code == GoldenError.exit_status
    assert "no such file" in result.output

# SPDX-License-Identifier: Apache-2.0
"""A model with a custom operator, its own expected outputs, labels and tolerance: the repository's example, through the
command line on the host firmware."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinyhil import assets
from tinyhil.errors import BadInput, BuildFailed, ProjectFileError, UnsupportedOperator
from tinyhil.golden import expected_golden
from tinyhil.model import check_runnable, load_model

EXAMPLE = assets.firmware_dir() / "examples" / "custom_operator"
SOURCE = EXAMPLE / "clip.cc"

pytestmark = pytest.mark.needs("native")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("clip")
    subprocess.run([sys.executable, EXAMPLE / "make_model.py", made], check=True)
    return made


def test_a_custom_operator_runs_and_its_accuracy_is_told(tinyhil, folder: Path) -> None:
    done = tinyhil(
        *("run", folder / "clip.tflite", "--board", "native", "--extra-source", SOURCE, "--json"),
        *("--input", folder / "inputs.npy", "--expect", folder / "outputs.csv", "--labels", folder / "labels.npy"),
    )
    record = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert record["verdict"] == "pass"
    assert record["identity"]["golden"]["oracle"] == "user"
    assert record["accuracy"] == {"correct": 8, "labelled": 8}


def test_without_its_source_it_is_refused_and_told_what_to_give(folder: Path) -> None:
    with pytest.raises(UnsupportedOperator, match=r"Clip .* give its source with --extra-source"):
        check_runnable(load_model(folder / "clip.tflite"))


def test_another_output_fails_unless_a_tolerance_with_a_reason_allows_it(tinyhil, folder: Path) -> None:
    wrong = np.load(folder / "outputs.npy")
    wrong[3, 0, 2] += 2
    np.save(folder / "wrong.npy", wrong)
    command = (
        *("run", folder / "clip.tflite", "--board", "native", "--extra-source", SOURCE),
        *("--input", folder / "inputs.npy", "--expect", folder / "wrong.npy"),
    )
    done = tinyhil(*command)
    assert done.returncode == 1
    assert "output 0[0, 2]" in done.stdout
    assert tinyhil(*command, "--tolerance", "1", "--tolerance-reason", "rounded on the desk").returncode == 1
    done = tinyhil(*command, "--tolerance", "2", "--tolerance-reason", "rounded on the desk")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "within 2 of" in done.stdout
    assert "rounded on the desk" in done.stdout
    done = tinyhil(*command, "--tolerance", "2")
    assert done.returncode != 0
    assert "without a reason" in done.stderr


def test_expected_outputs_of_another_shape_or_type_are_refused(folder: Path) -> None:
    model = load_model(folder / "clip.tflite")
    inputs, outputs = np.load(folder / "inputs.npy"), np.load(folder / "outputs.npy")
    with pytest.raises(BadInput, match="shape is"):
        expected_golden(model, [inputs], [outputs[:5]])
    with pytest.raises(BadInput, match="must be int8"):
        expected_golden(model, [inputs], [outputs.astype(np.int32)])


def test_a_kept_set_of_ones_own_outputs_is_what_later_runs_are_held_against(tinyhil, folder: Path) -> None:
    done = tinyhil(
        *("golden", "make", folder / "clip.tflite", "--samples", folder / "inputs.npy"),
        *("--expect", folder / "outputs.npy", "--labels", folder / "labels.npy"),
    )
    assert done.returncode == 0, done.stderr
    done = tinyhil("run", folder / "clip.tflite", "--board", "native", "--extra-source", SOURCE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the user's own set" in done.stdout
    (folder / "clip.golden.npz").unlink()


@pytest.fixture
def project(tinyhil, tmp_path: Path, folder: Path) -> Path:
    """A repository whose tinyhil.yaml names the model, its operator's source and a board; a test beside it."""
    (tmp_path / "clip.cc").write_bytes(SOURCE.read_bytes())
    (tmp_path / "clip.tflite").write_bytes((folder / "clip.tflite").read_bytes())
    keep = ("--samples", folder / "inputs.npy", "--expect", folder / "outputs.npy", "--labels", folder / "labels.npy")
    assert tinyhil("golden", "make", "clip.tflite", *keep).returncode == 0
    (tmp_path / "tinyhil.yaml").write_text(
        "models: [clip.tflite]\nboards: [native]\ntarget: native\nextra_sources: [clip.cc]\n"
    )
    return tmp_path


def test_a_project_names_its_operators_for_the_matrix(tinyhil, project: Path) -> None:
    done = tinyhil("matrix")
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = json.loads((project / "out" / "matrix.json").read_text())["records"]
    assert "Clip" in {operator["name"] for operator in record["operators"]}
    assert f"--extra-source {project / 'clip.cc'}" in record["command"]
    resumed = tinyhil("matrix", "--resume")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr


def test_a_project_names_its_operators_for_pytest(project: Path) -> None:
    (project / "test_clip.py").write_text(
        "from tinyhil.verdict import assert_golden\n\ndef test_it(device, golden):\n    assert_golden(device, golden)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    (project / "tinyhil.yaml").unlink()
    options = ["--hil-board", "native", "--hil-model", "clip.tflite", "--hil-extra-source", "clip.cc"]
    done = subprocess.run([*command, *options], cwd=project, capture_output=True, text=True, check=False, timeout=300)
    assert "1 passed" in done.stdout, done.stdout
    options[-1] = "none.cc"
    done = subprocess.run([*command, *options], cwd=project, capture_output=True, text=True, check=False, timeout=300)
    assert "none.cc: no such file" in done.stderr


def test_a_source_that_the_project_lacks_is_named(tinyhil, project: Path) -> None:
    (project / "clip.cc").unlink()
    done = tinyhil("matrix")
    assert done.returncode == ProjectFileError.exit_status
    assert "clip.cc" in done.stderr


def test_zephyr_says_that_it_takes_no_sources(tinyhil, project: Path) -> None:
    done = tinyhil("run", "clip.tflite", "--board", "mps2_an385", "--firmware", "zephyr", "--extra-source", "clip.cc")
    assert done.returncode == BuildFailed.exit_status
    assert "not compiled into the application on Zephyr" in done.stderr

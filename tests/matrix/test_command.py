# SPDX-License-Identifier: Apache-2.0
"""`tinyhil matrix` for real: reports, bundles that replay, and nothing lost where a disk is full."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tinyhil.board import board_names, load_board
from tinyhil.errors import MalformedModel, MissingTool, OracleMissing, OutputUnwritable
from tinyhil.golden import load
from tinyhil.journal import Journal
from tinyhil.matrix import own_model, own_models
from tinyhil.record import Record

TINYHIL = Path(sys.executable).with_name("tinyhil")
pytestmark = pytest.mark.needs("native")


def tinyhil(folder: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(TINYHIL), *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="session")
def digits() -> Path:
    return own_model("digits")


@pytest.fixture
def models(tmp_path, digits) -> Path:
    """A folder with the project's own model, whole."""
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(digits, folder / "good.tflite")
    shutil.copy(digits.with_name("digits.golden.npz"), folder / "good.golden.npz")
    return folder


def records(folder: Path) -> list[Record]:
    return [Record.from_json(each) for each in json.loads((folder / "out" / "matrix.json").read_text())["records"]]


def test_a_matrix_that_passes(tmp_path, models):
    done = tinyhil(tmp_path, "matrix", "--boards", "native", "--models", models)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "image of native" in done.stdout
    assert "1/1 PASS  native x good (native)" in done.stdout
    assert "1 cells in" in done.stdout and "1 PASS" in done.stdout
    (record,) = records(tmp_path)
    assert record.verdict == "pass"
    assert record.accuracy.correct > 0
    assert record.identity.image["build_id"] and record.identity.model["sha256"]
    assert ElementTree.parse(tmp_path / "out" / "matrix.xml").getroot().get("tests") == "1"


@pytest.mark.needs("arm-gcc", "qemu")
def test_by_default_it_runs_the_projects_models_on_every_emulated_board(tmp_path):
    done = tinyhil(tmp_path, "matrix")
    assert done.returncode == 0, done.stdout + done.stderr
    found = records(tmp_path)
    emulated = {name for name in board_names() if "qemu" in (board := load_board(name)).targets and board.bare_metal}
    assert {record.cell.board for record in found} == emulated > {"mps2_an385", "mps3_an547", "microbit"}
    assert {record.cell.model for record in found} == {path.stem for path in own_models()}
    for record in found:
        assert record.figures["inference"].unit == "instructions"
        for name in ("arena_used", "arena_available", "stack_peak", "stack_reserved", "flash", "ram"):
            assert record.figures[name].value > 0


def test_a_broken_cell_beside_a_good_one(tmp_path, models):
    (models / "broken.tflite").write_bytes((models / "good.tflite").read_bytes()[:1000])
    done = tinyhil(tmp_path, "matrix", "--boards", "native", "--models", models)
    assert done.returncode == MalformedModel.exit_status
    assert {record.cell.model: record.verdict for record in records(tmp_path)} == {"broken": "error", "good": "pass"}
    assert "next step: " in done.stdout


def test_a_cell_without_an_oracle_is_skipped_and_shown_or_fails_where_the_oracle_is_required(tmp_path, models, digits):
    shutil.copy(digits, models / "unknown.tflite")
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text("import sys\nsys.modules['tflite_micro'] = None\n")
    environment = {"PYTHONPATH": str(tmp_path / "hidden"), "TINYHIL_CACHE": str(tmp_path / "cache")}
    command = ["matrix", "--boards", "native", "--models", models]
    skipping = tinyhil(tmp_path, *command, **environment)
    assert skipping.returncode == 0, skipping.stdout + skipping.stderr
    assert "SKIP  native x unknown" in skipping.stdout
    assert "1 PASS, 1 SKIP" in skipping.stdout
    failing = tinyhil(tmp_path, *command, "--require", "oracle", **environment)
    assert failing.returncode == OracleMissing.exit_status
    assert "ERROR native x unknown" in failing.stdout


def test_cells_without_the_sources_they_need_are_skipped_with_the_reason_or_fail_where_required(tmp_path, models):
    nowhere = {"TFLM_DIR": str(tmp_path / "nothing"), "CMSIS_NN_DIR": str(tmp_path / "nothing either")}
    command = ["matrix", "--boards", "native", "--models", models, "--engines", "builtin,tflm"]
    skipping = tinyhil(tmp_path, *command, "--kernels", "reference,cmsis_nn", **nowhere)
    assert skipping.returncode == 0, skipping.stdout + skipping.stderr
    assert "1 PASS, 3 SKIP" in skipping.stdout
    reasons = {(found.cell.engine, found.cell.kernels): found.skip_reason for found in records(tmp_path)}
    assert reasons["builtin", "reference"] == ""
    assert "TFLM_DIR" in reasons["tflm", "reference"]
    assert "CMSIS_NN_DIR" in reasons["builtin", "cmsis_nn"]
    assert "tflm/cmsis_nn" in skipping.stdout  # a column of the table
    failing = tinyhil(tmp_path, *command, "--require", "tflm", **nowhere)
    assert failing.returncode == MissingTool.exit_status
    assert "Point TFLM_DIR at a checkout" in failing.stdout
    again = next(line for line in failing.stdout.splitlines() if "tinyhil run" in line)
    assert "--engine tflm" in again and "--kernels" not in again


@pytest.fixture
def wrong(tmp_path, models) -> Path:
    """The same model with one wrong number in its golden set, and the matrix's out folder after it ran."""
    path = models / "good.golden.npz"
    stored = load(path)
    golden = stored.subset(range(len(stored)))  # a copy: what is loaded is read-only
    golden.outputs[0][3].reshape(-1)[0] ^= 1
    golden.save(path)
    done = tinyhil(tmp_path, "matrix", "--boards", "native", "--models", models)
    assert done.returncode == 1
    return tmp_path / "out"


def test_a_failure_leaves_a_bundle_whose_command_replays_it_with_these_files_alone(tmp_path, models, wrong):
    (record,) = records(tmp_path)
    bundle = tmp_path / record.bundle
    shutil.rmtree(models)
    again = tinyhil(tmp_path, *shlex.split((bundle / "command.txt").read_text())[1:], "--json")
    assert again.returncode == 1
    replayed = json.loads(again.stdout)["difference"]
    assert replayed["vector"] == 0
    assert replayed["output"] == record.to_json()["difference"]["output"]


def test_a_bundle_holds_input_got_and_want(tmp_path, wrong):
    import numpy as np

    (record,) = records(tmp_path)
    bundle = tmp_path / record.bundle
    got, want = np.load(bundle / "got_0.npy"), np.load(bundle / "want_0.npy")
    assert (got != want).sum() == 1
    assert np.load(bundle / "input_0.npy").size > 1
    assert Record.from_json(json.loads((bundle / "record.json").read_text())).verdict == "fail"


def test_junit_has_the_failure_with_the_fact_first(wrong):
    failure = ElementTree.parse(wrong / "matrix.xml").getroot().find(".//failure")
    assert failure.get("message").startswith("output 0[0, 0]: got ")


def test_two_matrices_at_once_into_one_folder_both_end_well(tmp_path, models):
    command = [str(TINYHIL), "matrix", "--boards", "native", "--models", str(models)]
    both = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    assert [record.verdict for record in records(tmp_path)] == ["pass"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "matrix.csv",
        "matrix.html",
        "matrix.json",
        "matrix.md",
        "matrix.xml",
        "records.jsonl",
    ]
    with Journal(tmp_path / "out", resume=True) as journal:  # both wrote to it, and no line is torn
        assert {record.verdict for record in journal.found} == {"pass"}


def test_a_folder_that_cannot_be_written_to_is_refused_before_anything_runs(tmp_path, models):
    done = tinyhil(tmp_path, "matrix", "--boards", "native", "--models", models, "--out", "/proc/out")
    assert done.returncode == OutputUnwritable.exit_status
    assert "/proc/out" in done.stderr and "next step: " in done.stderr
    assert "PASS" not in done.stdout


ON_A_FULL_DISK = """
mount -t tmpfs -o size=16k none out && echo before >out/matrix.json
head -c 1M /dev/zero >out/ballast
"$@"
echo "status $?"
cat out/matrix.json
ls -A out
"""


def test_a_full_disk_loses_neither_the_verdict_nor_the_report_of_before(tmp_path, models, wrong):
    space = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*space, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode:
        pytest.skip("no small file system can be mounted here")
    done = subprocess.run(
        [*space, "bash", "-c", ON_A_FULL_DISK, "-", TINYHIL, "matrix", "--boards", "native", "--models", models],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "FAIL  native x good" in done.stdout
    assert "No space left on device" in done.stderr and "next step: " in done.stderr
    assert "Traceback" not in done.stderr
    after = done.stdout.splitlines()[-6:]
    assert after[:2] == [f"status {OutputUnwritable.exit_status}", "before"]
    assert after[2:] == ["ballast", "failures", "matrix.json", "records.jsonl"]

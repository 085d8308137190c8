# SPDX-License-Identifier: Apache-2.0
"""`tinyhil run`: a verdict, and what it cost."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from tinyhil.golden import load
from tinyhil.model import load_model
from tinyhil.record import Record

pytestmark = pytest.mark.needs("native")
BOARD = "mps2_an386"


@pytest.fixture
def stored(digits):
    return load(digits.with_name("digits.golden.npz"))


@pytest.mark.needs("arm-gcc", "qemu")
def test_a_pass_prints_every_figure_of_the_issue(tinyhil, digits, stored):
    done = tinyhil("run", digits, "--board", BOARD)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"PASS  digits on {BOARD} (qemu): bit for bit what tflm {stored.oracle_version}")
    rows = {line.split()[0]: line for line in done.stdout.splitlines()[1:]}
    assert set(rows) == {"inference", "arena", "stack", "flash", "RAM", "model", "accuracy", "vectors", "elapsed"}
    assert " instructions " in rows["inference"] and "QEMU" in rows["inference"]
    assert f" {len(stored)} (" in rows["vectors"]


@pytest.mark.needs("arm-gcc", "qemu")
def test_the_record_identifies_all_that_made_it(tinyhil, digits):
    done = tinyhil("run", digits, "--board", BOARD, "--vectors", 2, "--json")
    record = Record.from_json(json.loads(done.stdout))
    identity = record.identity
    assert identity.model["sha256"] == load_model(digits).sha256
    assert len(identity.image["build_id"]) == 16
    assert "arm-none-eabi" in identity.image["compiler"] and "-O2" in identity.image["flags"]
    assert "7." in identity.target["version"] or identity.target["version"]
    assert identity.golden["oracle"] == "tflm"
    assert record.command == f"tinyhil run {digits} --board {BOARD} --target qemu --vectors 2"


@pytest.mark.needs("arm-gcc", "qemu")
def test_the_instructions_are_the_same_on_every_run(tinyhil, digits):
    runs = [tinyhil("run", digits, "--board", BOARD, "--vectors", 1, "--json") for _ in range(2)]
    first, second = (json.loads(done.stdout)["figures"]["inference"] for done in runs)
    assert first == second
    assert first["unit"] == "instructions"


def test_the_accuracy_on_the_device_is_the_oracles(tinyhil, digits, stored):
    done = tinyhil("run", digits, "--board", "native", "--json")
    accuracy = json.loads(done.stdout)["accuracy"]
    assert accuracy["correct"] / accuracy["labelled"] == pytest.approx(stored.accuracy())


@pytest.mark.needs("oracle")
def test_a_model_without_a_stored_set_gets_vectors_on_the_spot_from_the_seed(tinyhil, digits, tmp_path):
    shutil.copy(digits, tmp_path / "mine.tflite")
    for seed in (0, 7):
        done = tinyhil("run", "mine.tflite", "--board", "native", "--seed", seed, "--json")
        record = json.loads(done.stdout)
        assert record["verdict"] == "pass"
        assert record["identity"]["golden"]["seed"] == seed
        assert record["vectors"]["kinds"] == {
            "uniform": 3,
            "random_walk": 2,
            "minimum": 1,
            "maximum": 1,
            "zero_point": 1,
        }
    assert [path.name for path in tmp_path.iterdir()] == ["mine.tflite"]


@pytest.mark.needs("oracle")
def test_a_users_own_inputs(tinyhil, digits, tmp_path, stored):
    np.save(tmp_path / "x.npy", stored.inputs[0][:3])
    done = tinyhil("run", digits, "--board", "native", "--input", "x.npy", "--json")
    record = json.loads(done.stdout)
    assert (record["verdict"], record["vectors"]["kinds"]) == ("pass", {"sample": 3})


def test_fewer_vectors(tinyhil, digits):
    done = tinyhil("run", digits, "--board", "native", "--vectors", 4, "--json")
    assert json.loads(done.stdout)["vectors"]["count"] == 4

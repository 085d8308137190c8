# SPDX-License-Identifier: Apache-2.0
"""`tinyhil compare` puts two cells side by side; `run --profile` and `diagnose` go operator by operator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.records import passed

from tinyhil.cli import cli
from tinyhil.matrix import own_model
from tinyhil.record import Figure

DIGITS = own_model("digits")


@pytest.fixture
def matrix(tmp_path) -> Path:
    path = tmp_path / "matrix.json"
    cycles = passed("kws", "nrf52840dk")
    cycles.figures["inference"] = Figure(9_000_000, "cycles", "DWT")
    records = [passed("kws"), passed("kws", "mps2_an500", scale=2.0), passed("vww"), cycles]
    path.write_text(json.dumps({"records": [record.to_json() for record in records]}))
    return path


def run(*arguments: object, width: str = "160") -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": width}).invoke(cli, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_two_boards_operator_by_operator(matrix):
    status, said = run("compare", f"{matrix}:an386*kws", f"{matrix}:an500*kws")
    assert status == 0
    lines = [line.split("│") for line in said.splitlines() if "│" in line]
    rows = {line[2].strip(): [cell.strip() for cell in line[4:7]] for line in lines}
    assert rows["DEPTHWISE_CONV_2D"] == ["350,000", "700,000", "2.000"]
    assert rows["CONV_2D"] == ["400,000", "400,000", "1.000"]
    assert rows["inference, instructions"] == ["752,000", "1,102,000", "1.465"]


def test_figures_of_other_units_have_no_ratio(matrix):
    status, said = run("compare", f"{matrix}:an386*kws", f"{matrix}:nrf52840dk*")
    assert status == 0
    (line,) = [line for line in said.splitlines() if "inference" in line]
    assert "752,000" in line
    assert "9,000,000 cycles" in line and line.split("│")[6].strip() == ""


@pytest.mark.parametrize("pattern", ["kws", "nothing"])
def test_a_pattern_must_fit_one_cell(matrix, pattern):
    status, said = run("compare", f"{matrix}:{pattern}", f"{matrix}:vww")
    assert status == 2 and "it must be one of" in said


def test_a_file_that_is_not_there_is_named(tmp_path):
    status, said = run("compare", tmp_path / "no.json", tmp_path / "no.json")
    assert status == 2 and "no.json: no such file" in said


@pytest.mark.needs("qemu", "arm-gcc")
def test_a_profile_adds_up_to_the_inference():
    status, said = run("run", DIGITS, "--board", "mps2_an386", "--vectors", "1", "--profile")
    assert status == 0
    (inference,) = [line for line in said.splitlines() if line.startswith("  inference")]
    (total,) = [line for line in said.splitlines() if " all " in line]
    whole, parts = int(inference.split()[1].replace(",", "")), int(total.split("│")[5].replace(",", ""))
    assert abs(parts - whole) < 0.01 * whole  # the loop around the operators is in none of them
    assert "DEPTHWISE_CONV_2D" in said and "38." in said


@pytest.mark.needs("native")
def test_diagnose_of_a_right_model_says_so():
    status, said = run("diagnose", DIGITS, "--board", "native", "--vectors", "2")
    assert status == 0 and said.startswith("PASS")

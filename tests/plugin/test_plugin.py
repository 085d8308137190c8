# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin in a test suite of a user's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tinyhil.golden import load
from tinyhil.matrix import own_model

ROOT = Path(__file__).resolve().parents[2]

SUITE = """
from tinyhil.verdict import assert_golden

def test_the_board_computes_what_my_desk_does(device, golden):
    assert_golden(device, golden)
"""


@pytest.fixture
def suite(pytester):
    """Runs pytest in a process of its own, in a folder that holds `SUITE` or another one."""

    def run(*arguments: str, text: str = SUITE):
        pytester.makepyfile(test_mine=text)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)

    return run


@pytest.fixture
def digits() -> str:
    path = own_model("digits")
    return str(path)


def test_without_a_board_a_test_is_skipped_and_says_how_to_give_one(suite, digits):
    result = suite("-rs", "--hil-model", digits)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*no board given: pytest --hil-board NAME*"])


def test_without_a_model_a_test_is_skipped_and_says_how_to_give_one(suite):
    result = suite("-rs", "--hil-board", "native")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*no model given: pytest --hil-model FILE.tflite*"])


@pytest.mark.parametrize("name", ["board", "model"])
def test_what_is_required_fails_instead_of_skipping(suite, name, digits):
    given = {"board": ["--hil-model", digits], "model": ["--hil-board", "native"]}[name]
    result = suite("--hil-require", f"oracle,{name}", *given)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*no {name} given*required by --hil-require {name}*"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--hil-board", "mps2_an38"], "There is no board named 'mps2_an38'"),
        (["--hil-board", "native,mps2_an38"], "There is no board named 'mps2_an38'"),
        (["--hil-board", "native", "--hil-target", "qemu"], "board native has no target 'qemu'"),
        (["--hil-model", "absent.tflite"], "absent.tflite: no such file"),
        (["--hil-golden", "absent.npz"], "absent.npz: no such file"),
        (["--hil-require", "bord"], "--hil-require: bord: there is only"),
    ],
)
def test_an_option_that_names_nothing_is_wrong_usage(suite, arguments, words):
    result = suite(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in result.stderr.str()


@pytest.fixture
def models(pytester, digits) -> list[str]:
    """Two models of the project's own with their golden sets, in the suite's folder."""
    for name in ("a", "b"):
        shutil.copy(digits, pytester.path / f"{name}.tflite")
        shutil.copy(Path(digits).with_name("digits.golden.npz"), pytester.path / f"{name}.golden.npz")
    return ["--hil-model", "a.tflite", "--hil-model", "b.tflite"]


@pytest.mark.needs("native", "arm-gcc", "qemu")
def test_several_boards_and_models_parametrize(suite, models):
    result = suite("-v", "--hil-board", "native,mps2_an385", "--hil-board", "mps2_an386", *models)
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines_random(
        [f"*[[]{board}-{model}[]] PASSED*" for board in ("native", "mps2_an385", "mps2_an386") for model in "ab"]
    )


WRONG = """
from tinyhil.verdict import assert_golden

def test_wrong(device, golden):
    changed = golden.subset(range(5))
    changed.outputs[0][2].reshape(-1)[1] ^= 4
    assert_golden(device, changed)

def test_right(device, golden):
    assert_golden(device, golden.subset([0]))
"""


@pytest.mark.needs("native")
def test_a_wrong_output_shows_the_fact_and_the_tests_own_line_and_nothing_of_the_library(suite, models):
    result = suite("--hil-board", "native", *models[:2], text=WRONG)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "test_mine.py:6: in test_wrong",
            "    assert_golden(device, changed)",
            "E   tinyhil.errors.OutputMismatch: output 0[[]0, 1]: got *, want * (1 of 10 differ, vector 2 uniform)",
            "*1 of 5 vectors differ*",
            "FAILED test_mine.py::test_wrong*OutputMismatch*",
        ]
    )
    assert "verdict.py" not in result.stdout.str()


TROUBLE = """
import pytest
from tinyhil.errors import BadInput, TargetError
from tinyhil.verdict import assert_golden

def test_ends_the_device(device, golden):
    device.close()
    device.run([array[0] for array in golden.inputs])

def test_gets_a_new_one(device, golden):
    assert_golden(device, golden.subset([0]))

def test_leaves_another_arena(device, model):
    device.load(model, arena_bytes=device.load(model).arena_used)

def test_finds_the_model_freshly_loaded(device):
    assert device.memory().arena_bytes > 100_000
"""


@pytest.mark.needs("native")
def test_a_device_that_died_in_one_test_is_a_new_one_in_the_next(suite, models):
    result = suite("--hil-board", "native", *models[:2], text=TROUBLE)
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["FAILED test_mine.py::test_ends_the_device*"])


OWN_MODEL = """
import pathlib, pytest
from tinyhil.model import load_model
from tinyhil.verdict import assert_golden

@pytest.fixture
def model():
    return load_model(pathlib.Path(__file__).parent / "a.tflite")

def test_mine(device, golden):
    assert_golden(device, golden)

@pytest.mark.parametrize("board", ["native"], indirect=True)
def test_on_a_board_of_its_own(device, board):
    assert board.name == "native"
"""


@pytest.mark.needs("native")
def test_a_suite_may_bring_its_own_model_and_a_test_its_own_board(suite, models):
    suite("--hil-board", "native", text=OWN_MODEL).assert_outcomes(passed=2)
    suite(text=OWN_MODEL).assert_outcomes(passed=1, skipped=1)


@pytest.mark.needs("native")
def test_a_golden_set_of_another_model_is_refused_and_the_right_one_is_used(suite, models, pytester):
    stored = load(pytester.path / "a.golden.npz")
    replace(stored, model_sha256="0" * 64).save(pytester.path / "stale.npz")
    result = suite("--hil-board", "native", "--hil-golden", "stale.npz", *models[:2])
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*StaleGolden*stale.npz*"])
    arguments = ["--hil-golden", "stale.npz", "--hil-golden", "a.golden.npz"]
    suite("--hil-board", "native", *arguments, *models[:2]).assert_outcomes(passed=1)


KEPT_SUITE = """
import os
from pathlib import Path

import pytest


def children():
    stats = [path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat")]
    return sum(int(stat[1]) == os.getpid() for stat in stats if stat[0] != "Z")


def test_first(device):
    assert children() == 1

def test_last(device):
    assert children() == 1

def test_after():
    assert children() == 0

class TestOther:
    @pytest.fixture
    def device(self):
        return None

    def test_with_a_device_of_its_own(self, device):
        assert children() == 0
"""


@pytest.mark.needs("native", "oracle")
def test_a_device_is_kept_from_test_to_test_and_ended_after_the_last_that_uses_it(suite, digits):
    result = suite("--hil-board", "native", "--hil-model", digits, text=KEPT_SUITE)
    result.assert_outcomes(passed=4)


def test_suites_that_use_no_fixture_of_the_plugin_pay_for_nothing_heavy():
    heavy = {"numpy", "yaml", "rich", "jsonschema", "tinyhil.board", "tinyhil.device"}
    code = f"import sys, tinyhil.pytest_plugin; print(*({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"

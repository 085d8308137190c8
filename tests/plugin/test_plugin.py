# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin in a test suite of a user's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tinyhil.matrix import own_models

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
    (path,) = own_models()
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


def test_suites_that_use_no_fixture_of_the_plugin_pay_for_nothing_heavy():
    heavy = {"numpy", "yaml", "rich", "jsonschema", "tinyhil.board", "tinyhil.device"}
    code = f"import sys, tinyhil.pytest_plugin; print(*({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"

# SPDX-License-Identifier: Apache-2.0
"""The library's keywords: which there are, what they say, and what is left when something goes wrong."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from robot_suites import ROOT

from tinyhil import golden
from tinyhil.model import load_model

pytestmark = pytest.mark.needs("robot")

KEYWORDS = {
    "Arena Should Fit",
    "Flash Should Not Exceed",
    "Flip Model Bit",
    "Get Device Info",
    "Get Figures",
    "Input Should Be Refused",
    "Instructions Should Not Exceed",
    "Line Should Be Refused",
    "Load Model",
    "Loading Should Be Refused",
    "Lose Uart Bytes",
    "Operator Checksums Should Match",
    "Outputs Should Match Golden",
    "Reset Device During Inference",
    "Run Golden Vectors",
    "Send Line",
    "Send Text Command",
    "Stack Should Fit",
    "Start Device",
    "Stop Device",
}
"""Part of the public interface: never take one away."""

HEAD = "*** Settings ***\nLibrary    tinyhil.robot\n*** Test Cases ***\n"


@pytest.fixture
def keywords(tmp_path):
    """The library as libdoc sees it."""
    from robot.libdocpkg import LibraryDocumentation

    page = tmp_path / "keywords.json"
    LibraryDocumentation("tinyhil.robot").save(page, "JSON")
    return json.loads(page.read_text())


def test_the_keywords_are_those_that_were_recorded(keywords):
    assert {keyword["name"] for keyword in keywords["keywords"]} == KEYWORDS


def test_every_keyword_says_what_it_does_and_every_argument_has_a_type(keywords):
    assert "Start Device" in keywords["doc"]
    for keyword in keywords["keywords"]:
        assert keyword["shortdoc"].endswith("."), keyword["name"]
        assert all(argument["type"] for argument in keyword["args"]), keyword["name"]


def test_libdoc_makes_a_page_of_them(tmp_path):
    from robot.libdoc import libdoc

    page = tmp_path / "keywords.html"
    libdoc("tinyhil.robot", str(page), quiet=True)
    assert "Operator Checksums Should Match" in page.read_text()


def test_the_readme_lists_every_keyword():
    table = (ROOT / "robot" / "README.md").read_text().split("## Keywords")[1]
    assert set(re.findall(r"^\| ([A-Z][^|]+?) \|", table, re.MULTILINE)) == KEYWORDS


@pytest.fixture
def wrong_golden(tmp_path):
    """The project's model beside a golden set in which one output element is another."""
    model = tmp_path / "digits.tflite"
    shutil.copy(ROOT / "firmware" / "models" / "digits" / "digits.tflite", model)
    right = golden.load(ROOT / "firmware" / "models" / "digits" / "digits.golden.npz").subset(range(3))
    right.outputs[0] = right.outputs[0].copy()
    right.outputs[0].reshape(3, -1)[1, 4] ^= np.int8(1)
    right.save(tmp_path / "digits.golden.npz")
    assert load_model(model).sha256 == right.model_sha256
    return model


@pytest.mark.needs("qemu", "arm-gcc")
def test_a_difference_fails_by_its_first_element_and_leaves_a_bundle(robot, tmp_path, wrong_golden):
    suite = tmp_path / "suite.robot"
    suite.write_text(
        HEAD + f"Differs\n    Start Device    mps2_an386\n    Load Model    {wrong_golden}\n"
        "    Run Golden Vectors\n    Operator Checksums Should Match\n    Outputs Should Match Golden\n"
    )
    ran = robot(suite)
    assert ran.status == 1
    assert "OutputMismatch: output 0[0, 4]" in ran.messages
    assert ran.matrix["summary"]["fail"] == 1
    bundle = ran.matrix["records"][0]["bundle"]
    assert bundle and json.loads((ran.out / "tinyhil" / "matrix.json").read_text())["records"][0]["verdict"] == "fail"


@pytest.mark.needs("native")
def test_a_device_ends_with_the_test_or_suite_that_started_it(robot, tmp_path):
    count = f"    ${{running}}=    Evaluate    {CHILDREN}    modules=os,pathlib\n"
    suite = tmp_path / "suite.robot"
    suite.write_text(
        HEAD + "Fails\n    Start Device    native    native\n    Fail    on purpose\n"
        f"Nothing Runs\n{count}    Should Be Equal As Integers    ${{running}}    0\n"
    )
    assert robot(suite).tests == {"Fails": "FAIL", "Nothing Runs": "PASS"}


CHILDREN = (
    "sum(os.getpid() == int(stat.read_text().rpartition(')')[2].split()[1]) "
    "for stat in pathlib.Path('/proc').glob('[0-9]*/stat'))"
)
"""How many processes this one has begun that still run."""


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ("Start Device", "no board is given"),
        ("Start Device    mps2_an999", "There is no board named 'mps2_an999'"),
        ("Start Device    mps2_an386    serial", "has no target 'serial'"),
        ("Load Model    digits", "no device is started"),
        ("Run Golden Vectors", "no device is started"),
        ("Outputs Should Match Golden", "no golden vectors were run"),
    ],
)
def test_steps_out_of_turn_and_wrong_names_fail_with_what_to_do(robot, tmp_path, steps, words):
    suite = tmp_path / "suite.robot"
    suite.write_text(HEAD + f"Wrong\n    {steps}\n")
    ran = robot(suite)
    assert ran.status == 1
    assert words in ran.messages
    assert "next step:" in ran.messages

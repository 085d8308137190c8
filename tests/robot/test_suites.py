# SPDX-License-Identifier: Apache-2.0
"""The project's suites pass on an emulated board, and leave what other runs leave."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from robot_suites import SUITES

from tinyhil import record

pytestmark = pytest.mark.needs("robot", "arm-gcc")


@pytest.mark.parametrize("suite", SUITES, ids=[suite.stem for suite in SUITES])
@pytest.mark.needs("qemu")
def test_a_suite_passes_in_qemu(robot, suite):
    ran = robot("--variable", "TARGET:qemu", "--variable", "VECTORS:20", suite)
    assert ran.status == 0, ran.said
    assert set(ran.tests.values()) == {"PASS"}


@pytest.mark.parametrize("suite", SUITES, ids=[suite.stem for suite in SUITES])
@pytest.mark.needs("renode")
def test_a_suite_passes_in_renode(robot, suite):
    ran = robot("--variable", "TARGET:renode", "--variable", "BOARD:nrf52840dk", "--variable", "VECTORS:4", suite)
    assert ran.status == 0, ran.said
    assert set(ran.tests.values()) == {"PASS"}


@pytest.mark.needs("native")
def test_what_a_target_cannot_do_is_skipped_with_its_reason(robot):
    ran = robot("--variable", "TARGET:native", "--variable", "BOARD:native", SUITES[0].parent / "faults.robot")
    assert ran.status == 0, ran.said
    assert "target native cannot reset its board from outside" in ran.messages


def test_every_suite_stands_a_dry_run(robot):
    ran = robot("--dryrun", *SUITES)
    assert ran.status == 0, ran.said
    assert len(ran.tests) == 24


@pytest.mark.needs("qemu")
def test_a_run_joins_the_records_of_the_matrix_and_junit(robot):
    ran = robot("--variable", "TARGET:qemu", "--xunit", "xunit.xml", SUITES[0].parent / "golden.robot")
    assert ran.status == 0, ran.said
    (only,) = ran.matrix["records"]
    record.validate(only)
    assert (only["cell"]["board"], only["cell"]["target"], only["verdict"]) == ("mps2_an386", "qemu", "pass")
    assert only["vectors"]["count"] > 2  # the run with all of them, not the later one with two
    assert ElementTree.parse(ran.out / "tinyhil" / "matrix.xml").getroot().tag == "testsuites"
    assert ElementTree.parse(ran.out / "xunit.xml").getroot().attrib["failures"] == "0"

# SPDX-License-Identifier: Apache-2.0
"""Runs a suite as renode-test does: Renode's keywords and set-up are brought in from outside, the suite is unchanged.

Usage: as_renode_runs_it.py SUITE RESOURCE PORT OUT [NAME:VALUE...]
"""

from __future__ import annotations

import sys

from robot.running.builder import TestSuiteBuilder

path, resource, port, out, *variables = sys.argv[1:]
suite = TestSuiteBuilder().build(path)
suite.resource.imports.create(type="Resource", name=resource)
suite.setup.config(name="Setup")
for test in suite.tests:
    test.setup.config(name="Reset Emulation")
given = [f"PORT_NUMBER:{port}", f"RENODEKEYWORDS:{resource}", f"RESULTS_DIRECTORY:{out}", *variables]
result = suite.run(output=f"{out}/output.xml", variable=given)
sys.exit(result.return_code)

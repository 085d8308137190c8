# SPDX-License-Identifier: Apache-2.0
"""The suites, unchanged, where only Renode's keywords reach the device."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from robot_suites import ROOT, Ran

pytestmark = pytest.mark.needs("robot", "qemu", "arm-gcc")

HERE = Path(__file__).parent


@pytest.fixture
def server():
    from fake_renode_server import FakeRenode

    fake = FakeRenode()
    yield fake
    fake.close()


# Left out is faults.robot, in which the emulation's time is stopped: QEMU has none to stop.
@pytest.mark.parametrize("suite", ["golden", "operators", "protocol", "memory", "models"])
def test_a_suite_passes_through_renodes_keywords_alone(server, tmp_path, suite):
    command = [sys.executable, str(HERE / "as_renode_runs_it.py"), str(ROOT / "robot" / f"{suite}.robot")]
    command += [str(HERE / "renode_keywords.resource"), str(server.port), str(tmp_path), "VECTORS:3"]
    environment = {name: value for name, value in os.environ.items() if name != "RENODE"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    ran = Ran(done.returncode, done.stdout + done.stderr, tmp_path)
    assert ran.status == 0, ran.said
    assert set(ran.tests.values()) == {"PASS"}
    assert ("on a port of every network interface" in ran.said) == (socket.if_nameindex() != [(1, "lo")])
    if suite == "golden":
        (only,) = ran.matrix["records"]
        assert (only["cell"]["target"], only["verdict"]) == ("renode", "pass")
        assert only["identity"]["target"]["version"] == "1.16.1"

# SPDX-License-Identifier: Apache-2.0
"""The project's own model is what its script makes."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tinyhil.model import Model


@pytest.mark.needs("oracle", "sklearn")
def test_training_again_gives_the_same_files(digits: Model):
    done = subprocess.run(
        [sys.executable, str(digits.path.with_name("train.py")), "--check"],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("the same") == 4


def test_the_card_states_this_model_and_its_accuracy(digits: Model):
    card = digits.path.with_name("README.md").read_text()
    assert digits.sha256 in card
    assert f"{digits.macs:,}" in card
    accuracies = re.search(r"float ([\d.]+)%, int8 ([\d.]+)%", card)
    assert accuracies
    exact, quantized = map(float, accuracies.groups())
    assert exact >= 96
    assert abs(exact - quantized) <= 1

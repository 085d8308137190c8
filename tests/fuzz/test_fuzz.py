# SPDX-License-Identifier: Apache-2.0
"""The corpus and some thousand mutations of it, the same on every run, under the sanitizers; no fuzzer needed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fuzz.build import CORPUS, TARGETS, build
from tinyhil import assets

MUTATIONS = 5000


@pytest.mark.needs("native")
@pytest.mark.parametrize("target", TARGETS)
def test_mutations_of_the_corpus_are_refused_or_run(target: str) -> None:
    program = build(target, assets.cache_dir() / "tests", fuzzer=False)
    done = subprocess.run(
        [program, str(CORPUS / target), str(MUTATIONS), "1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert int(done.stdout) >= MUTATIONS


def test_the_corpus_stays_small() -> None:
    assert sum(path.stat().st_size for path in Path(CORPUS).rglob("*") if path.is_file()) < 300_000

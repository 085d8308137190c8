# SPDX-License-Identifier: Apache-2.0
"""That the conformance cases notice defects; `make defects` plants all of them."""

from __future__ import annotations

import pytest

from conformance.defects import DEFECTS, plant, survivors
from tinyhil import assets


@pytest.mark.parametrize("defect", DEFECTS, ids=str)
def test_a_defect_can_be_planted_in_the_sources_as_they_are(defect) -> None:
    source = assets.firmware_dir() / "kernels" / "reference" / defect.file
    assert plant(defect, source.read_text(encoding="utf-8"))


@pytest.mark.needs("native", "oracle")
def test_a_sample_of_defects_is_noticed() -> None:
    assert not survivors(DEFECTS[:: len(DEFECTS) // 3], cases=500)

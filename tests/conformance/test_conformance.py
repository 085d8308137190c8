# SPDX-License-Identifier: Apache-2.0
"""Every operator, on generated models of that operator alone: bit for bit what the oracle computes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conformance import table
from conformance.operators import OPERATORS
from conformance.runner import Conformance, store
from tinyhil.model import supported_operators
from tinyhil.model.support import supported_types

CASES = int(os.environ.get("TINYHIL_TEST_CASES", "500"))


def test_the_readme_lists_the_operators_of_the_firmware() -> None:
    assert set(table.rows_in(table.README.read_text(encoding="utf-8"))) == supported_operators("builtin")


def test_every_operator_of_the_firmware_has_cases() -> None:
    assert set(OPERATORS) == supported_operators("builtin")


@pytest.mark.needs("native")
@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_models_that_contradict_themselves_are_refused_or_harmless(name: str, conformance: Conformance) -> None:
    loaded, refused = conformance.damage(name, range(150))
    assert loaded > 0
    assert refused > 30


@pytest.mark.needs("native", "oracle")
@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_an_operator_equals_the_oracle_bit_for_bit(name: str, conformance: Conformance) -> None:
    tally = conformance.run(name, range(CASES))
    if tally.failures:
        small = conformance.shrink(tally.failures[0])
        path = store(small, Path("out") / "conformance")
        pytest.fail(f"{small}\n{path}: make conformance ARGS='--replay {path}'", pytrace=False)
    assert tally.cases == CASES
    assert tally.equal >= CASES // 2, "cases that are refused show little"
    assert (tally.without_oracle == tally.equal) == OPERATORS[name].without_oracle
    if CASES >= 500:
        declared = {*OPERATORS[name].refuses.values(), *OPERATORS[name].runs.values()}
        assert {reason for reason, count in tally.declared.items() if count} == declared, "declared, and never met"
    rows = table.rows_in(table.README.read_text(encoding="utf-8"))
    assert rows.get(name) == table.row(OPERATORS[name], tally.types), (
        "the README's table is not up to date: make operators"
    )
    assert tally.types == supported_types(name), "scripts/tinyhil/model/support.py"

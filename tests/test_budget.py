# SPDX-License-Identifier: Apache-2.0
"""A budget names number and limit; an expected failure has an owner, a reason and an end."""

from __future__ import annotations

import datetime
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from tests.records import not_passed, passed

from tinyhil.budget import load_budgets
from tinyhil.cli import cli
from tinyhil.errors import BudgetError
from tinyhil.matrix import MatrixResult
from tinyhil.record import Accuracy, ErrorInfo, Figure, Record
from tinyhil.report.junit import junit_xml
from tinyhil.report.terminal import cell_lines

TODAY = datetime.date(2026, 11, 21)


@pytest.fixture
def apply(tmp_path):
    def apply(text: str, record: Record, today: datetime.date = TODAY) -> Record:
        path = tmp_path / "budgets.yaml"
        path.write_text(dedent(text))
        load_budgets(path).apply(record, today=today)
        assert Record.from_json(record.to_json()) == record
        return record

    return apply


def test_within_its_budget_a_cell_passes(apply):
    record = apply("budgets: [{model: kws, instructions: 752000, arena: 21K, stack: 2K, flash: 1M, ram: 1M}]", passed())
    assert (record.verdict, record.exit_status) == ("pass", 0)
    assert len(record.budgets) == 5
    assert "budget     arena 20,640 bytes is within its budget of 21,504" in "\n".join(cell_lines(record))


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("instructions: 751999", "instructions 752,000 instructions is above its budget of 751,999"),
        ("arena: 20K", "arena 20,640 bytes is above its budget of 20,480"),
        ("stack: 1507", "stack 1,508 bytes is above its budget of 1,507"),
        ("flash: 48K", "flash 48,212 bytes is above its budget of"),
        ("ram: 1K", "ram 12,160 bytes is above its budget of 1,024"),
        ("accuracy: 0.95", "accuracy 0.9 of 1 is below its budget of 0.95"),
    ],
)
def test_an_exceeded_budget_fails_with_number_and_limit(apply, limit, said):
    record = passed(flash=50_000) if "flash" in limit else passed()
    said = said.replace("48,212", "50,000")
    record.accuracy = Accuracy(9, 10)
    apply(f"budgets: [{{model: kws, {limit}}}]", record)
    assert (record.verdict, record.exit_status) == ("fail", 64)
    assert record.headline().startswith(said)
    case = ElementTree.fromstring(junit_xml([record]).encode()).find(".//failure")
    assert case is not None and case.get("type") == "BudgetExceeded"


def test_milliseconds_follow_from_cycles_and_the_clock_alone(apply):
    text = "{budgets: [{model: kws, milliseconds: 100}], clocks_hz: {mps2_an386: 64000000}}"
    assert apply(text, passed()).budgets == []  # instructions are no time
    record = passed()
    record.figures["inference"] = Figure(9_600_000, "cycles", "DWT")
    assert apply(text, record).headline() == "milliseconds 150.0 ms is above its budget of 100"


def test_counts_of_another_unit_are_not_held_against_a_budget(apply):
    assert apply("budgets: [{model: kws, cycles: 1}]", passed()).verdict == "pass"


def test_patterns_choose_cells_and_every_budget_that_fits_holds(apply):
    text = """
        budgets:
          - {model: "*", board: "mps2_*", flash: 1M}
          - {model: "k?s", engine: builtin, kernels: reference, target: qemu, firmware: bare_metal, arena: 1K}
          - {model: kws, board: nrf52840dk, arena: 1}
    """
    assert [check.limit for check in apply(text, passed()).budgets] == [1 << 20, 1024]


def test_a_wrong_output_stays_one_whatever_the_budget(apply):
    record = not_passed(passed(), "error", error=ErrorInfo("TargetDied", 32, "it died", "", ""))
    assert apply("budgets: [{model: kws, arena: 1}]", record).exit_status == 32


# Expected failures ----------------------------------------------------------------------------------------------------
EXPECTED = """
    expected_failures:
      - {model: kws, error: ArenaOverflow, owner: ann, reason: 16 KB of RAM, until: '2026-12-31'}
"""


def too_small() -> Record:
    return not_passed(passed(), "error", error=ErrorInfo("ArenaOverflow", 17, "arena too small", "", ""))


def test_an_expected_failure_is_no_failure_and_is_shown_as_one(apply):
    record = apply(EXPECTED, too_small())
    assert (record.outcome, record.exit_status) == ("xfail", 0)
    assert record.headline() == "expected until 2026-12-31: 16 KB of RAM (ann)"
    assert cell_lines(record)[0].startswith("XFAIL  kws on mps2_an386")
    result = MatrixResult([record, passed("vww")], 2)
    assert (result.exit_status, result.summary()["xfail"]) == (0, 1)
    assert ElementTree.fromstring(junit_xml([record]).encode()).get("skipped") == "1"


def test_an_expired_one_fails(apply):
    record = apply(EXPECTED, too_small(), today=datetime.date(2027, 1, 1))
    assert record.exit_status == 17
    assert "was expected to fail until 2026-12-31: that is over" in "\n".join(cell_lines(record))
    assert apply(EXPECTED, too_small(), today=datetime.date(2026, 12, 31)).exit_status == 0


def test_another_failure_than_the_expected_one_fails(apply):
    record = not_passed(passed(), "error", error=ErrorInfo("TargetDied", 32, "it died", "", ""))
    assert apply(EXPECTED, record).exit_status == 32


def test_a_cell_that_is_expected_to_fail_and_passes_fails(apply):
    record = apply(EXPECTED, passed())
    assert (record.verdict, record.exit_status) == ("fail", 64)
    assert "but it passes: take the entry out of" in record.headline()
    assert "budgets.yaml:3" in record.headline()


# Wrong files ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budgets: [{model: kws, aerna: 3}]", "unknown key; did you mean 'arena'?"),
        ("budgets: [{board: x, arena: 3}]", "budgets[0].model: missing key"),
        ("budgets: [{model: kws}]", "budgets[0]"),
        ("budgets: [{model: kws, arena: lots}]", "'lots' is not a size"),
        ("budgets: [{model: kws, instructions: many}]", "must be an integer"),
        ("budgets: 3", "must be a list"),
        ("expected_failures: [{model: kws, owner: a, reason: b}]", "until: missing key"),
        ("expected_failures: [{model: kws, owner: a, reason: b, until: '2026-13-01'}]", "no day"),
        ("expected_failures: [{model: kws, owner: a, reason: b, until: 2026-12-31}]", "until: must be"),
        ("budgets: [", "not YAML"),
        ("[]", "must be a mapping"),
    ],
)
def test_a_wrong_file_is_refused_by_line_and_key(tmp_path, text, said):
    path = tmp_path / "budgets.yaml"
    path.write_text(text)
    with pytest.raises(BudgetError) as caught:
        load_budgets(path)
    assert said in caught.value.message
    assert str(path) in caught.value.message and caught.value.next_step


def test_a_budget_for_a_model_that_is_not_there_is_refused(tmp_path):
    path = tmp_path / "budgets.yaml"
    path.write_text("budgets:\n  - {model: kvs, arena: 3}\n")
    with pytest.raises(BudgetError, match=r"budgets\.yaml:2: no model here is called 'kvs'"):
        load_budgets(path).check_models(["kws", "vww"])


@pytest.mark.needs("native")
def test_the_command_holds_a_model_to_its_budget(tmp_path):
    from tinyhil.matrix import own_model

    digits = own_model("digits")
    path: Path = tmp_path / "budgets.yaml"
    path.write_text("budgets: [{model: digits, arena: 16}]")
    result = CliRunner().invoke(
        cli, ["run", str(digits), "--board", "native", "--vectors", "2", "--budgets", str(path)]
    )
    assert result.exit_code == 64, result.output
    assert "is above its budget of 16" in result.output.splitlines()[0]
    assert (
        f"--budgets {path}"
        in CliRunner()
        .invoke(cli, ["run", str(digits), "--board", "native", "--vectors", "2", "--budgets", str(path), "--json"])
        .output
    )

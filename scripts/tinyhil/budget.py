# SPDX-License-Identifier: Apache-2.0
"""What a cell may cost, and which cells are expected to fail: a YAML file that lies in the user's repository.

    budgets:
      - model: kws                  # a name or a pattern; board, target, engine, kernels, firmware likewise
        board: nrf52840dk
        instructions: 10_500_000    # or cycles, milliseconds (from cycles and clocks_hz)
        arena: 21K                  # stack, flash, ram
        accuracy: 0.9
    expected_failures:
      - model: vww
        board: stm32f072b_disco
        error: ArenaOverflow        # left out: any failure
        owner: ann@example.com
        reason: 16 KB of RAM
        until: '2026-12-31'
    clocks_hz: {nrf52840dk: 64_000_000}

Every budget that fits a cell holds. A budget that is exceeded makes the cell fail, with number and limit. An expected
failure keeps the cell from failing the matrix until its day is over; a cell that is expected to fail and passes fails.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tinyhil.errors import BudgetError
from tinyhil.record import BudgetCheck, Cell, Expectation, Record
from tinyhil.yaml_file import YamlFile

_SELECTORS = ("model", "board", "target", "engine", "kernels", "firmware")
_FIGURES = {"arena": "arena_used", "stack": "stack_peak", "flash": "flash", "ram": "ram"}


@dataclass(frozen=True)
class Rule:
    """An entry of the file. patterns: (selector, pattern). values: what it says beside them. where: file and line."""

    patterns: tuple[tuple[str, str], ...]
    values: tuple[tuple[str, Any], ...]
    where: str

    def fits(self, cell: Cell) -> bool:
        return all(fnmatchcase(str(getattr(cell, name)), pattern) for name, pattern in self.patterns)

    def fits_model(self, models: Sequence[str]) -> bool:
        pattern = dict(self.patterns)["model"]
        return any(fnmatchcase(model, pattern) for model in models)


@dataclass(frozen=True)
class Budgets:
    """A budget file, as it was read."""

    path: Path
    budgets: tuple[Rule, ...]
    expected: tuple[Rule, ...]
    clocks_hz: tuple[tuple[str, int], ...]

    def check_models(self, models: Sequence[str]) -> None:
        """Raises BudgetError where an entry is for a model that is none of these: a budget that holds nothing."""
        for rule in (*self.budgets, *self.expected):
            if not rule.fits_model(models):
                raise BudgetError(
                    f"{rule.where}: no model here is called {dict(rule.patterns)['model']!r}",
                    next_step=f"The models are: {', '.join(models)}. Correct the name, or take the entry out.",
                )

    def apply(self, record: Record, *, today: datetime.date | None = None) -> None:
        """Holds the record against every budget that fits it, and against what is expected of it."""
        checks = [check for rule in self.budgets if rule.fits(record.cell) for check in self._checks(rule, record)]
        record.budgets = checks
        if record.verdict == "pass" and any(check.exceeded for check in checks):
            record.verdict = "fail"
        for rule in self.expected:
            if rule.fits(record.cell):
                self._expect(rule, record, today or datetime.datetime.now(datetime.timezone.utc).date())
                return

    def _checks(self, rule: Rule, record: Record) -> list[BudgetCheck]:
        """A check for each limit of the rule that the record has a figure for. What did not run has none."""
        inference = record.figures.get("inference")
        checks = []
        for name, limit in rule.values:
            if name in _FIGURES:
                figure = record.figures.get(_FIGURES[name])
                value, unit = (figure.value, figure.unit) if figure else (None, "bytes")
            elif name == "accuracy":
                accuracy = record.accuracy
                value, unit = (accuracy.correct / accuracy.labelled if accuracy else None), "of 1"
            elif name == "milliseconds":
                hertz = dict(self.clocks_hz).get(record.cell.board)
                cycles = inference.value if inference and inference.unit == "cycles" else None
                value, unit = (None if cycles is None or hertz is None else 1000 * cycles / hertz), "ms"
            else:
                value, unit = (inference.value if inference and inference.unit == name else None), name
            if value is not None:
                exceeded = value < limit if name == "accuracy" else value > limit
                checks.append(BudgetCheck(name, value, limit, unit, exceeded))
        return checks

    def _expect(self, rule: Rule, record: Record, today: datetime.date) -> None:
        values = dict(rule.values)
        if record.verdict == "skip":
            return
        error = values.get("error")
        expired = datetime.date.fromisoformat(values["until"]) < today
        fits = record.verdict != "pass" and error in (None, record.error.error_class if record.error else None)
        note = ""
        if record.verdict == "pass":
            note = f"expected to fail, but it passes: take the entry out of {rule.where}"
            record.verdict = "fail"
        elif not fits:
            note = f"expected to fail with {error}, and fails otherwise ({rule.where})"
        elif expired:
            note = f"was expected to fail until {values['until']}: that is over ({rule.where})"
        record.expected = Expectation(values["owner"], values["reason"], values["until"], holds=not note, note=note)


def load_budgets(path: Path) -> Budgets:
    """Reads the file. Raises BudgetError, naming file, line and key."""
    file = YamlFile(path, "budgets", BudgetError, "the README")
    file.check()
    values: Mapping[str, Any] = file.values
    for index, entry in enumerate(values.get("expected_failures", [])):
        try:
            datetime.date.fromisoformat(entry["until"])
        except ValueError as error:
            raise file.error(["expected_failures", index, "until"], f"no day: {error}") from error
    return Budgets(
        path,
        tuple(_rule(file, "budgets", index, entry) for index, entry in enumerate(values.get("budgets", []))),
        tuple(
            _rule(file, "expected_failures", index, entry)
            for index, entry in enumerate(values.get("expected_failures", []))
        ),
        tuple(sorted(values.get("clocks_hz", {}).items())),
    )


def _rule(file: YamlFile, part: str, index: int, entry: Mapping[str, Any]) -> Rule:
    return Rule(
        tuple((name, entry[name]) for name in _SELECTORS if name in entry),
        tuple((name, _number(value)) for name, value in entry.items() if name not in _SELECTORS),
        file.place([part, index]),
    )


def _number(value: Any) -> Any:
    """A size in bytes; anything else as it is."""
    if isinstance(value, str) and value[:-1].isdigit() and value[-1:] in ("K", "M"):
        return int(value[:-1]) * (1024 if value[-1] == "K" else 1024 * 1024)
    return value

# SPDX-License-Identifier: Apache-2.0
"""Runs an operator's cases in the firmware, on the host or on a device, and in the oracle: where do they differ?

A case is its operator's name and a number, or a list of choices (draw.py). The rules:
- both run it: every output byte is equal (what a case brings as its expected outputs takes the oracle's place);
- both refuse it: fine, and counted;
- one refuses it: a failure, unless the operator declares the reason (operators/__init__.py);
- a sanitizer's report is always a failure.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from host_engine import Ran, Refused

from conformance.draw import Draw
from conformance.net import Case
from conformance.operators import OPERATORS, Operator
from conformance.oracle import Answer, Oracle, Refusal

SHRINK_ATTEMPTS = 400


@dataclass
class Tally:
    """What an operator's cases came to."""

    equal: int = 0
    without_oracle: int = 0  # of these, held against what the case expects
    refused: int = 0  # by both
    declared: Counter[str] = field(default_factory=Counter)  # reasons
    types: set[str] = field(default_factory=set)  # of inputs and outputs, in cases that ran
    failures: list[Failure] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return self.equal + self.refused + self.declared.total() + len(self.failures)


@dataclass(frozen=True)
class Failure:
    operator: str
    what: str
    choices: list[int]
    case: int | None = None  # its number, where it has one

    def __str__(self) -> str:
        name = self.operator if self.case is None else f"{self.operator} case {self.case}"
        return f"{name}: {self.what}"


def draw_case(operator: Operator, number: int) -> tuple[list[int], Case]:
    draw = Draw(f"{operator.name}/{number}")
    case = operator.generate(draw)
    return draw.choices, case


class Engine(Protocol):
    """What runs the firmware's engine: HostEngine, DeviceEngine. One that died of a model raises AssertionError."""

    def run(
        self, model: bytes, vectors: list[bytes], output_bytes: int, arena_bytes: int, *, keep_state: bool
    ) -> Ran | Refused: ...

    def close(self, check: bool = True) -> None: ...


class Conformance:
    """An engine and an oracle, and what to do with them. Close it."""

    def __init__(
        self,
        start: Callable[[], Engine],
        operators: Mapping[str, Operator] = OPERATORS,
        path: Callable[[bytes], str] | None = None,
    ) -> None:
        """start: makes the engine, and another after one that died. path: whose kernel must compute a model's only
        operator, in every vector; None: that is not checked.
        """
        self._start = start
        self._operators = operators
        self._path = path
        self._engine = start()
        self._oracle = Oracle()

    def close(self, check: bool = True) -> None:
        """Unless `check` is false, a leak or another report of a sanitizer is an error."""
        self._engine.close(check)
        self._oracle.close()

    def run(self, name: str, numbers: Sequence[int], keep: int = 3) -> Tally:
        """Runs the cases of these numbers; stops after `keep` failures."""
        operator, tally = self._operators[name], Tally()
        for start in range(0, len(numbers), 250):
            batch = numbers[start : start + 250]
            drawn = [draw_case(operator, number) for number in batch]
            for number, (choices, case), answer in zip(batch, drawn, self._answers(drawn), strict=True):
                what = self._compare(operator, case, answer, tally)
                if what:
                    tally.failures.append(Failure(name, what, choices, number))
            if len(tally.failures) >= keep:
                break
        return tally

    def damage(self, name: str, numbers: range) -> tuple[int, int]:
        """Runs damaged models in the firmware alone, where they must do no harm. How many were loaded, and refused."""
        operator, loaded, refused = OPERATORS[name], 0, 0
        for number in numbers:
            try:
                case = operator.generate(Draw(f"{name}/{number}", damage=True))
            except (ValueError, ZeroDivisionError, KeyError, IndexError):  # what the writer itself refuses
                continue
            # Without vectors: a damaged shape may ask for other inputs.
            ran = isinstance(self._engine.run(case.model, [], case.output_bytes, 1 << 18), Ran)
            loaded, refused = loaded + ran, refused + (not ran)
        return loaded, refused

    def check(self, name: str, choices: Sequence[int]) -> Failure | None:
        """One case by its choices; what is wrong with it, if something is."""
        operator = self._operators[name]
        draw = Draw("", choices)
        case = operator.generate(draw)
        what = self._compare(operator, case, next(self._answers([(draw.choices, case)])), Tally())
        return Failure(name, what, draw.choices) if what else None

    def shrink(self, failure: Failure) -> Failure:
        """A case with smaller choices that fails too."""
        best, attempts = failure, SHRINK_ATTEMPTS
        improved = True
        while improved and attempts > 0:
            improved = False
            for choices in _smaller(best.choices):
                attempts -= 1
                if attempts < 0:
                    break
                try:
                    found = self.check(failure.operator, choices)
                except Exception:  # choices that no generator would combine may fail to make a model
                    continue
                if found and sum(found.choices) < sum(best.choices):
                    best, improved = found, True
                    break
        return Failure(best.operator, best.what, best.choices, failure.case)

    def _answers(self, drawn: Sequence[tuple[list[int], Case]]) -> Iterator[Answer]:
        answers = self._oracle.run([case for _, case in drawn if case.expected is None])
        return (next(answers) if case.expected is None else case.expected for _, case in drawn)

    def _compare(self, operator: Operator, case: Case, answer: Answer, tally: Tally) -> str:
        """Empty where the two agree."""
        inputs = [b"".join(array.tobytes() for array in vector) for vector in case.vectors]
        try:
            got = self._engine.run(case.model, inputs, case.output_bytes, 1 << 18, keep_state=case.stateful)
        except AssertionError as report:
            self._engine.close(check=False)
            self._engine = self._start()
            return f"the firmware died of it: {_first_lines(str(report))}"
        if isinstance(got, Refused) and isinstance(answer, Refusal):
            tally.refused += 1
            return ""
        if isinstance(got, Refused):
            reason = _declared(operator.refuses, got.text)
            tally.declared[reason] += bool(reason)
            return "" if reason else f"the firmware refuses what the oracle runs: {got}"
        assert isinstance(got, Ran)
        if isinstance(answer, Refusal):
            reason = _declared(operator.runs, answer.text)
            tally.declared[reason] += bool(reason)
            return "" if reason else f"the firmware runs what the oracle refuses: {answer.text}"
        for number, (ours, oracles) in enumerate(zip(got.outputs, answer, strict=True)):
            if ours != oracles:
                return _difference(number, ours, oracles)
        if self._path is not None:
            want = [(self._path(case.model), len(case.vectors))]
            if got.paths != want:
                return f"computed by {got.paths}, not by {want}"
        tally.equal += 1
        tally.without_oracle += case.expected is not None
        tally.types.update(case.input_types, case.output_types)
        return ""


def _difference(vector: int, got: bytes, want: bytes) -> str:
    if len(got) != len(want):
        return f"vector {vector}: {len(got)} output bytes, the oracle has {len(want)}"
    at = [i for i, (g, w) in enumerate(zip(got, want, strict=True)) if g != w]
    few = ", ".join(f"[{i}] got {got[i]} want {want[i]}" for i in at[:4])
    return f"vector {vector}: {len(at)} of {len(want)} output bytes differ: {few}"


def _declared(declarations: dict[str, str], text: str) -> str:
    return next((reason for piece, reason in declarations.items() if piece in text), "")


def _first_lines(report: str) -> str:
    lines = [line.strip() for line in report.splitlines() if "ERROR" in line or "runtime error" in line or "#" in line]
    return " | ".join(lines[:6]) or report[-500:]


def _smaller(choices: list[int]) -> Iterator[list[int]]:
    for end in (0, len(choices) // 4, len(choices) // 2, len(choices) * 3 // 4, len(choices) - 1):
        if any(choices[end:]):
            yield choices[:end]
    for i, value in enumerate(choices):
        for less in sorted({0, value // 2, value - 1} - {value, -1}):
            yield [*choices[:i], less, *choices[i + 1 :]]


def store(failure: Failure, folder: Path) -> Path:
    """Writes the case and its model; returns the file that replays it."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{failure.operator}-{'x' if failure.case is None else failure.case}"
    case = OPERATORS[failure.operator].generate(Draw("", failure.choices))
    (folder / f"{stem}.tflite").write_bytes(case.model)
    path = folder / f"{stem}.json"
    record = {
        "operator": failure.operator,
        "seed": None if failure.case is None else f"{failure.operator}/{failure.case}",
        "choices": failure.choices,
        "what": failure.what,
        "replay": f"make conformance ARGS='--replay {path}'",
    }
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return path

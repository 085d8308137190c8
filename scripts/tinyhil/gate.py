# SPDX-License-Identifier: Apache-2.0
"""Is it worse than on the baseline? Records of now against the last like them in the history.

Like is compared with like: the same cell, made by the same compiler with the same flags, run by the same emulator. A
cell whose baseline was made otherwise is not compared, and is said to be so. Instructions and bytes are the same on
every run of the same code, so a small growth is a real one; cycles of real hardware are given more room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tinyhil.history import History, Run
from tinyhil.record import Record

Kind = Literal["same", "better", "grew", "broke", "new", "incomparable", "no verdict"]

FIGURES = ("inference", "arena_used", "stack_peak", "flash", "ram")
"""What is compared: smaller is better in all of them."""

_TOOLCHAIN = {
    "image": ("compiler", "flags", "kind", "firmware_version", "upstream"),
    "target": ("name", "version"),
}
_LOOK_BACK = 50  # runs, for the last that is like this one


@dataclass(frozen=True)
class Limits:
    """How much more is too much. bytes: of arena, stack, flash, RAM, each."""

    instructions_percent: float = 0.5
    cycles_percent: float = 2.0
    bytes: int = 256

    def allowed(self, was: float, unit: str) -> float:
        """The largest value of now that is no growth."""
        if unit == "bytes":
            return was + self.bytes
        percent = self.cycles_percent if unit == "cycles" else self.instructions_percent
        return was * (1 + percent / 100)

    def words(self, unit: str) -> str:
        if unit == "bytes":
            return f"{self.bytes} bytes"
        return f"{self.cycles_percent if unit == 'cycles' else self.instructions_percent:g} %"


@dataclass(frozen=True)
class OperatorChange:
    index: int
    name: str
    was: int
    now: int


@dataclass(frozen=True)
class Change:
    """A figure that is not what it was. `operators`: those that grew with it, the largest growth first."""

    figure: str
    unit: str
    was: float
    now: float
    too_much: bool
    operators: tuple[OperatorChange, ...] = ()

    def words(self) -> str:
        return f"{self.figure} {self.was:,} -> {self.now:,} {self.unit} ({_share(self.was, self.now)})"


@dataclass(frozen=True)
class Judgement:
    """What the gate says of one cell. reason: why it is new, incomparable, broken or without a verdict."""

    record: Record
    kind: Kind
    baseline: Run | None = None
    changes: tuple[Change, ...] = ()
    reason: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def fails(self) -> bool:
        return self.kind in ("grew", "broke")

    def lines(self) -> list[str]:
        """The cell in words: what changed, and which operators are behind it."""
        cell = self.record.cell
        head = f"{self.kind.upper() if self.fails else self.kind}  {cell.slug}"
        lines = [head + (f": {self.reason}" if self.reason else "")]
        for change in self.changes:
            lines.append(f"  {'!' if change.too_much else ' '} {change.words()}")
            lines += [
                f"      operator {op.index} {op.name}: {op.was:,} -> {op.now:,} ({_share(op.was, op.now)})"
                for op in change.operators
            ]
        lines += [f"    {note}" for note in self.notes]
        if self.baseline is not None:
            commit = f" at {self.baseline.commit_id[:12]}" if self.baseline.commit_id else ""
            lines.append(f"    baseline: {self.baseline.branch}{commit}, {self.baseline.started_at}")
        return lines

    def to_json(self) -> dict[str, Any]:
        return {
            "cell": self.record.cell.to_json(),
            "kind": self.kind,
            "reason": self.reason,
            "notes": list(self.notes),
            "baseline": None if self.baseline is None else vars(self.baseline),
            "changes": [
                {**vars(change), "operators": [vars(op) for op in change.operators]} for change in self.changes
            ],
        }


def _share(was: float, now: float) -> str:
    return f"{100 * (now - was) / was:+.2f} %" if was else "from nothing"


def judge(records: Sequence[Record], history: History, branch: str, limits: Limits | None = None) -> list[Judgement]:
    """What the gate says of each record, in their order. Runs that are these very records are no baseline of theirs."""
    return [_judge(record, history, branch, limits or Limits()) for record in records]


def _judge(record: Record, history: History, branch: str, limits: Limits) -> Judgement:
    earlier = [
        (run, old)
        for run, old in history.of_cell(record.cell.slug, branch=branch, last=_LOOK_BACK)
        if old.to_json() != record.to_json()  # not the time: two runs may begin in one second
    ]
    passed = [(run, old) for run, old in reversed(earlier) if old.verdict == "pass"]
    if record.verdict == "skip":
        return Judgement(record, "no verdict", reason=record.skip_reason)
    if record.verdict != "pass":
        if passed:
            return Judgement(record, "broke", passed[0][0], reason=f"it passed before; now: {record.headline()}")
        return Judgement(record, "no verdict", reason=record.headline())
    if not passed:
        return Judgement(record, "new", reason=f"{branch} has no run of it that passed")
    reasons = unlike(passed[0][1], record)
    found = next(((run, old) for run, old in passed if not unlike(old, record)), None)
    if found is None:
        return Judgement(record, "incomparable", passed[0][0], reason="; ".join(reasons))
    run, old = found
    changes = tuple(_changes(old, record, limits))
    if any(change.too_much for change in changes):
        kind: Kind = "grew"
    elif any(change.now < change.was for change in changes):
        kind = "better"
    else:
        kind = "same"
    return Judgement(record, kind, run, changes, notes=tuple(_notes(old, record)))


def unlike(was: Record, now: Record) -> list[str]:
    """Why two records may not be compared: a line for each thing that made them and is not the same."""
    differences = []
    for part, keys in _TOOLCHAIN.items():
        old, new = getattr(was.identity, part) or {}, getattr(now.identity, part) or {}
        for key in keys:
            if old.get(key) != new.get(key):
                differences.append(f"{part} {key}: {_short(old.get(key))} then, {_short(new.get(key))} now")
    return differences


def _short(value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _changes(was: Record, now: Record, limits: Limits) -> list[Change]:
    changes = []
    for name in FIGURES:
        old, new = was.figures.get(name), now.figures.get(name)
        if old is None or new is None or old.unit != new.unit or old.value == new.value:
            continue
        if old.source != new.source:
            continue  # _notes says so
        too_much = new.value > limits.allowed(old.value, new.unit)
        operators = _operators(was, now, limits, new.unit) if name == "inference" and new.value > old.value else ()
        changes.append(Change(name, new.unit, old.value, new.value, too_much, operators))
    return changes


def _operators(was: Record, now: Record, limits: Limits, unit: str) -> tuple[OperatorChange, ...]:
    """The operators that grew by more than the limit; where none did by itself, all that grew."""
    if [op.name for op in was.operators] != [op.name for op in now.operators]:
        return ()
    grown = [
        OperatorChange(index, new.name, old.units, new.units)
        for index, (old, new) in enumerate(zip(was.operators, now.operators, strict=True))
        if old.units is not None and new.units is not None and new.units > old.units
    ]
    much = [change for change in grown if change.now > limits.allowed(change.was, unit)]
    return tuple(sorted(much or grown, key=lambda change: change.was - change.now))


def _notes(was: Record, now: Record) -> list[str]:
    notes = []
    old, new = was.identity.model or {}, now.identity.model or {}
    if old.get("sha256") != new.get("sha256"):
        notes.append("the model is another one than on the baseline")
    for name in FIGURES:
        before, after = was.figures.get(name), now.figures.get(name)
        if before and after and (before.unit, before.source) != (after.unit, after.source):
            notes.append(
                f"{name} is not compared: {before.unit} from {before.source} then, {after.unit} from {after.source} now"
            )
    if [op.name for op in was.operators] != [op.name for op in now.operators]:
        notes.append("the model has other operators than on the baseline: they are not compared one by one")
    return notes

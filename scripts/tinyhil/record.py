# SPDX-License-Identifier: Apache-2.0
"""The record of a cell: one JSON object, schema `tinyhil.record/2`, from which every report is drawn.

A record holds the verdict, what it cost, and the identity of all that made it. Two records may be compared only where
unit and source of a figure agree. The schema is schemas/record.schema.json; records read from a file are validated
against it, those made here are made of typed parts and validated by the tests.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tinyhil.errors import BudgetExceeded, OutputMismatch, OutputUnwritable, RecordError, TinyhilError

SCHEMA = "tinyhil.record/2"

Verdict = Literal["pass", "fail", "error", "skip"]
VERDICTS: tuple[Verdict, ...] = ("pass", "fail", "error", "skip")
OUTCOMES = (*VERDICTS, "xfail")
"""What a cell counts as: its verdict, or xfail where its failure was declared and still may be."""


FIRMWARES = ("bare_metal", "zephyr")
ENGINES = ("builtin", "tflm")
KERNELS = ("reference", "cmsis_nn")
"""What the application runs on: our own start-up code, or Zephyr."""


@dataclass(frozen=True)
class Cell:
    """One board x target x engine x kernels x firmware x model. `label` tells two models of one file name apart."""

    board: str
    target: str
    model_path: Path
    engine: str = "builtin"
    kernels: str = "reference"
    label: str = ""
    firmware: str = "bare_metal"

    @property
    def model(self) -> str:
        """The model's name in reports."""
        return self.label or self.model_path.stem

    @property
    def slug(self) -> str:
        """A file name for this cell, the same on every run."""
        firmware = () if self.firmware == "bare_metal" else (self.firmware,)
        parts = (self.board, self.target, *firmware, self.engine, self.kernels, self.model)
        return ".".join(re.sub(r"[^A-Za-z0-9_-]+", "_", part) for part in parts)

    def to_json(self) -> dict[str, str]:
        return {
            "board": self.board,
            "target": self.target,
            "engine": self.engine,
            "kernels": self.kernels,
            "firmware": self.firmware,
            "model": self.model,
            "model_path": str(self.model_path),
        }


@dataclass(frozen=True)
class Figure:
    """One number, with its unit and where it comes from. Never compared with one of another unit or source."""

    value: int | float
    unit: str
    source: str


@dataclass(frozen=True)
class OutputDifference:
    """The first element of an output that differs, and how many do."""

    output: int
    index: int  # flat, C order
    coordinates: tuple[int, ...]
    got: int | float | str  # a string where JSON has no number: nan, inf
    want: int | float | str
    differing: int
    total: int
    largest: int | float | str  # largest absolute difference


@dataclass(frozen=True)
class OperatorDifference:
    """The first operator, in execution order, whose checksum is not the oracle's."""

    index: int
    name: str
    access: Literal["read", "wrote"]
    got: int  # CRC-32
    want: int


@dataclass(frozen=True)
class Difference:
    """Where the device first computed something else: the first vector that differs, and in it the first operator."""

    vector: int
    kind: str
    output: OutputDifference | None  # None: only what an operator in between computed differs
    operator: OperatorDifference | None  # None: no checksums were taken
    vectors_differing: int = 1

    def headline(self) -> str:
        """One line: the fact."""
        if self.output is not None:
            at = self.output
            where = str(list(at.coordinates)) if at.coordinates else ""
            return (
                f"output {at.output}{where}: got {at.got}, want {at.want} "
                f"({at.differing} of {at.total} differ, vector {self.vector} {self.kind})"
            )
        assert self.operator is not None
        return (
            f"operator {self.operator.index} {self.operator.name} {self.operator.access} other values "
            f"though the outputs agree (vector {self.vector} {self.kind})"
        )

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        if self.output is not None:
            data["output"]["coordinates"] = list(self.output.coordinates)
        return data

    def operator_line(self) -> str:
        """The first differing operator in words; empty where there is none."""
        op = self.operator
        if op is None:
            return ""
        if op.access == "wrote":
            found = "read what the oracle read and wrote something else"
        elif op.index == 0:
            found = "read something else: the input did not arrive"
        else:
            found = "read something else, though all before it wrote what the oracle wrote: memory overlap"
        return f"{op.index} {op.name} {found} (CRC-32 got {op.got:08x}, want {op.want:08x})"


Alone = Literal["right", "wrong"]

CAUSES = (
    "input",
    "overlap",
    "constant",
    "activation_bounds",
    "rounding",
    "zero_point",
    "padding",
    "stride",
    "channel",
    "accumulator",
    "golden",
    "unsteady",
    "unknown",
)


@dataclass(frozen=True)
class Cause:
    """Why a tensor may be wrong. kind: one of CAUSES. operator: the one that overwrote it, where that is known."""

    kind: str
    text: str
    operator: int | None = None
    operator_name: str = ""


@dataclass(frozen=True)
class TensorDifference:
    """A tensor as the device has it, held against the oracle's.

    scales, zero_points: one entry where all channels have the same. first: as for an output of the model; its `output`
    is 0. histogram: (got - want, how many elements), the most frequent first.
    """

    tensor: int
    name: str
    type: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    first: OutputDifference
    histogram: tuple[tuple[float, int], ...]


@dataclass(frozen=True)
class Diagnosis:
    """What the first operator that differs did, tensor by tensor.

    operator: None where none differs. alone: whether it is right when it reads the oracle's values; None: not tried, or
    its inputs cannot all hold them at once.
    """

    operator: int | None
    name: str = ""
    access: Literal["read", "wrote", ""] = ""
    tensor: TensorDifference | None = None
    alone: Alone | None = None
    cause: Cause = field(default_factory=lambda: Cause("unknown", ""))

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Diagnosis:
        tensor = data["tensor"]
        if tensor:
            first = tensor["first"]
            tensor = TensorDifference(
                **{
                    **tensor,
                    "shape": tuple(tensor["shape"]),
                    "scales": tuple(tensor["scales"]),
                    "zero_points": tuple(tensor["zero_points"]),
                    "first": OutputDifference(**{**first, "coordinates": tuple(first["coordinates"])}),
                    "histogram": tuple((distance, count) for distance, count in tensor["histogram"]),
                }
            )
        return cls(**{**data, "tensor": tensor, "cause": Cause(**data["cause"])})


@dataclass(frozen=True)
class ErrorInfo:
    """A TinyhilError as data."""

    error_class: str
    exit_status: int
    message: str
    next_step: str = ""
    details: str = ""

    @classmethod
    def of(cls, error: BaseException) -> ErrorInfo:
        if isinstance(error, TinyhilError):
            return cls(type(error).__name__, error.exit_status, error.message, error.next_step, error.details)
        import traceback

        return cls(
            type(error).__name__,
            TinyhilError.exit_status,
            f"{type(error).__name__}: {error}",
            "This is a defect of tinyhil: report it with the lines above.",
            "".join(traceback.format_exception(error)),
        )

    def lines(self) -> list[str]:
        """For people: the message, the details indented, the next step."""
        lines = [f"error: {self.message}"]
        lines += [f"  {line}" for line in self.details.rstrip().splitlines()]
        if self.next_step:
            lines.append(f"next step: {self.next_step}")
        return lines

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ErrorInfo:
        return cls(error_class=data["class"], **{name: value for name, value in data.items() if name != "class"})

    def to_json(self) -> dict[str, Any]:
        return {
            "class": self.error_class,
            "exit_status": self.exit_status,
            "message": self.message,
            "next_step": self.next_step,
            "details": self.details,
        }


@dataclass(frozen=True)
class OperatorResult:
    """Whose kernel computed an operator, in how many of the cell's inferences, and what it cost.

    path: "reference", "cmsis_nn", or "" where the engine cannot say. macs: multiply-accumulates of one inference; 0
    where it has none. units: what it took in one inference, in the unit of the figure `inference`; None: not counted.
    """

    name: str
    path: str
    runs: int
    macs: int = 0
    units: int | None = None


@dataclass(frozen=True)
class Layout:
    """What an image takes of flash and RAM: (flash bytes, RAM bytes) of each section and of each part of the firmware.

    available: what the silicon has. groups: empty where the image's parts are not told apart.
    """

    sections: Mapping[str, tuple[int, int]]
    groups: Mapping[str, tuple[int, int]]
    available: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        def parts(of: Mapping[str, tuple[int, int]]) -> dict[str, dict[str, int]]:
            return {name: {"flash": flash, "ram": ram} for name, (flash, ram) in of.items()}

        flash, ram = self.available
        return {
            "sections": parts(self.sections),
            "groups": parts(self.groups),
            "available": {"flash": flash, "ram": ram},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Layout:
        def pair(of: Mapping[str, int]) -> tuple[int, int]:
            return of["flash"], of["ram"]

        return cls(
            {name: pair(of) for name, of in data["sections"].items()},
            {name: pair(of) for name, of in data["groups"].items()},
            pair(data["available"]),
        )


@dataclass(frozen=True)
class BudgetCheck:
    """A figure held against its limit. accuracy is exceeded where it is too low, all else where it is too high."""

    name: str
    value: float
    limit: float
    unit: str
    exceeded: bool

    def words(self) -> str:
        relation = ("below" if self.name == "accuracy" else "above") if self.exceeded else "within"
        return f"{self.name} {self.value:,} {self.unit} is {relation} its budget of {self.limit:,}"


@dataclass(frozen=True)
class Expectation:
    """That a cell fails was declared. until: the last day. holds: it is no failure. note: why it does not hold."""

    owner: str
    reason: str
    until: str
    holds: bool
    note: str = ""


@dataclass(frozen=True)
class ArenaTensor:
    """A tensor in the arena. offset: bytes from the lowest one. first, last: the operators between which it is needed;
    -1 where it is an input of the model, the number of operators where it is an output.
    """

    tensor: int
    name: str
    offset: int
    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Accuracy:
    """Labelled vectors whose largest output is the label's, as computed on the device."""

    correct: int
    labelled: int


@dataclass(frozen=True)
class Identity:
    """All that made a record: enough to make it again."""

    tinyhil: str
    host: Mapping[str, str]
    model: Mapping[str, str | int] | None = None  # name, sha256, bytes
    image: Mapping[str, Any] | None = None  # build_id, kind, engine, kernels, firmware, ...
    target: Mapping[str, str] | None = None  # the emulator's name and version
    golden: Mapping[str, Any] | None = None  # oracle, oracle_version, seed, generator, tinyhil_version


@dataclass
class Record:
    """The result of one cell."""

    cell: Cell
    identity: Identity
    command: str
    started_at: str  # UTC, ISO 8601
    verdict: Verdict = "error"
    vectors: dict[str, int] = field(default_factory=dict)  # how many of each kind were run
    figures: dict[str, Figure] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)  # seconds of wall clock, by stage
    difference: Difference | None = None
    diagnosis: Diagnosis | None = None  # of the difference, where one could be made
    error: ErrorInfo | None = None
    skip_reason: str = ""
    accuracy: Accuracy | None = None
    operators: list[OperatorResult] = field(default_factory=list)  # in execution order; empty: nothing ran
    arena: list[ArenaTensor] = field(default_factory=list)  # empty: not known
    retried: list[ErrorInfo] = field(default_factory=list)  # why it was run again, an entry for each earlier attempt
    layout: Layout | None = None  # of the image; None: not known
    budgets: list[BudgetCheck] = field(default_factory=list)
    expected: Expectation | None = None
    bundle: str = ""  # folder with all that is needed to replay a failure

    @property
    def outcome(self) -> str:
        """One of OUTCOMES."""
        return "xfail" if self.expected is not None and self.expected.holds else self.verdict

    @property
    def exit_status(self) -> int:
        """What a process that ran only this cell exits with."""
        if self.expected is not None and self.expected.holds:
            return 0
        if self.verdict == "fail":
            budget = self.difference is None and (self.budgets or self.expected)
            return BudgetExceeded.exit_status if budget else OutputMismatch.exit_status
        if self.verdict == "error":
            return self.error.exit_status if self.error else TinyhilError.exit_status
        return 0

    @property
    def tolerance(self) -> tuple[float, str]:
        """By how much outputs were allowed to differ, and why; (0, "") where not by a bit."""
        golden = self.identity.golden or {}
        return float(golden.get("tolerance", 0.0)), str(golden.get("tolerance_reason", ""))

    def headline(self) -> str:
        """One line: what there is to say beside the verdict; empty where it passed."""
        if self.expected is not None and self.expected.holds:
            return f"expected until {self.expected.until}: {self.expected.reason} ({self.expected.owner})"
        if self.difference is not None:
            return self.difference.headline()
        if self.error is not None:
            return self.error.message
        exceeded = [check.words() for check in self.budgets if check.exceeded]
        if exceeded:
            return "; ".join(exceeded)
        return self.expected.note if self.expected is not None and self.expected.note else self.skip_reason

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "cell": self.cell.to_json(),
            "verdict": self.verdict,
            "difference": self.difference.to_json() if self.difference else None,
            "diagnosis": self.diagnosis.to_json() if self.diagnosis else None,
            "error": self.error.to_json() if self.error else None,
            "skip_reason": self.skip_reason,
            "figures": {name: asdict(figure) for name, figure in self.figures.items()},
            "vectors": {"count": sum(self.vectors.values()), "kinds": dict(self.vectors)},
            "accuracy": asdict(self.accuracy) if self.accuracy else None,
            "layout": self.layout.to_json() if self.layout else None,
            "retried": [error.to_json() for error in self.retried],
            "budgets": [asdict(check) for check in self.budgets],
            "expected": asdict(self.expected) if self.expected else None,
            "arena": [asdict(tensor) for tensor in self.arena],
            "operators": [asdict(operator) for operator in self.operators],
            "identity": asdict(self.identity),
            "timings": {name: round(seconds, 4) for name, seconds in self.timings.items()},
            "started_at": self.started_at,
            "command": self.command,
            "bundle": self.bundle,
        }

    @classmethod
    def from_json(cls, data: Any) -> Record:
        """The record that `to_json` wrote. Raises RecordError, naming the field, where `data` breaks the schema."""
        validate(data)
        difference, error, accuracy = data["difference"], data["error"], data["accuracy"]
        cell = data["cell"]
        if difference:
            output, operator = difference["output"], difference["operator"]
            if output:
                output = OutputDifference(**{**output, "coordinates": tuple(output["coordinates"])})
            if operator:
                operator = OperatorDifference(**operator)
            difference = Difference(**{**difference, "output": output, "operator": operator})
        return cls(
            cell=Cell(
                cell["board"],
                cell["target"],
                Path(cell["model_path"]),
                cell["engine"],
                cell["kernels"],
                "" if Path(cell["model_path"]).stem == cell["model"] else cell["model"],
                cell["firmware"],
            ),
            identity=Identity(**data["identity"]),
            command=data["command"],
            started_at=data["started_at"],
            verdict=data["verdict"],
            vectors=dict(data["vectors"]["kinds"]),
            figures={name: Figure(**figure) for name, figure in data["figures"].items()},
            timings=dict(data["timings"]),
            difference=difference,
            diagnosis=Diagnosis.from_json(data["diagnosis"]) if data["diagnosis"] else None,
            error=ErrorInfo.from_json(error) if error else None,
            layout=Layout.from_json(data["layout"]) if data["layout"] else None,
            retried=[ErrorInfo.from_json(earlier) for earlier in data["retried"]],
            skip_reason=data["skip_reason"],
            accuracy=Accuracy(**accuracy) if accuracy else None,
            operators=[OperatorResult(**operator) for operator in data.get("operators", [])],
            budgets=[BudgetCheck(**check) for check in data["budgets"]],
            expected=Expectation(**data["expected"]) if data["expected"] else None,
            arena=[ArenaTensor(**tensor) for tensor in data["arena"]],
            bundle=data["bundle"],
        )


@cache
def _validator() -> Any:
    import jsonschema

    path = Path(__file__).parent / "schemas" / "record.schema.json"
    return jsonschema.Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))


def validate(data: Any) -> None:
    """Raises RecordError where `data` is not a record of schema tinyhil.record/2; says which field."""
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        raise RecordError(
            f"a record of schema {schema!r}; this tinyhil knows {SCHEMA}",
            next_step="Use the tinyhil that wrote it, or a newer one.",
        )
    error = next(_validator().iter_errors(data), None)
    if error is not None:
        where = ".".join(map(str, error.path)) or "the record"
        raise RecordError(
            f"{where}: {error.message}", next_step="The file was damaged or written by hand: make it again."
        )


def write_atomic(path: Path, content: str | bytes) -> None:
    """Writes the whole file or none of it; what was there before survives a full disk or an interruption.

    Raises OutputUnwritable, naming the file.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise OutputUnwritable(
            f"{path}: {error.strerror or error}",
            next_step="Free some space or choose another folder with --out.",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)

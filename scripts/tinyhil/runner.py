# SPDX-License-Identifier: Apache-2.0
"""Runs one cell: board, image, model, golden set and device brought together, and the record of what came out.

The command line, the matrix and every later front end go through `run_cell`. It raises nothing but KeyboardInterrupt
and SystemExit: whatever goes wrong is the cell's record.
"""

from __future__ import annotations

import platform
import shlex
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tinyhil import __version__
from tinyhil.attachment import NOT_NAMED, Attachment
from tinyhil.errors import CellTimeout, TinyhilError, UnknownBoard
from tinyhil.record import Accuracy, Cell, Difference, ErrorInfo, Figure, Identity, Layout, OperatorResult, Record
from tinyhil.target import expect

if TYPE_CHECKING:
    from tinyhil.board import Board
    from tinyhil.budget import Budgets
    from tinyhil.build import Image
    from tinyhil.device import Device, Memory, OpPath
    from tinyhil.golden import GoldenSet
    from tinyhil.model import Model
    from tinyhil.verdict import Tally

T = TypeVar("T")

REQUIREMENTS = frozenset({"oracle", "tflm", "cmsis_nn", "zephyr"})
"""What a cell may need and a machine may lack. Plan.required of whoever asked for one verdict: nothing skips then."""

Progress = Callable[[str, int, int], None]
"""Called with the stage (prepare, boot, run, diagnose), vectors done and vectors in all."""


@dataclass(frozen=True)
class Plan:
    """How cells are run, where the defaults will not do."""

    seed: int = 0
    vectors: int | None = None  # at most so many of the set's; None: all
    arena_bytes: int | None = None  # None: all the RAM that the image leaves free
    golden: Path | None = None  # instead of the set beside the model
    inputs: tuple[Path, ...] = ()  # the user's own: one .npy per model input
    expected: tuple[Path, ...] = ()  # what the inputs must give: one .npy or .csv per model output
    labels: Path | None = None  # the inputs' right classes
    keep_state: bool = False  # the inputs are one sequence
    tolerance: float = 0.0  # by how much outputs may differ, and why
    tolerance_reason: str = ""
    extra_sources: tuple[Path, ...] = ()  # C++ with custom operators
    budgets: Budgets | None = None  # what the cell may cost, and whether it is expected to fail
    attachment: Attachment = NOT_NAMED  # how a real board hangs on this computer
    required: frozenset[str] = frozenset()  # what may not be missing: a cell that needs it fails instead of skipping

    def arguments(self) -> list[str]:
        """The command-line arguments of `tinyhil run` that give this plan."""
        words: list[str] = []
        if self.seed:
            words += ["--seed", str(self.seed)]
        if self.vectors is not None:
            words += ["--vectors", str(self.vectors)]
        if self.arena_bytes is not None:
            words += ["--arena", str(self.arena_bytes)]
        if self.golden is not None:
            words += ["--golden", str(self.golden)]
        for path in self.inputs:
            words += ["--input", str(path)]
        for path in self.expected:
            words += ["--expect", str(path)]
        if self.labels is not None:
            words += ["--labels", str(self.labels)]
        if self.keep_state:
            words += ["--keep-state"]
        if self.tolerance:
            words += ["--tolerance", f"{self.tolerance:g}", "--tolerance-reason", self.tolerance_reason]
        for path in self.extra_sources:
            words += ["--extra-source", str(path)]
        if self.budgets is not None:
            words += ["--budgets", str(self.budgets.path)]
        words += self.attachment.arguments()
        return words


@dataclass(frozen=True)
class Evidence:
    """What a failure bundle holds beside the record."""

    model: Model | None = None
    golden: GoldenSet | None = None
    tally: Tally | None = None
    log: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)  # of the target: registers, a snapshot


@dataclass(frozen=True)
class Outcome:
    """A cell's record, and the evidence where it did not pass."""

    record: Record
    evidence: Evidence


class Cancelled(TinyhilError):
    """The cell was stopped from outside before it had a verdict."""

    exit_status = 130


class Guard:
    """Lets another thread stop a running cell: the device is closed under it, which ends any wait for an answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reason: TinyhilError | None = None
        self._device: Device | None = None

    @property
    def reason(self) -> TinyhilError | None:
        return self._reason

    def cancel(self, reason: TinyhilError) -> None:
        """Stops the cell now, or as soon as it reaches its next step. The first reason given holds."""
        with self._lock:
            if self._reason is None:
                self._reason = reason
            device = self._device
        if device is not None:
            device.close()

    def time_out(self, allowance_s: float) -> None:
        self.cancel(
            CellTimeout(
                f"no verdict within the {allowance_s:g} s that a cell may take",
                next_step="Give it longer with --cell-timeout, or fewer vectors with --vectors.",
            )
        )

    def holds(self, device: Device | None) -> None:
        """From now on `cancel` closes this device."""
        with self._lock:
            self._device = device
        self.check()

    def check(self) -> None:
        """Raises the reason where the cell was cancelled."""
        if self._reason is not None:
            raise self._reason


class Materials:
    """Boards, models, golden sets and images, each made once and shared by all cells and threads.

    What cannot be made raises the same error for every cell that asks for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: dict[Hashable, _Slot] = {}

    def board(self, name: str) -> Board:
        from tinyhil.board import load_board

        return self._once(("board", name), lambda: load_board(name))

    def model(self, path: Path) -> Model:
        from tinyhil.model import load_model

        return self._once(("model", path), lambda: load_model(path))

    def image(
        self,
        board: str,
        engine: str,
        kernels: str,
        firmware: str = "bare_metal",
        progress: Callable[[str], None] | None = None,
        *,
        extra_sources: tuple[Path, ...] = (),
    ) -> Image:
        from tinyhil.build import build_image

        return self._once(
            ("image", board, engine, kernels, firmware, extra_sources),
            lambda: build_image(
                self.board(board),
                engine=engine,
                kernels=kernels,
                firmware=firmware,
                extra_sources=extra_sources,
                progress=progress,
            ),
        )

    def layout(self, board: Board, image: Image) -> Layout | None:
        """What the image takes of the board's memory; None for a host process."""
        if not image.flash_bytes or board.runs_on_host:
            return None
        return self._once(("layout", image.build_id), lambda: _layout(board, image))

    def golden(self, model_path: Path, plan: Plan) -> GoldenSet:
        return self._once(("golden", model_path, plan), lambda: _golden(self.model(model_path), plan))

    def _once(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
        with slot.lock:
            if slot.error is not None:
                raise slot.error
            if not slot.made:
                try:
                    slot.value = make()
                except TinyhilError as error:
                    slot.error = error
                    raise
                slot.made = True
        value: T = slot.value
        return value


@dataclass
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    made: bool = False
    value: Any = None
    error: TinyhilError | None = None


def _layout(board: Board, image: Image) -> Layout:
    from tinyhil.elf import layout

    sections, groups = layout(image.elf, groups=image.firmware == "bare_metal")
    return Layout(sections, groups, (board.memory["flash"].bytes, board.memory["ram"].bytes))


def _golden(model: Model, plan: Plan) -> GoldenSet:
    """The set to hold the device against: the user's file, the user's inputs, or what belongs to the model."""
    from tinyhil import golden, vectors

    if plan.golden is not None:
        found = golden.load(plan.golden)
        found.check(model)
    elif plan.inputs:
        inputs = vectors.load_inputs(model, plan.inputs)
        labels = vectors.load_array(plan.labels) if plan.labels is not None else None
        if plan.expected:
            outputs = vectors.load_outputs(model, plan.expected, len(inputs[0]))
            found = golden.expected_golden(model, inputs, outputs, labels=labels, keep_state=plan.keep_state)
        else:
            found = golden.make_golden(model, seed=plan.seed, inputs=inputs, labels=labels, keep_state=plan.keep_state)
    else:
        found = golden.golden_for(model, seed=plan.seed)
    if plan.tolerance:
        golden.check_tolerance(plan.tolerance, plan.tolerance_reason)
        found = replace(found, tolerance=plan.tolerance, tolerance_reason=plan.tolerance_reason)
    if plan.vectors is not None and plan.vectors < len(found.kinds):
        found = found.subset(range(plan.vectors))
    return found


def default_target(board: Board) -> str:
    """The target that a board runs on where none is asked for: the first its board.yaml names."""
    return next(iter(board.targets))


def default_firmware(board: Board) -> str:
    """What a board runs where nothing is asked for: bare metal, where it has that."""
    return board.firmwares[0]


def check_target(board: Board, target: str, firmware: str | None = None) -> None:
    """Raises UnknownBoard where the board cannot be run on this target, or has no such firmware."""
    targets = board.running(firmware or default_firmware(board)).targets
    if target not in targets:
        raise UnknownBoard(f"board {board.name} has no target {target!r}", next_step=f"It has: {', '.join(targets)}.")


def run_command_line(cell: Cell, plan: Plan) -> str:
    """The command that runs the cell again."""
    words = ["tinyhil", "run", str(cell.model_path), "--board", cell.board, "--target", cell.target]
    for option, value, usual in (("--engine", cell.engine, "builtin"), ("--kernels", cell.kernels, "reference")):
        words += [] if value == usual else [option, value]
    if cell.firmware != "bare_metal":
        words += ["--firmware", cell.firmware]
    return shlex.join(words + plan.arguments())


def run_cell(
    cell: Cell,
    plan: Plan | None = None,
    *,
    materials: Materials | None = None,
    guard: Guard | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Runs the cell's golden vectors. Returns its record, whatever happens, and the evidence where it did not pass."""
    return _Run(
        cell, plan or Plan(), materials or Materials(), guard or Guard(), progress or (lambda stage, done, total: None)
    ).outcome()


class Measured(Protocol):
    """What figures are taken of: a Device, or what stands for one."""

    @property
    def unit(self) -> str: ...

    @property
    def unit_source(self) -> str: ...

    def memory(self) -> Memory: ...

    def op_paths(self) -> list[OpPath]: ...


class _Run:
    def __init__(self, cell: Cell, plan: Plan, materials: Materials, guard: Guard, progress: Progress) -> None:
        self.plan = plan
        self.materials = materials
        self.guard = guard
        self.progress = progress
        self.stage_began = time.monotonic()
        self.model: Model | None = None
        self.golden: GoldenSet | None = None
        self.tally: Tally | None = None
        self.log = ""
        self.files: Mapping[str, bytes] = {}
        self.record = Record(
            cell=cell,
            identity=Identity(tinyhil=__version__, host=host()),
            command=run_command_line(cell, plan),
            started_at=now(),
        )

    def outcome(self) -> Outcome:
        began = time.monotonic()
        record = self.record
        try:
            self._run()
        except Exception as error:
            reason = self.guard.reason or error
            record.error = ErrorInfo.of(reason)
            record.verdict = "error"
            lacking = reason.requirement if isinstance(reason, TinyhilError) else ""
            if lacking and lacking not in self.plan.required:
                record.verdict, record.skip_reason, record.error = "skip", str(reason), None
        record.timings["elapsed"] = time.monotonic() - began
        if self.plan.budgets is not None and not isinstance(self.guard.reason, Cancelled):
            self.plan.budgets.apply(record)
        if record.verdict == "pass":
            return Outcome(record, Evidence())
        return Outcome(record, Evidence(self.model, self.golden, self.tally, self.log, self.files))

    def _identify(self, **known: Any) -> None:
        self.record.identity = replace(self.record.identity, **known)

    def _stage(self, name: str) -> None:
        """Charges the time since the last call to stage `name`."""
        now = time.monotonic()
        self.record.timings[name] = now - self.stage_began
        self.stage_began = now

    def _run(self) -> None:
        cell, plan = self.record.cell, self.plan
        self.progress("prepare", 0, 0)
        board = self.materials.board(cell.board)
        check_target(board, cell.target, cell.firmware)
        model = self.model = self.materials.model(cell.model_path)
        self._identify(model=model_identity(model))
        self._check_runnable(model)
        expect(cell.target, board.running(cell.firmware))
        golden = self.golden = self.materials.golden(cell.model_path, plan)
        self._identify(golden=provenance(golden))
        image = self.materials.image(
            cell.board, cell.engine, cell.kernels, cell.firmware, extra_sources=plan.extra_sources
        )
        self._identify(image=image_identity(image))
        self.record.figures.update(image_figures(image, model))
        self.record.layout = self.materials.layout(board, image)
        self._stage("prepare")
        self.guard.check()

        from tinyhil.device import Device
        from tinyhil.verdict import run_golden

        self.progress("boot", 0, len(golden.kinds))
        device = Device.open(board, cell.target, image, model, attachment=plan.attachment)
        with device:
            try:
                self.guard.holds(device)
                self._identify(target=dict(device.identity()))
                device.load(model, plan.arena_bytes)
                self._stage("boot")
                self.tally = run_golden(device, golden, step=self._step)
                self.record.figures.update(device_figures(device, self.tally))
                self.record.operators = operator_results(device, model, self.tally.op_units)
                self.record.arena = device.arena_map()
                self._stage("run")
                if self.tally.difference is not None:
                    self.log = device.last_words()
                    if golden.has_checksums:
                        self._diagnose(device, model, golden, self.tally.difference)
                    self.files = device.post_mortem()
            except TinyhilError:
                self.log = device.last_words()
                self.files = device.post_mortem()
                raise
            finally:
                self.guard.holds(None)
        conclude(self.record, self.tally, golden)

    def _diagnose(self, device: Device, model: Model, golden: GoldenSet, difference: Difference) -> None:
        """Adds to the record what the first wrong operator did. The verdict stands without it."""
        from tinyhil.diagnose import attempt

        self.progress("diagnose", 0, 0)
        self.record.diagnosis = attempt(device, model, golden, difference)
        self._stage("diagnose")

    def _check_runnable(self, model: Model) -> None:
        from tinyhil.build import custom_operators
        from tinyhil.model import check_runnable

        check_runnable(model, self.record.cell.engine, custom_operators(self.plan.extra_sources))

    def _step(self, done: int, total: int) -> None:
        self.guard.check()
        self.progress("run", done, total)


def image_figures(image: Image, model: Model) -> dict[str, Figure]:
    """What model and image take, in bytes."""
    figures = {"model": Figure(len(model.data), "bytes", "file")}
    if image.flash_bytes:
        what = f"{image.kind} image" if image.firmware == "bare_metal" else f"{image.kind} image on {image.firmware}"
        figures["flash"] = Figure(image.flash_bytes, "bytes", f"{what}, every operator, without model")
        figures["ram"] = Figure(image.ram_bytes, "bytes", f"{what}, without arena")
    return figures


def device_figures(device: Measured, tally: Tally) -> dict[str, Figure]:
    """What the inferences cost on the device."""
    figures = {}
    if tally.units is not None and device.unit:
        figures["inference"] = Figure(tally.units, device.unit, device.unit_source)
    memory = device.memory()
    figures["arena_used"] = Figure(memory.arena_used, "bytes", "device")
    figures["arena_available"] = Figure(memory.arena_bytes, "bytes", "device")
    if memory.stack_bytes:
        figures["stack_peak"] = Figure(memory.stack_peak, "bytes", "device, stack painting")
        figures["stack_reserved"] = Figure(memory.stack_bytes, "bytes", "device")
    return figures


def operator_results(device: Measured, model: Model, op_units: Sequence[int] | None) -> list[OperatorResult]:
    """Whose kernel computed each operator in the inferences since the model was loaded, and what it cost."""
    paths = device.op_paths()
    units: Sequence[int | None] = op_units if op_units is not None else [None] * len(paths)
    return [
        OperatorResult(op.name, path.path, path.runs, op.macs, cost)
        for op, path, cost in zip(model.operators, paths, units, strict=True)
    ]


def conclude(record: Record, tally: Tally, golden: GoldenSet) -> None:
    """Writes the verdict that follows from the tally into the record."""
    record.vectors = {kind: golden.kinds.count(kind) for kind in dict.fromkeys(golden.kinds)}
    if tally.labelled:
        record.accuracy = Accuracy(tally.correct, tally.labelled)
    record.difference = tally.difference
    record.verdict = "fail" if tally.difference else "pass"


def now() -> str:
    """The time as a record has it: UTC, ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def host() -> dict[str, str]:
    """What this computer is, as a record has it."""
    return {"system": platform.system(), "machine": platform.machine(), "python": platform.python_version()}


def model_identity(model: Model) -> dict[str, str | int]:
    return {"name": model.name, "sha256": model.sha256, "bytes": len(model.data)}


def provenance(golden: GoldenSet) -> dict[str, Any]:
    known = {
        "oracle": golden.oracle,
        "oracle_version": golden.oracle_version,
        "seed": golden.seed,
        "generator": golden.generator,
        "tinyhil_version": golden.tinyhil_version,
    }
    if golden.tolerance:
        known |= {"tolerance": golden.tolerance, "tolerance_reason": golden.tolerance_reason}
    return known


def image_identity(image: Image) -> dict[str, Any]:
    return {
        "build_id": image.build_id,
        "kind": image.kind,
        "engine": image.engine,
        "kernels": image.kernels,
        "firmware": image.firmware,
        "firmware_version": image.firmware_version,
        "compiler": image.compiler,
        "flags": list(image.flags),
        "upstream": {tree.name: tree.revision for tree in image.upstream},
    }

# SPDX-License-Identifier: Apache-2.0
"""Runs many cells in parallel, and writes what came out.

Threads, not processes: the work is the emulators', and a thread that waits for one costs nothing. Images are built
first, once a board. A broken cell is a record like any other and never stops the rest.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinyhil import __version__
from tinyhil.errors import CellTimeout, OutputUnwritable, RecordError, TargetError, TinyhilError
from tinyhil.journal import Journal
from tinyhil.record import OUTCOMES, Cell, ErrorInfo, Record, write_atomic
from tinyhil.runner import Cancelled, Evidence, Guard, Materials, Outcome, Plan, run_cell, run_command_line
from tinyhil.target import expect

SCHEMA = "tinyhil.matrix/1"


class Listener:
    """What a matrix tells whoever watches it. The methods do nothing here; several threads may call them at once."""

    def build_started(self, image: str) -> None: ...

    def build_progress(self, image: str, text: str) -> None: ...

    def build_finished(self, image: str) -> None: ...

    def cell_started(self, cell: Cell) -> None: ...

    def cell_progress(self, cell: Cell, stage: str, done: int, total: int) -> None: ...

    def cell_finished(self, record: Record) -> None: ...


@dataclass
class MatrixResult:
    """The records in the order of the cells, without those that an interruption left out."""

    records: list[Record]
    cells: int
    interrupted: bool = False
    elapsed_s: float = 0.0
    cpu_s: dict[str, float] = field(default_factory=dict)
    unwritten: list[OutputUnwritable] = field(default_factory=list)

    def summary(self) -> dict[str, int]:
        return {outcome: sum(record.outcome == outcome for record in self.records) for outcome in OUTCOMES}

    @property
    def exit_status(self) -> int:
        """0 only where every cell ran and none failed: 1 after a wrong output, else the first error's status.

        A matrix in which nothing passed is no success, whatever the reasons for skipping were.
        """
        if self.interrupted:
            return 130
        statuses = [record.exit_status for record in self.records if record.exit_status]
        if statuses:
            return 1 if 1 in statuses else statuses[0]
        if not any(record.outcome in ("pass", "xfail") for record in self.records):
            return TinyhilError.exit_status
        return self.unwritten[0].exit_status if self.unwritten else 0

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "tinyhil": __version__,
            "complete": len(self.records) == self.cells,
            "summary": self.summary(),
            "elapsed_s": round(self.elapsed_s, 3),
            "cpu_s": {name: round(seconds, 3) for name, seconds in self.cpu_s.items()},
            "records": [record.to_json() for record in self.records],
        }


def own_models() -> list[Path]:
    """The project's own models, which come with tinyhil."""
    from tinyhil.assets import firmware_dir

    return sorted((firmware_dir() / "models").rglob("*.tflite"))


def own_model(name: str) -> Path:
    """The one of the project's own models that has this name. Raises LookupError where none has."""
    for path in own_models():
        if path.stem == name:
            return path
    raise LookupError(f"tinyhil has no model of its own named {name}")


def plan_cells(
    places: Sequence[tuple[str, str, str]],
    models: Sequence[Path],
    pairs: Sequence[tuple[str, str]] = (("builtin", "reference"),),
) -> list[Cell]:
    """Every model at every place (board, target, firmware) with every pair (engine, kernels).

    Models of one file name are told apart by their folders.
    """
    resolved = list(dict.fromkeys(models))
    stems = [path.stem for path in resolved]
    labels = {path: f"{path.parent.name}/{path.stem}" if stems.count(path.stem) > 1 else "" for path in resolved}
    return [
        Cell(board, target, path, engine, kernels, label=labels[path], firmware=firmware)
        for board, target, firmware in dict.fromkeys(places)
        for path in resolved
        for engine, kernels in dict.fromkeys(pairs)
    ]


def image_name(board: str, engine: str, kernels: str, firmware: str) -> str:
    """A board's image in progress messages: what is usual is not said."""
    name = board if firmware == "bare_metal" else f"{board} {firmware}"
    return name if (engine, kernels) == ("builtin", "reference") else f"{name} {engine}/{kernels}"


def run_matrix(
    cells: Sequence[Cell],
    plan: Plan,
    *,
    jobs: int,
    cell_timeout_s: float,
    out: Path | None = None,
    listener: Listener | None = None,
    retries: int = 0,
    resume: bool = False,
    scheduler: str = "",
) -> MatrixResult:
    """Runs the cells, `jobs` at once. Ctrl-C stops the emulators and returns what is finished.

    With `out`, every cell that does not pass leaves out/failures/<cell>/, and one that passes removes an old one; each
    record is written to out/records.jsonl as it comes. `resume` takes from there what has a verdict that still holds.

    retries: how often a cell is run again whose target failed; never one that computed other numbers.
    scheduler: the address of a Dask cluster that runs the cells, instead of this machine.
    """
    matrix = _Matrix(cells, plan, jobs, cell_timeout_s, out, listener or Listener(), retries, scheduler)
    if out is None:
        return matrix.run()
    with Journal(out, resume=resume) as matrix.journal:
        return matrix.run()


_RETRIED = range(TargetError.exit_status, CellTimeout.exit_status + 1)
"""Exit statuses of errors that may be over the next time: those of a target."""


@dataclass
class _Running:
    cell: Cell
    index: int
    guard: Guard = field(default_factory=Guard)
    began: float | None = None
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True
        self.guard.cancel(Cancelled("interrupted"))

    def try_again(self) -> None:
        self.began = time.monotonic()
        self.guard = Guard()
        if self.cancelled:
            self.guard.cancel(Cancelled("interrupted"))


class _Matrix:
    def __init__(
        self,
        cells: Sequence[Cell],
        plan: Plan,
        jobs: int,
        cell_timeout_s: float,
        out: Path | None,
        listener: Listener,
        retries: int,
        scheduler: str,
    ) -> None:
        self.cells = cells
        self.plan = plan
        self.jobs = jobs
        self.cell_timeout_s = cell_timeout_s
        self.out = out
        self.listener = listener
        self.retries = retries
        self.scheduler = scheduler
        self.journal: Journal | None = None
        self.materials = Materials()
        self.records: dict[int, Record] = {}
        self.unwritten: list[OutputUnwritable] = []
        self.unwritten_lock = threading.Lock()

    def run(self) -> MatrixResult:
        began, cpu_before = time.monotonic(), _cpu_s()
        interrupted = False
        try:
            if self.scheduler:
                self._take_over(images=False)
                self._run_on_cluster()
            else:
                self._build()
                self._take_over(images=True)
                self._run_cells()
        except KeyboardInterrupt:
            interrupted = True
        cpu_after = _cpu_s()
        return MatrixResult(
            records=[self.records[index] for index in sorted(self.records)],
            cells=len(self.cells),
            interrupted=interrupted,
            elapsed_s=time.monotonic() - began,
            cpu_s={name: cpu_after[name] - cpu_before[name] for name in cpu_after},
            unwritten=self.unwritten,
        )

    def _build(self) -> None:
        """Makes every image before the first cell runs: a build uses all cores itself."""
        for cell in self.cells[:1]:
            with contextlib.suppress(TinyhilError):
                expect(cell.target, self.materials.board(cell.board).running(cell.firmware))
        images = ((cell.board, cell.engine, cell.kernels, cell.firmware) for cell in self.cells)
        for board, engine, kernels, firmware in dict.fromkeys(images):
            name = image_name(board, engine, kernels, firmware)
            self.listener.build_started(name)
            # A failure is the cells' to report: each asks for the image again and gets the same error.
            with contextlib.suppress(TinyhilError):
                self.materials.image(
                    *(board, engine, kernels, firmware, partial(self.listener.build_progress, name)),
                    extra_sources=self.plan.extra_sources,
                )
            self.listener.build_finished(name)

    def _take_over(self, *, images: bool) -> None:
        """Records of an earlier, interrupted run that still hold: the same command, model and (with `images`) image."""
        found = {record.cell.slug: record for record in self.journal.found} if self.journal is not None else {}
        for index, cell in enumerate(self.cells):
            record = found.get(cell.slug)
            if record is not None and self._holds(record, cell, images=images):
                self.records[index] = record
                self.listener.cell_finished(record)

    def _holds(self, record: Record, cell: Cell, *, images: bool) -> bool:
        if record.verdict not in ("pass", "fail") or record.command != run_command_line(cell, self.plan):
            return False
        try:
            if (record.identity.model or {}).get("sha256") != self.materials.model(cell.model_path).sha256:
                return False
            image = None
            if images:
                image = self.materials.image(
                    *(cell.board, cell.engine, cell.kernels, cell.firmware), extra_sources=self.plan.extra_sources
                )
        except TinyhilError:
            return False
        return image is None or (record.identity.image or {}).get("build_id") == image.build_id

    def _left(self) -> list[tuple[int, Cell]]:
        return [(index, cell) for index, cell in enumerate(self.cells) if index not in self.records]

    def _finished(self, index: int, record: Record) -> None:
        self.records[index] = record
        if self.journal is not None:
            self._write(lambda: self.journal.add(record) if self.journal is not None else None)
        self.listener.cell_finished(record)

    def _write(self, what: Callable[[], None]) -> None:
        """A file that cannot be written is told at the end: the cells run on."""
        try:
            what()
        except OutputUnwritable as error:
            with self.unwritten_lock:
                self.unwritten.append(error)

    def _run_on_cluster(self) -> None:
        from tinyhil.cluster import run_on_cluster

        outcomes = run_on_cluster(
            self._left(),
            self.plan,
            self.materials,
            scheduler=self.scheduler,
            cell_timeout_s=self.cell_timeout_s,
            started=self.listener.cell_started,
        )
        with contextlib.closing(outcomes):
            for index, outcome in outcomes:
                self._keep(outcome)
                self._finished(index, outcome.record)

    def _keep(self, outcome: Outcome) -> None:
        """Writes the cell's failure bundle."""
        if self.out is None:
            return
        out = self.out

        def write() -> None:
            outcome.record.bundle = write_bundle(out, outcome)

        self._write(write)

    def _run_cells(self) -> None:
        waiting = [_Running(cell, index) for index, cell in self._left()]
        running: dict[Future[Record], _Running] = {}
        pool = ThreadPoolExecutor(max_workers=self.jobs)
        try:
            for entry in waiting:
                running[pool.submit(self._run_one, entry)] = entry
            while running:
                done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    entry = running.pop(future)
                    self._finished(entry.index, future.result())
                self._time_out(running.values())
        except BaseException:
            for future, entry in running.items():
                future.cancel()
                entry.cancel()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _time_out(self, entries: Iterable[_Running]) -> None:
        now = time.monotonic()
        for entry in entries:
            if entry.began is not None and now - entry.began > self.cell_timeout_s:
                entry.guard.time_out(self.cell_timeout_s)

    def _run_one(self, entry: _Running) -> Record:
        entry.began = time.monotonic()
        self.listener.cell_started(entry.cell)
        retried: list[ErrorInfo] = []
        while True:
            outcome = self._attempt(entry)
            error = outcome.record.error
            if error is None or entry.cancelled or error.exit_status not in _RETRIED or len(retried) == self.retries:
                break
            retried.append(error)
            entry.try_again()
        outcome.record.retried = retried
        if not isinstance(entry.guard.reason, Cancelled):
            self._keep(outcome)
        return outcome.record

    def _attempt(self, entry: _Running) -> Outcome:
        cell = entry.cell
        return run_cell(
            cell,
            self.plan,
            materials=self.materials,
            guard=entry.guard,
            progress=lambda stage, done, total: self.listener.cell_progress(cell, stage, done, total),
        )


def _cpu_s() -> dict[str, float]:
    """CPU seconds of this process and of its ended children (emulators, compilers)."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"tinyhil": own.ru_utime + own.ru_stime, "children": children.ru_utime + children.ru_stime}


def write_bundle(out: Path, outcome: Outcome) -> str:
    """Writes out/failures/<cell>/ and returns its path; for a cell that passed removes an old one and returns "".

    The folder holds the record, the model, the vector with what was got and wanted, a golden set of that vector, the
    log, and the command that replays it with these files alone. Raises OutputUnwritable.
    """
    record, evidence = outcome.record, outcome.evidence
    folder = out / "failures" / record.cell.slug
    if record.verdict in ("pass", "skip"):
        shutil.rmtree(folder, ignore_errors=True)
        return ""
    fresh = out / "failures" / f".{record.cell.slug}.{os.getpid()}"
    try:
        fresh.mkdir(parents=True, exist_ok=True)
        command = _fill_bundle(fresh, folder, record, evidence)
        (fresh / "record.json").write_text(json.dumps(replace(record, bundle=str(folder)).to_json(), indent=2) + "\n")
        (fresh / "command.txt").write_text(command + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    except OSError as error:
        raise OutputUnwritable(
            f"{folder}: {error.strerror or error}", next_step="Free some space or choose another folder with --out."
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return str(folder)


def _fill_bundle(fresh: Path, folder: Path, record: Record, evidence: Evidence) -> str:
    """Fills `fresh`, which becomes `folder`; returns the command that replays the failure from there."""
    cell, golden, tally = record.cell, evidence.golden, evidence.tally
    if evidence.log:
        (fresh / "device.log").write_text(evidence.log, encoding="utf-8", errors="backslashreplace")
    for name, content in evidence.files.items():
        (fresh / name).write_bytes(content)
    if evidence.model is None:
        return record.command
    (fresh / "model.tflite").write_bytes(evidence.model.data)
    replayed = replace(cell, model_path=folder / "model.tflite")
    plan = Plan()
    if golden is not None:
        if tally is not None and tally.difference is not None and tally.mismatch is not None:
            vector = tally.difference.vector
            for number, array in enumerate(golden.inputs):
                np.save(fresh / f"input_{number}.npy", array[vector])
            for number, (want, got) in enumerate(zip(golden.outputs, tally.mismatch.outputs, strict=True)):
                np.save(fresh / f"want_{number}.npy", want[vector])
                np.save(fresh / f"got_{number}.npy", got)
            golden = golden.subset([vector])
        golden.save(fresh / "golden.npz")
        plan = Plan(golden=folder / "golden.npz")
    return run_command_line(replayed, plan)


def shard_of(cells: Sequence[Cell], number: int, count: int) -> list[Cell]:
    """The cells of shard `number` (from 1) of `count`: together they are all cells, and none is in two."""
    return list(cells[number - 1 :: count])


def merge(parts: Sequence[tuple[Path, Sequence[Record]]]) -> MatrixResult:
    """One matrix of several, as the jobs of a CI made them. Raises RecordError where two have the same cell."""
    seen: dict[str, Path] = {}
    for path, records in parts:
        for record in records:
            earlier = seen.setdefault(record.cell.slug, path)
            if earlier is not path:
                raise RecordError(
                    f"the cell {record.cell.slug} is in {earlier} and in {path}",
                    next_step="Give each shard once, all of one run: tinyhil matrix --shard I/N.",
                )
    records = [record for _, of_part in parts for record in of_part]
    return MatrixResult(records, len(records), elapsed_s=sum(r.timings.get("elapsed", 0.0) for r in records))


def prepare_out(out: Path) -> None:
    """Makes the folder and tries to write there, so that a matrix fails before it ran and not after."""
    probe = out / f".probe.{os.getpid()}"
    write_atomic(probe, "")
    probe.unlink(missing_ok=True)


def write_reports(out: Path, result: MatrixResult) -> None:
    """Writes matrix.json, and drawn from it .xml, .html, .md and .csv, each whole or not at all.

    Raises OutputUnwritable; what could be written before that is there.
    """
    from tinyhil.history import branch_here, commit_here
    from tinyhil.report.html import html_page
    from tinyhil.report.junit import junit_xml
    from tinyhil.report.tables import csv_table, markdown

    write_atomic(out / "matrix.json", json.dumps(result.to_json(), indent=2) + "\n")
    write_atomic(out / "matrix.xml", junit_xml(result.records))
    write_atomic(out / "matrix.md", markdown(result.records))
    write_atomic(out / "matrix.csv", csv_table(result.records))
    write_atomic(out / "matrix.html", html_page(result.records, branch=branch_here(), commit=commit_here()[:12]))

# SPDX-License-Identifier: Apache-2.0
"""The cells of a matrix on the workers of a Dask cluster: many machines, the same records.

A cell travels with its model and its golden set, so a worker needs tinyhil, its compilers and emulators, and nothing of
this machine's disk. A cell whose worker dies runs on another; each cell's record is counted once.
"""

from __future__ import annotations

import importlib
import tempfile
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyhil import __version__
from tinyhil.errors import MissingTool, TargetStartFailed, TinyhilError
from tinyhil.record import Cell, Record
from tinyhil.runner import Evidence, Guard, Outcome, Plan, run_cell, run_command_line

if TYPE_CHECKING:
    from tinyhil.runner import Materials

_CONNECT_TIMEOUT_S = 20


def run_on_cluster(
    cells: Sequence[tuple[int, Cell]],
    plan: Plan,
    materials: Materials,
    *,
    scheduler: str,
    cell_timeout_s: float,
    started: Callable[[Cell], None],
) -> Generator[tuple[int, Outcome], None, None]:
    """Runs the cells on the cluster; yields each one's index and outcome as it comes.

    Raises MissingTool where the package `distributed` is not installed, TargetStartFailed where no scheduler answers.
    """
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise MissingTool(
            "a matrix on a cluster needs the Python package distributed",
            next_step="pip install 'tinyhil[dask]', here and on the workers.",
        ) from error
    try:
        client = distributed.Client(scheduler, timeout=_CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise TargetStartFailed(
            f"no Dask scheduler answers at {scheduler}: {error}",
            next_step="Start one with `dask scheduler`, workers with `dask worker ADDRESS`, and give its address.",
        ) from error
    with client:
        futures: dict[Any, tuple[int, Cell]] = {}
        for index, cell in cells:
            started(cell)
            luggage, refused = _pack(cell, plan, materials)
            if refused is not None:
                yield index, refused
                continue
            future = client.submit(
                _run_packed, cell, plan, luggage, cell_timeout_s, pure=False, key=f"{cell.slug}-{index}", retries=2
            )
            futures[future] = (index, cell)
        try:
            for future in distributed.as_completed(list(futures), loop=client.loop):
                index, cell = futures[future]
                if future.status == "finished":
                    yield index, future.result()
                else:
                    yield index, _lost(cell, plan, future.exception())
                future.release()
        finally:
            client.cancel(list(futures))


def _pack(cell: Cell, plan: Plan, materials: Materials) -> tuple[dict[str, bytes], Outcome | None]:
    """What a worker needs of this machine: model, golden set, sources. Where they cannot be had, the cell's outcome."""
    try:
        model = materials.model(cell.model_path)
        golden = materials.golden(cell.model_path, plan)
        with tempfile.TemporaryDirectory(prefix="tinyhil-") as folder:
            path = Path(folder, "golden.npz")
            golden.save(path)
            sources = {_source(i, source): source.read_bytes() for i, source in enumerate(plan.extra_sources)}
            return {"model.tflite": model.data, "golden.npz": path.read_bytes(), **sources}, None
    except TinyhilError:
        return {}, run_cell(cell, plan, materials=materials)  # the same error, as the record of this cell


def _run_packed(cell: Cell, plan: Plan, luggage: dict[str, bytes], cell_timeout_s: float) -> Outcome:
    """On the worker: unpacks and runs; the record says what the cell is called at home."""
    guard = Guard()
    timer = threading.Timer(cell_timeout_s, guard.time_out, [cell_timeout_s])
    timer.daemon = True
    with tempfile.TemporaryDirectory(prefix="tinyhil-cell-") as folder:
        for name, content in luggage.items():
            Path(folder, name).write_bytes(content)
        here = replace(cell, model_path=Path(folder, "model.tflite"), label=cell.model)
        sources = tuple(Path(folder, _source(i, source)) for i, source in enumerate(plan.extra_sources))
        there = replace(plan, golden=Path(folder, "golden.npz"), inputs=(), vectors=None, extra_sources=sources)
        timer.start()
        try:
            outcome = run_cell(here, there, guard=guard)
        finally:
            timer.cancel()
    return _at_home(outcome, cell, plan)


def _source(index: int, source: Path) -> str:
    """What the worker calls the file: two may have one name."""
    return f"{index}-{source.name}"


def _at_home(outcome: Outcome, cell: Cell, plan: Plan) -> Outcome:
    record = outcome.record
    identity = record.identity
    if identity.model is not None:
        identity = replace(identity, model={**identity.model, "name": cell.model_path.stem})
    record = replace(record, cell=cell, command=run_command_line(cell, plan), identity=identity)
    return Outcome(record, outcome.evidence)


def _lost(cell: Cell, plan: Plan, error: BaseException | None) -> Outcome:
    """The outcome of a cell that the cluster gave up."""
    from tinyhil.record import ErrorInfo, Identity
    from tinyhil.runner import host, now

    reason = TargetStartFailed(
        f"the cluster gave the cell up: {error}", next_step="Look at the workers' logs: they died of it several times."
    )
    record = Record(
        cell=cell,
        identity=Identity(tinyhil=__version__, host=host()),
        command=run_command_line(cell, plan),
        started_at=now(),
        error=ErrorInfo.of(reason),
    )
    return Outcome(record, Evidence())

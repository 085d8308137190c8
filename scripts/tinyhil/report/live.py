# SPDX-License-Identifier: Apache-2.0
"""A matrix while it runs: a live view at a terminal, a line per event elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

import click

from tinyhil.matrix import Listener
from tinyhil.record import Cell, Record
from tinyhil.report.terminal import COLOURS, finished_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


_QUIET_S = 10.0  # after so long without a line a log shows how far a build is


class PlainProgress(Listener):
    """A line when a build starts and when a cell ends, with the time since the start: for logs."""

    def __init__(self, cells: int) -> None:
        self._cells = cells
        self._done = 0
        self._began = self._said = time.monotonic()
        self._lock = threading.Lock()

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        click.echo(f"[{self._said - self._began:6.1f} s] {text}")

    def build_started(self, image: str) -> None:
        self._say(f"image of {image}")

    def build_progress(self, image: str, text: str) -> None:
        """Of a long build, a line now and then."""
        if time.monotonic() - self._said > _QUIET_S:
            self._say(text)

    def cell_finished(self, record: Record) -> None:
        with self._lock:
            self._done += 1
            self._say(f"{self._done}/{self._cells} {finished_line(record)}")


class LiveProgress(Listener):
    """Finished cells scroll by; below them a line per running cell, and a line for the whole."""

    def __init__(self, cells: int, console: Console) -> None:
        from rich.live import Live

        self._cells = cells
        self._done = 0
        self._console = console
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._building = ""
        self._running: dict[Cell, tuple[float, str, int, int]] = {}  # since when, stage, vectors done, of how many
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=5, transient=True)

    def __enter__(self) -> LiveProgress:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def build_started(self, image: str) -> None:
        self._building = image

    def build_progress(self, image: str, text: str) -> None:
        self._building = text

    def build_finished(self, image: str) -> None:
        self._building = ""

    def cell_started(self, cell: Cell) -> None:
        with self._lock:
            self._running[cell] = (time.monotonic(), "prepare", 0, 0)

    def cell_progress(self, cell: Cell, stage: str, done: int, total: int) -> None:
        with self._lock:
            if cell in self._running:
                self._running[cell] = (self._running[cell][0], stage, done, total)

    def cell_finished(self, record: Record) -> None:
        from rich.text import Text

        with self._lock:
            self._done += 1
            self._running.pop(record.cell, None)
        word, _, rest = finished_line(record).partition(" ")
        self._console.print(Text.assemble((word, COLOURS[record.outcome]), " ", rest))

    def _render(self) -> RenderableType:
        from rich.text import Text

        now = time.monotonic()
        with self._lock:
            lines = [
                f"  {cell.board} x {cell.model} ({cell.target})  "
                + (f"vector {min(done + 1, total)} of {total}" if stage == "run" else stage)
                + f"  {now - since:.1f} s"
                for cell, (since, stage, done, total) in self._running.items()
            ]
        if self._building:
            lines.append(f"  building the image of {self._building}")
        lines.append(f"{self._done}/{self._cells} cells, {now - self._began:.1f} s")
        return Text("\n".join(lines), no_wrap=True, overflow="ellipsis")

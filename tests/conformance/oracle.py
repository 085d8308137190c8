# SPDX-License-Identifier: Apache-2.0
"""The oracle for many small models: one process that is started anew when a model kills it."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.net import Case


@dataclass(frozen=True)
class Refusal:
    """The oracle did not run the model: it said so, or it died."""

    text: str
    died: bool


Answer = list[bytes] | Refusal


class Oracle:
    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="tinyhil-conformance-")
        self._words = Path(self._folder.name, "words")

    def run(self, cases: Sequence[Case]) -> Iterator[Answer]:
        """The answers in the order of the cases. Cases are sent ahead of their answers being read."""
        done = 0
        while done < len(cases):
            process = self._start()
            writer = threading.Thread(target=self._send, args=(process, cases[done:]))
            writer.start()
            while done < len(cases):
                answer = self._receive(process)
                done += 1
                yield answer
                if isinstance(answer, Refusal) and answer.died:
                    break
            writer.join()

    def close(self) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait()
            self._process = None
        self._folder.cleanup()

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("oracle_worker.py")), str(self._words)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        return self._process

    @staticmethod
    def _send(process: subprocess.Popen[bytes], cases: Sequence[Case]) -> None:
        assert process.stdin is not None
        try:
            for case in cases:
                outputs = len(case.output_types)
                process.stdin.write(pickle.dumps((case.model, case.vectors, case.stateful, case.runs_once, outputs)))
            process.stdin.flush()
        except OSError:  # it died; the reader sees that too
            pass

    def _receive(self, process: subprocess.Popen[bytes]) -> Answer:
        assert process.stdout is not None
        try:
            answer = pickle.load(process.stdout)
        except EOFError:
            status = process.wait()
            process.stdout.close()
            self._process = None
            last = self._words.read_text("utf-8", "replace") if self._words.exists() else ""
            self._words.unlink(missing_ok=True)
            return Refusal(_one_line(f"ended with status {status}: {last}"), died=True)
        return Refusal(_one_line(answer), died=False) if isinstance(answer, str) else list(answer)


def _one_line(text: str) -> str:
    return " | ".join(line.strip() for line in text.splitlines() if line.strip())[-2000:]

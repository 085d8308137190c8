# SPDX-License-Identifier: Apache-2.0
"""The normative oracle: TensorFlow Lite Micro's reference kernels, from the PyPI package `tflite-micro`.

The interpreter is native code that may abort on a model it does not like, and that prints where it pleases: it runs in
a process of its own, and its last words go into the error.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tinyhil
from tinyhil.errors import OracleFailed, OracleMissing
from tinyhil.model import Model
from tinyhil.oracle.base import Oracle, Trace

_TIME_LIMIT_S = 1800
_ARENA_FLOOR_BYTES = 64 << 20


class TflmOracle(Oracle):
    name = "tflm"

    def version(self) -> str:
        return _installed_version()

    def tensors(self, model: Model, inputs: Sequence[NDArray[Any]], indices: Sequence[int]) -> dict[int, NDArray[Any]]:
        return {
            i: found[0] for i, found in self.activations(model, [a[np.newaxis] for a in inputs], indices)[1].items()
        }

    def activations(
        self, model: Model, inputs: Sequence[NDArray[Any]], indices: Sequence[int]
    ) -> tuple[list[NDArray[Any]], dict[int, NDArray[Any]]]:
        """What the outputs, and the tensors with these indices, hold after each of n vectors: arrays (n, *shape). Float
        models run too. Raises what `trace` raises."""
        answers = self._answers(model, inputs, wanted=indices, checksums=False)
        outputs = [answers[f"output_{i}"] for i in range(len(model.outputs))]
        return outputs, {index: answers[f"tensor_{index}"] for index in indices}

    def trace(self, model: Model, inputs: Sequence[NDArray[Any]], *, keep_state: bool = False) -> Trace:
        answers = self._answers(model, inputs, keep_state=keep_state)
        return Trace(
            outputs=[answers[f"output_{i}"] for i in range(len(model.outputs))],
            op_reads=answers["op_reads"],
            op_writes=answers["op_writes"],
        )

    def _answers(
        self,
        model: Model,
        inputs: Sequence[NDArray[Any]],
        *,
        wanted: Sequence[int] = (),
        keep_state: bool = False,
        checksums: bool = True,
    ) -> dict[str, NDArray[Any]]:
        """What the worker wrote: see tflm_worker."""
        self.version()
        with tempfile.TemporaryDirectory(prefix="tinyhil-oracle-") as folder:
            request, answer = Path(folder, "request.npz"), Path(folder, "answer.npz")
            Path(folder, "model.tflite").write_bytes(model.data)
            arrays: dict[str, Any] = {f"input_{i}": array for i, array in enumerate(inputs)}
            np.savez(request, **arrays, plan=np.array(_plan(model, wanted, keep_state, checksums)))
            self._work(model, folder)
            with np.load(answer, allow_pickle=False) as answers:
                return dict(answers)

    def _work(self, model: Model, folder: str) -> None:
        package_parent = str(Path(tinyhil.__file__).resolve().parent.parent)
        path = os.pathsep.join(filter(None, [package_parent, os.environ.get("PYTHONPATH")]))
        try:
            done = subprocess.run(
                [sys.executable, "-m", "tinyhil.oracle.tflm_worker", folder],
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_TIME_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise OracleFailed(
                f"{model.path}: oracle {self.name} did not finish within {_TIME_LIMIT_S} s",
                next_step="Make a golden set of fewer vectors with `tinyhil golden make`.",
            ) from error
        if done.returncode == 0:
            return
        last_words = "\n".join(done.stdout.decode("utf-8", "replace").splitlines()[-20:])
        how = f"died of {_signal_name(-done.returncode)} on the model" if done.returncode < 0 else "refused the model"
        raise OracleFailed(
            f"{model.path}: oracle {self.name} ({self.version()}) {how}",
            next_step="Look for shapes and options that contradict each other: `tinyhil model` shows them.",
            details=last_words,
        )


@lru_cache(maxsize=1)
def _installed_version() -> str:
    if importlib.util.find_spec("tflite_micro") is None:
        raise OracleMissing(
            "oracle tflm: the Python package tflite-micro is not installed "
            f"(Python {sys.version_info.major}.{sys.version_info.minor} on {sys.platform})",
            next_step="On Linux x86-64 with CPython 3.10 to 3.13: pip install 'tinyhil[oracle]'. Elsewhere make the "
            "golden set on such a machine with `tinyhil golden make` and keep it beside the model.",
        )
    from importlib.metadata import version

    return version("tflite-micro")


def _plan(model: Model, wanted: Sequence[int], keep_state: bool, checksums: bool) -> str:
    """What the worker needs to know of the model: it reads no .tflite file itself."""
    return json.dumps(
        {
            "inputs": len(model.inputs),
            "outputs": len(model.outputs),
            "tensors": {
                t.index: [t.type, list(t.shape)]
                for op in model.operators
                for t in (*model.reads(op), *model.writes(op))
            },
            "reads": [[t.index for t in model.reads(op)] for op in model.operators],
            "writes": [[t.index for t in model.writes(op)] for op in model.operators],
            "wanted": list(wanted),
            "checksums": checksums,
            # Its own reset would not run again what runs once, so the state begins with a new interpreter.
            "fresh": model.is_stateful and not keep_state,
            "arena_bytes": _ARENA_FLOOR_BYTES
            + 2 * sum(t.bytes + 64 for graph in model.subgraphs for t in graph.tensors if not t.is_constant),
        }
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

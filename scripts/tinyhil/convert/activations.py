# SPDX-License-Identifier: Apache-2.0
"""What the tensors of a .tflite hold on given samples, computed on this computer: float models too.

The interpreter is the oracle; for a float model that it cannot run, LiteRT or TensorFlow, whichever is installed.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tinyhil
from tinyhil.errors import OracleFailed, OracleMissing
from tinyhil.model import Model, schema
from tinyhil.model.graph import Tensor
from tinyhil.oracle import TflmOracle

_TIME_LIMIT_S = 1800
_LITERT = ("ai_edge_litert", "tensorflow")
_CHUNK_BYTES = 64 << 20  # of activations fetched at once


def quantize(real: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    """Real values as a tensor of integers holds them: round(x / scale) + zero point, clipped. Float tensors: as is."""
    if tensor.type not in schema.INTEGER_RANGES or len(tensor.scales) != 1:
        return real.astype(tensor.dtype)
    lowest, highest = schema.INTEGER_RANGES[tensor.type]
    steps = np.rint(real.astype(np.float64) / tensor.scales[0]) + tensor.zero_points[0]
    quantized: NDArray[Any] = np.clip(steps, lowest, highest).astype(tensor.dtype)
    return quantized


def dequantize(values: NDArray[Any], tensor: Tensor) -> NDArray[np.float64]:
    """The real values that a tensor's integers stand for: scale * (value - zero point). Float tensors: as is."""
    wide = values.astype(np.float64)
    if not tensor.scales or tensor.type in schema.FLOAT_TYPES:
        return wide
    shape = [1] * values.ndim
    if tensor.per_channel:
        shape[values.ndim - len(tensor.shape) + tensor.quantized_dimension] = -1
    scales = np.array(tensor.scales).reshape(shape)
    real: NDArray[np.float64] = scales * (wide - np.array(tensor.zero_points).reshape(shape))
    return real


def feed(model: Model, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Samples (n, ...) as (n, *shape) arrays of the types of the model's inputs: real ones are quantized for inputs of
    integers."""
    fed = []
    for tensor, array in zip(model.input_tensors, samples, strict=True):
        shaped = array.reshape(len(array), *tensor.shape)
        whole = tensor.type in schema.INTEGER_RANGES
        fed.append(quantize(shaped, tensor) if whole and shaped.dtype.kind == "f" else shaped.astype(tensor.dtype))
    return fed


def run(
    model: Model, inputs: Sequence[NDArray[Any]], indices: Sequence[int] = ()
) -> tuple[list[NDArray[Any]], dict[int, NDArray[Any]]]:
    """The outputs, and the tensors with these indices, for n vectors (inputs (n, *shape) of their types): arrays
    (n, *shape).

    Raises OracleMissing where there is no interpreter, and OracleFailed where none can run the model.
    """
    count = len(inputs[0])
    held = sum(model.tensors[i].bytes for i in indices) + 1
    chunk = max(1, min(count, _CHUNK_BYTES // held))
    parts = [_run_chunk(model, [a[at : at + chunk] for a in inputs], indices) for at in range(0, count, chunk)]
    outputs = [np.concatenate(of_one) for of_one in zip(*(part[0] for part in parts), strict=True)]
    return outputs, {i: np.concatenate([part[1][i] for part in parts]) for i in indices}


def _run_chunk(
    model: Model, inputs: Sequence[NDArray[Any]], indices: Sequence[int]
) -> tuple[list[NDArray[Any]], dict[int, NDArray[Any]]]:
    try:
        return TflmOracle().activations(model, inputs, indices)
    except (OracleFailed, OracleMissing):
        package = next((name for name in _LITERT if importlib.util.find_spec(name)), None)
        if package is None:
            raise
        return _litert(package, model, inputs, indices)


def _litert(
    package: str, model: Model, inputs: Sequence[NDArray[Any]], indices: Sequence[int]
) -> tuple[list[NDArray[Any]], dict[int, NDArray[Any]]]:
    """The same by LiteRT, in a process of its own: it is native code too."""
    with tempfile.TemporaryDirectory(prefix="tinyhil-litert-") as folder:
        request, answer = Path(folder, "request.npz"), Path(folder, "answer.npz")
        Path(folder, "model.tflite").write_bytes(model.data)
        arrays: dict[str, Any] = {f"input_{i}": array for i, array in enumerate(inputs)}
        np.savez(request, **arrays, wanted=np.array(indices, np.int64), package=np.array(package))
        path = str(Path(tinyhil.__file__).resolve().parent.parent)
        done = subprocess.run(
            [sys.executable, "-m", "tinyhil.convert.litert_worker", folder],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [path, os.environ.get("PYTHONPATH")]))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIME_LIMIT_S,
            check=False,
        )
        if done.returncode:
            raise OracleFailed(
                f"{model.path}: neither the oracle nor {package} can run it",
                next_step="`tinyhil model` shows its operators.",
                details="\n".join(done.stdout.decode("utf-8", "replace").splitlines()[-12:]),
            )
        with np.load(answer, allow_pickle=False) as answers:
            outputs = [answers[f"output_{i}"] for i in range(len(model.outputs))]
            return outputs, {i: answers[f"tensor_{i}"] for i in indices}

# SPDX-License-Identifier: Apache-2.0
"""The process that holds the native interpreter: python -m tinyhil.oracle.tflm_worker FOLDER.

Reads model.tflite and request.npz (inputs, and the plan of tflm.py) from the folder and writes answer.npz:
of every vector the outputs, the operators' checksums where they are asked for, and the tensors that are wanted.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tinyhil.oracle.base import checksum


def main(folder: Path) -> None:
    runtime = importlib.import_module("tflite_micro.python.tflite_micro.runtime")

    with np.load(folder / "request.npz", allow_pickle=False) as request:
        plan = json.loads(str(request["plan"]))
        inputs = [request[f"input_{i}"] for i in range(plan["inputs"])]
    model = (folder / "model.tflite").read_bytes()

    def fresh() -> Any:
        return runtime.Interpreter.from_bytes(
            model,
            arena_size=plan["arena_bytes"],
            intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors,
        )

    interpreter = fresh()
    count, operators = len(inputs[0]), len(plan["reads"])
    wanted: dict[int, list[Any]] = {index: [] for index in plan["wanted"]}
    outputs: list[list[Any]] = [[] for _ in range(plan["outputs"])]
    op_reads = np.zeros((count, operators), "<u4")
    op_writes = np.zeros((count, operators), "<u4")
    for n in range(count):
        if plan["fresh"] and n > 0:
            interpreter = fresh()
        for i, array in enumerate(inputs):
            interpreter.set_input(array[n], i)
        interpreter.invoke()
        for i in range(plan["outputs"]):
            outputs[i].append(np.array(interpreter.get_output(i)))
        for index, values in wanted.items():
            values.append(_tensor(interpreter, index, *plan["tensors"][str(index)]))
        if not plan["checksums"]:
            continue
        tensors = {int(i): _tensor(interpreter, int(i), *kind) for i, kind in plan["tensors"].items()}
        for op in range(operators):
            op_reads[n, op] = checksum(tensors[i] for i in plan["reads"][op])
            op_writes[n, op] = checksum(tensors[i] for i in plan["writes"][op])
    arrays: dict[str, Any] = {f"output_{i}": np.stack(values) for i, values in enumerate(outputs)}
    arrays |= {f"tensor_{i}": np.stack(values) for i, values in wanted.items()}
    np.savez(folder / "answer.npz", **arrays, op_reads=op_reads, op_writes=op_writes)


def _tensor(interpreter: Any, index: int, type_name: str, shape: list[int]) -> Any:
    value = interpreter.GetTensor(index, 0)["tensor_data"]
    if value.dtype != np.dtype(type_name) or list(value.shape) != shape:
        raise RuntimeError(
            f"tensor {index} is {value.dtype} {list(value.shape)} in the interpreter, {type_name} {shape} in the file"
        )
    return value


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except RuntimeError as failure:  # the interpreter's refusal; what led to it, it has printed itself
        sys.exit(str(failure))

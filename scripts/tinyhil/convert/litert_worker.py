# SPDX-License-Identifier: Apache-2.0
"""The process that holds LiteRT's interpreter: python -m tinyhil.convert.litert_worker FOLDER.

Reads model.tflite and request.npz (inputs, wanted tensors, the package to take) and writes answer.npz: outputs and
wanted tensors, each (n, *shape). Its reference kernels, so that no delegate hides a tensor.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np


def main(folder: Path) -> None:
    with np.load(folder / "request.npz", allow_pickle=False) as request:
        package, wanted = str(request["package"]), request["wanted"].tolist()
        inputs = [request[f"input_{i}"] for i in range(sum(name.startswith("input_") for name in request.files))]
    if package == "ai_edge_litert":
        litert: Any = importlib.import_module("ai_edge_litert.interpreter")
        kernels = litert.OpResolverType.BUILTIN_REF
    else:
        litert = importlib.import_module("tensorflow").lite
        kernels = litert.experimental.OpResolverType.BUILTIN_REF
    interpreter = litert.Interpreter(
        model_path=str(folder / "model.tflite"),
        experimental_op_resolver_type=kernels,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    held: dict[str, list[Any]] = {}
    for n in range(len(inputs[0])):
        for detail, array in zip(interpreter.get_input_details(), inputs, strict=True):
            interpreter.set_tensor(detail["index"], array[n])
        interpreter.invoke()
        found = {f"output_{i}": d["index"] for i, d in enumerate(interpreter.get_output_details())}
        found |= {f"tensor_{i}": i for i in wanted}
        for name, index in found.items():
            held.setdefault(name, []).append(np.array(interpreter.get_tensor(index)))
    arrays: dict[str, Any] = {name: np.stack(values) for name, values in held.items()}
    np.savez(folder / "answer.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

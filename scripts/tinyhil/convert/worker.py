# SPDX-License-Identifier: Apache-2.0
"""The process in which a framework's converter works: python -m tinyhil.convert.worker FOLDER.

Reads request.json and, where there are samples, samples.npz from the folder. Writes answer.json, float.tflite, and with
samples answer.npz (the samples as the .tflite takes them, what the source itself gives for them) and int8.tflite.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyhil.convert import data
from tinyhil.convert.source import Inputs, Request, Source, open_source
from tinyhil.errors import ConversionFailed, TinyhilError

_RANDOM_SAMPLES = 8


def main(folder: Path) -> None:
    asked = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    answer: dict[str, Any] = {}
    try:
        shapes = tuple(tuple(shape) for shape in asked["input_shapes"])
        request = Request(folder, shapes, asked["float_io"], asked["any_operator"])
        source = open_source(asked["kind"], asked["place"], request)
        answer["framework"] = source.framework
        answer["inputs"] = [[name, list(shape), dtype] for name, shape, dtype in source.inputs]
        samples = _samples(folder, source, random=asked["any_operator"])
        _convert(folder, source, samples, asked, answer)
    except Exception as failure:
        error = failure if isinstance(failure, TinyhilError) else _unforeseen(failure)
        answer["error"] = {
            "class": type(error).__name__,
            "message": error.message,
            "next_step": error.next_step,
            "details": error.details,
            "requirement": error.requirement,
        }
    _tell(folder, answer)


def _unforeseen(failure: Exception) -> ConversionFailed:
    said = str(failure).strip().splitlines() or [""]
    return ConversionFailed(
        f"{type(failure).__name__}: {said[0][:300]}",
        next_step="Does the model run in its own framework, with an input of these shapes?",
        details="".join(traceback.format_exception(failure, limit=-4))[-2000:],
    )


def _tell(folder: Path, answer: dict[str, Any]) -> None:
    (folder / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


def _convert(
    folder: Path, source: Source, samples: list[NDArray[Any]], asked: dict[str, Any], answer: dict[str, Any]
) -> None:
    (folder / "float.tflite").write_bytes(source.float_model())
    on_device = source.on_device(samples)
    answer["channels_last"] = [
        given.shape != made.shape or given is not made for given, made in zip(samples, on_device, strict=True)
    ]
    arrays = {f"sample_{i}": array for i, array in enumerate(on_device)}
    if not asked["any_operator"]:
        for i, output in enumerate(source.outputs(samples) or []):
            arrays[f"output_{i}"] = output
    np.savez(folder / "answer.npz", **arrays)  # type: ignore[arg-type]
    if asked["any_operator"]:
        # Should the converter die of it, the float model is what there is.
        answer["int8_failed"] = ["the converter died of it", ""]
        _tell(folder, answer)
    try:
        (folder / "int8.tflite").write_bytes(source.int8_model(samples))
        answer.pop("int8_failed", None)
    except ConversionFailed as error:
        if not asked["any_operator"]:
            raise
        answer["int8_failed"] = [error.message, error.details]


def _samples(folder: Path, source: Source, *, random: bool) -> list[NDArray[Any]]:
    path = folder / "samples.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as archive:
            return data.fit([archive[name] for name in archive.files], source.inputs)
    return _random(source.inputs) if random else []


def _random(inputs: Inputs) -> list[NDArray[Any]]:
    """Stand-ins where only the operators matter."""
    generator = np.random.default_rng(0)
    return [
        generator.uniform(-1, 1, (_RANDOM_SAMPLES, *shape[1:])).astype(np.float32)
        if dtype.startswith("float")
        else np.zeros((_RANDOM_SAMPLES, *shape[1:]), dtype)
        for _, shape, dtype in inputs
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))

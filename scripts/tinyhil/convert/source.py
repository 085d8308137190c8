# SPDX-License-Identifier: Apache-2.0
"""What a front end is: it opens a model of some framework and has that framework's own converter do the work.

A front end is one module with a function `open_source(place, request) -> Source`, listed in FRONT_ENDS. It is imported
in the worker's process alone, where its packages may print, spawn threads and die.
"""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyhil.errors import BadInput, MissingTool

Inputs = list[tuple[str, tuple[int, ...], str]]
"""Name, shape with its batch of 1, type of each input."""


@dataclass(frozen=True)
class Request:
    """What is asked of a front end. input_shapes: the user's, for inputs whose shape the model leaves open.

    float_io: leave inputs and outputs in float. any_operator: convert what has no TensorFlow Lite operator too, to a
    custom one, so that all of them can be listed.
    """

    folder: Path
    input_shapes: tuple[tuple[int, ...], ...] = ()
    float_io: bool = False
    any_operator: bool = False

    def shape(self, position: int, name: str, shape: Sequence[int | None]) -> tuple[int, ...]:
        """The shape of an input with a batch of 1 where that is open. Raises BadInput where another length is open."""
        if position < len(self.input_shapes):
            return self.input_shapes[position]
        fixed = [1 if axis == 0 and not length else length for axis, length in enumerate(shape)]
        if any(not length or length < 0 for length in fixed):
            shown = ", ".join("?" if not length or length < 0 else str(length) for length in fixed)
            raise BadInput(
                f"input {position} ({name}) has the shape [{shown}]: a microcontroller needs every length",
                next_step="Say it with --input-shape, such as --input-shape 1,64,10.",
            )
        return tuple(int(length) for length in fixed if length)


class Source(ABC):
    """An opened model."""

    inputs: Inputs  # as the source takes them
    framework: str  # with its version, for the report

    @abstractmethod
    def outputs(self, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]] | None:
        """What the model itself gives for samples (n, *shape without batch): (n, ...) an output. None: cannot tell."""

    @abstractmethod
    def float_model(self) -> bytes:
        """The float .tflite. Raises ConversionFailed."""

    @abstractmethod
    def int8_model(self, samples: Sequence[NDArray[Any]]) -> bytes:
        """The int8 .tflite, its ranges from the samples. Raises ConversionFailed."""

    def on_device(self, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The samples in the layout that the .tflite takes; the source's own unless a front end changes it."""
        return list(samples)


@dataclass(frozen=True)
class FrontEnd:
    """module: in this package. packages: what must be installed, by import name. extra: what brings it."""

    module: str
    packages: tuple[str, ...]
    extra: str
    title: str


FRONT_ENDS = {
    "keras": FrontEnd("keras", ("tensorflow",), "convert-tensorflow", "Keras"),
    "saved_model": FrontEnd("saved_model", ("tensorflow",), "convert-tensorflow", "SavedModel"),
    "onnx": FrontEnd("onnx", ("onnx2tf", "tensorflow"), "convert-onnx", "ONNX"),
    "torch": FrontEnd("torch", ("litert_torch", "ai_edge_quantizer"), "convert-torch", "PyTorch"),
    "tflite": FrontEnd("tflite", ("ai_edge_quantizer",), "convert-torch", "TensorFlow Lite"),
    "factory": FrontEnd("factory", (), "", "Python"),
}
_SUFFIXES = {".keras": "keras", ".h5": "keras", ".hdf5": "keras", ".onnx": "onnx", ".pt2": "torch", ".tflite": "tflite"}
KINDS = "a .keras, .h5, .onnx, .pt2 or .tflite file, a SavedModel folder, or module:function"


def kind_of(place: str) -> str:
    """The front end's name for a path or module:function. Raises BadInput where there is none."""
    path = Path(place)
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return "saved_model"
        raise BadInput(f"{place}: a folder without saved_model.pb", next_step=f"Give {KINDS}.")
    if path.suffix.lower() in _SUFFIXES:
        if not path.is_file():
            raise BadInput(f"{place}: no such file", next_step=f"Give {KINDS}.")
        return _SUFFIXES[path.suffix.lower()]
    if path.suffix.lower() in (".pt", ".pth", ".ckpt"):
        raise BadInput(
            f"{place}: weights, or a pickle that needs your own code: not a model by itself",
            next_step="Write a function that returns the module with its weights loaded, and give module:function; or "
            "torch.export.save the program to a .pt2 file.",
        )
    if ":" in place and not path.exists():
        return "factory"
    raise BadInput(
        f"{place}: {'no model that is known' if path.exists() else 'no such file'}", next_step=f"Give {KINDS}."
    )


def check_installed(kind: str) -> None:
    """Raises MissingTool, naming the extra, where a front end's packages are not there."""
    front_end = FRONT_ENDS[kind]
    missing = [name for name in front_end.packages if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingTool(
            f"{front_end.title} models: the Python package {', '.join(missing)} is not installed",
            requirement=missing[0],
            next_step=f"pip install 'tinyhil[{front_end.extra}]'",
        )


def open_source(kind: str, place: str, request: Request) -> Source:
    """Opens a model. Raises MissingTool, BadInput and ConversionFailed."""
    check_installed(kind)
    module = importlib.import_module(f"tinyhil.convert.{FRONT_ENDS[kind].module}")
    source: Source = module.open_source(place, request)
    return source


def each(samples: Sequence[NDArray[Any]]) -> list[list[NDArray[Any]]]:
    """For each sample its arrays with a batch of 1, one an input, as converters want them."""
    return [[array[n : n + 1] for array in samples] for n in range(len(samples[0]))]


def stacked(outputs: Sequence[Sequence[Any]]) -> list[NDArray[Any]]:
    """What a model gave for each sample, batch of 1 each, as (n, ...) an output."""
    return [np.concatenate([np.asarray(value) for value in of_one]) for of_one in zip(*outputs, strict=True)]

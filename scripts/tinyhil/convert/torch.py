# SPDX-License-Identifier: Apache-2.0
"""Front end for PyTorch: exported programs (.pt2) and modules that a factory returns, through litert-torch.

Images become channels last (NHWC) at the input, as microcontrollers want them. The float .tflite is quantized by
ai-edge-quantizer, which litert-torch brings.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyhil.convert import quantizer
from tinyhil.convert.source import Request, Source, each, stacked
from tinyhil.errors import BadInput, ConversionFailed


def open_source(place: str, request: Request) -> Source:
    torch: Any = importlib.import_module("torch")
    try:
        program = torch.export.load(place)
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise ConversionFailed(
            f"{place}: PyTorch {torch.__version__} cannot load it: {said[0][:200]}",
            next_step="Export it again with torch.export.save(torch.export.export(model.eval(), inputs), FILE).",
        ) from error
    return of_program(program, request)


def of_program(program: Any, request: Request) -> Source:
    """An exported program: its shapes are those that it was exported with."""
    names = list(program.graph_signature.user_inputs)
    held = {node.name: node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"}
    shapes = [tuple(int(length) for length in held[name].shape) for name in names]
    if any(shape[:1] != (1,) for shape in shapes):
        raise BadInput(
            f"the program was exported for inputs of {', '.join(map(str, map(list, shapes)))}: a batch of 1 is needed",
            next_step="Export it with example inputs of one sample: torch.export.export(model, (x[:1],)).",
        )
    return _TorchSource(program.module(), [(n, s) for n, s in zip(names, shapes, strict=True)], request)


def of_module(module: Any, examples: Sequence[Any], request: Request) -> Source:
    """A module; `examples` are inputs whose shapes it is converted for, unless the request has shapes."""
    shapes = list(request.input_shapes) or [tuple(array.shape) for array in examples]
    if not shapes:
        raise ConversionFailed(
            "a PyTorch module does not say which shape it takes",
            next_step="Say it with --input-shape 1,3,32,32, or return (module, example_inputs) from the function.",
        )
    return _TorchSource(module.eval(), [(f"input_{i}", shape) for i, shape in enumerate(shapes)], request)


class _TorchSource(Source):
    def __init__(self, module: Any, inputs: list[tuple[str, tuple[int, ...]]], request: Request) -> None:
        torch: Any = importlib.import_module("torch")
        self.framework = f"litert-torch {version('litert-torch')}, PyTorch {torch.__version__}"
        self.inputs = [(name, shape, "float32") for name, shape in inputs]
        self._module = module
        self._request = request
        self._images = [i for i, (_, shape) in enumerate(inputs) if len(shape) == 4]
        self._float: bytes | None = None

    def outputs(self, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]] | None:
        torch: Any = importlib.import_module("torch")
        with torch.no_grad():
            found = [self._module(*map(torch.from_numpy, sample)) for sample in each(samples)]
        return stacked([[t.numpy() for t in (f if isinstance(f, (list, tuple)) else [f])] for f in found])

    def float_model(self) -> bytes:
        if self._float is None:
            self._float = self._convert()
        return self._float

    def _convert(self) -> bytes:
        torch: Any = importlib.import_module("torch")
        litert_torch: Any = importlib.import_module("litert_torch")
        shapes = [tuple(shape) for _, shape, _ in self.inputs]
        module = self._module
        if self._images:
            module = litert_torch.to_channel_last_io(module, args=self._images)
            for i in self._images:
                shapes[i] = (shapes[i][0], *shapes[i][2:], shapes[i][1])
        path = self._request.folder / "float.tflite"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                litert_torch.convert(module, tuple(torch.zeros(shape) for shape in shapes)).export(str(path))
        except Exception as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise ConversionFailed(
                f"litert-torch {version('litert-torch')} cannot convert it: {said[0][:200]}",
                next_step="Does torch.export.export(module, inputs) work? It must: litert-torch begins with it.",
                details="\n".join(said[-8:]),
            ) from error
        return path.read_bytes()

    def int8_model(self, samples: Sequence[NDArray[Any]]) -> bytes:
        return quantizer.quantize(self.float_model(), self.on_device(samples), self._request)

    def on_device(self, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        return [
            np.ascontiguousarray(np.moveaxis(array, 1, -1)) if i in self._images else array
            for i, array in enumerate(samples)
        ]

# SPDX-License-Identifier: Apache-2.0
"""Front end for a float .tflite, quantized by ai-edge-quantizer."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from numpy.typing import NDArray

from tinyhil.convert import quantizer
from tinyhil.convert.source import Request, Source
from tinyhil.model import load_model


def open_source(place: str, request: Request) -> Source:
    return _TfliteSource(place, request)


class _TfliteSource(Source):
    def __init__(self, place: str, request: Request) -> None:
        self._model = load_model(place)
        self._request = request
        self.framework = f"ai-edge-quantizer {version('ai-edge-quantizer')}"
        self.inputs = [(t.name, t.shape, t.type) for t in self._model.input_tensors]

    def outputs(self, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]] | None:
        return None  # the float .tflite itself is what is compared with

    def float_model(self) -> bytes:
        return self._model.data

    def int8_model(self, samples: Sequence[NDArray[Any]]) -> bytes:
        return quantizer.quantize(self._model.data, samples, self._request)

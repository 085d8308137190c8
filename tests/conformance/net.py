# SPDX-License-Identifier: Apache-2.0
"""A model under construction together with what it is run on: what a generator returns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.draw import Draw
from conformance.mutate import mutate
from tinyhil.model.writer import ModelWriter

Vector = list[NDArray[Any]]  # for each input of the model an array


@dataclass(frozen=True)
class Case:
    model: bytes
    vectors: list[Vector]
    output_bytes: int  # of all outputs together
    input_types: tuple[str, ...]
    output_types: tuple[str, ...]
    stateful: bool  # vectors follow each other; where False each starts from the model's initial state
    runs_once: bool = False  # the oracle's reset does not bring back its initial state
    expected: list[bytes] | None = None  # outputs for each vector, where the oracle does not have the operator


class Net(ModelWriter):
    """Like its base; inputs and outputs are declared as they are added.

    net = Net(draw)
    x = net.input((1, 8), scale=draw.scale(), zero_point=draw.zero_point())
    y = net.output((1, 8), scale=draw.scale(), zero_point=draw.zero_point())
    net.operator("ABS", [x], [y])
    return net.case()
    """

    def __init__(self, draw: Draw) -> None:
        super().__init__()
        self._draw = draw
        self._inputs: dict[int, tuple[tuple[int, ...], str, Any]] = {}
        self._outputs: dict[int, tuple[tuple[int, ...], str]] = {}

    def input(self, shape: Sequence[int], type: str = "int8", *, values: Any = None, **quantization: Any) -> int:
        """`values`, an array to choose from, replaces the type's whole range."""
        index = self.tensor(shape, type, **quantization)
        self._inputs[index] = (tuple(shape), type, values)
        return index

    def output(self, shape: Sequence[int], type: str = "int8", **quantization: Any) -> int:
        index = self.tensor(shape, type, **quantization)
        self._outputs[index] = (tuple(shape), type)
        return index

    def quantized_input(self, shape: Sequence[int], type: str = "int8", low: float = 1e-3, high: float = 1.0) -> int:
        return self.input(shape, type, scale=self._draw.scale(low, high), zero_point=self._draw.zero_point(type))

    def quantized_output(self, shape: Sequence[int], type: str = "int8", low: float = 1e-3, high: float = 1.0) -> int:
        return self.output(shape, type, scale=self._draw.scale(low, high), zero_point=self._draw.zero_point(type))

    def constant(self, values: NDArray[Any] | Sequence[Any], type: str = "int32", **quantization: Any) -> int:
        array = np.asarray(values)
        return self.tensor(array.shape, type, data=array, **quantization)

    def case(self, *, stateful: bool = False, steps: int = 4) -> Case:
        """The model, and vectors for it: random ones, and two with every input at an end of its range."""
        rng = np.random.default_rng(self._draw.below(1 << 16))
        vectors = [
            [_values(rng, kind if kind < 2 else 2 + kind % 2, *input) for input in self._inputs.values()]
            for kind in ([0, 1, 2, 3] if steps == 4 else [0] * steps)
        ]
        if self._draw.damage is not None:
            mutate(self, self._draw.damage)
        return Case(
            model=self.finish(list(self._inputs), list(self._outputs)),
            vectors=vectors,
            output_bytes=sum(math.prod(shape) * np.dtype(type).itemsize for shape, type in self._outputs.values()),
            input_types=tuple(type for _, type, _ in self._inputs.values()),
            output_types=tuple(type for _, type in self._outputs.values()),
            stateful=stateful,
            runs_once=any(name == "VAR_HANDLE" for name in self.operator_names),
        )


def _values(rng: np.random.Generator, kind: int, shape: tuple[int, ...], type: str, values: Any) -> NDArray[Any]:
    """kind 0 and 1: random; 2: the lowest value throughout; 3: the highest."""
    if values is not None:
        options = np.asarray(values, type)
        return rng.choice(options, shape) if kind < 2 else np.full(shape, options[0 if kind == 2 else -1], type)
    if type == "bool":
        return rng.integers(0, 2, shape).astype(bool) if kind < 2 else np.full(shape, kind == 3)
    if type == "float32":
        wide = rng.normal(0, 30, shape) if kind < 2 else np.full(shape, (-1e6, 1e6)[kind - 2])
        return np.where(rng.integers(2, size=shape) == 0, wide, rng.integers(-40, 40, shape) / 4).astype(np.float32)
    limits = np.iinfo(type)
    if kind >= 2:
        return np.full(shape, limits.min if kind == 2 else limits.max, type)
    if limits.bits > 16 and kind == 1:  # values as indices and shapes have them
        return rng.integers(-100, 101, shape).astype(type)
    return rng.integers(limits.min, limits.max, shape, endpoint=True, dtype=type)

# SPDX-License-Identifier: Apache-2.0
"""Synthetic input vectors: the same for a seed everywhere and for ever.

Random bytes come from SHAKE-256 over a name that says what they are for (seed, kind, number, input), so a vector
depends neither on NumPy's generators nor on how many vectors are made before it. GENERATOR names this recipe in a
golden set; whatever changes a vector must change that name.
"""

from __future__ import annotations

import hashlib
import tokenize
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyhil.errors import BadInput
from tinyhil.model import Model, Tensor, schema

GENERATOR = "tinyhil-vectors/1"
KINDS = ("uniform", "random_walk", "minimum", "maximum", "zero_point", "sample")
# The vectors of a set that is made on the spot.
DEFAULT_UNIFORM = 3
DEFAULT_RANDOM_WALK = 2

# What NumPy raises for a damaged .npy file; its header is read as a Python literal.
NPY_DAMAGE = (OSError, EOFError, MemoryError, SyntaxError, TypeError, ValueError, tokenize.TokenError)

_Range = tuple[float, float, float]  # lowest, highest, the value that stands for zero


def synthetic_kinds(uniform: int = DEFAULT_UNIFORM, random_walk: int = DEFAULT_RANDOM_WALK) -> list[str]:
    """The kinds of the synthetic vectors of a set, in order: the random ones, then one of each constant kind."""
    return ["uniform"] * uniform + ["random_walk"] * random_walk + ["minimum", "maximum", "zero_point"]


def number_kinds(kinds: Sequence[str]) -> list[int]:
    """Each vector's number among those of its kind, from 0."""
    seen: Counter[str] = Counter()
    numbers = []
    for kind in kinds:
        numbers.append(seen[kind])
        seen[kind] += 1
    return numbers


def make_vectors(model: Model, kinds: Sequence[str], numbers: Sequence[int], *, seed: int) -> list[NDArray[Any]]:
    """The synthetic vectors of these kinds and numbers: for each of the model's inputs an array (n, *shape) of its
    type. Raises BadInput for an input of a type that has no vectors (string)."""
    arrays = []
    for position, tensor in enumerate(model.input_tensors):
        if tensor.type not in schema.NUMPY_TYPES or tensor.type.startswith("complex"):
            raise BadInput(
                f"{model.path}: input {position} ({tensor.name}) is {tensor.type}: no vectors can be made for it",
                next_step="Quantize the model with int8 or float32 inputs.",
            )
        value_range = _range(model, tensor)
        array = np.empty((len(kinds), *tensor.shape), tensor.dtype)
        for i, (kind, number) in enumerate(zip(kinds, numbers, strict=True)):
            array[i] = _vector(kind, tensor, value_range, f"{GENERATOR}|seed {seed}|{kind} {number}|input {position}")
        arrays.append(array)
    return arrays


def load_inputs(model: Model, paths: Sequence[Path]) -> list[NDArray[Any]]:
    """The user's own vectors, from one .npy file per model input: what check_inputs returns.

    Raises:
        BadInput: another number of files than the model has inputs, a file that is no .npy, or what check_inputs says.
    """
    if len(paths) != len(model.inputs):
        raise BadInput(
            f"{model.path} has {len(model.inputs)} inputs, but there are {len(paths)} files of vectors",
            next_step="Give one .npy file per input, in the model's order: " + _describe_inputs(model),
        )
    return check_inputs(model, [load_array(path) for path in paths], names=[str(path) for path in paths])


def load_outputs(model: Model, paths: Sequence[Path], count: int) -> list[NDArray[Any]]:
    """Expected outputs for `count` vectors, from one file per model output: .npy, or .csv with a line a vector.

    Raises BadInput: another number of files than outputs, an unreadable file, or what check_outputs says.
    """
    if len(paths) != len(model.outputs):
        raise BadInput(
            f"{model.path} has {len(model.outputs)} outputs, but there are {len(paths)} files of expected ones",
            next_step="Give one file per output, in the model's order.",
        )
    arrays = [
        _load_csv(path, tensor) if path.suffix.lower() == ".csv" else load_array(path)
        for path, tensor in zip(paths, model.output_tensors, strict=True)
    ]
    return check_outputs(model, arrays, count, names=[str(path) for path in paths])


def _load_csv(path: Path, tensor: Tensor) -> NDArray[Any]:
    """A line a vector, its numbers in C order, commas or blanks between them; lines that begin with # are skipped."""
    rows = []
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip() and not line.lstrip().startswith("#"):
                row = np.array([float(word) for word in line.replace(",", " ").split()], np.float64)
                if len(row) != tensor.elements:
                    raise ValueError(f"line {number} has {len(row)} numbers, the output has {tensor.elements}")
                rows.append(row)
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path}: cannot be read as CSV: {error}",
            next_step="Write a line of numbers for each vector, without a head.",
        ) from error
    table = np.array(rows).reshape(len(rows), *tensor.shape)
    converted = table.astype(tensor.dtype)
    if tensor.type in schema.INTEGER_RANGES and not np.array_equal(converted, table):
        raise BadInput(f"{path}: holds numbers that are no {tensor.type}", next_step="Give the quantized output.")
    return converted


def check_outputs(
    model: Model, arrays: Sequence[NDArray[Any]], count: int, *, names: Sequence[str] | None = None
) -> list[NDArray[Any]]:
    """Expected outputs for `count` vectors, as (n, *shape). Raises BadInput for another number, shape or type."""
    checked = []
    for position, (tensor, array) in enumerate(zip(model.output_tensors, arrays, strict=True)):
        name = names[position] if names else f"output {position}"
        if array.dtype != tensor.dtype:
            raise BadInput(
                f"{name}: values are {array.dtype}, must be {tensor.type}",
                next_step="Expect what the model puts out, quantized where it is.",
            )
        if array.size != count * tensor.elements or array.shape[:1] != (count,):
            raise BadInput(
                f"{name}: shape is {list(array.shape)}, must be [{count}, {', '.join(map(str, tensor.shape))}]",
                next_step="Give one expected output for each input vector.",
            )
        checked.append(np.ascontiguousarray(array).reshape(count, *tensor.shape))
    return checked


def load_array(path: Path) -> NDArray[Any]:
    """The array of a .npy file. Raises BadInput where it cannot be read as one."""
    try:
        array = np.load(path, allow_pickle=False)
    except NPY_DAMAGE as error:
        raise BadInput(
            f"{path}: cannot be read as a .npy file: {error}", next_step="Write it with numpy.save(path, array)."
        ) from error
    if not isinstance(array, np.ndarray):
        raise BadInput(
            f"{path}: holds several arrays (.npz)", next_step="Save each array with numpy.save(path, array)."
        )
    return array


def check_inputs(
    model: Model, arrays: Sequence[NDArray[Any]], *, names: Sequence[str] | None = None
) -> list[NDArray[Any]]:
    """Vectors for each of the model's inputs, as (n, *shape). Arrays may leave out a batch dimension of 1.

    Raises:
        BadInput: an array of another type or shape, with NaN or infinity, or not as many vectors as its fellows;
            `names` say which one in messages.
    """
    checked: list[NDArray[Any]] = []
    for position, (tensor, array) in enumerate(zip(model.input_tensors, arrays, strict=True)):
        name = names[position] if names else f"input {position}"
        if array.dtype != tensor.dtype:
            hint = f"input {position} of {model.name} takes {tensor.type}"
            if tensor.type in schema.INTEGER_RANGES and array.dtype.kind == "f" and len(tensor.scales) == 1:
                lowest, highest = schema.INTEGER_RANGES[tensor.type]
                hint += (
                    f": quantize with numpy.clip(numpy.round(x / {tensor.scales[0]!r}) + {tensor.zero_points[0]}, "
                    f"{lowest}, {highest}).astype(numpy.{tensor.type})"
                )
            raise BadInput(f"{name}: values are {array.dtype}, must be {tensor.type}", next_step=f"{hint}.")
        if array.shape[1:] == tensor.shape:
            vectors = array
        elif tensor.shape[:1] == (1,) and array.ndim > 0 and array.shape[1:] == tensor.shape[1:]:
            vectors = array.reshape(len(array), *tensor.shape)
        elif array.shape == tensor.shape:
            vectors = array[np.newaxis]
        else:
            raise BadInput(
                f"{name}: shape is {list(array.shape)}, must be [n, {', '.join(map(str, tensor.shape))}]",
                next_step="Shape it as n vectors of the model's input: " + _describe_inputs(model),
            )
        if len(vectors) == 0:
            raise BadInput(f"{name}: there is no vector in it", next_step="Give at least one vector.")
        if tensor.type in schema.FLOAT_TYPES and not np.isfinite(vectors).all():
            raise BadInput(f"{name}: holds NaN or infinity", next_step="A quantized model is undefined there.")
        if checked and len(vectors) != len(checked[0]):
            raise BadInput(
                f"{name}: {len(vectors)} vectors, but the first input has {len(checked[0])}",
                next_step="Give as many vectors for every input.",
            )
        checked.append(np.ascontiguousarray(vectors))
    return checked


def _describe_inputs(model: Model) -> str:
    return ", ".join(f"{t.name} {t.type}{list(t.shape)}" for t in model.input_tensors)


def _range(model: Model, tensor: Tensor) -> _Range:
    """What values an input takes. Float inputs: what the QUANTIZE that reads them can tell apart, and an eighth more on
    either side, so that saturation is tried; -1 to 1 where there is none."""
    if tensor.type == "bool":
        return 0, 1, 0
    if tensor.type in schema.FLOAT_TYPES:
        for op in model.operators:
            if op.name == "QUANTIZE" and op.inputs[:1] == (tensor.index,) and op.outputs:
                quantized = model.tensors[op.outputs[0]]
                if len(quantized.scales) == 1 and quantized.type in schema.INTEGER_RANGES:
                    lowest, highest = schema.INTEGER_RANGES[quantized.type]
                    scale, zero_point = quantized.scales[0], quantized.zero_points[0]
                    margin = (highest - lowest) / 8
                    return scale * (lowest - zero_point - margin), scale * (highest - zero_point + margin), 0.0
        return -1.0, 1.0, 0.0
    # Wider integers are counts or indices as a rule, and no int8 engine quantizes to them: small values are meaningful.
    narrow = tensor.type in ("int8", "uint8", "int16", "uint16")
    lowest, highest = schema.INTEGER_RANGES[tensor.type if narrow else "int8" if tensor.type[0] == "i" else "uint8"]
    return lowest, highest, tensor.zero_points[0] if tensor.zero_points else 0


def _vector(kind: str, tensor: Tensor, value_range: _Range, stream: str) -> NDArray[Any]:
    lowest, highest, zero = value_range
    if kind in ("minimum", "maximum", "zero_point"):
        constant = {"minimum": lowest, "maximum": highest, "zero_point": zero}[kind]
        return np.full(tensor.shape, constant, tensor.dtype)
    words = np.frombuffer(hashlib.shake_256(stream.encode()).digest(4 * (tensor.elements + 1)), "<u4")
    unit = words.astype(np.float64) / 2**32  # in [0, 1), exact
    values = unit[:-1] if kind == "uniform" else _walk(unit)
    if tensor.type in schema.FLOAT_TYPES:
        return (lowest + values * (highest - lowest)).reshape(tensor.shape).astype(tensor.dtype)
    whole = np.floor(values * (highest - lowest + 1)) + lowest
    return np.minimum(whole, highest).reshape(tensor.shape).astype(tensor.dtype)


def _walk(unit: NDArray[np.float64]) -> NDArray[np.float64]:
    """A random walk in [0, 1]: neighbours are alike, as in images and sound. Steps of up to 1/16, reflected at the
    ends. One value shorter than `unit`, whose first is the start."""
    position = unit[0] + np.cumsum((unit[1:] - 0.5) / 8)
    folded = np.mod(position, 2.0)
    walk: NDArray[np.float64] = np.where(folded > 1.0, 2.0 - folded, folded)
    return walk

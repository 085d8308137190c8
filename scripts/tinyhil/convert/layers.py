# SPDX-License-Identifier: Apache-2.0
"""What quantization cost, layer by layer: the float model's activations against the int8 model's, dequantized.

Both models compute the same samples from their inputs on, so a layer's error is that of all layers before it too.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from os.path import commonpath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyhil.convert import activations
from tinyhil.model import Model, schema
from tinyhil.model.graph import Tensor

_NO_NAME = ("StatefulPartitionedCall", "PartitionedCall", "Identity", "serving_default")  # of TensorFlow's own making
_WRAPPER = "ChannelLastIOWrapper"  # of litert-torch's own making
_BOUNDARY = frozenset({"QUANTIZE", "DEQUANTIZE"})
_WITH_CHANNELS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"})
_MOST_SAMPLES = 128
_MOST_BYTES = 256 << 20  # of float activations


@dataclass(frozen=True)
class LayerError:
    """One layer's output, over all samples that were compared.

    sqnr_db: 10 log10 of the reference's power over the error's; infinite where there is no error.
    max_abs, mean_abs: of the error, in real values. scale: of the int8 tensor, one step.
    clipped: the share of reference values that lie outside what the int8 tensor can hold, by more than a step: the
    scale of SOFTMAX is fixed, and its 1 is just beyond it.
    dead: channels whose reference never varies. flattened: those that vary there, and not in int8. None: no channels.
    """

    operator: int
    name: str
    layer: str
    shape: tuple[int, ...]
    sqnr_db: float
    max_abs: float
    mean_abs: float
    scale: float
    clipped: float
    dead: tuple[int, ...] | None
    flattened: tuple[int, ...] | None


@dataclass(frozen=True)
class Comparison:
    """The layers in the order in which they run, how many samples went through both models, and what has no match."""

    layers: tuple[LayerError, ...]
    samples: int
    unmatched: tuple[str, ...]

    def worst(self, count: int = 3) -> list[LayerError]:
        """The layers of the lowest SQNR, the lowest first."""
        return sorted((e for e in self.layers if math.isfinite(e.sqnr_db)), key=lambda e: e.sqnr_db)[:count]


def layer_name(model: Model, index: int) -> str:
    """What a user calls the layer that writes a tensor: of the names that a converter put into one, the first, without
    what all tensors' names begin with; a tensor without a telling name goes by its number."""
    name = _first_name(model, index)
    if not name or name.startswith(_NO_NAME) or name.endswith(_WRAPPER):
        return f"output {model.outputs.index(index)}" if index in model.outputs else f"tensor {index}"
    return name.removeprefix(_common_folder(model)).removeprefix("torch.nn.modules.")


@lru_cache(maxsize=16)
def _common_folder(model: Model) -> str:
    """The folders that all telling names of activations share: "model_1/", or ""."""
    outputs = {index for op in model.operators for index in op.outputs}
    names = [name for name in (_first_name(model, i) for i in outputs) if "/" in name and not name.startswith(_NO_NAME)]
    common = commonpath([name.rsplit("/", 1)[0] for name in names]) if len(names) > 1 else ""
    return f"{common}/" if common else ""


def _first_name(model: Model, index: int) -> str:
    return model.tensors[index].name.split(";")[0].strip("/")


def match(reference: Model, quantized: Model) -> list[tuple[int, Tensor, Tensor]]:
    """Triples (operator of the quantized model, its tensor, the reference's tensor) of what corresponds.

    Converters keep the order of operators as a rule, so operators are aligned in order by their names and shapes;
    operators between float and int8 are passed over.
    """
    ours, theirs = _outputs(quantized), _outputs(reference)
    signature = [(quantized.operators[op].name, tensor.shape) for op, tensor in ours]
    other = [(reference.operators[op].name, tensor.shape) for op, tensor in theirs]
    blocks = difflib.SequenceMatcher(None, signature, other, autojunk=False).get_matching_blocks()
    return [
        (ours[block.a + i][0], ours[block.a + i][1], theirs[block.b + i][1])
        for block in blocks
        for i in range(block.size)
    ]


def compare(reference: Model, quantized: Model, samples: Sequence[NDArray[Any]]) -> Comparison:
    """The error of each layer on samples: real values (n, ...) an input, or whole numbers as the int8 model takes them.

    Raises OracleMissing and OracleFailed where a model cannot be run on this computer.
    """
    pairs = match(reference, quantized)
    held = sum(tensor.bytes for _, _, tensor in pairs) + 1
    samples = spread(samples, max(1, min(_MOST_SAMPLES, _MOST_BYTES // held)))
    fed = activations.feed(quantized, samples)
    real = [activations.dequantize(a, t) for a, t in zip(fed, quantized.input_tensors, strict=True)]
    as_given = [
        given if given.dtype.kind == "f" else exact for given, exact in zip(samples, real, strict=True)
    ]  # what the quantized model was given, before rounding where that is known
    _, ours = activations.run(quantized, fed, [tensor.index for _, tensor, _ in pairs])
    _, theirs = activations.run(
        reference, activations.feed(reference, as_given), [tensor.index for _, _, tensor in pairs]
    )
    layers = tuple(
        _error(quantized, op, tensor, ours[tensor.index], theirs[other.index]) for op, tensor, other in pairs
    )
    matched = {tensor.index for _, tensor, _ in pairs}
    unmatched = [layer_name(quantized, t.index) for _, t in _outputs(quantized) if t.index not in matched]
    return Comparison(layers, len(samples[0]), tuple(unmatched))


def spread(samples: Sequence[NDArray[Any]], count: int) -> list[NDArray[Any]]:
    """`count` of the samples, evenly chosen; all where there are no more."""
    n = len(samples[0])
    chosen = np.arange(n) if n <= count else np.linspace(0, n - 1, count).round().astype(int)
    return [array[chosen] for array in samples]


def _outputs(model: Model) -> list[tuple[int, Tensor]]:
    return [
        (op.index, tensor)
        for op in model.operators
        if op.name not in _BOUNDARY
        for tensor in model.writes(op)
        if tensor.type in schema.FLOAT_TYPES or tensor.scales
    ]


def _error(model: Model, op: int, tensor: Tensor, stored: NDArray[Any], reference: NDArray[Any]) -> LayerError:
    ours = activations.dequantize(stored, tensor)
    theirs = reference.astype(np.float64)
    error = np.abs(ours - theirs)
    power, noise = float((theirs**2).mean()), float((error**2).mean())
    sqnr_db = math.inf if noise == 0 else -math.inf if power == 0 else 10 * math.log10(power / noise)
    clipped, scale = 0.0, 0.0
    if len(tensor.scales) == 1 and tensor.type in schema.INTEGER_RANGES:
        scale = tensor.scales[0]
        low, high = (scale * (end - tensor.zero_points[0]) for end in schema.INTEGER_RANGES[tensor.type])
        clipped = float(((theirs < low - 1.01 * scale) | (theirs > high + 1.01 * scale)).mean())
    dead = flattened = None
    name = model.operators[op].name
    if name in _WITH_CHANNELS and tensor.shape:
        still = _constant_channels(theirs)
        dead = tuple(int(i) for i in np.flatnonzero(still))
        flattened = tuple(int(i) for i in np.flatnonzero(_constant_channels(stored) & ~still))
    return LayerError(
        operator=op,
        name=name,
        layer=layer_name(model, tensor.index),
        shape=tensor.shape,
        sqnr_db=sqnr_db,
        max_abs=float(error.max()),
        mean_abs=float(error.mean()),
        scale=scale,
        clipped=clipped,
        dead=dead,
        flattened=flattened,
    )


def _constant_channels(values: NDArray[Any]) -> NDArray[np.bool_]:
    flat = values.reshape(-1, values.shape[-1])
    still: NDArray[np.bool_] = flat.max(axis=0) == flat.min(axis=0)
    return still

# SPDX-License-Identifier: Apache-2.0
"""What people get wrong on the way to int8, found and said in words.

A `Finding` is one such thing. `error`: the model is not what was asked for, or will not run. `warning`: it runs, and
most likely not do what it should. Each says what was seen, with numbers, and what to do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os.path import commonpath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyhil.convert import activations
from tinyhil.convert.layers import Comparison, layer_name, spread
from tinyhil.model import Model, schema
from tinyhil.model.graph import Operator, Tensor
from tinyhil.model.support import supported_operators, supported_types

if TYPE_CHECKING:
    from tinyhil.board import Board

_FEW_SAMPLES = 20
_TRIED_SAMPLES = 200  # through a model, for a suspicion
_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"})
_CONTROL = frozenset({"IF", "WHILE", "CALL", "CALL_ONCE"})


@dataclass(frozen=True)
class Finding:
    """kind: a word for machines. layer: the layer's name, empty for the whole model."""

    kind: str
    severity: str  # "error" or "warning"
    text: str
    next_step: str
    layer: str = ""


@dataclass(frozen=True)
class Lacking:
    """An operator that an engine, or a board's image, does not have. `why` completes "GELU (layer) ..."."""

    operator: str
    layers: tuple[str, ...]
    why: str


# Operators ------------------------------------------------------------------------------------------------------------
def lacking_operators(model: Model, engine: str, board: Board | None = None) -> list[Lacking]:
    """What keeps `engine` from running the model once it is int8, by operator, with the layers that use it.

    Float models are judged by what they will be: an operator must exist, and for int8.
    """
    known = supported_operators(engine)
    on_board = set(board.bare_metal.ops) if board and board.bare_metal and board.bare_metal.ops else None
    found: dict[tuple[str, str], list[str]] = {}
    for number, graph in enumerate(model.subgraphs):
        for op in graph.operators:
            why = ""
            if op.custom_name:
                why = "is a custom operator: write it and give its source with --extra-source"
            elif op.name not in known:
                why = f"is not in engine {engine}"
                if op.name in _CONTROL:
                    why += " (control flow)"
            elif engine == "builtin" and number == 0:
                why = _types(model, op)
            if not why and on_board is not None and op.name not in on_board and engine == "builtin":
                why = f"is not in the image of board {board.name if board else ''}"
            if why:
                name = graph.tensors[op.outputs[0]].name if op.outputs else ""
                layer = layer_name(model, op.outputs[0]) if number == 0 and op.outputs else name
                if op.name in _CONTROL and "/" not in layer:
                    layer = _inside(model) or layer
                found.setdefault((op.name, why), []).append(layer or f"operator {op.index}")
    return [Lacking(name, tuple(dict.fromkeys(layers)), why) for (name, why), layers in found.items()]


def _inside(model: Model) -> str:
    """The folder that the names in the further subgraphs share, "lstm/while": what their caller is called."""
    names = [t.name.split(";")[0] for graph in model.subgraphs[1:] for t in graph.tensors if "/" in t.name]
    return commonpath([name.rsplit("/", 1)[0] for name in names]) if names else ""


def _types(model: Model, op: Operator) -> str:
    """Why the builtin engine's operator cannot work on these types; float stands for the int8 that it will be."""
    allowed = supported_types(op.name)
    for tensor in (*model.reads(op), *model.writes(op)):
        fine = tensor.type in allowed or (tensor.type in schema.FLOAT_TYPES and "int8" in allowed)
        if not fine and op.name != "RESHAPE":
            return f"on {tensor.type} is not in engine builtin"
    return ""


def not_integer(model: Model, *, float_io: bool = False) -> list[Finding]:
    """The operators that compute in float, and inputs or outputs that are not int8, unless `float_io`."""
    findings = []
    for op in model.operators:
        boundary = float_io and op.name in ("QUANTIZE", "DEQUANTIZE")
        touched = [t for t in (*model.reads(op), *model.writes(op)) if t.type in schema.FLOAT_TYPES]
        if touched and not boundary:
            layer = layer_name(model, op.outputs[0]) if op.outputs else ""
            findings.append(
                Finding(
                    "float_operator",
                    "error",
                    f"operator {op.index} {op.name} works on {touched[0].type}",
                    "The converter has no int8 form of this operator, or lacks its range: replace the layer.",
                    layer,
                )
            )
    if not float_io:
        for what, tensors in (("input", model.input_tensors), ("output", model.output_tensors)):
            for i, tensor in enumerate(tensors):
                if tensor.type in schema.FLOAT_TYPES:
                    findings.append(
                        Finding(
                            "float_boundary",
                            "error",
                            f"{what} {i} is {tensor.type}, not int8",
                            "Convert again, or ask for it with --float-io.",
                            layer_name(model, tensor.index),
                        )
                    )
    return findings


# The int8 model's own numbers -----------------------------------------------------------------------------------------
def weights(model: Model) -> list[Finding]:
    """Dead channels, channels that one scale for all leaves without steps, scales far apart, biases at their limit."""
    findings: list[Finding] = []
    for op in model.operators:
        if op.name not in _CONVOLUTIONS or len(op.inputs) < 2 or op.inputs[1] < 0:
            continue
        tensor = model.tensors[op.inputs[1]]
        if not tensor.is_constant or tensor.type != "int8":
            continue
        axis = tensor.quantized_dimension if tensor.per_channel else 3 if op.name == "DEPTHWISE_CONV_2D" else 0
        values = np.abs(np.moveaxis(model.constant(tensor).astype(np.int32), axis, 0))
        peaks = values.reshape(len(values), -1).max(axis=1)
        layer = layer_name(model, op.outputs[0])
        findings += _weight_findings(tensor, peaks, layer) + _bias(model, op, layer)
    return findings


def _weight_findings(tensor: Tensor, peaks: NDArray[Any], layer: str) -> list[Finding]:
    findings = []
    dead = np.flatnonzero(peaks == 0)
    if len(dead):
        findings.append(
            Finding(
                "dead_channels",
                "warning",
                f"{len(dead)} of {len(peaks)} channels have no weight but 0 ({_some(dead)})",
                "They cost time and memory for nothing: prune them, or look why training left them.",
                layer,
            )
        )
    coarse = np.flatnonzero((peaks > 0) & (peaks < 8))
    if not tensor.per_channel and len(coarse):
        findings.append(
            Finding(
                "coarse_channels",
                "warning",
                f"one scale for all {len(peaks)} channels leaves {len(coarse)} with weights of at most "
                f"{int(peaks[coarse].max())} steps of 127 ({_some(coarse)})",
                "Convert with scales per channel, as converters do by default for convolutions.",
                layer,
            )
        )
    if tensor.per_channel:
        scales = np.array(tensor.scales)[peaks > 0]
        if len(scales) and scales.max() / scales.min() > 1000:
            findings.append(
                Finding(
                    "scale_spread",
                    "warning",
                    f"the channels' scales are a factor of {scales.max() / scales.min():,.0f} apart "
                    f"({scales.min():.2g} to {scales.max():.2g})",
                    "Channels that small are as good as dead beside the others: look at batch normalization, or "
                    "regularize.",
                    layer,
                )
            )
    return findings


def _bias(model: Model, op: Operator, layer: str) -> list[Finding]:
    if len(op.inputs) < 3 or op.inputs[2] < 0:
        return []
    tensor = model.tensors[op.inputs[2]]
    if not tensor.is_constant or tensor.type != "int32":
        return []
    full = np.flatnonzero(np.abs(model.constant(tensor).astype(np.int64)) > 2**30)
    if not len(full):
        return []
    return [
        Finding(
            "bias_overflow",
            "warning",
            f"{len(full)} biases are beyond half of what int32 holds ({_some(full)}): the sum may overflow",
            "Those channels' weights are far too small for their bias: look at batch normalization.",
            layer,
        )
    ]


# Samples --------------------------------------------------------------------------------------------------------------
def samples(model: Model, arrays: Sequence[NDArray[Any]], *, quantized: bool = False) -> list[Finding]:
    """What representative data look like by themselves. quantized: `model` is int8 already, so its ranges are known."""
    findings: list[Finding] = []
    for tensor, array in zip(model.input_tensors, arrays, strict=True):
        layer = tensor.name
        low, high = float(array.min()), float(array.max())
        whole = bool(np.array_equal(array, np.rint(array)))
        if len(array) < _FEW_SAMPLES:
            text = f"only {len(array)} samples: ranges from so few are narrower than those in use"
            findings.append(Finding("few_samples", "warning", text, "Give a hundred or more, of all classes.", layer))
        if low == high:
            text = f"every value is {low:g}: no range can be learnt from that"
            findings.append(Finding("constant_data", "warning", text, "Give real samples.", layer))
        elif len(array) > 1 and (array == array[0]).all():
            text = f"all {len(array)} samples are the same"
            findings.append(Finding("constant_data", "warning", text, "Give different samples.", layer))
        if quantized and len(tensor.scales) == 1:
            findings += _against_input(tensor, array, low, high, layer)
        elif not quantized and tensor.type in schema.FLOAT_TYPES and whole and high - low > 2:
            findings += _whole_numbers(low, high, layer)
    return findings


def _whole_numbers(low: float, high: float, layer: str) -> list[Finding]:
    if low < 0 and low >= -128 and high <= 127:
        what = f"whole numbers from {low:g} to {high:g}: they look quantized already"
        step = "Give the real values, as the float model was trained on: the converter finds scale and zero point."
        return [Finding("already_quantized", "warning", what, step, layer)]
    if low >= 0 and 127 < high <= 255:
        what = f"whole numbers from {low:g} to {high:g}: right only if the model itself scales pixels"
        step = "If it was trained on 0 to 1 or on -1 to 1, give the data so: x / 255 or x / 127.5 - 1."
        return [Finding("unscaled_data", "warning", what, step, layer)]
    return []


def _against_input(tensor: Tensor, array: NDArray[Any], low: float, high: float, layer: str) -> list[Finding]:
    scale, zero_point = tensor.scales[0], tensor.zero_points[0]
    ends = schema.INTEGER_RANGES[tensor.type]
    real_low, real_high = (scale * (end - zero_point) for end in ends)
    sign = "-" if zero_point < 0 else "+"
    formula = f"clip(round(x / {scale:.9g}) {sign} {abs(zero_point)}, {ends[0]}, {ends[1]})"
    takes = f"the input takes {tensor.type} for {real_low:.4g} to {real_high:.4g}"
    if array.dtype.kind == "f":
        outside = float(((array < real_low - scale / 2) | (array > real_high + scale / 2)).mean())
        if outside > 0.01:
            text = f"{outside:.0%} of the values lie outside: they go from {low:.4g} to {high:.4g}, {takes}"
            step = "Scale the data as in training, or convert again with data like these."
            return [Finding("out_of_range", "warning", text, step, layer)]
        if high - low < (real_high - real_low) / 8:
            text = f"the values go from {low:.4g} to {high:.4g} only, {takes}: less than an eighth of the steps is used"
            step = "Scale the data as in training, or convert again with data like these."
            return [Finding("narrow_range", "warning", text, step, layer)]
        return []
    if set(np.unique(array).tolist()) <= {-1, 0, 1}:
        text = f"whole numbers of {sorted(np.unique(array).tolist())} alone: float values were cast, not quantized"
        return [Finding("float_cast", "warning", text, f"Quantize: {formula}.", layer)]
    if zero_point <= ends[0] + 16 and low >= 0 and high > ends[1] // 2:
        text = f"no value is below 0, {takes}, zero point {zero_point}: the zero point was not added"
        return [Finding("zero_point_ignored", "warning", text, f"Quantize: {formula}.", layer)]
    return []


# Samples with labels: suspicions that can be shown --------------------------------------------------------------------
_RANGES: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "x / 255": lambda x: x / 255,
    "x / 127.5 - 1": lambda x: x / 127.5 - 1,
    "(x + 128) / 255": lambda x: (x + 128) / 255,
    "x * 255": lambda x: x * 255,
    "(x + 1) / 2": lambda x: (x + 1) / 2,
    "2 * x - 1": lambda x: 2 * x - 1,
}


def wrong_range(reference: Model, arrays: Sequence[NDArray[Any]], labels: NDArray[np.int64]) -> list[Finding]:
    """Whether the float model is far more often right when its samples are scaled otherwise."""
    if len(arrays) != 1 or arrays[0].dtype.kind != "f":
        return []
    (tried,), chosen = spread(arrays, _TRIED_SAMPLES), spread([labels], _TRIED_SAMPLES)[0]
    given, *shares = [
        share_right(outputs, chosen)
        for outputs in _run_all(reference, [tried, *(change(tried) for change in _RANGES.values())])
    ]
    others = dict(zip(_RANGES, shares, strict=True))
    best = max(others, key=lambda name: others[name])
    if others[best] < given + 0.15:
        return []
    return [
        Finding(
            "wrong_range",
            "warning",
            f"the float model is right on {given:.0%} of the samples as given, and on {others[best]:.0%} of {best}",
            f"Give {best} as representative data, and to the device.",
            reference.input_tensors[0].name,
        )
    ]


def mistakes(model: Model, arrays: Sequence[NDArray[Any]]) -> dict[str, float]:
    """How often the int8 model's largest output stays the same under the mistakes that are made on devices, 0 to 1.

    Empty for models of several inputs, of another input than a quantized one, or without classes: of a single output,
    or of as many as there are inputs, as autoencoders have.
    """
    tensor, outputs = model.input_tensors[0], model.output_tensors[0].elements
    if len(arrays) != 1 or tensor.type != "int8" or len(tensor.scales) != 1 or outputs in (1, tensor.elements):
        return {}
    right = activations.feed(model, spread(arrays, _TRIED_SAMPLES))[0]
    real = activations.dequantize(right, tensor)
    wrong = {
        "float values cast to int8": np.clip(np.trunc(real), -128, 127),
        "zero point left out": np.clip(np.rint(real / tensor.scales[0]), -128, 127),
        "uint8 bytes taken for int8": (right.astype(np.int16) + 128).astype(np.uint8).view(np.int8),
    }
    if len(tensor.shape) == 4 and tensor.shape[3] > 1:
        wrong["channels first instead of last"] = np.moveaxis(right, -1, 2).reshape(right.shape)
    kept, *others = map(_winners, _run_all(model, [right, *(fed.astype(np.int8) for fed in wrong.values())]))
    return {name: float((winners == kept).mean()) for name, winners in zip(wrong, others, strict=True)}


def _run_all(model: Model, variants: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """The first output for each variant of the samples, all of them in one run."""
    outputs, _ = activations.run(model, activations.feed(model, [np.concatenate(variants)]))
    return np.split(outputs[0], len(variants))


def share_right(outputs: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The share of samples whose largest output is at the label."""
    return float((_winners(outputs) == labels).mean())


def _winners(outputs: NDArray[Any]) -> NDArray[Any]:
    winners: NDArray[Any] = outputs.reshape(len(outputs), -1).argmax(axis=1)
    return winners


# After both models ran ------------------------------------------------------------------------------------------------
def layers(comparison: Comparison) -> list[Finding]:
    """Layers in which quantization left little, values that are clipped, channels that never vary."""
    findings = []
    for entry in comparison.layers:
        if math.isfinite(entry.sqnr_db) and entry.sqnr_db < 10:
            findings.append(
                Finding(
                    "low_sqnr",
                    "warning",
                    f"SQNR {entry.sqnr_db:.1f} dB: the error is {100 / 10 ** (entry.sqnr_db / 10):.0f} % of the "
                    "signal's power",
                    "Look at the first layer of the table whose SQNR falls; its range is too wide or clipped.",
                    entry.layer,
                )
            )
        if entry.clipped > 0.01:
            findings.append(
                Finding(
                    "saturation",
                    "warning",
                    f"{entry.clipped:.1%} of the float values lie outside what its int8 can hold",
                    "The samples are not like the data that the ranges come from: convert again with data like these.",
                    entry.layer,
                )
            )
        for kind, channels, what in (
            ("dead_channels", entry.dead, "never vary in the float model either"),
            ("flattened_channels", entry.flattened, "vary in the float model and are constant in int8"),
        ):
            if channels:
                findings.append(
                    Finding(
                        kind,
                        "warning",
                        f"{len(channels)} of {entry.shape[-1]} channels {what} ({_some(channels)})",
                        "Give more varied samples; if they stay so, prune or retrain."
                        if kind == "dead_channels"
                        else "One wide channel takes the range: scale channels alike before quantizing.",
                        entry.layer,
                    )
                )
    return findings


def constant_output(model: Model, outputs: Sequence[NDArray[Any]]) -> list[Finding]:
    """Whether every sample gives the same output, or the same class."""
    first = outputs[0].reshape(len(outputs[0]), -1)
    if len(first) < 2:
        return []
    layer = layer_name(model, model.outputs[0])
    if (first == first[0]).all():
        text = f"all {len(first)} samples give the very same output"
    elif first.shape[1] > 1 and (_winners(first) == _winners(first)[0]).all() and len(first) >= _FEW_SAMPLES:
        text = f"all {len(first)} samples give class {int(_winners(first)[0])}"
    else:
        return []
    step = "The data is in another range or layout than in training, or the model is not trained."
    return [Finding("constant_output", "warning", text, step, layer)]


def _some(numbers: Sequence[int] | NDArray[Any]) -> str:
    words = [str(int(number)) for number in numbers[:6]]
    return ", ".join(words) + (", ..." if len(numbers) > 6 else "")

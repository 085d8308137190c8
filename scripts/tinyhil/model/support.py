# SPDX-License-Identifier: Apache-2.0
"""Whether an engine can run a model: asked on the host, before anything is built or started.

An engine's operators are read from the table that its firmware links (firmware/kernels/reference/all_ops.cc,
firmware/engine/tflm_ops.h), so that host and device cannot disagree about them. Parameters of an operator are judged by
its kernel, on the device; with TFLite Micro types are too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from tinyhil.errors import FloatModel, UnsupportedOperator
from tinyhil.model import schema
from tinyhil.model.graph import Model, Operator, Tensor

# Where float may stand in a quantized model: the operators between it and int8, and those that only pass data on.
_FLOAT_BOUNDARY = frozenset({"QUANTIZE", "DEQUANTIZE", "RESHAPE"})
# What computes nothing: it passes data on, or keeps it.
_CARRIERS = frozenset(
    {
        "ASSIGN_VARIABLE",
        "BATCH_TO_SPACE_ND",
        "CALL_ONCE",
        "CONCATENATION",
        "DEPTH_TO_SPACE",
        "EXPAND_DIMS",
        "GATHER",
        "PACK",
        "PAD",
        "PADV2",
        "READ_VARIABLE",
        "RESHAPE",
        "RESIZE_NEAREST_NEIGHBOR",
        "SHAPE",
        "SLICE",
        "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQUEEZE",
        "STRIDED_SLICE",
        "TRANSPOSE",
        "UNPACK",
        "VAR_HANDLE",
    }
)

# What the builtin engine's operators read and write beside int8, constants left out. The conformance suite holds this
# against the cases that it ran.
_ARITHMETIC = "int16 int32 float32"
_ANY = "bool int16 int32 int64 float32"
_OTHER_TYPES = {
    "ABS": "int16 float32",
    "ADD": _ARITHMETIC,
    "ARG_MAX": "int32 float32",
    "ARG_MIN": "int32 float32",
    "ASSIGN_VARIABLE": _ANY,
    "BATCH_MATMUL": "float32",
    "BATCH_TO_SPACE_ND": "float32",
    "CALL_ONCE": _ANY,
    "CONCATENATION": _ANY,
    "DEPTH_TO_SPACE": "float32",
    "DEQUANTIZE": "uint8 float32",
    "EQUAL": "bool int32 int64 float32",
    "EXPAND_DIMS": "int16 float32",
    "GATHER": "int32 float32",
    "GREATER": "bool int32 int64 float32",
    "GREATER_EQUAL": "bool int32 int64 float32",
    "HARD_SWISH": "float32",
    "LEAKY_RELU": "int16 float32",
    "LESS": "bool int32 int64 float32",
    "LESS_EQUAL": "bool int32 int64 float32",
    "MAXIMUM": "int16 int32 int64 float32",
    "MEAN": "int16 float32",
    "MINIMUM": "int16 int32 int64 float32",
    "MUL": _ARITHMETIC,
    "NEG": "float32",
    "NOT_EQUAL": "bool int32 int64 float32",
    "PACK": "int16 int32 int64 float32",
    "PAD": _ARITHMETIC,
    "PADV2": _ARITHMETIC,
    "PRELU": "int16 float32",
    "QUANTIZE": "uint8 float32",
    "READ_VARIABLE": _ANY,
    "REDUCE_MAX": "float32",
    "RELU": "int16 float32",
    "RELU6": "int16 float32",
    "RELU_N1_TO_1": "int16 float32",
    "RESIZE_NEAREST_NEIGHBOR": "int16 float32",
    "SHAPE": _ANY,
    "SLICE": "bool int16 int32 float32",
    "SPACE_TO_BATCH_ND": "float32",
    "SPACE_TO_DEPTH": "float32",
    "SPLIT": _ARITHMETIC,
    "SPLIT_V": _ARITHMETIC,
    "SQUEEZE": _ANY,
    "STRIDED_SLICE": "bool int16 int32 float32",
    "SUB": _ARITHMETIC,
    "SUM": "int16 float32",
    "TRANSPOSE": "int16 float32",
    "UNPACK": _ARITHMETIC,
    "VAR_HANDLE": _ANY,
}
_NO_INT8 = frozenset({"NEG"})  # operators that have other types only


@dataclass(frozen=True)
class Unsupported:
    """Why an engine cannot run one operator. `operator` is None where the whole model is at fault."""

    engine: str
    operator: Operator | None
    reason: str  # completes "operator 3 SVDF ..."

    def __str__(self) -> str:
        subject = "the model" if self.operator is None else f"operator {self.operator.index} {self.operator.name}"
        return f"{subject} {self.reason}"


@lru_cache(maxsize=1)
def _builtin_operators() -> frozenset[str]:
    from tinyhil.assets import firmware_dir

    table = firmware_dir() / "kernels" / "reference" / "all_ops.cc"
    return frozenset(re.findall(r"&kOp_(\w+)", table.read_text(encoding="utf-8")))


@lru_cache(maxsize=1)
def tflm_methods() -> dict[str, str]:
    """The operators that the engine tflm registers, each with the X of TFLite Micro's method AddX that does it."""
    from tinyhil.assets import firmware_dir

    table = firmware_dir() / "engine" / "tflm_ops.h"
    return dict(re.findall(r"^ +OP\((\w+), (\w+)\)", table.read_text(encoding="utf-8"), flags=re.MULTILINE))


_ENGINES: dict[str, Callable[[], frozenset[str]]] = {
    "builtin": _builtin_operators,
    "tflm": lambda: frozenset(tflm_methods()),
}


def engine_names() -> tuple[str, ...]:
    """The engines whose operators are known."""
    return tuple(_ENGINES)


def supported_operators(engine: str = "builtin") -> frozenset[str]:
    """The operators that an engine has, by the schema's names. Raises ValueError for an engine nobody knows."""
    if engine not in _ENGINES:
        raise ValueError(f"no engine is called {engine!r}; there are: {', '.join(_ENGINES)}")
    return _ENGINES[engine]()


def supported_types(operator: str) -> frozenset[str]:
    """The types that the builtin engine's operator of this name reads and writes, constants left out."""
    own = frozenset() if operator in _NO_INT8 else frozenset({"int8"})
    return own | frozenset(_OTHER_TYPES.get(operator, "").split())


def is_float_model(model: Model) -> bool:
    """True if no operator computes on integers: the model was never quantized, or only its weights were."""
    computing = [op for op in model.operators if op.name not in _FLOAT_BOUNDARY | _CARRIERS]
    return bool(computing) and all(_float_activations(model, op) for op in computing)


def find_unsupported(model: Model, engine: str = "builtin", custom: frozenset[str] = frozenset()) -> list[Unsupported]:
    """All that keeps `engine` from running the model, in the order of its operators; empty if nothing does.

    custom: the names of custom operators that the image has from extra sources.
    """
    known = supported_operators(engine)
    found = []
    for op in model.operators:
        if op.custom_name in custom and engine == "builtin":
            continue
        reason = "is not implemented" if op.name not in known or op.custom_name else ""
        if reason and op.custom_name:
            reason += ": give its source with --extra-source"
        if engine == "builtin":
            reason = reason or _type_reason(model, op)
        if reason:
            found.append(Unsupported(engine, op, reason))
    for number, graph in enumerate(model.subgraphs[1:], 1):
        for op in graph.operators:
            if (op.name not in known or op.custom_name) and op.custom_name not in custom:
                reason = f"uses {op.name} in subgraph {number}, which is not implemented"
                found.append(Unsupported(engine, None, reason))
    return found


def check_runnable(model: Model, engine: str = "builtin", custom: frozenset[str] = frozenset()) -> None:
    """Refuses what `engine`, with the `custom` operators of extra sources, cannot run.

    Raises:
        FloatModel: it computes in float; float inputs and outputs around an int8 inside are fine.
        UnsupportedOperator: names every operator that the engine does not have.
        ValueError: nobody knows the engine.
    """
    if is_float_model(model):
        op = next(op for op in model.operators if op.name not in _FLOAT_BOUNDARY | _CARRIERS)
        hybrid = any(t.type == "int8" and t.is_constant for t in model.tensors)
        what = "only its weights are quantized" if hybrid else "it was never quantized"
        raise FloatModel(
            f"{model.path}: computes in float ({what}): operator {op.index} {op.name} reads "
            f"{model.reads(op)[0].type if model.reads(op) else 'float'} values",
            next_step="Convert it with full-integer post-training quantization (a representative dataset, int8 "
            "operators), and test the int8 model.",
        )
    found = find_unsupported(model, engine, custom)
    if not found:
        return
    reasons: dict[tuple[str, str], list[int]] = {}
    for item in found:
        name = item.operator.name if item.operator else "the model"
        reasons.setdefault((name, item.reason), []).extend([item.operator.index] if item.operator else [])
    lines = []
    for (name, reason), indices in reasons.items():
        where = f" (operator{'s' if len(indices) > 1 else ''} {', '.join(map(str, indices))})" if indices else ""
        lines.append(f"{name}{where} {reason}")
    raise UnsupportedOperator(
        f"{model.path}: engine {engine} cannot run it: {'; '.join(lines)}",
        next_step=f"Engine {engine} has {', '.join(sorted(supported_operators(engine)))}; `tinyhil model` shows what "
        "the model uses.",
    )


def _float_activations(model: Model, op: Operator) -> bool:
    return any(t.type in schema.FLOAT_TYPES for t in (*model.reads(op), *model.writes(op)))


def _type_reason(model: Model, op: Operator) -> str:
    """Why the types of an implemented operator are not supported; "" where they are."""
    tensors: tuple[Tensor, ...] = (*model.reads(op), *model.writes(op))
    allowed = supported_types(op.name)
    for tensor in tensors:
        if tensor.type not in allowed and op.name != "RESHAPE":
            return f"on {tensor.type} is not implemented"
    sparse = next((t for t in (model.tensors[i] for i in op.inputs if i >= 0) if t.is_sparse), None)
    return f"reads the sparse tensor {sparse.index}: sparsity is not implemented" if sparse else ""

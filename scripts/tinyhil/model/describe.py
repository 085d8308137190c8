# SPDX-License-Identifier: Apache-2.0
"""What a model holds, as plain data for `tinyhil model` and for machines."""

from __future__ import annotations

from typing import Any

from tinyhil.model.graph import Model, Tensor
from tinyhil.model.support import engine_names, find_unsupported, is_float_model


def describe(model: Model) -> dict[str, Any]:
    """The model as JSON-able data: sizes in bytes, operators with MACs and options, tensors with quantization, and for
    each engine what it cannot run and why (`unsupported`, empty where it runs the model)."""
    constants = {t.data_offset: t.bytes for t in model.tensors if t.is_constant}
    return {
        "file": str(model.path),
        "name": model.name,
        "description": model.description,
        "sha256": model.sha256,
        "file_bytes": len(model.data),
        "constant_bytes": sum(constants.values()),
        "activation_bytes": sum(t.bytes for t in model.tensors if not t.is_constant),
        "macs": model.macs,
        "subgraphs": model.subgraph_count,
        "float_model": is_float_model(model),
        "inputs": [_tensor(model, t) for t in model.input_tensors],
        "outputs": [_tensor(model, t) for t in model.output_tensors],
        "operators": [
            {
                "index": op.index,
                "name": op.name,
                "builtin_code": op.builtin_code,
                "custom": bool(op.custom_name),
                "version": op.version,
                "inputs": list(op.inputs),
                "outputs": list(op.outputs),
                "macs": op.macs,
                "options": {name: list(v) if isinstance(v, tuple) else v for name, v in op.options.items()},
                "custom_options_bytes": op.custom_options_bytes,
            }
            for op in model.operators
        ],
        "tensors": [_tensor(model, t) for t in model.tensors],
        "engines": {
            engine: {
                "unsupported": [
                    {
                        "operator": item.operator.index if item.operator else None,
                        "name": item.operator.name if item.operator else None,
                        "reason": item.reason,
                    }
                    for item in find_unsupported(model, engine)
                ]
            }
            for engine in engine_names()
        },
    }


def _tensor(model: Model, tensor: Tensor) -> dict[str, Any]:
    quantization = None
    if tensor.scales:
        quantization = {
            "scales": list(tensor.scales),
            "zero_points": list(tensor.zero_points),
            "dimension": tensor.quantized_dimension if tensor.per_channel else None,
        }
    return {
        "index": tensor.index,
        "name": tensor.name,
        "type": tensor.type,
        "shape": list(tensor.shape),
        "bytes": tensor.bytes,
        "role": _role(model, tensor),
        "quantization": quantization,
    }


def _role(model: Model, tensor: Tensor) -> str:
    if tensor.index in model.inputs:
        return "input"
    if tensor.index in model.outputs:
        return "output"
    return "constant" if tensor.is_constant else "variable" if tensor.is_variable else "activation"

# SPDX-License-Identifier: Apache-2.0
"""A float model and its int8 form, written without any converter: ranges from the samples, as converters take them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyhil.model import Model, parse_model
from tinyhil.model.writer import ModelWriter

FEATURES, HIDDEN, CLASSES = 8, 6, 4


@dataclass(frozen=True)
class Pair:
    reference: Model
    int8: Model
    samples: NDArray[np.float32]
    labels: NDArray[np.int64]


def make(
    folder: Path, *, hidden_scale: float = 1.0, hidden_weights: Any = None, per_channel: bool = False, zero: int = -128
) -> Pair:
    """Two fully connected layers and a softmax, on 64 samples of 0 to 1.

    hidden_scale: a factor on the first layer's output scale; below 1 clips it. hidden_weights: in place of random ones.
    """
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 1, (64, FEATURES)).astype(np.float32)
    w1 = rng.normal(0, 1, (HIDDEN, FEATURES)).astype(np.float32) if hidden_weights is None else hidden_weights
    w2 = rng.normal(0, 1, (CLASSES, HIDDEN)).astype(np.float32)
    hidden = np.maximum(x @ w1.T, 0)
    logits = hidden @ w2.T
    labels = logits.argmax(axis=1)
    scales = {"x": 1 / 255, "hidden": hidden_scale * float(hidden.max()) / 255, "logits": float(np.ptp(logits)) / 255}
    zero_of_logits = int(np.clip(-128 - np.rint(float(logits.min()) / scales["logits"]), -128, 127))
    made = {}
    for form in ("float", "int8"):
        writer = ModelWriter()

        def tensor(shape, key, zero_point, name, form=form, writer=writer):
            quantized = {"scale": scales[key], "zero_point": zero_point} if form == "int8" else {}
            return writer.tensor(shape, "int8" if form == "int8" else "float32", name=name, **quantized)

        def weights(values, name, form=form, writer=writer):
            if form == "float":
                return writer.tensor(values.shape, "float32", data=values, name=name)
            peak = np.abs(values).max(axis=1) if per_channel else np.abs(values).max()
            scale = np.where(peak > 0, peak, 1) / 127
            steps = np.rint(values / (scale[:, None] if per_channel else scale)).astype(np.int8)
            return writer.tensor(values.shape, scale=scale, data=steps, name=name)

        a = tensor((1, FEATURES), "x", zero, "serving_default_x:0")
        b = tensor((1, HIDDEN), "hidden", -128, "net/first/Relu;net/first/MatMul")
        c = tensor((1, CLASSES), "logits", zero_of_logits, "net/second/MatMul")
        d = (
            writer.tensor((1, CLASSES), "int8", scale=1 / 256, zero_point=-128, name="StatefulPartitionedCall:0")
            if form == "int8"
            else writer.tensor((1, CLASSES), "float32", name="StatefulPartitionedCall:0")
        )
        writer.operator("FULLY_CONNECTED", [a, weights(w1, "first/weights"), -1], [b], fused_activation_function="RELU")
        writer.operator("FULLY_CONNECTED", [b, weights(w2, "second/weights"), -1], [c])
        writer.operator("SOFTMAX", [c], [d])
        path = folder / f"net_{form}.tflite"
        path.write_bytes(writer.finish([a], [d]))
        made[form] = parse_model(path.read_bytes(), path)
    return Pair(made["float"], made["int8"], x, labels)

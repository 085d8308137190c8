# SPDX-License-Identifier: Apache-2.0
"""What TensorFlow's own converter makes of the keyword spotter: the same weights, the same representative sounds.

    python firmware/models/kws/with_tensorflow.py    # writes tensorflow.json, which train.py quotes in the card

A second opinion on training/quantize.py, and the only thing here that needs TensorFlow: pip install
'tinyhil[models,oracle,convert-tensorflow]', and espeak-ng.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import frontend
import speech
import train
from tinyhil.model import Model, load_model, parse_model
from training.exact import shuffled
from training.recipe import int8_outputs


def in_float(model: Model, index: int) -> NDArray[np.float32]:
    """What a constant of the model stands for."""
    tensor = model.tensors[index]
    shape = [1] * len(tensor.shape)
    if len(tensor.scales) > 1:
        shape[tensor.quantized_dimension] = -1
    return (model.constant(tensor) * np.array(tensor.scales).reshape(shape)).astype(np.float32)


def converted(model: Model, representative: NDArray[np.float32]) -> bytes:
    """The float network with the model's weights, through TensorFlow's converter to int8."""
    conv, depthwise, pointwise, dense = (op for op in model.operators if len(op.inputs) == 3)
    weights = {
        op.index: [tf.constant(in_float(model, index)) for index in op.inputs[1:]]
        for op in (conv, depthwise, pointwise, dense)
    }
    sound = tf.TensorSpec([1, frontend.FRAMES, frontend.COEFFICIENTS, 1], tf.float32)

    @tf.function(input_signature=[sound])
    def network(x: Any) -> Any:
        for op, strides in ((conv, [1, 2, 4, 1]), (depthwise, [1, 1, 1, 1]), (pointwise, [1, 1, 1, 1])):
            kernel, bias = weights[op.index]
            kernel = tf.transpose(kernel, [1, 2, 3, 0])
            convolve = tf.nn.depthwise_conv2d if op is depthwise else tf.nn.conv2d
            x = tf.nn.relu(convolve(x, kernel, strides, "SAME") + bias)
        kernel, bias = weights[dense.index]
        return tf.nn.softmax(tf.matmul(tf.reshape(x, [1, -1]), kernel, transpose_b=True) + bias)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([one[np.newaxis]] for one in representative)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def main() -> int:
    own = load_model(HERE / "kws.tflite")
    heard = frontend.features(speech.record(speech.TRAINING, **train.TRAINING_SOUNDS).samples)
    held_out = speech.record(speech.HELD_OUT, **train.HELD_OUT_SOUNDS)
    unheard = frontend.features(held_out.samples)
    chosen = shuffled("kws representative", len(heard))[:1000]
    theirs = converted(own, train.as_seen(heard[chosen]).astype(np.float32))
    taken = parse_model(theirs, HERE / "tensorflow.tflite").input_tensors[0]
    if (taken.scales, taken.zero_points) != ((frontend.SCALE,), (frontend.ZERO_POINT,)):
        raise SystemExit(f"TensorFlow's converter gives the input scale {taken.scales}, zero point {taken.zero_points}")
    ours, others = (int8_outputs(data, unheard).astype(np.int64) for data in (own.data, theirs))
    found = {
        "tensorflow": tf.__version__,
        "of_sha256": own.sha256,
        "bytes": len(theirs),
        "int8_accuracy": float((others.argmax(axis=1) == held_out.labels).mean()),
        "same_class": float((others.argmax(axis=1) == ours.argmax(axis=1)).mean()),
        "largest_difference": int(np.abs(others - ours).max()),
    }
    (HERE / "tensorflow.json").write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

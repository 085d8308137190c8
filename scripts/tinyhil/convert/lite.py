# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's own converter, for the front ends that end in a TensorFlow function: Keras, SavedModel, ONNX."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from tinyhil.convert.source import Request, each
from tinyhil.errors import ConversionFailed


def tensorflow() -> Any:
    return importlib.import_module("tensorflow")


def convert(concrete: Any, owner: Any, request: Request, samples: Sequence[NDArray[Any]] | None) -> bytes:
    """A concrete function of fixed shapes as a .tflite: int8 with the samples' ranges, float without samples.

    Its inputs are the function's, in their order.

    owner: what keeps the function's variables, for a model that changes them; None: they are constants.
    Raises ConversionFailed.
    """
    try:
        return _convert(concrete, None, request, samples)
    except ConversionFailed:
        if owner is None:
            raise
        return _convert(concrete, owner, request, samples)


def _convert(concrete: Any, owner: Any, request: Request, samples: Sequence[NDArray[Any]] | None) -> bytes:
    tf = tensorflow()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], owner)
    if samples is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: iter(each(samples))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if not request.float_io:
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
    converter.allow_custom_ops = request.any_operator
    try:
        data: bytes = converter.convert()
    except Exception as error:
        raise ConversionFailed(
            f"TensorFlow {tf.__version__} cannot convert it{_what(str(error))}",
            next_step="`tinyhil convert --check-operators` lists every operator that stands in the way.",
            details="\n".join(str(error).strip().splitlines()[-8:]),
        ) from error
    return data


def _what(said: str) -> str:
    """The operators that a converter's message names."""
    found = re.findall(r"(?:tf|tfl)\.[A-Z]\w+", said)
    return ": " + ", ".join(dict.fromkeys(found)) if found else ""

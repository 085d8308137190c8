# SPDX-License-Identifier: Apache-2.0
"""A float .tflite to int8 by ai-edge-quantizer: what litert-torch's float models, and any other, are quantized with."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyhil.convert.source import Request, each
from tinyhil.errors import ConversionFailed


def quantize(data: bytes, samples: Sequence[NDArray[Any]], request: Request) -> bytes:
    """int8 weights (per channel) and activations. Operators that it has no int8 form of stay float: the checks name
    them. Raises ConversionFailed."""
    quantizers: Any = importlib.import_module("ai_edge_quantizer.quantizer")
    calibrators: Any = importlib.import_module("ai_edge_quantizer.calibrator")
    recipes: Any = importlib.import_module("ai_edge_quantizer.recipe_manager")
    recipe: Any = importlib.import_module("ai_edge_quantizer.recipe")
    path = request.folder / "to_quantize.tflite"
    path.write_bytes(data)
    try:
        chosen = recipe.static_wi8_ai8()
        manager = recipes.RecipeManager()
        manager.load_quantization_recipe(chosen)
        calibrator = calibrators.Calibrator(str(path), qsv_update_func=_widest)
        calibrator.calibrate(_signature_data(path, samples), manager)
        quantizer = quantizers.Quantizer(str(path), chosen)
        result = quantizer.quantize(calibrator.get_model_qsvs(), enable_progress_report=False)
        out = bytes(result.quantized_model)
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise ConversionFailed(
            f"ai-edge-quantizer {version('ai-edge-quantizer')} cannot quantize it: {said[0][:200]}",
            next_step="`tinyhil convert --check-operators` lists the operators that stand in the way.",
            details="\n".join(said[-8:]),
        ) from error
    return out


def _widest(known: Any, seen: Any) -> Any:
    """The range of all samples. Its own default, a moving average, is narrower than the samples and clips them."""
    bounds = {"min": np.minimum, "max": np.maximum}
    return {
        key: bounds[key](known[key], value) if key in bounds and key in known else value for key, value in seen.items()
    }


def _signature_data(path: Any, samples: Sequence[NDArray[Any]]) -> dict[str, list[dict[str, Any]]]:
    """The samples by the names of the model's signature, in the order of its inputs."""
    litert: Any = importlib.import_module("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(model_path=str(path))
    signatures = interpreter.get_signature_list()
    key = next(iter(signatures))
    runner = interpreter.get_signature_runner(key)
    details = runner.get_input_details()
    order = [detail["index"] for detail in interpreter.get_input_details()]
    names = sorted(details, key=lambda name: order.index(details[name]["index"]))
    return {key: [dict(zip(names, sample, strict=True)) for sample in each(samples)]}

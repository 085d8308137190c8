# SPDX-License-Identifier: Apache-2.0
"""Reading .tflite models: what is in one, and whether an engine can run it."""

from tinyhil.model.graph import Model, Operator, Tensor, load_model, parse_model
from tinyhil.model.support import check_runnable, find_unsupported, supported_operators

__all__ = [
    "Model",
    "Operator",
    "Tensor",
    "check_runnable",
    "find_unsupported",
    "load_model",
    "parse_model",
    "supported_operators",
]

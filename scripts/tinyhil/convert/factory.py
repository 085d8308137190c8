# SPDX-License-Identifier: Apache-2.0
"""Front end for `module:function`: a function of the user's own that returns a Keras model, a PyTorch module, or
(module, example_inputs)."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any

from tinyhil.convert.source import Request, Source, check_installed
from tinyhil.errors import BadInput, ConversionFailed


def open_source(place: str, request: Request) -> Source:
    module_name, _, function_name = place.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise BadInput(
            f"{place}: {module_name} cannot be imported: {error}",
            next_step="Give module:function as Python would import it from this folder.",
            details=traceback.format_exc(limit=-3),
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise BadInput(f"{place}: {module_name} has no function {function_name!r}", next_step="Name one that it has.")
    try:
        made = function()
    except Exception as error:
        raise ConversionFailed(
            f"{place}: {function_name}() failed: {error}", details=traceback.format_exc(limit=-4)
        ) from error
    return _of_object(made, place, request)


def _of_object(made: Any, place: str, request: Request) -> Source:
    examples: Any = ()
    if isinstance(made, tuple) and len(made) == 2:
        made, examples = made
        examples = examples if isinstance(examples, (tuple, list)) else (examples,)
    ancestors = {base.__module__.split(".")[0] for base in type(made).__mro__}
    if "torch" in ancestors:
        check_installed("torch")
        from tinyhil.convert import torch

        if type(made).__name__ == "ExportedProgram":
            return torch.of_program(made, request)
        return torch.of_module(made, examples, request)
    if ancestors & {"keras", "tf_keras"}:
        check_installed("keras")
        from tinyhil.convert import keras

        return keras.of_model(made, request)
    raise BadInput(
        f"{place}: returned {type(made).__name__}",
        next_step="Return a Keras model, a PyTorch module, or (module, example_inputs).",
    )

# SPDX-License-Identifier: Apache-2.0
"""Front end for ONNX: onnx2tf makes a SavedModel of it, with channels last, for TensorFlow's converter."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyhil.convert.saved_model import SavedModelSource
from tinyhil.convert.source import Request, Source, each, stacked
from tinyhil.errors import ConversionFailed

# What onnx2tf tries models with three channels on. It fetches the file where the current folder has none of that name.
_TRIAL_FILE, _TRIAL_SHAPE = "calibration_image_sample_data_20x128x128x3_float32.npy", (20, 128, 128, 3)


def open_source(place: str, request: Request) -> Source:
    return _OnnxSource(place, request)


def _stand_in(folder: Path) -> None:
    """Random values for onnx2tf's trial: nothing is fetched from the network."""
    np.save(folder / _TRIAL_FILE, np.random.default_rng(0).uniform(0, 1, _TRIAL_SHAPE).astype(np.float32))


class _OnnxSource(Source):
    def __init__(self, place: str, request: Request) -> None:
        onnx: Any = importlib.import_module("onnx")
        self.framework = f"onnx2tf {version('onnx2tf')}, onnx {onnx.__version__}"
        self._place = place
        try:
            graph = onnx.load(place).graph
            onnx.checker.check_model(place)
        except Exception as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise ConversionFailed(
                f"{place}: onnx {onnx.__version__} cannot read it: {said[0][:200]}",
                next_step="Is the file whole? Export the model again.",
            ) from error
        constants = {initializer.name for initializer in graph.initializer}
        self.inputs = []
        for entry in graph.input:
            if entry.name in constants:
                continue
            tensor = entry.type.tensor_type
            shape = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
            dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
            self.inputs.append((entry.name, request.shape(len(self.inputs), entry.name, shape), dtype))
        self._request = request

    @cached_property
    def _saved(self) -> SavedModelSource:
        request = self._request
        onnx2tf: Any = importlib.import_module("onnx2tf")
        folder = request.folder / "onnx2tf"
        back = Path.cwd()
        _stand_in(request.folder)
        os.chdir(request.folder)
        try:
            onnx2tf.convert(
                input_onnx_file_path=str(Path(self._place).absolute()),
                output_folder_path=str(folder),
                overwrite_input_shape=[f"{name}:{','.join(map(str, shape))}" for name, shape, _ in self.inputs],
                output_signaturedefs=True,
                copy_onnx_input_output_names_to_tflite=False,
                non_verbose=True,
            )
        except (Exception, SystemExit) as error:
            raise ConversionFailed(
                f"{self._place}: onnx2tf {version('onnx2tf')} cannot convert it",
                next_step="`onnx2tf -i FILE` by itself tells more, and takes replacement rules.",
                details="\n".join(str(error).strip().splitlines()[-8:]),
            ) from error
        finally:
            os.chdir(back)
        return SavedModelSource(str(folder), Request(request.folder, (), request.float_io, request.any_operator))

    @cached_property
    def _order(self) -> list[int]:
        """For each input of the SavedModel, which are in the order of their names, the ONNX input that it is."""
        plain = [name.translate({ord(c): "_" for c in ":/.- "}).lower() for name, _, _ in self.inputs]
        order = []
        for position, (key, shape, _) in enumerate(self._saved.inputs):
            known = key.lower().translate({ord(c): "_" for c in ":/.- "})
            by_shape = [i for i, (_, s, _) in enumerate(self.inputs) if sorted(s) == sorted(shape) and i not in order]
            order.append(plain.index(known) if known in plain else by_shape[0] if by_shape else position)
        return order

    def outputs(self, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]] | None:
        try:
            runtime: Any = importlib.import_module("onnxruntime")
        except ImportError:
            return None
        session = runtime.InferenceSession(self._place, providers=["CPUExecutionProvider"])
        names = [name for name, _, _ in self.inputs]
        return stacked([session.run(None, dict(zip(names, sample, strict=True))) for sample in each(samples)])

    def float_model(self) -> bytes:
        return self._saved.float_model()

    def int8_model(self, samples: Sequence[NDArray[Any]]) -> bytes:
        return self._saved.int8_model(self.on_device(samples))

    def on_device(self, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Channels first becomes channels last, where onnx2tf made it so."""
        found = []
        for (_, shape, _), index in zip(self._saved.inputs, self._order, strict=True):
            array, own = samples[index], self.inputs[index][1]
            last = (own[0], *own[2:], own[1]) if len(own) > 2 else own
            found.append(np.ascontiguousarray(np.moveaxis(array, 1, -1)) if shape == last and len(own) > 2 else array)
        return found

# SPDX-License-Identifier: Apache-2.0
"""Front end for Keras: .keras and .h5 files, and models that a factory returns."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from tinyhil.convert import lite
from tinyhil.convert.source import Request, Source, each, stacked
from tinyhil.errors import ConversionFailed


def open_source(place: str, request: Request) -> Source:
    keras: Any = importlib.import_module("keras")
    if keras.config.backend() != "tensorflow":
        raise ConversionFailed(
            f"Keras runs on {keras.config.backend()} here", next_step="Set KERAS_BACKEND=tensorflow and try again."
        )
    try:
        model = keras.models.load_model(place, compile=False)
    except Exception as error:
        model = _legacy(place)
        if model is None:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise ConversionFailed(
                f"{place}: Keras {keras.__version__} cannot load it: {said[0][:200]}",
                next_step="Is the file whole, and of this Keras? A model with layers of your own is given as "
                "module:function, a function that returns it.",
                details="\n".join(said[1:8]),
            ) from error
    return of_model(model, request)


def _legacy(place: str) -> Any:
    """The model, where it is one of Keras 2 and the package tf_keras is there."""
    try:
        return importlib.import_module("tf_keras").models.load_model(place, compile=False)
    except Exception:
        return None


def of_model(model: Any, request: Request) -> Source:
    return _KerasSource(model, request)


class _KerasSource(Source):
    def __init__(self, model: Any, request: Request) -> None:
        tf = lite.tensorflow()
        self.framework = f"TensorFlow {tf.__version__}"
        self._model = model
        self._request = request
        if not model.built or not getattr(model, "inputs", None):
            if not request.input_shapes:
                raise ConversionFailed(
                    f"the model {model.name} has never seen an input: its shape is not known",
                    next_step="Say it with --input-shape, such as --input-shape 1,28,28,1.",
                )
            model(*(tf.zeros(shape) for shape in request.input_shapes))
        given = [(f"input_{i}", shape, "float32") for i, shape in enumerate(request.input_shapes)]
        self.inputs = [
            (t.name, request.shape(i, t.name, tuple(t.shape)), tf.as_dtype(t.dtype).name)
            for i, t in enumerate(model.inputs or [])
        ] or given

        def call(*arrays: Any) -> Any:
            return model(arrays[0] if len(arrays) == 1 else list(arrays), training=False)

        names = [f"input_{i}" if len(self.inputs) > 1 else "input" for i in range(len(self.inputs))]
        specs = [tf.TensorSpec(shape, dtype, name) for (_, shape, dtype), name in zip(self.inputs, names, strict=True)]
        self._concrete = tf.function(call).get_concrete_function(*specs)

    def outputs(self, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]] | None:
        tf = lite.tensorflow()
        found = [tf.nest.flatten(self._concrete(*map(tf.constant, sample))) for sample in each(samples)]
        return stacked(found)

    def float_model(self) -> bytes:
        return lite.convert(self._concrete, None, self._request, None)

    def int8_model(self, samples: Sequence[NDArray[Any]]) -> bytes:
        return lite.convert(self._concrete, None, self._request, samples)

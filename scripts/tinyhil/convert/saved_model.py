# SPDX-License-Identifier: Apache-2.0
"""Front end for SavedModel folders: their signature serving_default, or the only one there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from tinyhil.convert import lite
from tinyhil.convert.source import Request, Source, each, stacked
from tinyhil.errors import ConversionFailed


def open_source(place: str, request: Request) -> Source:
    return SavedModelSource(place, request)


class SavedModelSource(Source):
    def __init__(self, place: str, request: Request) -> None:
        tf = lite.tensorflow()
        self.framework = f"TensorFlow {tf.__version__}"
        self._request = request
        try:
            self._loaded = tf.saved_model.load(place)
        except Exception as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise ConversionFailed(
                f"{place}: TensorFlow {tf.__version__} cannot load it: {said[0][:200]}",
                next_step="Is the folder whole, with variables/ beside saved_model.pb?",
            ) from error
        signatures = self._loaded.signatures
        name = "serving_default" if "serving_default" in signatures else next(iter(signatures), None)
        if name is None:
            raise ConversionFailed(
                f"{place}: it has no signature", next_step="Export it with one: model.export(folder) does in Keras 3."
            )
        signature = signatures[name]
        specs = signature.structured_input_signature[1]
        self.inputs = [
            (key, request.shape(i, key, tuple(spec.shape)), spec.dtype.name)
            for i, (key, spec) in enumerate(sorted(specs.items()))
        ]
        keys = [key for key, _, _ in self.inputs]
        order = sorted(signature.structured_outputs)

        def call(*arrays: Any) -> Any:
            found = signature(**dict(zip(keys, arrays, strict=True)))
            return [found[key] for key in order]

        self._concrete = tf.function(call).get_concrete_function(
            *(tf.TensorSpec(shape, dtype, key) for key, shape, dtype in self.inputs)
        )

    def outputs(self, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]] | None:
        tf = lite.tensorflow()
        return stacked([tf.nest.flatten(self._concrete(*map(tf.constant, sample))) for sample in each(samples)])

    def float_model(self) -> bytes:
        return lite.convert(self._concrete, self._loaded, self._request, None)

    def int8_model(self, samples: Sequence[NDArray[Any]]) -> bytes:
        return lite.convert(self._concrete, self._loaded, self._request, samples)

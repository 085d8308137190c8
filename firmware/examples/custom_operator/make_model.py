# SPDX-License-Identifier: Apache-2.0
"""Writes clip.tflite, whose second operator is the custom one of clip.cc, with inputs, the outputs they must give, and
labels: python make_model.py FOLDER. Needs `pip install 'tinyhil[models]'`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tinyhil.model.writer import ModelWriter

LOW, HIGH = -20, 50


def main(folder: Path) -> None:
    writer = ModelWriter("a custom operator")
    x, turned, y = (writer.tensor(shape, scale=0.1) for shape in ((1, 2, 3), (1, 3, 2), (1, 6)))
    order = writer.tensor((3,), "int32", data=np.array([0, 2, 1]))
    clipped = writer.tensor((1, 3, 2), scale=0.1)
    writer.operator("TRANSPOSE", [x, order], [turned])
    writer.operator("Clip", [turned], [clipped], custom=True, custom_options=np.array([LOW, HIGH], np.int8).tobytes())
    writer.operator("RESHAPE", [clipped], [y], new_shape=[1, 6])
    inputs = np.random.default_rng(0).integers(-128, 128, (8, 1, 2, 3)).astype(np.int8)
    # What the model means, said another way than the firmware says it.
    outputs = np.clip(inputs.transpose(0, 1, 3, 2), LOW, HIGH).reshape(8, 1, 6)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "clip.tflite").write_bytes(writer.finish([x], [y]))
    np.save(folder / "inputs.npy", inputs)
    np.save(folder / "outputs.npy", outputs)
    np.savetxt(folder / "outputs.csv", outputs.reshape(8, 6), fmt="%d", delimiter=",")
    np.save(folder / "labels.npy", outputs.reshape(8, 6).argmax(axis=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

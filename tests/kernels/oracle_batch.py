# SPDX-License-Identifier: Apache-2.0
"""Runs many small models in the oracle, in one process that may die of it: python oracle_batch.py REQUEST ANSWER.

Both are pickles of this test suite's own making: a list of (model bytes, list of vectors, each a list of arrays), and
a list of lists of outputs.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path


def main(request: Path, answer: Path) -> None:
    from tflite_micro.python.tflite_micro import runtime

    answers = []
    for model, vectors in pickle.loads(request.read_bytes()):
        interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 20)
        outputs = []
        for arrays in vectors:
            for i, array in enumerate(arrays):
                interpreter.set_input(array, i)
            interpreter.invoke()
            outputs.append(interpreter.get_output(0).tobytes())
        answers.append(outputs)
        answer.write_bytes(pickle.dumps(answers))
    answer.write_bytes(pickle.dumps(answers))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

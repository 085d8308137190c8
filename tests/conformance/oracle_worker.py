# SPDX-License-Identifier: Apache-2.0
"""The process that holds the oracle for many small models; it may die of one. Started by oracle.py only.

stdin: pickles of (model, vectors, stateful, runs once, number of outputs). stdout: for each a pickle of the outputs,
bytes for each vector, or of the text of a refusal with what was printed about it. All that is printed goes to WORDS.
"""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path


def main(words: Path) -> None:
    answers = os.fdopen(os.dup(1), "wb")
    printed = os.open(words, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    from tflite_micro.python.tflite_micro import runtime

    while True:
        try:
            model, vectors, stateful, runs_once, outputs = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 18)
            answer: list[bytes] | str = []
            for number, arrays in enumerate(vectors):
                if number > 0 and not stateful:
                    if runs_once:
                        interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 18)
                    else:
                        interpreter.reset()
                for i, array in enumerate(arrays):
                    interpreter.set_input(array, i)
                interpreter.invoke()
                answer.append(b"".join(interpreter.get_output(i).tobytes() for i in range(outputs)))
        except (RuntimeError, ValueError) as refusal:
            answer = f"{refusal}: {words.read_text('utf-8', 'replace')}"
        if words.stat().st_size:
            os.truncate(words, 0)
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

# SPDX-License-Identifier: Apache-2.0
"""Builds the keyword spotter that listens frame by frame, from the weights of the one that hears a whole second.

    python firmware/models/kws_stream/train.py           # writes the model, its golden set, its record and its card
    python firmware/models/kws_stream/train.py --check   # builds it again and compares with the files that are there

Nothing is trained: the weights and quantization are those of ../kws/kws.tflite. Needs pip install
'tinyhil[models,oracle]'. Takes seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tinyhil import golden
from tinyhil.golden import GoldenSet
from tinyhil.model import Model, load_model, parse_model
from tinyhil.model.graph import Operator, Tensor
from tinyhil.model.writer import GraphWriter, ModelWriter
from training.recipe import Made, Recipe, facts, made_with, main, vectors_of

WHOLE = HERE.parent / "kws" / "kws.tflite"
FRAMES_PER_STEP = 2  # the stride of the first convolution
# The padding SAME of 49 frames for a kernel of 4 with stride 2: so many frames of zeros before and after.
BEFORE, AFTER = 1, 2
SAMPLES_PER_CLASS = 1  # in the golden set


class Builder:
    """Rewrites the whole model's operators; `tensor_of` says what became of its tensors."""

    def __init__(self, whole: Model) -> None:
        self.whole = whole
        self.writer = ModelWriter("kws_stream: kws, two frames at a time, built by firmware/models/kws_stream/train.py")
        self.start = self.writer.subgraph()
        self.tensor_of: dict[int, int] = {}

    def like(self, tensor: Tensor, shape: tuple[int, ...], name: str, data: NDArray[Any] | None = None) -> int:
        """A tensor of another shape with the quantization of `tensor`."""
        return self._like(self.writer, tensor, shape, name, data)

    @staticmethod
    def _like(
        graph: GraphWriter, tensor: Tensor, shape: tuple[int, ...], name: str, data: NDArray[Any] | None = None
    ) -> int:
        return graph.tensor(
            shape,
            tensor.type,
            scale=list(tensor.scales) or None,
            zero_point=list(tensor.zero_points) or 0,
            quantized_dimension=tensor.quantized_dimension,
            name=name,
            data=data,
        )

    def whole_numbers(self, name: str, values: Any) -> int:
        data = np.array(values)
        return self.writer.tensor(data.shape, "int32", data=data, name=name)

    def copy(self, index: int) -> int:
        """The tensor of the whole model, as it is, once."""
        if index not in self.tensor_of:
            tensor = self.whole.tensors[index]
            data = self.whole.constant(tensor) if tensor.is_constant else None
            self.tensor_of[index] = self.like(tensor, tensor.shape, tensor.name, data)
        return self.tensor_of[index]

    def operator(self, op: Operator) -> None:
        """The operator of the whole model, as it is."""
        inputs = [-1 if index < 0 else self.copy(index) for index in op.inputs]
        self.writer.operator(op.name, inputs, [self.copy(index) for index in op.outputs], **op.options)

    def ring(self, name: str, tensor: Tensor, rows: int, newest: int, count: int) -> int:
        """A variable of the `rows` rows before the `newest` `count`; gives them and the newest, and drops the oldest.

        It starts as silence: the zero point everywhere.
        """
        shape = (1, rows, *tensor.shape[2:])
        silence = np.full(shape, tensor.zero_points[0])
        first = self._like(self.start, tensor, shape, f"{name}/silence", silence)
        self.start.operator("ASSIGN_VARIABLE", [self._handle(self.start, name), first], [])
        variable = self._handle(self.writer, name)
        before = self.like(tensor, shape, f"{name}/before")
        together = self.like(tensor, (1, rows + count, *tensor.shape[2:]), f"{name}/together")
        kept = self.like(tensor, shape, f"{name}/kept")
        self.writer.operator("READ_VARIABLE", [variable], [before])
        self.writer.operator("CONCATENATION", [before, newest], [together], axis=1, fused_activation_function="NONE")
        begin, size = self.whole_numbers(f"{name}/begin", [0, count, 0, 0]), self.whole_numbers(f"{name}/size", shape)
        self.writer.operator("SLICE", [together, begin, size], [kept])
        self.writer.operator("ASSIGN_VARIABLE", [variable, kept], [])
        return together

    @staticmethod
    def _handle(graph: GraphWriter, name: str) -> int:
        index = graph.tensor((), "resource", name=name)
        graph.operator("VAR_HANDLE", [], [index], shared_name=name)
        return index

    def build(self) -> bytes:
        first, *others = self.whole.operators
        sound, weights = (self.whole.tensors[index] for index in first.inputs[:2])
        rows = self.whole.tensors[first.outputs[0]]
        _, frames, coefficients, _ = weights.shape
        newest = self.like(sound, (1, FRAMES_PER_STEP, *sound.shape[2:]), "newest frames")
        self.writer.operator("CALL_ONCE", [], [], init_subgraph_index=self.start.index)
        heard = self.ring("frames", sound, frames - FRAMES_PER_STEP, newest, FRAMES_PER_STEP)
        # What padding SAME adds to the coefficients; in time the frames before and after are real.
        margin = ((rows.shape[2] - 1) * int(first.options["stride_w"]) + coefficients - sound.shape[2]) // 2
        padded = self.like(sound, (1, frames, sound.shape[2] + 2 * margin, 1), "padded")
        margins = self.whole_numbers("margins", [[0, 0], [0, 0], [margin, margin], [0, 0]])
        self.writer.operator("PAD", [heard, margins], [padded])
        row = self.like(rows, (1, 1, *rows.shape[2:]), "newest row")
        inputs = [padded, *(self.copy(index) for index in first.inputs[1:])]
        self.writer.operator("CONV_2D", inputs, [row], **{**first.options, "padding": "VALID"})
        self.tensor_of[rows.index] = self.ring("rows", rows, rows.shape[1] - 1, row, 1)
        for op in others:
            self.operator(op)
        return self.writer.finish([newest], [self.tensor_of[self.whole.outputs[0]]])


def steps_of(sounds: NDArray[np.int8], zero_point: int) -> NDArray[np.int8]:
    """The sequence of the streaming model's inputs, (n * 26, 1, 2, 10, 1), for sounds (n, 1, 49, 10, 1)."""
    padded = np.pad(sounds[:, 0], ((0, 0), (BEFORE, AFTER), (0, 0), (0, 0)), constant_values=zero_point)
    return padded.reshape(-1, 1, FRAMES_PER_STEP, *padded.shape[2:])


def make() -> Made:
    whole = load_model(WHOLE)
    known = golden.load(golden.stored_path(whole))
    known.check(whole)
    assert known.labels is not None
    data = Builder(whole).build()
    samples = known.subset(np.flatnonzero(known.labels >= 0).tolist())
    assert samples.labels is not None
    steps = steps_of(samples.inputs[0], whole.input_tensors[0].zero_points[0])
    streamed = golden.make_golden(parse_model(data, HERE / "kws_stream.tflite"), inputs=[steps], keep_state=True)
    a_sound = len(steps) // len(samples)
    ends = streamed.outputs[0][a_sound - 1 :: a_sound]
    figures = {
        "sounds": len(samples),
        "steps": a_sound,
        "equal": int((ends == samples.outputs[0]).all(axis=(1, 2)).sum()),
        "int8_accuracy": float((ends[:, 0].argmax(axis=1) == samples.labels).mean()),
        "whole_sha256": whole.sha256,
        "whole_macs": whole.macs,
    }
    if figures["equal"] != len(samples):
        raise SystemExit(f"of {len(samples)} sounds only {figures['equal']} end as {WHOLE.name} says")
    chosen: list[int] = []
    for label in np.unique(samples.labels):
        chosen += np.flatnonzero(samples.labels == label)[:SAMPLES_PER_CLASS].tolist()
    labels = np.full((len(chosen), a_sound), -1)
    labels[:, -1] = samples.labels[chosen]
    inputs = steps_of(samples.inputs[0][chosen], whole.input_tensors[0].zero_points[0])
    return Made(data, inputs, labels.ravel(), figures, keep_state=True)


def card(model: Model, goldens: GoldenSet, record: dict[str, Any]) -> str:
    figures = record["figures"]
    return f"""# kws_stream

[kws](../kws/README.md) frame by frame: each inference takes the two newest frames, remembers what it needs of those
before, and says what kws says of the last second. What it remembers lies in variables.
This card, the model, its golden set and its record are made by [train.py](train.py); change that, not these.

| | |
|---|---|
| input | int8 1x2x10x1, the two newest frames (40 ms) of 10 MFCC, scale 1/32, zero point 0 |
| output | int8 1x3, probability of yes, no, unknown in the last second, scale 1/256, zero point -128 |
{facts(model, record)}
| against kws | after {figures["steps"]} steps the same output for {figures["equal"]} of {figures["sounds"]} sounds |
| right at the end | int8 {figures["int8_accuracy"]:.2%} of these {figures["sounds"]} held-out sounds |

**State.** Two ring buffers, both full of silence at the start (CALL_ONCE): the last two frames, and the last 24 rows of
the first convolution. Each step makes one new row where kws makes 25: {model.macs:,} multiply-accumulates instead of
{figures["whole_macs"]:,}. The oldest row falls out by SLICE, the new state is written by ASSIGN_VARIABLE.

**Equal to kws** is the last output of {BEFORE} frame of zeros, the 49 frames of the second and {AFTER} frames of zeros,
whatever was heard before: these zeros are kws's padding. Sound that goes on without a break has real frames
there instead.

**Weights** and quantization are those of `kws.tflite`, SHA-256 `{figures["whole_sha256"][:16]}...`; how good they are
is said there. Made with {made_with(record)}.

**Golden set.** {vectors_of(goldens)}
The vectors are one sequence (`keeps_state`): {SAMPLES_PER_CLASS} sound of each class, one after the other, \
{figures["steps"]} steps each,
with the class as the label of the last.

`python firmware/models/kws_stream/train.py --check` builds it again and compares.
"""


RECIPE = Recipe(HERE, make, card, scores={"int8_accuracy": 0.1})

if __name__ == "__main__":
    sys.exit(main(RECIPE))

# SPDX-License-Identifier: Apache-2.0
"""Makes the vibration of healthy machines, trains an autoencoder on it, and quantizes it to int8 with its score.

    python firmware/models/vibration/train.py           # writes the model, its golden set, its record and its card
    python firmware/models/vibration/train.py --check   # does it all again and compares with the files that are there

Needs pip install 'tinyhil[models,oracle]'. Takes a minute.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import features as front_end
from machine import CONDITIONS, machine, vibration
from tinyhil.golden import GoldenSet
from tinyhil.model import Model
from training.exact import Array, shuffled, total, uniform
from training.fit import fit, squared_error
from training.layers import Chain, Dense, affine
from training.quantize import Quantizer
from training.recipe import Made, Recipe, facts, int8_outputs, made_with, main, vectors_of

TRAINING_MACHINES, TRAINING_WINDOWS = 60, 40
HELD_OUT_MACHINES, HELD_OUT_WINDOWS = 16, 20  # windows of each condition
TRAINING_SPEEDS = ((15, 25), (32, 50))  # turns a second
HELD_OUT_SPEEDS = ((25, 32),)
EPOCHS = 120
BATCH = 48
LEARNING_RATE = 2e-3
QUANTILE = 0.99  # of the scores of the training windows: the limit
SAMPLES = 8  # of each condition, in the golden set


def network() -> Chain:
    """64 features -> the same, through 8 numbers."""
    return Chain(
        Dense("encode 1", front_end.FEATURES, 32, relu=True),
        Dense("encode 2", 32, 8),
        Dense("decode 1", 8, 32, relu=True),
        Dense("decode 2", 32, front_end.FEATURES),
    )


def windows(
    machines: str, count: int, each: int, conditions: tuple[str, ...], speeds: tuple[tuple[int, int], ...]
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Features (n, 64) of so many windows of each machine and condition, at speeds drawn from the ranges; and the
    conditions' numbers."""
    found, labels = [], []
    for number in range(count):
        of = machine(f"{machines} {number}")
        for condition in conditions:
            for take in range(each):
                name = f"{condition} {take}"
                which, where = uniform(f"vibration {of.name} {name} speed", 2)
                low, high = speeds[int(which * len(speeds))]
                found.append(front_end.features(vibration(of, condition, low + where * (high - low), name)))
                labels.append(CONDITIONS.index(condition))
    return np.stack(found), np.array(labels)


def scores_of(net: Chain, inputs: Array) -> Array:
    """The mean square of what the network does not reconstruct."""
    error = inputs - net.forward(inputs)
    return total(error * error, 1) / inputs.shape[1]


def area_under_curve(healthy: NDArray[Any], faulty: NDArray[Any]) -> float:
    """The probability that a faulty window scores more than a healthy one, ties counted half: AUC."""
    more = (faulty[:, np.newaxis] > healthy).mean()
    equal = (faulty[:, np.newaxis] == healthy).mean()
    return float(more + equal / 2)


def quantize(net: Chain, inputs: Array, limit: float) -> bytes:
    """The network, and after it as operators of the model what scores_of computes, and the limit before the score."""
    description = "vibration: anomaly of a machine's vibration, trained by firmware/models/vibration/train.py"
    q = Quantizer(description, "features", inputs, (np.float32(front_end.SCALE), front_end.ZERO_POINT))
    net.emit(q)
    error = inputs - q.x
    # Faults go beyond what healthy machines show: room for twice the largest error, for four times the limit.
    largest = 2 * float(np.abs(error).max())
    q_error = q.tensor("error", (1, front_end.FEATURES), affine(-largest, largest))
    q.writer.operator("SUB", [q.input, q.current], [q_error], fused_activation_function="NONE")
    q_square = q.tensor("square", (1, front_end.FEATURES), affine(0.0, largest * largest / 4))
    q.writer.operator("MUL", [q_error, q_error], [q_square], fused_activation_function="NONE")
    scale = affine(0.0, 4 * limit)
    q_score = q.tensor("score", (1, 1), scale)
    q.writer.operator("MEAN", [q_square, q.whole_numbers("score/axis", [1])], [q_score], keep_dims=True)
    whole = np.array([[np.rint(limit / float(scale[0])) + scale[1]]])
    q_limit = q.writer.tensor((1, 1), scale=float(scale[0]), zero_point=scale[1], data=whole, name="limit")
    q.current = q.tensor("limit and score", (1, 2), scale)
    q.operator("CONCATENATION", [q_limit, q_score], axis=1, fused_activation_function="NONE")
    return q.finish()


def make() -> Made:
    learnt, _ = windows("training", TRAINING_MACHINES, TRAINING_WINDOWS, CONDITIONS[:1], TRAINING_SPEEDS)
    held_out, condition = windows("held out", HELD_OUT_MACHINES, HELD_OUT_WINDOWS, CONDITIONS, HELD_OUT_SPEEDS)
    inputs = front_end.as_seen(learnt)
    net = network()
    fit(net, inputs, squared_error(inputs), epochs=EPOCHS, batch=BATCH, rate=LEARNING_RATE)
    ordered = np.sort(scores_of(net, inputs))
    limit = float(ordered[int(QUANTILE * len(ordered))])
    data = quantize(net, inputs, limit)

    float_scores = scores_of(net, front_end.as_seen(held_out))
    outputs = int8_outputs(data, held_out).astype(np.int64)
    healthy, faulty = condition == 0, condition > 0
    alarms = outputs[:, 1] > outputs[:, 0]
    figures = {
        "training_windows": len(learnt),
        "held_out_windows": len(held_out),
        "training_features_sha256": hashlib.sha256(learnt.tobytes()).hexdigest(),
        "limit": limit,
        "float_auc": area_under_curve(float_scores[healthy], float_scores[faulty]),
        "int8_auc": area_under_curve(outputs[healthy, 1], outputs[faulty, 1]),
        "int8_auc_of": {
            name: area_under_curve(outputs[healthy, 1], outputs[condition == number, 1])
            for number, name in enumerate(CONDITIONS)
            if number
        },
        "false_alarms": float(alarms[healthy].mean()),
        "faults_found": float(alarms[faulty].mean()),
        "int8_accuracy": float((alarms == faulty).mean()),
    }
    order = shuffled("vibration samples", len(held_out))
    chosen = np.concatenate([order[condition[order] == number][:SAMPLES] for number in range(len(CONDITIONS))])
    return Made(data, held_out[chosen], (condition[chosen] > 0).astype(np.int64), figures)


def card(model: Model, goldens: GoldenSet, record: dict[str, Any]) -> str:
    figures = record["figures"]
    by_fault = ", ".join(f"{name} {figures['int8_auc_of'][name]:.3f}" for name in CONDITIONS[1:])
    scale = model.output_tensors[0].scales[0]
    return f"""# vibration

A watchdog for rotating machines: an autoencoder that has learnt what healthy ones sound like, and how far a window of
vibration is from that. The score is computed by the model itself, in int8: the difference of input and reconstruction
(SUB), squared (MUL), its mean (MEAN).
This card, the model, its golden set and its record are made by [train.py](train.py); change that, not these.

| | |
|---|---|
| input | int8 1x64, features of 256 ms of vibration, scale 1/32, zero point 0 |
| output | int8 1x2, the limit and the score, scale {scale:.4g}, zero point -128; a fault where the score is larger |
{facts(model, record)}
| AUC on {figures["held_out_windows"]:,} windows of unseen machines at unseen speeds | \
float {figures["float_auc"]:.3f}, int8 {figures["int8_auc"]:.3f} ({by_fault}) |
| at the limit of {figures["limit"]:.3g} | {figures["faults_found"]:.1%} of the faults found, \
{figures["false_alarms"]:.1%} of the healthy windows called faulty, {figures["int8_accuracy"]:.2%} right |

**Layers.** Dense 64 to 32 (RELU), 8, 32 (RELU), 64; SUB, MUL, MEAN; CONCATENATION with the limit, a constant: so the
largest of the outputs is the verdict, and labels 0 (healthy) and 1 (faulty) give an accuracy on the device.

**Data.** [machine.py](machine.py) is a physical model of a bearing: rotation with three harmonics, speed that swings,
load, friction noise that rings through the resonances of housing and frame, and hollows in the outer or inner race
that strike at the frequencies that follow from the bearing's geometry (BPFO, BPFI), with slip, modulated by the loaded
zone, from 8 dB below the noise to 8 dB above. {figures["training_windows"]:,} healthy windows of {TRAINING_MACHINES}
machines train, at 15 to 25 and 32 to 50 turns a second; {HELD_OUT_MACHINES} other machines, healthy and with either
fault, at 25 to 32 turns a second, are held out. No fault is in the training data.

**Front end.** [features.py](features.py) says step by step what a device must compute: 32 bands of the spectrum, and 32
of the spectrum of the envelope between 1.5 and 7 kHz, where a fault's strikes show as lines.

**Training.** NumPy alone: squared error, Adam, {EPOCHS} epochs, on int8 features. The arithmetic is exact where order
could matter, so that every machine gives the same bits. The limit is what {QUANTILE:.0%} of the training windows stay
below. Made with {made_with(record)}.

**Quantization.** After training: weights symmetric, one scale a layer; activations by their range on the training
windows; the error twice as wide, for faults go beyond.

**Golden set.** {vectors_of(goldens)}
The samples are held-out windows with their labels, {SAMPLES} of each condition.

`python firmware/models/vibration/train.py --check` makes data and model again and compares.

**Not for** real machines: it has never been near one.
"""


RECIPE = Recipe(
    HERE, make, card, scores={"int8_auc": 0.03, "int8_accuracy": 0.05}, packages=("numpy", "scipy", "flatbuffers")
)

if __name__ == "__main__":
    sys.exit(main(RECIPE))

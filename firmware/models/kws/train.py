# SPDX-License-Identifier: Apache-2.0
"""Makes the speech, trains the keyword spotter, and quantizes it to int8, after training and aware of it.

    python firmware/models/kws/train.py           # writes the model, its golden set, its record and its card
    python firmware/models/kws/train.py --check   # does it all again and compares with the files that are there

Needs espeak-ng (Debian, Ubuntu: apt-get install espeak-ng) and pip install 'tinyhil[models,oracle]'. Takes about five
minutes, most of them espeak-ng's.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import frontend
import speech
from tinyhil.golden import GoldenSet
from tinyhil.model import Model
from training.exact import Array, shuffled
from training.fit import accuracy, cross_entropy, fit
from training.layers import Chain, Conv, Dense, Depthwise, FakeQuant, Flatten, trained
from training.quantize import Quantizer
from training.recipe import Made, Recipe, facts, int8_outputs, made_with, main, vectors_of

# Utterances of a voice variant by word, mixes of each with noise, and sounds without a word.
TRAINING_SOUNDS = {"per_keyword": 12, "per_other": 2, "mixes": 4, "noises": 400}
HELD_OUT_SOUNDS = {"per_keyword": 10, "per_other": 1, "mixes": 1, "noises": 60}
EPOCHS, AWARE_EPOCHS = 14, 4
BATCH = 64
LEARNING_RATE, AWARE_RATE = 3e-3, 5e-4
LABEL_SMOOTHING = 0.1
SAMPLES_PER_CLASS = 12


def network() -> Chain:
    """49 frames x 10 coefficients -> scores of yes, no, unknown. Kernels and strides are (frames, coefficients)."""
    return Chain(
        Conv("kws conv", (4, 10), (2, 4), 1, 8, relu=True),
        Depthwise("kws depthwise", (3, 3), (1, 1), 8, relu=True),
        Conv("kws pointwise", (1, 1), (1, 1), 8, 16, relu=True),
        Flatten("kws features"),
        Dense("kws scores", 25 * 3 * 16, len(speech.CLASSES)),
    )


def as_seen(features: NDArray[np.int8]) -> Array:
    """What the model takes its int8 input for."""
    return (features.astype(np.float64) - frontend.ZERO_POINT) * frontend.SCALE


def quantize(net: Chain, features: Array) -> bytes:
    description = "kws: yes, no or unknown, trained by firmware/models/kws/train.py"
    q = Quantizer(description, "mfcc", features, (np.float32(frontend.SCALE), frontend.ZERO_POINT))
    net.emit(q)
    q.softmax()
    return q.finish()


def be_aware(net: Chain, learns: bool) -> None:
    """From now on the layers round as int8 does; `learns`: and follow the ranges."""
    for layer in trained(net):
        layer.fake = layer.fake or FakeQuant()
        layer.fake.learns = learns


def make() -> Made:
    sounds = speech.record(speech.TRAINING, **TRAINING_SOUNDS)
    held_out = speech.record(speech.HELD_OUT, **HELD_OUT_SOUNDS)
    heard = frontend.features(sounds.samples)
    unheard = frontend.features(held_out.samples)
    inputs, loss = as_seen(heard), cross_entropy(sounds.labels, len(speech.CLASSES), LABEL_SMOOTHING)
    net = network()
    fit(net, inputs, loss, epochs=EPOCHS, batch=BATCH, rate=LEARNING_RATE)
    float_accuracy = accuracy(net, as_seen(unheard), held_out.labels)
    representative = inputs[shuffled("kws representative", len(inputs))[:1000]]
    data = quantize(net, representative)

    be_aware(net, learns=True)
    fit(net, inputs, loss, epochs=AWARE_EPOCHS, batch=BATCH, rate=AWARE_RATE)
    be_aware(net, learns=False)
    aware = quantize(net, representative)

    def right(model: bytes) -> NDArray[np.bool_]:
        return int8_outputs(model, unheard).argmax(axis=1) == held_out.labels

    after_training = right(data)
    figures = {
        "training_sounds": len(sounds.labels),
        "held_out_sounds": len(held_out.labels),
        "training_features_sha256": hashlib.sha256(heard.tobytes()).hexdigest(),
        "float_accuracy": float_accuracy,
        "int8_accuracy": float(after_training.mean()),
        "aware_int8_accuracy": float(right(aware).mean()),
        "aware_bytes": len(aware),
        "aware_sha256": hashlib.sha256(aware).hexdigest(),
        "accuracy_of": {
            name: float(after_training[held_out.labels == number].mean()) for number, name in enumerate(speech.CLASSES)
        },
        "accuracy_of_voice": {
            name: float(after_training[held_out.speakers == name].mean()) for name in speech.HELD_OUT
        },
    }
    order = shuffled("kws samples", len(unheard))
    chosen = np.concatenate(
        [order[held_out.labels[order] == n][:SAMPLES_PER_CLASS] for n in range(len(speech.CLASSES))]
    )
    return Made(data, unheard[chosen], held_out.labels[chosen], figures)


def second_opinion(model: Model) -> str:
    """The card's paragraph on what with_tensorflow.py found; empty where that was of another model."""
    path = HERE / "tensorflow.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"of_sha256": ""}
    if found["of_sha256"] != model.sha256:
        return ""
    return f"""
**TensorFlow's converter** ({found["tensorflow"]}), given the same weights and the same 1,000 sounds by
[with_tensorflow.py](with_tensorflow.py), makes a model that is {found["int8_accuracy"]:.2%} right on the held-out
sounds; the two agree on {found["same_class"]:.2%} of them, and no probability differs by more than \
{found["largest_difference"]} of 256.
"""


def card(model: Model, goldens: GoldenSet, record: dict[str, Any]) -> str:
    figures = record["figures"]
    second = second_opinion(model)
    of_class = ", ".join(f"{name} {figures['accuracy_of'][name]:.2%}" for name in speech.CLASSES)
    of_voice = sorted((share, name) for name, share in figures["accuracy_of_voice"].items())
    lowest = ", ".join(f"{name} {share:.0%}" for share, name in of_voice[:3])
    constants = "\n".join(
        f"| {i} | {offset:g} | {gain:g} |"
        for i, (offset, gain) in enumerate(zip(frontend.OFFSETS, frontend.GAINS, strict=True))
    )
    return f"""# kws

A keyword spotter: one second of sound, "yes", "no", or anything else. A convolution over frames of MFCC, a depthwise
and a pointwise one, a dense layer; int8 inside and at the boundary.
This card, the model, its golden set and its record are made by [train.py](train.py); change that, not these.

| | |
|---|---|
| input | int8 1x49x10x1, 49 frames of 10 MFCC, scale 1/32, zero point 0 |
| output | int8 1x3, probability of {", ".join(speech.CLASSES)}, scale 1/256, zero point -128 |
{facts(model, record)}
| accuracy on {figures["held_out_sounds"]:,} sounds of unseen voices | \
float {figures["float_accuracy"]:.2%}, int8 {figures["int8_accuracy"]:.2%} ({of_class}) |
| the same, quantization-aware | int8 {figures["aware_int8_accuracy"]:.2%} |

**Layers.** Convolution with 8 filters of 4 frames x 10 coefficients, in strides of 2 frames and 4 coefficients;
depthwise 3x3; convolution 1x1 to 16 channels; each with RELU and padding SAME; dense to 3; softmax.

**Data.** Speech made by espeak-ng: "yes", "no" and 20 other words ({", ".join(speech.OTHERS)}), at 110 to 240
words a minute, many pitches, three melodies, {len(speech.ACCENTS)} accents; anywhere in the second, at levels up to
24 dB apart, 8 to 40 dB above noise from white to brown, now and then with the hum of the mains; and noise alone.
{figures["training_sounds"]:,} sounds of {len(speech.TRAINING)} of its voice variants train, \
{figures["held_out_sounds"]:,} of {len(speech.HELD_OUT)} others are held out:
neither weights nor quantization ranges have heard these speakers ([speech.py](speech.py) names them).
Of the median speaker's words the int8 model gets {np.median([share for share, _ in of_voice]):.0%} right; \
hardest are {lowest}.

**Front end.** [frontend.py](frontend.py) says step by step what a device must compute: Hann window of 30 ms every
20 ms, FFT of 512, 40 mel filters from 20 to 7,600 Hz, logarithm, DCT-II, and to int8 by
`round((c - offset) * gain * 32)` with

| coefficient | offset | gain |
|---|---|---|
{constants}

**Training.** NumPy alone: cross-entropy with labels smoothed by {LABEL_SMOOTHING}, Adam, {EPOCHS} epochs, on int8
features. The arithmetic is exact where order could matter, so that every machine gives the same bits.
Made with {made_with(record)}.

**Quantization.** After training: convolution weights per channel, symmetric; the dense layer's per tensor; activations
by their range on 1,000 training sounds. For comparison the same network was trained on for {AWARE_EPOCHS} epochs with
weights and activations rounded as int8 rounds them (straight-through gradients, ranges by moving averages of the
batches' extremes): the last accuracy above. Its file is not kept; its SHA-256 is in [kws.json](kws.json).
{second}
**Golden set.** {vectors_of(goldens)}
The samples are held-out sounds with their labels, {SAMPLES_PER_CLASS} of each class.

`python firmware/models/kws/train.py --check` makes speech and model again and compares.

**Not for** people: it has never heard one.
"""


RECIPE = Recipe(
    HERE,
    make,
    card,
    scores={"int8_accuracy": 0.03},
    packages=("numpy", "scipy", "flatbuffers"),
    programs=("espeak-ng",),
)

if __name__ == "__main__":
    sys.exit(main(RECIPE))

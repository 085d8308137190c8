# SPDX-License-Identifier: Apache-2.0
"""Trains the digit classifier and quantizes it to int8.

    python firmware/models/digits/train.py           # writes the model, its golden set, its record and its card
    python firmware/models/digits/train.py --check   # trains again and compares with the files that are there

Needs pip install 'tinyhil[models,oracle]'. Takes a few seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tinyhil.golden import GoldenSet
from tinyhil.model import Model
from training.digit_images import LABEL_SMOOTHING, classifier
from training.exact import SEED
from training.layers import AveragePool, Chain, Conv, Dense, Depthwise, Flatten, MaxPool, Residual
from training.recipe import Made, Recipe, facts, made_with, main, vectors_of

EPOCHS = 40
LEARNING_RATE = 3e-3


def network() -> Chain:
    """8x8 grey image -> 10 scores."""
    branch = Chain(
        Depthwise("depthwise", (3, 3), (1, 1), 16, relu=True), Conv("pointwise", (1, 1), (1, 1), 16, 16, relu=False)
    )
    down = Chain(
        Depthwise("down_depthwise", (3, 3), (2, 2), 16, relu=True),
        Conv("down_pointwise", (1, 1), (1, 1), 16, 16, relu=False),
    )
    return Chain(
        Conv("stem", (3, 3), (1, 1), 1, 16, relu=True),
        Residual("block", Chain(), branch),
        Residual("down", MaxPool(), down),
        Conv("mix", (3, 3), (1, 1), 16, 48, relu=True),
        AveragePool(),
        Flatten("features"),
        Dense("scores", 2 * 2 * 48, 10),
    )


def make() -> Made:
    return classifier(network(), "digits", epochs=EPOCHS, rate=LEARNING_RATE)


def card(model: Model, goldens: GoldenSet, record: dict[str, Any]) -> str:
    figures = record["figures"]
    return f"""# digits

A convolutional classifier of 8x8 handwritten digits, int8 inside and at the boundary: the project's own real model.
This card, the model, its golden set and its record are made by [train.py](train.py); change that, not these.

| | |
|---|---|
| input | int8 1x8x8x1, grey levels 0 to 1, scale 1/255, zero point -128 |
| output | int8 1x10, probability of each digit, scale 1/256, zero point -128 |
{facts(model, record)}
| accuracy on {figures["held_out"]} held-out images | \
float {figures["float_accuracy"]:.2%}, int8 {figures["int8_accuracy"]:.2%} |

**Data.** scikit-learn's `load_digits`: {figures["images"]:,} images by 13 people, the test part of the UCI set
["Optical Recognition of Handwritten Digits"](https://doi.org/10.24432/C50P49) (E. Alpaydin, C. Kaynak; CC BY 4.0).
{figures["held_out"]} images drawn by seed {SEED} are held out, the rest trains; neither weights nor quantization ranges
have seen the held-out images. The writers are the same in both parts.

**Training.** NumPy alone: cross-entropy with labels smoothed by {LABEL_SMOOTHING}, Adam, {EPOCHS} epochs. The
arithmetic is exact where order could matter, so that every machine gives the same bits.
Made with {made_with(record)}.

**Quantization.** After training: convolution weights per channel, symmetric; the last layer's per tensor; activations
by their range on the training images. What it costs is the difference of the two accuracies above.

**Golden set.** {vectors_of(goldens)}
The samples are all held-out images with their labels, so a device's accuracy is reported beside its bits.

`python firmware/models/digits/train.py --check` trains again and compares.

**Not for** anything but testing: 8x8 digits of one collection, scaled to fill the frame.
"""


RECIPE = Recipe(HERE, make, card, scores={"int8_accuracy": 0.02}, packages=("numpy", "flatbuffers", "scikit-learn"))

if __name__ == "__main__":
    sys.exit(main(RECIPE))

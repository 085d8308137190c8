# SPDX-License-Identifier: Apache-2.0
"""Trains a residual network on the digits and quantizes it to int8.

    python firmware/models/resnet/train.py           # writes the model, its golden set, its record and its card
    python firmware/models/resnet/train.py --check   # trains again and compares with the files that are there

Needs pip install 'tinyhil[models,oracle]'. Takes a minute.
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
from training.layers import AveragePool, Chain, Conv, Dense, Depthwise, Mean, Pad, Residual
from training.recipe import Made, Recipe, facts, made_with, main, vectors_of

EPOCHS = 25
LEARNING_RATE = 4e-3
SAMPLES = 24

AROUND = (1, 1), (1, 1), (0, 0)  # one pixel of zeros around an image
ADDED = (0, 0), (0, 0), (0, 16)  # 16 channels of zeros after those that are there


def separable(name: str, channels_in: int, channels_out: int, stride: int) -> list[Conv | Depthwise | Pad]:
    """A depthwise convolution of a padded image, and one 1x1."""
    return [
        Pad(f"{name}/pad", *AROUND),
        Depthwise(f"{name}/depthwise", (3, 3), (stride, stride), channels_in, relu=True, padding="VALID"),
        Conv(f"{name}/pointwise", (1, 1), (1, 1), channels_in, channels_out, relu=False),
    ]


def network() -> Chain:
    """8x8 grey image -> 10 scores."""
    return Chain(
        Pad("stem/pad", *AROUND),
        Conv("stem", (3, 3), (1, 1), 1, 16, relu=True, padding="VALID"),
        Residual("block 1", Chain(), Chain(*separable("block 1", 16, 16, 1))),
        Residual(
            "block 2", Chain(AveragePool(), Pad("block 2/channels", *ADDED)), Chain(*separable("block 2", 16, 32, 2))
        ),
        Residual("block 3", Chain(), Chain(*separable("block 3", 32, 32, 1))),
        Mean("mean"),
        Dense("scores", 32, 10),
    )


def make() -> Made:
    return classifier(network(), "resnet", epochs=EPOCHS, rate=LEARNING_RATE, samples=SAMPLES)


def card(model: Model, goldens: GoldenSet, record: dict[str, Any]) -> str:
    figures = record["figures"]
    return f"""# resnet

A residual network for 8x8 handwritten digits, as larger ones are built: images are padded by an operator of its own,
blocks are depthwise separable, a shortcut is pooled and padded with channels, and the mean over the image ends it.
This card, the model, its golden set and its record are made by [train.py](train.py); change that, not these.

| | |
|---|---|
| input | int8 1x8x8x1, grey levels 0 to 1, scale 1/255, zero point -128 |
| output | int8 1x10, probability of each digit, scale 1/256, zero point -128 |
{facts(model, record)}
| accuracy on {figures["held_out"]} held-out images | \
float {figures["float_accuracy"]:.2%}, int8 {figures["int8_accuracy"]:.2%} |

**Layers.** Convolution 3x3 to 16 channels; three blocks of depthwise 3x3 and pointwise with a shortcut around them, the
second with stride 2 to 32 channels; mean over height and width; dense; softmax.

**Data.** scikit-learn's `load_digits`, split as for [digits](../digits/README.md): {figures["images"]:,} images by 13
people, {figures["held_out"]} of them held out from weights and quantization ranges (E. Alpaydin, C. Kaynak; CC BY 4.0).

**Training.** NumPy alone: cross-entropy with labels smoothed by {LABEL_SMOOTHING}, Adam, {EPOCHS} epochs. The
arithmetic is exact where order could matter, so that every machine gives the same bits.
Made with {made_with(record)}.

**Quantization.** After training: convolution weights per channel, symmetric; the last layer's per tensor; activations
by their range on the training images.

**Golden set.** {vectors_of(goldens)}
The samples are held-out images with their labels.

`python firmware/models/resnet/train.py --check` trains again and compares.

**Not for** anything but testing.
"""


RECIPE = Recipe(HERE, make, card, scores={"int8_accuracy": 0.03}, packages=("numpy", "flatbuffers", "scikit-learn"))

if __name__ == "__main__":
    sys.exit(main(RECIPE))

# SPDX-License-Identifier: Apache-2.0
"""Where the generators take their choices from: seeded, recorded, and replayable with smaller ones.

A generator asks for numbers below a bound and never looks at anything else, so a list of such numbers is the whole
case. A failing case becomes a small one by making the numbers smaller and generating it again; write generators so that
0 is the plainest choice (the first option, the lowest bound, no fused activation).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class Draw:
    """Choices from a seed; the first ones, where `forced` is given, from there, and 0 after its end."""

    def __init__(self, seed: str, forced: Sequence[int] | None = None, damage: bool = False) -> None:
        """`damage`: the model is to contradict itself (mutate.py)."""
        self._random = random.Random(seed)
        self.damage = random.Random(f"{seed}/damage") if damage else None
        self._forced = forced
        self.choices: list[int] = []

    def below(self, count: int) -> int:
        """An integer of 0..count-1."""
        if self._forced is None:
            value = int(self._random.random() * count)
        else:
            at = len(self.choices)
            value = min(self._forced[at], count - 1) if at < len(self._forced) else 0
        self.choices.append(value)
        return value

    def between(self, low: int, high: int) -> int:
        """An integer of low..high, both included."""
        return low + self.below(high - low + 1)

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def chance(self, one_in: int) -> bool:
        """True once in so many; a small case has it False."""
        return self.below(one_in) == one_in - 1

    def dims(self, rank: int, high: int = 5) -> tuple[int, ...]:
        return tuple(self.between(1, high) for _ in range(rank))

    def scale(self, low: float = 1e-3, high: float = 1.0) -> float:
        """A float32 scale, uniform in its logarithm; one in eight is a power of two."""
        value = low * (high / low) ** (self.below(1 << 20) / (1 << 20))
        if self.below(8) == 0:
            value = 2.0 ** round(math.log2(value))
        return float(np.float32(value))

    def zero_point(self, type: str = "int8") -> int:
        """Both ends, the middle and anything between, of a type of 8 bits; 0 for wider ones."""
        if type not in ("int8", "uint8"):
            return 0
        value = self.pick([0, -128, 127, self.between(-128, 127)])
        return value + 128 if type == "uint8" else value

    def array(self, shape: Sequence[int], low: int, high: int) -> NDArray[Any]:
        """Integers of low..high; in one array of four all of them at one of the two ends."""
        ends, seed = self.below(4) == 3, self.below(1 << 16)
        rng = np.random.default_rng(seed)
        return rng.choice([low, high], tuple(shape)) if ends else rng.integers(low, high + 1, tuple(shape))

    def weights(self, shape: Sequence[int]) -> NDArray[Any]:
        return self.array(shape, -127, 127)

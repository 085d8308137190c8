# SPDX-License-Identifier: Apache-2.0
"""Requantization in exact integers, for operators that the oracle does not have."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def multiplier(real: float) -> tuple[int, int]:
    """31 bits and an exponent; real is positive."""
    fraction, exponent = math.frexp(real)
    value = math.floor(fraction * 2**31 + 0.5)
    return (value // 2, exponent + 1) if value == 2**31 else (value, exponent)


def requantize(x: NDArray[Any], real: float) -> NDArray[Any]:
    """x * real: a doubling high multiplication, then a shift that rounds halves away from zero."""
    value, exponent = multiplier(real)
    high = (x.astype(object) * 2 ** max(exponent, 0) * value + 2**30) // 2**31
    down = 2 ** max(-exponent, 0)
    return np.vectorize(lambda y: (abs(y) * 2 + down) // (2 * down) * (1 if y > 0 else -1), otypes=[object])(high)


def round_half_away(x: float) -> int:
    return math.floor(abs(x) + 0.5) * (1 if x > 0 else -1)

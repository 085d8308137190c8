# SPDX-License-Identifier: Apache-2.0
"""Arithmetic that gives the same bits on every machine.

Sums of products are taken over numbers rounded to a grid so coarse that every sum is exact in float64, so neither the
order of a BLAS nor fused multiplications can change a bit; everything else is an elementwise operation that IEEE 754
defines; random numbers come from SHAKE-256.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SEED = 1


def on_grid(x: Array, bits: int) -> tuple[Array, float]:
    """(whole numbers of at most `bits` bits, scale), a power of two, with x close to whole * scale."""
    exponent = math.frexp(max(float(x.max()), -float(x.min())))[1]
    whole = x * math.ldexp(1.0, bits - exponent)
    return np.rint(whole, out=whole), math.ldexp(1.0, exponent - bits)


def matmul(a: Array, b: Array) -> Array:
    """a @ b with operands of 20 bits: exact for sums of up to 2**13 products."""
    whole_a, scale_a = on_grid(a, 20)
    whole_b, scale_b = on_grid(b, 20)
    return (whole_a @ whole_b) * (scale_a * scale_b)


def total(x: Array, axis: int | tuple[int, ...]) -> Array:
    """x.sum(axis), exact for up to 2**20 addends of 32 bits."""
    whole, scale = on_grid(x, 32)
    result: Array = whole.sum(axis) * scale
    return result


def exponential(x: Array) -> Array:
    """e**x for x <= 0, by 2**n * e**r with a Taylor series: accurate to about 1e-14, and the same everywhere."""
    n = np.rint(np.maximum(x, -700.0) / math.log(2.0))
    r = np.maximum(x, -700.0) - n * math.log(2.0)
    series = np.ones_like(r)
    for k in range(14, 0, -1):
        series = 1.0 + series * r / k
    return np.ldexp(series, n.astype(np.int64))


def uniform(name: str, count: int) -> Array:
    """`count` numbers in [0, 1) that depend on SEED and `name` alone."""
    words = np.frombuffer(hashlib.shake_256(f"{SEED} {name}".encode()).digest(4 * count), "<u4")
    return words.astype(np.float64) / 2**32


def shuffled(name: str, count: int) -> NDArray[np.int64]:
    """0 to count - 1 in an order that depends on SEED and `name` alone."""
    return np.argsort(uniform(name, count), kind="stable")


def normal(name: str, count: int) -> Array:
    """`count` numbers close to a normal distribution of mean 0 and variance 1: sums of four uniform ones."""
    return (uniform(name, 4 * count).reshape(4, count).sum(axis=0) - 2.0) * math.sqrt(3.0)

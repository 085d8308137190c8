# SPDX-License-Identifier: Apache-2.0
"""What a wrong tensor looks like: a guess at why an operator that read the right values wrote other ones.

Every rule looks at the pattern of the elements that differ, and says which pattern it was. A guess is a place to start
looking, not a proof; where no pattern fits, there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyhil.record import Cause

if TYPE_CHECKING:
    from tinyhil.model.graph import Operator

_FEW = 0.25  # of the channels
_MOST = 0.5  # of the elements
_FAR = 16  # units that a value is off where an accumulator has wrapped


def guess(op: Operator, filter_shape: tuple[int, ...], want: NDArray[Any], got: NDArray[Any]) -> Cause:
    """The first rule that fits.

    filter_shape: height and width of the operator's window; () where it has none. `want` and `got` differ, and have
    the same shape and an integer type or float.
    """
    pattern = _Pattern(op, filter_shape, want, got)
    for rule in (_constant, _bounds, _rounding, _offset, _border, _stride, _channels, _accumulator):
        cause = rule(pattern)
        if cause is not None:
            return cause
    return Cause("unknown", "no pattern that is known")


class _Pattern:
    def __init__(self, op: Operator, filter_shape: tuple[int, ...], want: NDArray[Any], got: NDArray[Any]) -> None:
        self.op = op
        self.filter_shape = filter_shape
        self.want = want.astype(np.float64)
        self.got = got.astype(np.float64)
        self.distance = self.got - self.want
        self.differs = self.distance != 0
        limits = np.iinfo(want.dtype) if want.dtype.kind in "iu" else np.finfo(want.dtype)
        self.lowest, self.highest = float(limits.min), float(limits.max)
        self.free = (self.want > self.lowest) & (self.want < self.highest)  # not held by the type's own bounds
        self.free &= (self.got > self.lowest) & (self.got < self.highest)

    @property
    def share(self) -> float:
        return float(self.differs.mean())


def _constant(at: _Pattern) -> Cause | None:
    if at.got.size > 1 and len(np.unique(at.got)) == 1 and len(np.unique(at.want)) > 1:
        return Cause("constant", "every element is the same: nothing was computed, or its input never arrived")
    return None


def _bounds(at: _Pattern) -> Cause | None:
    """Only elements at a bound differ: those that should be held there are not, or those beyond one are held."""
    got, want = at.got[at.differs], at.want[at.differs]
    for held, other, text in ((want, got, "elements are not held"), (got, want, "elements are held")):
        bounds = np.unique(held)
        if len(bounds) > 2 or len(other) < 2 or len(np.unique(other)) < 2:
            continue
        if all(_one_sided(bound, other[held == bound]) for bound in bounds):
            values = " and ".join(f"{bound:g}" for bound in bounds)
            return Cause("activation_bounds", f"{text} at {values}: the bounds of the activation")
    return None


def _one_sided(bound: float, values: NDArray[Any]) -> bool:
    return bool((values > bound).all() or (values < bound).all())


def _rounding(at: _Pattern) -> Cause | None:
    """Off by one in some places, or both ways."""
    if np.abs(at.distance).max() > 1:
        return None
    signs = np.unique(at.distance[at.differs])
    if len(signs) == 1 and at.differs[at.free].all() and at.free.any() and at.got.size > 1:
        return None  # all of them, one way: an offset
    return Cause("rounding", "off by one at most: rounding")


def _offset(at: _Pattern) -> Cause | None:
    free = at.distance[at.free]
    if at.got.size > 1 and len(free) and len(np.unique(free)) == 1 and free[0] != 0:
        return Cause("zero_point", f"every element is off by {free[0]:+g}: the zero point of the output")
    return None


def _border(at: _Pattern) -> Cause | None:
    """Only elements whose window reaches beyond the input's edge."""
    if at.got.ndim != 4 or not at.filter_shape or str(at.op.options.get("padding", "SAME")) != "SAME":
        return None
    rows, columns = np.flatnonzero(at.differs.any(axis=(0, 2, 3))), np.flatnonzero(at.differs.any(axis=(0, 1, 3)))
    reach_y, reach_x = at.filter_shape[0] // 2, at.filter_shape[1] // 2
    height, width = at.got.shape[1:3]
    inside = at.differs[:, reach_y : height - reach_y, reach_x : width - reach_x]
    if not inside.size or inside.any():
        return None
    return Cause(
        "padding",
        f"only elements at the border differ (rows {_span(rows)}, columns {_span(columns)}): padding",
    )


def _span(indices: NDArray[Any]) -> str:
    shown = [str(i) for i in indices[:6]]
    return ", ".join(shown) + (", ..." if len(indices) > 6 else "")


def _stride(at: _Pattern) -> Cause | None:
    """The first window is right, and the further from it the less is."""
    if at.got.ndim != 4 or max(at.got.shape[1:3]) < 2:
        return None
    if at.differs[:, 0, 0].any() or at.differs[:, 1:, 1:].mean() < _MOST:
        return None
    return Cause("stride", "the first window's elements are right and most others wrong: stride or dilation")


def _channels(at: _Pattern) -> Cause | None:
    if at.got.ndim < 2:
        return None
    channels = at.got.shape[-1]
    by_channel = at.differs.reshape(-1, channels)
    wrong = np.flatnonzero(by_channel.any(axis=0))
    if channels < 4 or len(wrong) > max(1, int(_FEW * channels)):
        return None
    if len(wrong) > 1 and by_channel[:, wrong].mean() < _MOST:
        return None
    which = f"channel {wrong[0]}" if len(wrong) == 1 else f"channels {_span(wrong)}"
    return Cause("channel", f"only {which} of {channels} differ{'s' if len(wrong) == 1 else ''}: its scale or bias")


def _accumulator(at: _Pattern) -> Cause | None:
    """Few elements, far off: those whose sum did not fit."""
    far = np.abs(at.distance[at.differs])
    if at.share < _MOST and float(np.median(far)) >= _FAR:
        return Cause("accumulator", "few elements, and those far off: a sum that did not fit its accumulator")
    return None

# SPDX-License-Identifier: Apache-2.0
"""Pictures of a record as SVG, without a script: what each operator costs, the arena over time, a figure over runs.

Colours are CSS variables of the page (--bar, --line, --fill-N), so that one picture serves light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tinyhil.record import ArenaTensor, OperatorResult

_FILLS = 8  # colours of the page: --fill-0 and on
_WIDTH = 760


def arena_picture(tensors: Sequence[ArenaTensor], operators: Sequence[str], arena_used: int) -> str:
    """Each tensor a box: from left to right the operators that need it, from top to bottom where it lies.

    Below the tensors, up to `arena_used`, is what lasts: the interpreter's own data. "" where there is nothing to draw.
    """
    if not tensors or not operators:
        return ""
    planned = max(tensor.offset + tensor.bytes for tensor in tensors)
    total = max(planned, arena_used, 1)
    height, left, top = 260, 70, 14
    columns = len(operators) + 2  # the inputs before, the outputs after
    step = (_WIDTH - left - 4) / columns
    y = height / total
    parts = [
        f'<svg class="arena" viewBox="0 0 {_WIDTH} {height + top + 26}" role="img" '
        f'aria-label="arena of {arena_used:,} bytes over {len(operators)} operators">'
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        at = top + share * height
        parts.append(f'<line class="grid" x1="{left}" y1="{at:.1f}" x2="{_WIDTH - 4}" y2="{at:.1f}"/>')
        parts.append(_axis(left - 6, at + 4, f"{share * total:,.0f}", "end"))
    for number, tensor in enumerate(tensors):
        x = left + (tensor.first + 1) * step
        width = (tensor.last - tensor.first + 1) * step
        words = (
            f"tensor {tensor.tensor} {tensor.name}: {tensor.bytes:,} bytes at {tensor.offset:,}, "
            f"{_span(tensor, operators)}"
        )
        parts.append(
            f'<rect x="{x:.1f}" y="{top + tensor.offset * y:.1f}" width="{max(width, 1):.1f}" '
            f'height="{max(tensor.bytes * y, 1):.1f}" style="fill:var(--fill-{number % _FILLS})">'
            f"<title>{escape(words)}</title></rect>"
        )
    if arena_used > planned:
        parts.append(
            f'<rect class="lasting" x="{left}" y="{top + planned * y:.1f}" width="{_WIDTH - left - 4}" '
            f'height="{(arena_used - planned) * y:.1f}"><title>{arena_used - planned:,} bytes that last: '
            "the interpreter's own data</title></rect>"
        )
    every = max(1, len(operators) // 16)
    for index in range(0, len(operators), every):
        x = left + (index + 1.5) * step
        parts.append(_axis(x, height + top + 16, str(index), "middle"))
    parts.append("</svg>")
    return "".join(parts)


def _axis(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text class="axis" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _span(tensor: ArenaTensor, operators: Sequence[str]) -> str:
    begin = "an input of the model" if tensor.first < 0 else f"from operator {tensor.first} {operators[tensor.first]}"
    end = "to the model's output" if tensor.last >= len(operators) else f"to operator {tensor.last}"
    return f"{begin} {end}"


def share_bar(share: float) -> str:
    """A bar that is `share` (0 to 1) of the width of its table cell."""
    width = max(0.0, min(1.0, share)) * 100
    return f'<span class="bar" aria-hidden="true"><span style="width:{width:.1f}%"></span></span>'


def trend_line(values: Sequence[float], labels: Sequence[str], unit: str) -> str:
    """A figure over the runs, the oldest at the left; "" for fewer than two."""
    if len(values) < 2:
        return ""
    width, height, pad = 320, 64, 8
    low, high = min(values), max(values)
    spread = (high - low) or 1.0
    points = [
        (
            pad + i * (width - 2 * pad) / (len(values) - 1),
            height - pad - (value - low) / spread * (height - 2 * pad) if high > low else height / 2,
        )
        for i, value in enumerate(values)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{escape(label)}: {value:,.0f} {escape(unit)}</title></circle>'
        for (x, y), value, label in zip(points, values, labels, strict=True)
    )
    return (
        f'<svg class="trend" viewBox="0 0 {width} {height}" role="img" aria-label="{len(values)} runs, '
        f'from {values[0]:,.0f} to {values[-1]:,.0f} {escape(unit)}"><polyline points="{path}"/>{dots}</svg>'
    )


def profile_rows(operators: Sequence[OperatorResult]) -> list[dict[str, object]]:
    """The operators for a table: share of the total, and units per MAC where there are any."""
    total = sum(op.units or 0 for op in operators)
    return [
        {
            "index": index,
            "name": op.name,
            "path": op.path,
            "macs": op.macs,
            "units": op.units,
            "per_mac": op.units / op.macs if op.units is not None and op.macs else None,
            "share": (op.units or 0) / total if total else 0.0,
        }
        for index, op in enumerate(operators)
    ]

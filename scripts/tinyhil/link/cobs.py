# SPDX-License-Identifier: Apache-2.0
"""Consistent Overhead Byte Stuffing: bytes without a zero among them. firmware/link/cobs.h is the other end."""

from __future__ import annotations

_LONGEST_RUN = 254
_CODE = [bytes([code]) for code in range(256)]


class CobsError(ValueError):
    """Not an encoding: a zero inside, or a block cut short."""


def encode(data: bytes) -> bytes:
    """The encoding of `data`; contains no zero. One byte longer, and one more for each 254 bytes without a zero."""
    parts: list[bytes] = []
    runs = data.split(b"\0")
    last = len(runs) - 1
    for i, run in enumerate(runs):
        if len(run) < _LONGEST_RUN:
            parts += (_CODE[len(run) + 1], run)
            continue
        whole = len(run) - len(run) % _LONGEST_RUN
        for at in range(0, whole, _LONGEST_RUN):
            parts += (b"\xff", run[at : at + _LONGEST_RUN])
        if whole < len(run) or i != last:
            parts += (_CODE[len(run) - whole + 1], run[whole:])
    return b"".join(parts)


def decode(encoded: bytes) -> bytes:
    """What `encode` was given. Raises CobsError for what it cannot have made."""
    size = len(encoded)
    if size == 0:
        raise CobsError("empty")
    parts: list[bytes] = []
    at = 0
    while at < size:
        code = encoded[at]
        if code == 0:
            raise CobsError(f"zero at byte {at}")
        end = at + code
        parts.append(encoded[at + 1 : end])
        if end < size and code != 255:
            parts.append(b"\0")
        at = end
    decoded = b"".join(parts)
    if at != size or 0 in encoded:
        raise CobsError("cut short or a zero inside")
    return decoded

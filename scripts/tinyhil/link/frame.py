# SPDX-License-Identifier: Apache-2.0
"""Frames, and the stream of bytes they come in. firmware/link/receiver.h is the other end.

A frame is, between two zeros, the COBS encoding of: u8 type, u8 status, u16 seq, u32 session, payload, u32 CRC-32 of
all before. A zero that is lost or inserted costs at most the frames it touches: a closing zero may be the next one's
opening, and nothing between two zeros is nothing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from tinyhil.link import cobs

_HEADER = struct.Struct("<BBHI")
_CRC = struct.Struct("<I")
_SHORTEST = _HEADER.size + _CRC.size
_UNREADABLE_KEPT = 256
_TEXT = bytes(range(0x20, 0x7F)) + b"\r\n\t"


class Frame(NamedTuple):
    type: int
    status: int
    seq: int
    session: int
    payload: bytes


class Text(NamedTuple):
    """Bytes outside frames: a banner, a reply to a text command."""

    data: bytes


class Damaged(NamedTuple):
    """What was between two zeros and is neither frame nor text."""

    data: bytes


def encode_frame(type: int, seq: int, session: int, payload: bytes = b"", status: int = 0) -> bytes:
    """The frame as it goes over the wire, zeros and all."""
    body = _HEADER.pack(type, status, seq, session) + payload
    return b"\0" + cobs.encode(body + _CRC.pack(zlib.crc32(body))) + b"\0"


def decode_frame(encoded: bytes) -> Frame | None:
    """The frame of what was between two zeros; None where it is damaged."""
    try:
        body = cobs.decode(encoded)
    except cobs.CobsError:
        return None
    if len(body) < _SHORTEST or _CRC.unpack_from(body, len(body) - 4)[0] != zlib.crc32(body[:-4]):
        return None
    type, status, seq, session = _HEADER.unpack_from(body)
    return Frame(type, status, seq, session, body[_HEADER.size : -4])


class Splitter:
    """Takes bytes as they arrive and gives frames, text and damaged pieces in their order."""

    def __init__(self, longest: int) -> None:
        """longest: bytes of the longest piece between zeros that is waited for."""
        self._longest = longest
        self._open = b""
        self._unreadable = b""

    @property
    def unreadable(self) -> bytes:
        """The last of what was neither frame nor text, with what has begun and is not ended."""
        return (self._unreadable + self._open)[-_UNREADABLE_KEPT:]

    def feed(self, data: bytes) -> Iterator[Frame | Text | Damaged]:
        *pieces, self._open = (self._open + data).split(b"\0")
        for piece in pieces:
            if piece:
                found = self._classify(piece)
                if isinstance(found, Damaged):
                    self._unreadable = (self._unreadable + piece)[-_UNREADABLE_KEPT:]
                yield found
        # Text is not ended by a zero: it is handed out line by line. Two bytes tell: a reply's second byte is its type,
        # which is no character.
        if len(self._open) > 1 and not self._open.translate(None, _TEXT):
            text, newline, self._open = self._open.rpartition(b"\n")
            if newline:
                yield Text(text + newline)
        if len(self._open) > self._longest:
            yield Damaged(self._open)
            self._open = b""

    def _classify(self, piece: bytes) -> Frame | Text | Damaged:
        if (frame := decode_frame(piece)) is not None:
            return frame
        return Damaged(piece) if piece.translate(None, _TEXT) else Text(piece)

# SPDX-License-Identifier: Apache-2.0
"""The model slot's content: a header of 64 bytes, then the model. firmware/app/model_source.h describes it."""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import NamedTuple

HEADER_BYTES = 64
MAGIC = b"THSL"
VERSION = 1

_HEADER = struct.Struct("<4sIIIII32sI")


BENCHMARKS = ("", "kws01", "ic01", "vww01", "ad01")
"""Which of MLPerf Tiny's a model may stand for, by the header's number."""


class SlotHeader(NamedTuple):
    """What the header says that a host asks for. benchmark: index into BENCHMARKS."""

    sha256: bytes
    benchmark: int


def slot_header(image: bytes) -> SlotHeader:
    """The header of what `slot_image` made."""
    fields = _HEADER.unpack_from(image)
    return SlotHeader(fields[6], fields[5])


def slot_image(model: bytes, benchmark: str = "") -> bytes:
    """The bytes to place at the start of the slot. benchmark: one of BENCHMARKS."""
    number = BENCHMARKS.index(benchmark)
    head = _HEADER.pack(
        MAGIC, VERSION, HEADER_BYTES, len(model), zlib.crc32(model), number, hashlib.sha256(model).digest(), 0
    )
    return head + struct.pack("<I", zlib.crc32(head)) + model

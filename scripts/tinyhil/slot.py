# SPDX-License-Identifier: Apache-2.0
"""The model slot's content: a header of 64 bytes, then the model. firmware/app/model_source.h describes it."""

from __future__ import annotations

import hashlib
import struct
import zlib

HEADER_BYTES = 64
MAGIC = b"THSL"
VERSION = 1

_HEADER = struct.Struct("<4sIIIII32sI")


def slot_image(model: bytes) -> bytes:
    """The bytes to place at the start of the slot."""
    head = _HEADER.pack(
        MAGIC, VERSION, HEADER_BYTES, len(model), zlib.crc32(model), 0, hashlib.sha256(model).digest(), 0
    )
    return head + struct.pack("<I", zlib.crc32(head)) + model

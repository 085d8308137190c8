# SPDX-License-Identifier: Apache-2.0
"""Intel HEX: the one format that every flashing tool reads, with its addresses in it."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

_RECORD_BYTES = 32
_DATA, _END, _UPPER_ADDRESS = 0, 1, 4

Segment = tuple[int, bytes]
"""An address and what lies there."""


def intel_hex(segments: Iterable[Segment]) -> str:
    """The file's text."""
    lines = []
    upper = -1
    for address, data in segments:
        at = 0
        while at < len(data):
            place = address + at
            if place >> 16 != upper:
                upper = place >> 16
                lines.append(_record(0, _UPPER_ADDRESS, struct.pack(">H", upper)))
            size = min(_RECORD_BYTES, len(data) - at, 0x10000 - (place & 0xFFFF))
            lines.append(_record(place & 0xFFFF, _DATA, data[at : at + size]))
            at += size
    return "\n".join([*lines, _record(0, _END, b""), ""])


def _record(address: int, kind: int, data: bytes) -> str:
    body = struct.pack(">BHB", len(data), address, kind) + data
    return f":{(body + bytes([-sum(body) & 0xFF])).hex().upper()}"


def elf_segments(elf: Path) -> list[Segment]:
    """What an ELF file puts into memory, at its load addresses."""
    from elftools.elf.elffile import ELFFile

    with elf.open("rb") as stream:
        return [
            (segment["p_paddr"], segment.data())
            for segment in ELFFile(stream).iter_segments("PT_LOAD")
            if segment["p_filesz"]
        ]

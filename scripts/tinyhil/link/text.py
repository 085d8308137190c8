# SPDX-License-Identifier: Apache-2.0
"""The text language of the UART, as firmware/link/README.md has it: lines with a CRC-32 at their end, both ways."""

from __future__ import annotations

import re
import zlib
from typing import NamedTuple

INPUT_BYTES_PER_LINE = 96
"""The most that one `hil input` takes."""

OUTPUT_BYTES_PER_LINE = 32
"""What one line of the answer to `hil output` holds."""

_CHECKED = re.compile(r"(.*) \*([0-9a-f]{8})")


class Reply(NamedTuple):
    """A line that the device sent, its checksum verified: `hil load arena-used=3 ops=2` is about "load".

    values: the words with a =, by their names. `detail` of an error runs to the end of the line.
    """

    text: str
    about: str
    values: dict[str, str]


def checked(line: str) -> str:
    """The line with its checksum."""
    return f"{line} *{zlib.crc32(line.encode('ascii')):08x}"


def parse(line: str) -> Reply | None:
    """The reply that a line holds; None where its checksum is wrong or missing."""
    match = _CHECKED.fullmatch(line.strip())
    if match is None or int(match[2], 16) != zlib.crc32(match[1].encode("ascii", "replace")):
        return None
    text = match[1]
    words, detail_follows, detail = text.partition(" detail=")
    values = dict(word.split("=", 1) for word in words.split() if "=" in word)
    if detail_follows:
        values["detail"] = detail
    about = words.split()[1:2]
    return Reply(text, about[0] if about else "", values)

# SPDX-License-Identifier: Apache-2.0
"""The numbers of the protocol are the same in the firmware, on the host and in the description."""

from __future__ import annotations

import re
import zlib

from tinyhil import assets
from tinyhil.link import protocol

LINK = assets.firmware_dir() / "link"
README = (LINK / "README.md").read_text(encoding="utf-8")
HEADER = (LINK / "protocol.h").read_text(encoding="utf-8")


def upper(camel: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", camel).upper()


def enumerators(text: str) -> dict[str, int]:
    """kSlotWrite = 3 -> SLOT_WRITE: 3"""
    return {upper(name): int(value, 0) for name, value in re.findall(r"\bk(\w+) = (0x[0-9A-F]+|\d+),", text)}


def described(heading: str) -> list[list[str]]:
    """The rows of the tables under a heading."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_requests_have_the_same_numbers_everywhere():
    names = {request.name: request.value for request in protocol.Request}
    assert enumerators(HEADER) == names
    assert {name: int(number) for number, name, *_ in described("Requests") if number.isdigit() and name.isupper()} == (
        names
    )


def test_status_codes_have_the_same_numbers_everywhere():
    errors = (assets.firmware_dir() / "interpreter" / "error.h").read_text(encoding="utf-8")
    names = {status.name: status.value for status in protocol.Status}
    assert enumerators(errors.split("struct Error")[0]) == names
    assert {int(row[0]) for row in described("Status") if row[0].isdigit()} == set(names.values()) - {0}


def test_run_flags_and_limits_have_the_same_numbers_on_both_ends():
    flags = {upper(name): 1 << int(bit) for name, bit in re.findall(r"kRun(\w+) = 1u << (\d+);", HEADER)}
    assert flags == {flag.name: flag.value for flag in protocol.Run}
    limits = dict(re.findall(r"constexpr \w+ k(\w+) = (\w+);", HEADER))
    assert int(limits["ProtocolVersion"]) == protocol.PROTOCOL_VERSION
    assert int(limits["MaxPayload"]) == protocol.MAX_PAYLOAD
    assert int(limits["Reply"], 0) == protocol.REPLY


def test_checksums_of_the_examples_are_right():
    examples = re.findall(r"^(hil .*) \*([0-9a-f]{8})$", README, re.MULTILINE)
    assert len(examples) == 3
    for line, crc in examples:
        assert f"{zlib.crc32(line.encode()):08x}" == crc, line


def test_text_commands_in_the_description_are_those_of_the_firmware():
    source = (assets.firmware_dir() / "app" / "text_commands.cc").read_text(encoding="utf-8")
    commands = re.findall(r'^    \{"(\w+)", "', source, re.MULTILINE)
    named = [re.match(r"`hil (\w+)", row[0]) for row in described("Text")]
    assert [found[1] for found in named if found] == commands

# SPDX-License-Identifier: Apache-2.0
"""The text language: lines, words, numbers and checksums, among frames."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyhil.link.frame import encode_frame

pytestmark = pytest.mark.needs("native")

FRAME = encode_frame(2, 7, 1)
FRAME_EVENT = "frame 2 0 7 1 "


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"%", b"%\r\n"])
def test_each_line_end_ends_a_command(firmware, end):
    assert firmware.receive(b"hil mem" + end + b"name" + end) == ["line hil mem", "line name"]


def test_text_and_frames_mix_on_one_line(firmware):
    assert firmware.receive(b"one\r\n" + FRAME + b"two\r\n" + FRAME) == [
        "line one",
        FRAME_EVENT,
        "line two",
        FRAME_EVENT,
    ]


def test_a_person_can_type_right_after_a_frame(firmware):
    assert firmware.receive(FRAME + b"\r\nhil mem *?\r") == [FRAME_EVENT, "line hil mem *?"]


def test_a_person_can_type_after_half_a_frame_and_a_pause(firmware):
    half = FRAME[:-4]
    assert firmware.receive(half + b"help%")[-1:] != ["line help"]
    assert firmware.receive(half + b"help%", pause_at=len(half)) == ["gave up a frame", "line help"]


def test_a_command_that_was_begun_is_dropped_when_a_frame_begins(firmware):
    assert firmware.receive(b"hil re" + FRAME + b"set%") == ["damaged", FRAME_EVENT, "line set"]


def test_a_typing_error_can_be_taken_back(firmware):
    assert firmware.receive(b"\x08hil mm\x08em\x7fm%") == ["line hil mem"]


def test_a_line_that_is_too_long_or_not_printable_is_reported_as_unreadable(firmware):
    assert firmware.receive(b"a" * 255 + b"%") == ["line " + "a" * 255]
    assert firmware.receive(b"a" * 256 + b"%ok%") == ["bad line", "line ok"]
    assert firmware.receive(b"hil \xe9%ok%") == ["bad line", "line ok"]


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=100))
def test_a_line_with_its_checksum_is_right_and_any_other_is_wrong(firmware, text):
    line = text.encode()
    crc = zlib.crc32(line)
    assert firmware.parse(line + b" *%08x" % crc)[0] == "right"
    assert firmware.parse(line + b" *%08X" % crc)[0] == "right"
    assert firmware.parse(line + b" *%08x" % (crc ^ 1))[0] == "wrong"
    assert firmware.parse(b"x" + line + b" *%08x" % crc)[0] == "wrong"
    assert firmware.parse(line + b" *?")[0] == "waived"


@pytest.mark.parametrize("line", [b"", b"hil mem", b"hil mem*1a2b3c4d", b"*?", b"a * b"])
def test_a_line_without_a_checksum_has_none(firmware, line):
    assert firmware.parse(line)[0] in ("missing", "wrong")


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=239))
def test_the_devices_lines_carry_the_checksum_of_what_is_before_it(firmware, text):
    line = text.encode()
    assert firmware.checked_line(line) == line + b" *%08x\r\n" % zlib.crc32(line)


def test_a_reply_that_is_too_long_is_cut_and_its_checksum_holds(firmware):
    cut = b"z" * 239
    assert firmware.checked_line(b"z" * 400) == cut + b" *%08x\r\n" % zlib.crc32(cut)


def test_numbers_are_decimal_or_hexadecimal_and_nothing_else(firmware):
    words = b"0 4294967295 4294967296 0x10 0xffffffff 0x100000000 0x -1 1a 12x deadbeef DEADBEEF 0g"
    got = firmware.parse(words + b" *?")[1:]
    assert got == [
        "word 0 number 0",
        "word 4294967295 number 4294967295 bytes 4294967295",
        "word 4294967296 bytes 4294967296",
        "word 0x10 number 16",
        "word 0xffffffff number 4294967295",
        "word 0x100000000",
        "word 0x",
        "word -1",
        "word 1a bytes 1a",
        "word 12x",
        "word deadbeef crc 3735928559 bytes deadbeef",
        "word DEADBEEF crc 3735928559 bytes deadbeef",
        "word 0g",
    ]

# SPDX-License-Identifier: Apache-2.0
"""After one byte that is lost, flipped or inserted, wherever it is, only the frames it touches are lost, and none that
was not sent appears: on the device and on the host."""

from __future__ import annotations

import random

import pytest

from tinyhil.link.frame import Frame, Splitter, encode_frame
from tinyhil.link.protocol import MAX_PAYLOAD

# Payloads that are all text, all zeros, line ends, and one with a long run.
PAYLOADS = [b"", b"hil mem *?\r\nreset%", b"\0" * 9, bytes(range(1, 256)) + b"\x01" * 10, b"\x02\r\n\0\x02"]
REQUESTS = [Frame(9, 0, 100 + i, 0x0A0D2502, payload) for i, payload in enumerate(PAYLOADS)]
REPLIES = [frame._replace(type=frame.type | 0x80) for frame in REQUESTS]


def wire(frames: list[Frame]) -> tuple[bytes, list[range]]:
    """The stream, and which bytes of it each frame takes."""
    stream, places = b"", []
    for frame in frames:
        encoded = encode_frame(frame.type, frame.seq, frame.session, frame.payload)
        places.append(range(len(stream), len(stream) + len(encoded)))
        stream += encoded
    return stream, places


def faults(stream: bytes) -> list[tuple[str, int, bytes]]:
    """Every single fault, by kind, place and what becomes of the stream."""
    found = []
    for at in range(len(stream) + 1):
        for byte in (0, 1, 2, 0x0A, 0x41, 0xFF):
            found.append((f"insert {byte:#04x}", at, stream[:at] + bytes([byte]) + stream[at:]))
        if at < len(stream):
            found.append(("drop", at, stream[:at] + stream[at + 1 :]))
            for bit in (0, 3, 7):
                flipped = bytes([stream[at] ^ (1 << bit)])
                found.append((f"flip {bit}", at, stream[:at] + flipped + stream[at + 1 :]))
            found.append(("zero", at, stream[:at] + b"\0" + stream[at + 1 :]))
    return found


def touched(places: list[range], at: int) -> set[int]:
    """The frames that a fault at this byte may cost: its own, and those that share a zero with it."""
    return {i for i, place in enumerate(places) if place.start - 1 <= at <= place.stop}


def as_events(frames: list[Frame]) -> list[str]:
    return [f"frame {f.type} {f.status} {f.seq} {f.session} {f.payload.hex()}" for f in frames]


@pytest.mark.needs("native")
def test_the_device_finds_back_after_any_single_fault(firmware):
    # The last zero may be the one that is lost: then the next frame's first one ends the frame.
    stream, places = wire([*REQUESTS, Frame(2, 0, 999, 1, b"")])
    expected = as_events([*REQUESTS, Frame(2, 0, 999, 1, b"")])
    for kind, at, damaged in faults(stream):
        got = [event for event in firmware.receive(damaged + b"\0") if event.startswith("frame")]
        intact = [event for i, event in enumerate(expected) if i not in touched(places, at)]
        assert [event for event in got if event not in expected] == [], (kind, at)
        assert [event for event in intact if event not in got] == [], (kind, at)


def test_the_host_finds_back_after_any_single_fault():
    stream, places = wire(REPLIES)
    for kind, at, damaged in faults(stream):
        got = [piece for piece in Splitter(longest=1100).feed(damaged + b"\0") if isinstance(piece, Frame)]
        intact = [frame for i, frame in enumerate(REPLIES) if i not in touched(places, at)]
        assert [frame for frame in got if frame not in REPLIES] == [], (kind, at)
        assert [frame for frame in intact if frame not in got] == [], (kind, at)


@pytest.mark.needs("native")
def test_the_device_finds_back_after_any_noise(firmware):
    chance = random.Random(20)
    frame = REQUESTS[1]
    good = encode_frame(frame.type, frame.seq, frame.session, frame.payload)
    for _ in range(300):
        noise = chance.randbytes(chance.randrange(3000))
        # A frame that was about to begin in the noise may take the next one's opening zero for its end.
        assert firmware.receive(noise + b"\0" + good)[-1:] == as_events([frame])


@pytest.mark.needs("native")
def test_a_frame_that_is_too_long_is_dropped_and_the_next_one_read(firmware):
    longest = encode_frame(8, 1, 2, b"\x07" * MAX_PAYLOAD)
    longer = encode_frame(8, 1, 2, b"\x07" * (MAX_PAYLOAD + 1))
    assert firmware.receive(longest) == as_events([Frame(8, 0, 1, 2, b"\x07" * MAX_PAYLOAD)])
    assert firmware.receive(longer + longest) == ["damaged", *firmware.receive(longest)]


@pytest.mark.needs("native")
def test_a_frame_that_is_shorter_than_its_own_header_is_dropped(firmware):
    for size in range(10):
        assert firmware.receive(firmware.encode(b"\x05\0" + b"\x01" * size)) == ["damaged"]


def stream_of(frames: list[Frame]) -> bytes:
    return wire(frames)[0]


def delimiters(frames: list[Frame]) -> list[int]:
    return [at for place in wire(frames)[1] for at in (place.start, place.stop - 1)]


@pytest.mark.needs("native")
def test_a_lost_or_doubled_zero_between_frames_costs_the_device_none_of_them(firmware):
    stream = stream_of(REQUESTS)
    for at in delimiters(REQUESTS):
        assert firmware.receive(b"\0" + stream[:at] + stream[at + 1 :] + b"\0") == as_events(REQUESTS), at
        assert firmware.receive(b"\0" + stream[:at] + b"\0" + stream[at:]) == as_events(REQUESTS), at


def test_a_lost_or_doubled_zero_between_frames_costs_the_host_none_of_them():
    stream = stream_of(REPLIES)
    for at in delimiters(REPLIES):
        assert list(Splitter(longest=1100).feed(stream[:at] + stream[at + 1 :] + b"\0")) == REPLIES, at
        assert list(Splitter(longest=1100).feed(stream[:at] + b"\0" + stream[at:])) == REPLIES, at

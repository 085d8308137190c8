# SPDX-License-Identifier: Apache-2.0
"""COBS and frames: both ends make the same bytes of the same frame, and each reads what the other wrote."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyhil.link import cobs
from tinyhil.link.frame import Damaged, Frame, Splitter, Text, decode_frame, encode_frame
from tinyhil.link.protocol import REPLY

# Long runs without a zero are where an encoding of 254-byte blocks can go wrong.
RUNS = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.integers(250, 260).map(lambda n: b"\x11" * n),
        st.integers(506, 512).map(lambda n: b"\x22" * n),
        st.integers(1, 4).map(lambda n: b"\0" * n),
    ),
    max_size=6,
).map(b"".join)
FRAMES = st.builds(
    Frame,
    type=st.integers(1, 255),
    status=st.integers(0, 255),
    seq=st.integers(0, 0xFFFF),
    session=st.integers(0, 0xFFFFFFFF),
    payload=st.one_of(RUNS, st.binary(max_size=1024)).map(lambda data: data[:1024]),
)


def wire(frame: Frame) -> bytes:
    return encode_frame(frame.type, frame.seq, frame.session, frame.payload, frame.status)


@given(RUNS)
def test_what_is_encoded_has_no_zero_and_decodes_to_the_same(data):
    encoded = cobs.encode(data)
    assert 0 not in encoded
    assert cobs.decode(encoded) == data
    assert len(encoded) <= len(data) + 1 + len(data) // 254


@given(st.binary(max_size=600))
def test_whatever_arrives_is_decoded_or_refused(data):
    try:
        decoded = cobs.decode(data)
    except cobs.CobsError:
        return
    assert cobs.decode(cobs.encode(decoded)) == decoded


@pytest.mark.needs("native")
@settings(deadline=None, max_examples=300)
@given(RUNS)
def test_both_ends_encode_alike(firmware, data):
    assert firmware.encode(data) == b"\0" + cobs.encode(data) + b"\0"


@pytest.mark.needs("native")
@settings(deadline=None)
@given(st.binary(max_size=3000))
def test_both_ends_compute_the_crc_of_zlib(firmware, data):
    assert firmware.crc32(data) == zlib.crc32(data)


@pytest.mark.needs("native")
@settings(deadline=None, max_examples=300)
@given(FRAMES)
def test_the_device_reads_the_hosts_requests(firmware, frame):
    request = frame._replace(status=0)
    expected = f"frame {request.type} 0 {request.seq} {request.session} {request.payload.hex()}"
    assert firmware.receive(wire(request)) == [expected]


@settings(max_examples=300)
@given(st.lists(FRAMES.map(lambda frame: frame._replace(type=frame.type | REPLY)), max_size=4), st.data())
def test_replies_come_out_whatever_pieces_they_arrive_in(frames, data):
    stream = b"".join(wire(frame) for frame in frames)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    splitter = Splitter(longest=1100)
    found: list[object] = []
    for start, stop in pairwise([0, *sorted(cuts), len(stream)]):
        found += splitter.feed(stream[start:stop])
    assert found == frames


@given(FRAMES.map(lambda frame: frame._replace(type=frame.type | REPLY, payload=frame.payload[:60])))
def test_replies_come_out_byte_by_byte(frame):
    splitter = Splitter(longest=1100)
    assert [piece for byte in wire(frame) for piece in splitter.feed(bytes([byte]))] == [frame]


@given(FRAMES, st.data())
def test_a_frame_with_a_flipped_bit_is_no_frame(frame, data):
    encoded = cobs.encode(struct.pack("<BBHI", *frame[:4]) + frame.payload)
    intact = bytearray(wire(frame)[1:-1])
    at = data.draw(st.integers(0, len(intact) - 1))
    intact[at] ^= 1 << data.draw(st.integers(0, 7))
    assert decode_frame(bytes(intact)) is None
    assert decode_frame(encoded) is None  # no checksum at all


def test_text_between_frames_comes_out_as_text():
    frame = encode_frame(0x81, 5, 7)
    found = list(Splitter(longest=1100).feed(b"m-init-done\r\nm-ready\r\n" + frame + b"hil mem *x\r\npart"))
    assert [type(piece) for piece in found] == [Text, Frame, Text]
    assert found[2].data == b"hil mem *x\r\n"


def test_noise_that_never_ends_is_given_up():
    splitter = Splitter(longest=100)
    assert [type(piece) for piece in splitter.feed(b"\xff" * 101)] == [Damaged]
    frame = encode_frame(0x81, 5, 7)
    assert [type(piece) for piece in splitter.feed(frame)] == [Frame]

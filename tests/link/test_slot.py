# SPDX-License-Identifier: Apache-2.0
"""The model slot: what the host writes the device accepts, and whatever else lies there it refuses by name."""

from __future__ import annotations

import hashlib
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyhil.link.protocol import Status
from tinyhil.slot import HEADER_BYTES, slot_image

pytestmark = pytest.mark.needs("native")

MODEL = bytes(range(256)) * 3


def refused(status: Status, path: str, want: int, got: int) -> str:
    return f"error {status.value} {path} {want} {got}"


def with_header_crc(image: bytes) -> bytes:
    return image[:60] + struct.pack("<I", zlib.crc32(image[:60])) + image[64:]


@settings(deadline=None)
@given(st.binary(max_size=2000), st.integers(0, 300))
def test_the_device_accepts_what_the_host_writes(firmware, model, free_bytes):
    found = firmware.slot(slot_image(model) + b"\xff" * free_bytes)
    assert found == f"model {len(model)} {zlib.crc32(model)} {hashlib.sha256(model).hexdigest()}"


@pytest.mark.parametrize("off", [1, 2, 4, 8, 15])
def test_a_misaligned_slot_is_refused(firmware, off):
    assert firmware.slot(slot_image(MODEL), off=off) == refused(Status.SLOT_MISALIGNED, "slot", 0, off)


def test_an_empty_slot_is_refused(firmware):
    for blank in (0x00, 0xFF):
        assert firmware.slot(bytes([blank]) * 4096).startswith(f"error {Status.SLOT_EMPTY.value} slot.magic")
    assert firmware.slot(b"THSL" + b"\0" * 40) == refused(Status.SLOT_EMPTY, "slot", HEADER_BYTES, 44)


def test_a_model_longer_than_the_slot_is_refused_with_both_sizes(firmware):
    image = slot_image(MODEL)
    for missing in (1, len(MODEL)):
        expected = refused(Status.SLOT_TOO_LONG, "slot.model", len(MODEL), len(MODEL) - missing)
        assert firmware.slot(image[:-missing]) == expected


def test_a_length_of_four_gigabytes_is_refused(firmware):
    image = slot_image(MODEL)
    lying = with_header_crc(image[:12] + b"\xff\xff\xff\xff" + image[16:])
    assert firmware.slot(lying) == refused(Status.SLOT_TOO_LONG, "slot.model", 0xFFFFFFFF, len(MODEL))


def test_a_header_of_another_version_is_refused(firmware):
    image = slot_image(MODEL)
    newer = with_header_crc(image[:4] + struct.pack("<I", 2) + image[8:])
    assert firmware.slot(newer) == refused(Status.SLOT_EMPTY, "slot.version", 1, 2)


def test_any_damaged_bit_is_noticed(firmware):
    image = slot_image(MODEL)
    for at in (*range(HEADER_BYTES), HEADER_BYTES, HEADER_BYTES + 400, len(image) - 1):
        damaged = bytearray(image)
        damaged[at] ^= 0x10
        status = int(firmware.slot(bytes(damaged)).split()[1])
        assert status == (Status.SLOT_EMPTY if at < 4 else Status.SLOT_CRC), at

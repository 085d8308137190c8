# SPDX-License-Identifier: Apache-2.0
"""A run that stops at an operator, as the protocol has it; the whole firmware under the sanitizers."""

from __future__ import annotations

import struct
import zlib

import pytest
from tests.link.test_session import SESSION, fresh, loaded, output_of, run_payload, vectors, wire, with_crc

from tinyhil.link.protocol import Request, Status

pytestmark = pytest.mark.needs("native")

__all__ = ["fresh", "loaded", "vectors", "wire"]  # fixtures

OPS = 13  # of the digits


def moment(op: int, after: int = 0) -> bytes:
    return struct.pack("<IB", op, after)


def where(reply) -> tuple[int, int]:
    assert reply.status == Status.OK, reply
    return struct.unpack("<IB", reply.payload)


@pytest.fixture
def stopped(loaded, vectors):
    """A run of vector 0 that waits before operator 3."""
    data, _ = vectors[0]
    assert loaded.ask(Request.INPUT_WRITE, struct.pack("<II", 0, 0) + data).status == Status.OK
    crc = struct.pack("<I", zlib.crc32(data))
    assert where(loaded.ask(Request.BREAK, moment(3) + crc, seq=7)) == (3, 0)
    return loaded


def test_a_run_stops_goes_on_and_ends_with_the_right_output(stopped, vectors):
    assert where(stopped.ask(Request.STEP, moment(3, 1), seq=8)) == (3, 1)
    assert where(stopped.ask(Request.STEP, moment(12, 1), seq=9)) == (12, 1)
    assert where(stopped.ask(Request.STEP, moment(OPS), seq=10)) == (OPS, 0)
    reply = stopped.ask(Request.OUTPUT_READ, struct.pack("<III", 0, 0, len(vectors[0][1])), seq=11)
    assert reply.payload == vectors[0][1]


def test_what_is_over_is_only_reported(stopped, vectors):
    crc = struct.pack("<I", zlib.crc32(vectors[0][0]))
    assert where(stopped.ask(Request.BREAK, moment(3) + crc, seq=7)) == (3, 0)  # its reply got lost
    assert where(stopped.ask(Request.STEP, moment(1), seq=8)) == (3, 0)
    assert where(stopped.ask(Request.STEP, moment(OPS), seq=9)) == (OPS, 0)
    assert where(stopped.ask(Request.STEP, moment(OPS), seq=9)) == (OPS, 0)
    assert where(stopped.ask(Request.STEP, moment(2), seq=10)) == (OPS, 0)  # no run at all


def test_nothing_else_runs_or_loads_while_a_run_is_stopped(stopped, vectors):
    data, _ = vectors[0]
    for request, payload in (
        (Request.RUN, run_payload(data)),
        (Request.LOAD, struct.pack("<I", 0)),
        (Request.INPUT_WRITE, struct.pack("<II", 0, 0) + data),
        (Request.SLOT_WRITE, struct.pack("<I", 0) + bytes(4)),
        (Request.CHECKSUMS, struct.pack("<I", 0)),
    ):
        reply = stopped.ask(request, payload, seq=20)
        assert reply.status == Status.BAD_REQUEST, request.name
        assert b"stopped" in reply.payload
    for command in ("hil load", "hil run ?", "hil input 0 0 00"):
        assert "stopped" in " ".join(stopped.lines(with_crc(command))), command
    assert where(stopped.ask(Request.STEP, moment(OPS), seq=30)) == (OPS, 0)
    assert output_of(stopped.ask(Request.RUN, run_payload(data), seq=31)) == vectors[0][1]


def test_info_and_memory_are_answered_while_a_run_is_stopped(stopped):
    assert stopped.ask(Request.INFO, seq=20).status == Status.OK
    assert stopped.ask(Request.MEMORY, seq=21).status == Status.OK


def test_tensors_of_operators_are_read_and_replaced(stopped):
    """MAX_POOL_2D of zeros is zeros, whatever the operator before it wrote."""
    assert where(stopped.ask(Request.STEP, moment(4), seq=8)) == (4, 0)
    size, address = struct.unpack("<II", stopped.ask(Request.OP_TENSOR, struct.pack("<IBI", 4, 0, 0)).payload)
    assert size == 8 * 8 * 16 and address != 0
    before = stopped.ask(Request.OP_READ, struct.pack("<IBIII", 4, 0, 0, 0, size)).payload
    assert len(set(before)) > 1
    for at in range(0, size, 512):
        assert stopped.ask(Request.OP_WRITE, struct.pack("<III", 4, 0, at) + bytes(512)).status == Status.OK
    assert where(stopped.ask(Request.STEP, moment(4, 1), seq=9)) == (4, 1)
    assert stopped.ask(Request.OP_READ, struct.pack("<IBIII", 4, 1, 0, 0, 256)).payload == bytes(256)


@pytest.mark.parametrize(
    ("request_", "payload", "status"),
    [
        (Request.OP_TENSOR, struct.pack("<IBI", 4, 0, 1), Status.BAD_INDEX),
        (Request.OP_TENSOR, struct.pack("<IBI", OPS, 0, 0), Status.BAD_INDEX),
        (Request.OP_READ, struct.pack("<IBIII", 4, 0, 0, 1020, 8), Status.BAD_RANGE),
        (Request.OP_READ, struct.pack("<IBIII", 4, 0, 0, 0xFFFFFFFF, 2), Status.BAD_RANGE),
        (Request.OP_WRITE, struct.pack("<III", 4, 0, 1020) + bytes(8), Status.BAD_RANGE),
        (Request.OP_WRITE, struct.pack("<III", 4, 7, 0) + bytes(8), Status.BAD_INDEX),
        (Request.STEP, moment(OPS + 1), Status.BAD_INDEX),
        (Request.STEP, moment(1, 2), Status.BAD_REQUEST),
        (Request.STEP, b"\0", Status.BAD_REQUEST),
        (Request.BREAK, moment(1) + bytes(3), Status.BAD_REQUEST),
    ],
)
def test_what_is_not_there_is_refused_and_the_run_waits_on(stopped, request_, payload, status):
    assert stopped.ask(request_, payload, seq=20).status == status
    assert where(stopped.ask(Request.STEP, moment(3), seq=21)) == (3, 0)


def test_an_input_that_was_not_announced_does_not_run(loaded, vectors):
    reply = loaded.ask(Request.BREAK, moment(3) + bytes(4), seq=7)
    assert reply.status == Status.INPUT_CRC
    assert where(loaded.ask(Request.STEP, moment(3), seq=8)) == (OPS, 0)


def test_another_host_lets_a_stopped_run_go(stopped, vectors):
    data, expected = vectors[0]
    other = SESSION + 1
    assert stopped.ask(Request.OPEN, session=other, seq=1).status == Status.OK
    assert output_of(stopped.ask(Request.RUN, run_payload(data), seq=2, session=other)) == expected


def test_a_reset_ends_a_stopped_run(stopped):
    stopped.channel.write(with_crc("hil reset"))
    assert stopped.lines(b"")[-1] == "m-init-done"


def test_without_a_model_there_is_nothing_to_stop(wire):
    for request, payload in (
        (Request.BREAK, moment(0)),
        (Request.STEP, moment(0)),
        (Request.OP_TENSOR, struct.pack("<IBI", 0, 0, 0)),
    ):
        assert wire.ask(request, payload).status == Status.NO_MODEL

# SPDX-License-Identifier: Apache-2.0
"""What the protocol promises, request by request, asked of the whole firmware under the sanitizers."""

from __future__ import annotations

import struct
import time
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinyhil import golden
from tinyhil.errors import DeviceRestarted
from tinyhil.link.client import Link, NoAnswer, Refused
from tinyhil.link.commands import Commands
from tinyhil.link.frame import Frame, Splitter, Text, encode_frame
from tinyhil.link.protocol import MAX_PAYLOAD, REPLY, Request, Run, Status

pytestmark = pytest.mark.needs("native")

SESSION = 0x51515151


class Wire:
    """The channel, frame by frame and line by line, with nothing resent."""

    def __init__(self, channel):
        self.channel = channel
        self.splitter = Splitter(longest=1100)
        self.pieces = []

    def piece(self):
        end = time.monotonic() + 20
        while not self.pieces:
            assert time.monotonic() < end, "nothing came"
            self.pieces += self.splitter.feed(self.channel.read(5))
        return self.pieces.pop(0)

    def frame(self) -> Frame:
        while not isinstance(piece := self.piece(), Frame):
            pass
        return piece

    def ask(self, request, payload=b"", *, seq=1, session=SESSION) -> Frame:
        self.channel.write(encode_frame(request, seq, session, payload))
        return self.frame()

    def lines(self, command: bytes) -> list[str]:
        """The lines of the reply to a text command, checksums taken off and verified, without the last."""
        self.channel.write(command)
        text = b""
        while not text.endswith(b"m-ready\r\n"):
            piece = self.piece()
            assert isinstance(piece, Text)
            text += piece.data
        return [self._checked(line) for line in text.decode().split("\r\n")[:-2]]

    @staticmethod
    def _checked(line: str) -> str:
        if not line.startswith("hil "):
            return line
        said, _, crc = line.rpartition(" *")
        assert int(crc, 16) == zlib.crc32(said.encode()), line
        return said


def with_crc(command: str) -> bytes:
    return f"{command} *{zlib.crc32(command.encode()):08x}\r\n".encode()


@pytest.fixture
def fresh(channel) -> Wire:
    """A device that has just started; its banner is read."""
    wire = Wire(channel)
    wire.lines(b"")
    return wire


@pytest.fixture
def wire(fresh) -> Wire:
    """A device with a session."""
    assert fresh.ask(Request.OPEN).status == Status.OK
    return fresh


@pytest.fixture
def loaded(wire) -> Wire:
    assert wire.ask(Request.LOAD, struct.pack("<I", 0)).status == Status.OK
    return wire


@pytest.fixture
def vectors(digits):
    """Inputs of the digits and what comes out, as bytes."""
    known = golden.golden_for(digits)
    return [(known.inputs[0][i].tobytes(), known.outputs[0][i].tobytes()) for i in range(2)]


def run_payload(data: bytes, flags: Run = Run.INPUT | Run.OUTPUT) -> bytes:
    return struct.pack("<II", flags, zlib.crc32(data)) + (data if Run.INPUT in flags else b"")


def output_of(reply: Frame) -> bytes:
    assert reply.status == Status.OK
    return reply.payload[16:]


# The session ----------------------------------------------------------------------------------------------------------
def test_a_device_says_that_it_has_started(channel):
    assert Wire(channel).lines(b"") == ["m-timestamp-mode-performance", "m-lap-us-0", "m-init-done"]


def test_before_a_session_is_opened_every_request_is_refused(fresh):
    for request in set(Request) - {Request.OPEN, Request.FAULT}:
        for session in (0, SESSION):
            reply = fresh.ask(request, session=session)
            assert (reply.status, reply.session) == (Status.WRONG_SESSION, 0)


def test_a_request_of_another_session_is_refused_and_changes_nothing(loaded, vectors):
    data, expected = vectors[0]
    assert loaded.ask(Request.RUN, run_payload(data), session=SESSION + 1).status == Status.WRONG_SESSION
    assert loaded.ask(Request.RESET, session=SESSION + 1).status == Status.WRONG_SESSION
    assert output_of(loaded.ask(Request.RUN, run_payload(data), seq=2)) == expected


def test_session_0_cannot_be_opened(fresh):
    assert fresh.ask(Request.OPEN, session=0).status == Status.BAD_REQUEST


def test_a_reply_has_the_requests_number_and_type(wire):
    for seq in (0, 1, 0xFFFF):
        reply = wire.ask(Request.MEMORY, seq=seq)
        assert (reply.type, reply.seq, reply.session) == (Request.MEMORY | REPLY, seq, SESSION)


def test_a_restart_is_noticed_by_its_banner(channel):
    link = Link(channel)
    link.open(10)
    channel.write(with_crc("hil reset"))
    with pytest.raises(DeviceRestarted):
        for _ in range(50):
            link.request(Request.MEMORY, allowance_s=10)


def test_a_restart_whose_banner_got_lost_is_noticed_by_the_next_answer(channel):
    link = Link(channel)
    link.open(10)
    channel.write(with_crc("hil reset"))
    said = b""
    while b"m-ready" not in said:
        said += channel.read(10)
    with pytest.raises(DeviceRestarted):
        link.request(Request.MEMORY, allowance_s=10)


def test_a_restart_that_was_asked_for_is_no_error(channel, digits):
    link = Link(channel)
    commands = Commands(link, allowance_s=10)
    link.open(10)
    commands.reset()
    link.open(10)
    assert commands.load(0, 0.1).model_bytes == len(digits.data)


# Running --------------------------------------------------------------------------------------------------------------
def test_a_repeated_run_is_not_run_again_and_gets_the_same_reply(loaded, vectors):
    (first, expected), (second, _) = vectors
    reply = loaded.ask(Request.RUN, run_payload(first), seq=9)
    assert output_of(reply) == expected
    assert loaded.ask(Request.RUN, run_payload(second), seq=9) == reply


def test_a_repeated_run_whose_reply_is_gone_is_refused(loaded, vectors):
    data, expected = vectors[0]
    loaded.ask(Request.RUN, run_payload(data), seq=9)
    loaded.ask(Request.MEMORY, seq=10)
    assert loaded.ask(Request.RUN, run_payload(data), seq=9).status == Status.BUSY
    assert output_of(loaded.ask(Request.RUN, run_payload(data), seq=11)) == expected


def test_a_number_may_be_used_again_in_another_session_and_long_after(loaded, vectors):
    (first, _), (second, expected) = vectors
    loaded.ask(Request.RUN, run_payload(first), seq=9)
    loaded.ask(Request.MEMORY, seq=9 + 5000)
    assert output_of(loaded.ask(Request.RUN, run_payload(second), seq=9)) == expected
    loaded.ask(Request.OPEN, session=77)
    assert output_of(loaded.ask(Request.RUN, run_payload(second), seq=9, session=77)) == expected


def test_an_input_that_is_not_what_was_announced_is_not_run(loaded, vectors):
    data, _ = vectors[0]
    lying = struct.pack("<II", Run.INPUT, zlib.crc32(data) ^ 1) + data
    refused = loaded.ask(Request.RUN, lying)
    assert refused.status == Status.INPUT_CRC
    error = Refused.parse(Request.RUN, refused.status, refused.payload)
    assert (error.path, error.want, error.got) == ("input[0]", zlib.crc32(data) ^ 1, zlib.crc32(data))


def test_an_input_written_in_parts_is_the_same_input(loaded, vectors):
    data, expected = vectors[0]
    for at in range(0, len(data), 7):
        part = struct.pack("<II", 0, at) + data[at : at + 7]
        assert loaded.ask(Request.INPUT_WRITE, part).status == Status.OK
    reply = loaded.ask(Request.RUN, run_payload(data, Run(0)), seq=2)
    assert len(reply.payload) == 16  # flags, ticks, one checksum
    assert struct.unpack_from("<I", reply.payload, 12)[0] == zlib.crc32(expected)
    assert loaded.ask(Request.OUTPUT_READ, struct.pack("<III", 0, 0, len(expected))).payload == expected
    assert loaded.ask(Request.OUTPUT_READ, struct.pack("<III", 0, 3, 4)).payload == expected[3:7]


def test_a_port_that_does_not_count_gives_no_ticks(loaded, vectors):
    data, _ = vectors[0]
    for seq, asked in enumerate([Run(0), Run.CHECKSUMS, Run.PROFILE]):
        reply = loaded.ask(Request.RUN, run_payload(data, asked | Run.INPUT), seq=seq)
        flags, ticks = struct.unpack_from("<IQ", reply.payload)
        assert (Run(flags), ticks) == (asked, 0)


def test_results_can_be_read_page_by_page_and_only_where_they_were_taken(loaded, vectors):
    data, _ = vectors[0]
    reply = loaded.ask(Request.RUN, run_payload(data, Run.INPUT | Run.CHECKSUMS), seq=1)
    inline = reply.payload[16:]
    page = loaded.ask(Request.CHECKSUMS, struct.pack("<I", 2), seq=2).payload
    assert struct.unpack_from("<I", page)[0] * 8 == len(inline)
    assert page[4:] == inline[16:]
    assert loaded.ask(Request.PROFILE, struct.pack("<I", 0), seq=3).status == Status.BAD_REQUEST
    assert loaded.ask(Request.CHECKSUMS, struct.pack("<I", 1000), seq=4).status == Status.BAD_INDEX


def test_each_operator_says_whose_kernel_ran_and_how_often(loaded, vectors, digits):
    data, _ = vectors[0]
    for seq in range(3):
        loaded.ask(Request.RUN, run_payload(data, Run.INPUT), seq=1 + seq)
    page = loaded.ask(Request.PATHS, struct.pack("<I", 0), seq=10).payload
    assert struct.unpack_from("<II", page) == (len(digits.operators), len(digits.operators))
    assert page[8:] == (struct.pack("<I", 3) + b"reference\0") * len(digits.operators)
    rest = loaded.ask(Request.PATHS, struct.pack("<I", 1), seq=11).payload
    assert struct.unpack_from("<II", rest) == (len(digits.operators), len(digits.operators) - 1)
    assert loaded.ask(Request.PATHS, struct.pack("<I", 1000), seq=12).status == Status.BAD_INDEX
    assert loaded.ask(Request.PATHS, b"", seq=13).status == Status.BAD_REQUEST
    assert loaded.ask(Request.LOAD, struct.pack("<I", 0), seq=14).status == Status.OK
    page = loaded.ask(Request.PATHS, struct.pack("<I", 0), seq=15).payload
    assert struct.unpack_from("<I", page, 8) == (0,)  # counted since the model was loaded


def test_without_a_model_nothing_can_be_run_or_read(wire):
    for request, payload in [
        (Request.RUN, run_payload(b"")),
        (Request.INPUT_WRITE, struct.pack("<II", 0, 0)),
        (Request.OUTPUT_READ, struct.pack("<III", 0, 0, 1)),
        (Request.TENSOR, struct.pack("<BI", 0, 0)),
        (Request.OPS, struct.pack("<I", 0)),
        (Request.PATHS, struct.pack("<I", 0)),
    ]:
        assert wire.ask(request, payload).status == Status.NO_MODEL, request


def test_writing_the_slot_unloads_the_model_that_runs_from_it(loaded, vectors):
    data, _ = vectors[0]
    assert loaded.ask(Request.SLOT_WRITE, struct.pack("<I", 100) + b"x").status == Status.OK
    assert loaded.ask(Request.RUN, run_payload(data), seq=2).status == Status.NO_MODEL
    assert loaded.ask(Request.LOAD, struct.pack("<I", 0), seq=3).status == Status.SLOT_CRC


def test_what_lies_outside_is_refused(loaded):
    far = 0xFFFFFFFF
    for request, payload, status in [
        (Request.INPUT_WRITE, struct.pack("<II", 0, far) + b"x", Status.BAD_RANGE),
        (Request.INPUT_WRITE, struct.pack("<II", 0, 64) + b"x", Status.BAD_RANGE),
        (Request.INPUT_WRITE, struct.pack("<II", 1, 0) + b"x", Status.BAD_INDEX),
        (Request.OUTPUT_READ, struct.pack("<III", 0, 0, far), Status.BAD_RANGE),
        (Request.OUTPUT_READ, struct.pack("<III", 0, far, 1), Status.BAD_RANGE),
        (Request.OUTPUT_READ, struct.pack("<III", far, 0, 1), Status.BAD_INDEX),
        (Request.SLOT_WRITE, struct.pack("<I", far) + b"x", Status.BAD_RANGE),
        (Request.TENSOR, struct.pack("<BI", 1, far), Status.BAD_INDEX),
        (Request.OPS, struct.pack("<I", far), Status.BAD_INDEX),
        (Request.LOAD, struct.pack("<I", far), Status.ARENA_TOO_SMALL),
        (Request.FAULT, b"", Status.UNKNOWN_REQUEST),
    ]:
        assert loaded.ask(request, payload).status == status, (request, payload)


@settings(deadline=None, max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    request_type=st.one_of(st.sampled_from(sorted(set(Request) - {Request.RESET})), st.integers(1, 0x7F)).filter(
        lambda kind: kind not in (Request.RESET, Request.OPEN)
    ),
    payload=st.one_of(
        st.binary(max_size=40),
        st.binary(max_size=MAX_PAYLOAD),
        st.lists(st.one_of(st.integers(0, 70), st.integers(0, 0xFFFFFFFF)), max_size=8).map(
            lambda words: struct.pack(f"<{len(words)}I", *words)
        ),
    ),
)
def test_any_request_whatever_it_holds_gets_an_answer(loaded, request_type, payload):
    loaded.seq = getattr(loaded, "seq", 0) + 1 & 0xFFFF
    reply = loaded.ask(request_type, payload, seq=loaded.seq)
    assert reply.type == request_type | REPLY
    if reply.status:
        assert Refused.parse(Request.INFO, reply.status, reply.payload).detail.isprintable()


class Scripted:
    """A channel whose device answers each request by a function of it."""

    def __init__(self, answer):
        self.answer = answer
        self.splitter = Splitter(longest=1100)
        self.asked = []
        self.waiting = b""

    def write(self, data):
        for frame in self.splitter.feed(data):
            self.asked.append(frame)
            self.waiting += self.answer(frame, len(self.asked))

    def read(self, timeout_s):
        data, self.waiting = self.waiting, b""
        assert data or timeout_s < 100, "the host waits for what will not come"
        if not data:
            time.sleep(timeout_s)
        return data

    def close(self):
        pass


def reply(frame, **changes):
    values = {"type": frame.type | REPLY, "seq": frame.seq, "session": frame.session, "payload": b"", **changes}
    return encode_frame(**values)


def opened(answer):
    scripted = Scripted(lambda frame, count: reply(frame) if frame.type == Request.OPEN else answer(frame, count))
    link = Link(scripted)
    link.open(5)
    return link, scripted


def test_a_reply_of_another_session_means_that_the_device_restarted():
    link, _ = opened(lambda frame, count: reply(frame, session=frame.session ^ 1))
    with pytest.raises(DeviceRestarted):
        link.request(Request.MEMORY, allowance_s=5)


def test_a_reply_of_another_number_or_type_is_not_taken_for_the_answer():
    def answer(frame, count):
        stale = reply(frame, seq=frame.seq - 1 & 0xFFFF, payload=b"old")
        other = reply(frame, type=Request.INFO | REPLY, payload=b"other")
        return stale + other + reply(frame, payload=b"right")

    link, _ = opened(answer)
    assert link.request(Request.MEMORY, allowance_s=5) == b"right"


def test_a_lost_request_is_sent_again_under_its_number():
    link, scripted = opened(lambda frame, count: b"" if count == 2 else reply(frame, payload=b"yes"))
    assert link.request(Request.MEMORY, allowance_s=5) == b"yes"
    assert scripted.asked[1] == scripted.asked[2]


def test_what_a_later_reply_shows_to_be_lost_is_sent_again_before_its_time(monkeypatch):
    monkeypatch.setattr("tinyhil.link.client._SHORTEST_RESEND_S", 1000.0)
    lost = []

    def answer(frame, count):
        if frame.payload == b"1" and not lost:
            lost.append(frame)
            return b""
        return reply(frame, payload=frame.payload)

    link, scripted = opened(answer)
    requests = [(Request.SLOT_WRITE, str(i).encode()) for i in range(9)]
    assert link.exchange(requests, 5) == [payload for _, payload in requests]
    assert [frame.payload for frame in scripted.asked[1:]].count(b"1") == 2


def test_no_more_requests_are_on_their_way_than_the_window_allows():
    waiting = []

    def answer(frame, count):
        waiting.append(frame)
        assert len(waiting) <= 4
        if len(waiting) < 4 and frame.payload != b"8":
            return b""
        answers = b"".join(reply(frame) for frame in waiting)
        waiting.clear()
        return answers

    link, _ = opened(answer)
    link.exchange([(Request.SLOT_WRITE, str(i).encode()) for i in range(9)], 5)


def test_a_device_that_says_nothing_is_given_up_after_the_time_allowed():
    class Silence:
        written = 0

        def read(self, timeout_s):
            time.sleep(timeout_s)
            return b""

        def write(self, data):
            self.written += 1

        def close(self):
            pass

    silence = Silence()
    with pytest.raises(NoAnswer) as given_up:
        Link(silence).open(1.0)
    assert given_up.value.request == Request.OPEN
    assert 2 <= silence.written == given_up.value.sent < 20


# Text -----------------------------------------------------------------------------------------------------------------
def test_a_person_can_do_all_that_a_program_can(fresh, vectors, digits):
    data, expected = vectors[0]
    assert f"hil info board={'native'}" in fresh.lines(with_crc("hil info"))
    assert fresh.lines(with_crc("hil slot")) == [f"hil slot bytes={len(digits.data)} crc={zlib.crc32(digits.data):08x}"]
    described = fresh.lines(with_crc("hil load"))
    assert described[0].startswith("hil load arena-used=")
    assert described[1].startswith("hil input index=0 type=int8 shape=1x8x8x1 ")
    for at in range(0, len(data), 32):
        part = data[at : at + 32]
        assert fresh.lines(with_crc(f"hil input 0 {at} {part.hex()}")) == [f"hil input bytes={len(part)}"]
    said = fresh.lines(with_crc(f"hil run {zlib.crc32(data):08x} checksums"))
    assert said == [
        f"hil run input-crc={zlib.crc32(data):08x}",
        f"hil run output=0 bytes={len(expected)} crc={zlib.crc32(expected):08x}",
    ]
    assert fresh.lines(with_crc(f"hil output 0 0 {len(expected)}")) == [f"hil output offset=0 hex={expected.hex()}"]
    operators = fresh.lines(with_crc("hil ops"))
    assert [line.split()[:4] for line in operators] == [
        ["hil", "op", str(op.index), op.name] for op in digits.operators
    ]
    assert all(" read=" in line and " wrote=" in line for line in operators)
    assert all(" path=reference runs=1 " in line for line in operators)
    assert fresh.lines(with_crc("hil mem"))[0].startswith("hil mem arena-used=")
    assert len(fresh.lines(with_crc("hil help"))) == 10
    fresh.channel.write(with_crc("hil reset"))
    assert "m-init-done" in fresh.lines(b"")


def test_a_command_whose_checksum_is_wrong_is_not_executed(fresh):
    right = with_crc("hil load")
    for damaged in (right[:4] + b"r" + right[4:], right.replace(b"load", b"loed"), b"hil load\r\n"):
        said = fresh.lines(damaged)
        assert len(said) == 1
        assert said[0].startswith(f"hil error code={Status.BAD_REQUEST.value} "), damaged
    assert fresh.lines(with_crc("hil ops"))[0].startswith(f"hil error code={Status.NO_MODEL.value} ")
    assert fresh.lines(b"hil load *?\r\n")[0].startswith("hil load arena-used=")


def test_a_run_by_text_needs_the_inputs_checksum_too(fresh, vectors):
    data, _ = vectors[0]
    fresh.lines(with_crc("hil load"))
    fresh.lines(with_crc(f"hil input 0 0 {data.hex()}"))
    wrong = fresh.lines(with_crc("hil run 12345678"))[0]
    assert wrong.startswith(f"hil error code={Status.INPUT_CRC.value} path=input[0] ")
    assert fresh.lines(with_crc("hil run"))[0].startswith(f"hil error code={Status.BAD_REQUEST.value} ")
    assert fresh.lines(with_crc("hil run ?"))[0] == f"hil run input-crc={zlib.crc32(data):08x}"


def test_an_unknown_command_is_named(fresh):
    assert fresh.lines(b"dance 3 4%") == ["e-[Unknown command: dance]"]
    assert fresh.lines(b"hil dance *?%")[0].startswith(f"hil error code={Status.UNKNOWN_REQUEST.value} ")
    assert fresh.lines(b"\x01\x02%") == ["e-[Unreadable command]"]


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="%"), min_size=1, max_size=300),
        st.builds(
            lambda name, words: " ".join(["hil", name, *words, "*?"]),
            st.sampled_from(["info", "slot", "load", "input", "run", "output", "ops", "mem", "help"]),
            st.lists(
                st.one_of(st.integers(0, 1 << 33).map(str), st.sampled_from(["?", "ffffffff", "checksums"])), max_size=5
            ),
        ),
    )
)
def test_any_line_whatever_it_holds_gets_an_answer(fresh, line):
    fresh.lines(line.encode() + b"%" if line.strip() else b"name%")


def test_text_and_frames_share_the_wire(loaded, vectors):
    data, expected = vectors[0]
    assert loaded.lines(with_crc("hil mem"))[0].startswith("hil mem ")
    assert output_of(loaded.ask(Request.RUN, run_payload(data))) == expected
    assert loaded.lines(b"hil output 0 0 4 *?%") == [f"hil output offset=0 hex={expected[:4].hex()}"]


def test_an_arena_in_which_the_results_of_operators_have_no_room_says_what_is_missing(sanitized_image, digits):
    from tinyhil.slot import slot_image
    from tinyhil.target.native import NativeTarget

    def load_with(arena_bytes):
        target = NativeTarget(
            sanitized_image.elf, slot_image(digits.data), arguments=("--arena-bytes", str(arena_bytes))
        )
        link = Link(target.start())
        link.open(10)
        return target, Commands(link, allowance_s=10)

    target, commands = load_with(1 << 20)
    used = commands.load(0, 0.1).arena_used
    target.stop()
    target, commands = load_with(used)
    loaded = commands.load(0, 0.1)
    commands.describe(loaded)
    vector = np.zeros(digits.input_tensors[0].shape, np.int8).tobytes()
    commands.run([vector], Run(0), allowance_s=10, guess_s=0.1)
    with pytest.raises(Refused) as refused:
        commands.run([vector], Run.CHECKSUMS, allowance_s=10, guess_s=0.1)
    target.stop()
    error = refused.value
    assert (error.status, error.path) == (Status.ARENA_TOO_SMALL, "results")
    assert (error.want, error.got) == (16 * len(digits.operators), 0)

# SPDX-License-Identifier: Apache-2.0
"""The host's end of the wire: requests that are answered, or an exception that says why not.

A request is sent again, under the same number, when its reply is overdue, and at once when a later reply, a damaged
piece or the device's own complaint shows that it was lost. How long a reply may take is learnt from those before it.
Requests of one exchange overlap: as many as the device has room for, or the window allows. What goes in several frames
(`Link.transfer`) goes in shorter ones on a line that loses many.
"""

from __future__ import annotations

import math
import re
import secrets
import struct
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tinyhil.errors import DeviceRestarted
from tinyhil.link.channel import Channel
from tinyhil.link.frame import Damaged, Frame, Splitter, Text, encode_frame
from tinyhil.link.protocol import MAX_PAYLOAD, REPLY, Request, Status

_TEXT_KEPT_BYTES = 4096
_STRAY_BYTES = 3  # may be the rest of something that began before
_LONGEST_PIECE = MAX_PAYLOAD + 64
_FIRST_GUESS_S = 0.25  # of a reply's time, before any came
_SHORTEST_RESEND_S = 0.02
_LONGEST_RESEND_S = 2.0
_SLOWER = 1.5  # each time that a reply is overdue again
_FRAME_COST_BYTES = 48  # of a request and its reply, beside what they carry
_LEAST_PAYLOAD = 64
_MOST_FRAMES = 16  # on their way, however short
_FRAMES_OF_ROOM = (
    4  # that the device's room is made use of with, so that one can be on its way while others are answered
)
_ENCODED_MORE = 20  # bytes of a frame beside its payload, at the most: header, CRC-32, COBS, zeros
_FAULT_LINE = re.compile(rb"^(hil fault (.*)) \*([0-9a-f]{8})\r?$", re.MULTILINE)


class Refused(Exception):
    """The device answered with an error."""

    def __init__(
        self, request: Request, status: int, want: int, got: int, want_is_minimum: bool, path: str, detail: str
    ) -> None:
        super().__init__(f"{request.name} refused with status {status}: {path} {detail}")
        self.request = request
        self.status = status
        self.want = want
        self.got = got
        self.want_is_minimum = want_is_minimum
        self.path = path
        self.detail = detail

    @classmethod
    def parse(cls, request: Request, status: int, payload: bytes) -> Refused:
        try:
            minimum, want, got, path_size = struct.unpack_from("<BIIB", payload)
            path = payload[10 : 10 + path_size]
            detail_size = payload[10 + path_size]
            detail = payload[11 + path_size : 11 + path_size + detail_size]
        except (struct.error, IndexError):
            return cls(request, status, 0, 0, False, "", f"unreadable error {payload.hex()}")
        return cls(request, status, want, got, minimum != 0, _words(path), _words(detail))


class NoAnswer(Exception):
    """No reply came in the time allowed, however often the request was sent."""

    def __init__(self, request: Request, waited_s: float, sent: int, damaged: int) -> None:
        super().__init__(f"no answer to {request.name} in {waited_s:.1f} s")
        self.request = request
        self.waited_s = waited_s
        self.sent = sent
        self.damaged = damaged


class Fault(Exception):
    """The device reported a processor fault. `registers`: by name, pc, lr, sp, xpsr and the fault status registers."""

    def __init__(self, kind: str, registers: dict[str, int]) -> None:
        super().__init__(kind)
        self.kind = kind
        self.registers = registers

    @classmethod
    def parse(cls, text: str) -> Fault:
        words = dict(word.split("=", 1) for word in text.split() if "=" in word)
        kind = words.pop("kind", "unknown fault")
        return cls(kind, {name: int(value, 16) for name, value in words.items() if re.fullmatch("[0-9a-f]+", value)})


class ProtocolError(Exception):
    """A reply whose checksum is right and whose content is not what its request has."""


Expired = Callable[[], bool]
"""True once the time that was allowed is over."""


def wall_clock(allowance_s: float) -> Expired:
    """An allowance in seconds on the wall."""
    end = time.monotonic() + allowance_s
    return lambda: time.monotonic() > end


class Watch:
    """Watches the operators of an inference go by: each has a time of its own, and one that needs more is stuck."""

    def __init__(self, allowances_s: Sequence[float], start_s: float) -> None:
        """allowances_s: of each operator. start_s: how long it may take until the first begins."""
        self._allowances_s = allowances_s
        self._end = time.monotonic() + start_s
        self.op: int | None = None
        """The operator that began last."""
        self._began = time.monotonic()

    def began(self, op: int) -> None:
        if op < len(self._allowances_s) and op != self.op:
            self.op = op
            self._began = time.monotonic()
            self._end = self._began + self._allowances_s[op]

    @property
    def left_s(self) -> float:
        return max(0.0, self._end - time.monotonic())

    @property
    def waited_s(self) -> float:
        return time.monotonic() - self._began


class Transfer(NamedTuple):
    """Bytes that go to the device, or come from it, in as many frames as the line asks for."""

    size: int
    ask: Callable[[int, int], tuple[Request, bytes]]
    """The request for a stretch of them: its offset and size."""
    head: int = 0
    """Bytes of the request's payload beside those that it carries."""


@dataclass
class _Job:
    """What is to be asked: a request, or a stretch of a transfer."""

    index: int
    request: Request | None
    payload: bytes = b""
    transfer: Transfer | None = None
    start: int = 0
    end: int = 0
    times_sent: int = 0


@dataclass
class _Waiting:
    job: _Job
    request: Request
    frame: bytes
    hurt_before: int
    """What the link had seen of losses when it was first sent."""
    orders: list[int] = field(default_factory=list)
    """When it was sent, in terms of all else that was; but not what is known to be lost."""
    times_sent: int = 0
    first_left_at: float = 0.0
    left_at: float = 0.0
    """When its last byte is on the line."""
    heard_at: float = 0.0

    @property
    def order(self) -> int:
        return self.orders[-1]


class _ReplyTime:
    """How long replies to one kind of request take: mean and mean deviation, as TCP estimates them (RFC 6298)."""

    def __init__(self) -> None:
        self._mean_s: float | None = None
        self._deviation_s = 0.0

    def add(self, sample_s: float) -> None:
        if self._mean_s is None:
            self._mean_s, self._deviation_s = sample_s, sample_s / 2
        else:
            self._deviation_s += (abs(sample_s - self._mean_s) - self._deviation_s) / 4
            self._mean_s += (sample_s - self._mean_s) / 8

    def overdue_s(self, guess_s: float) -> float:
        if self._mean_s is None:
            return max(guess_s, _FIRST_GUESS_S)
        return max(self._mean_s + 4 * self._deviation_s, _SHORTEST_RESEND_S)


class _Losses:
    """How many bytes pass between two losses, and so how long a frame is best.

    Where a frame costs c bytes beside what it carries, and a loss comes every s bytes, n bytes a frame cost about
    (n + c) / (1 - n / s) for n that arrive: least near n = sqrt(c s).
    """

    def __init__(self) -> None:
        self._between: float | None = None
        self._since = 0

    def passed(self, count: int) -> None:
        self._since += count

    def lost(self) -> None:
        self._between = self._since if self._between is None else self._between + (self._since - self._between) / 4
        self._since = 0

    @property
    def best_payload(self) -> int:
        if self._between is None:
            return MAX_PAYLOAD
        return max(_LEAST_PAYLOAD, int(math.sqrt(_FRAME_COST_BYTES * max(self._between, self._since))))


class Link:
    """One session with a device over a channel. Not for use by two threads at a time.

    Every request may raise Refused, NoAnswer, Fault, DeviceRestarted, and EOFError where the channel has ended.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        window: int = 4,
        allowance: Callable[[float], Expired] = wall_clock,
        line_bytes_per_s: float | None = None,
        restarted: Callable[[], bool] | None = None,
    ) -> None:
        """window: requests that may be on their way at once, as long as it is not known how many bytes may (`allow`).
        allowance: what measures the time a device may take.
        line_bytes_per_s: what the line carries, where that counts. restarted: asked now and then about a silent device
        that would come back where this link cannot hear it.
        """
        self._channel = channel
        self._window = window
        self._allowance = allowance
        self._splitter = Splitter(_LONGEST_PIECE)
        self._session = 0
        self._opened = False
        self._seq = secrets.randbits(16)
        self._order = 0
        self._times: dict[Request, _ReplyTime] = {}
        self._room_bytes = 0
        self._longest_payload = MAX_PAYLOAD
        self._losses = _Losses()
        self._jobs: deque[_Job] = deque()
        self._line_free_at = 0.0
        self._answered_at = 0.0
        self._heard_at = 0.0
        self._hurt = 0
        self._answered_twice: dict[int, int] = {}  # if it is: then this was the order of what the second reply is to
        self._text = b""
        self._line_s = 1.0 / line_bytes_per_s if line_bytes_per_s else 0.0
        self._watch: Watch | None = None
        self._elsewhere = restarted
        self.resent = 0
        self.damaged = 0

    @property
    def session(self) -> int:
        return self._session

    @property
    def heard(self) -> bool:
        """Whether the device has ever answered."""
        return self._opened

    @property
    def text(self) -> str:
        """The last that the device wrote outside frames."""
        return self._text.decode("ascii", "replace")

    @property
    def unreadable(self) -> bytes:
        """The last of what came and was neither frame nor text."""
        return self._splitter.unreadable

    @property
    def garbled(self) -> bool:
        """Whether bytes came, and nothing could be made of them."""
        return not self._opened and not self._text and len(self.unreadable) > _STRAY_BYTES

    def open(self, allowance_s: float) -> None:
        """Begins a session. What the device says before its answer is of no session and is not looked at."""
        self._opened = False
        self._session = secrets.randbelow(0xFFFFFFFF) + 1
        self.exchange([(Request.OPEN, b"")], allowance_s)
        self._opened = True

    def allow(self, room_bytes: int, longest_payload: int = MAX_PAYLOAD) -> None:
        """What the device says of itself: how many bytes it keeps while it is busy, so that all requests on their way
        may be as long together (0: unknown); and of how many a payload may be.
        """
        self._room_bytes = room_bytes
        if not room_bytes:
            self._longest_payload = longest_payload
            return
        share = room_bytes // (_FRAMES_OF_ROOM if room_bytes >= _FRAMES_OF_ROOM * 256 else 2) - _ENCODED_MORE
        self._longest_payload = min(longest_payload, max(_LEAST_PAYLOAD, share))

    @property
    def best_payload(self) -> int:
        """Bytes of payload that a frame had best have on this line as it is now."""
        return min(self._longest_payload, self._losses.best_payload)

    def leave(self) -> None:
        """The device is about to restart: its session ends, and that is no error."""
        self._opened = False

    def request(
        self,
        request: Request,
        payload: bytes = b"",
        *,
        allowance_s: float,
        guess_s: float = 0.0,
        watch: Watch | None = None,
    ) -> bytes:
        """One request; its reply's payload. guess_s: how long the reply may take where none of its kind came yet.

        watch: what is told of the operators that a RUN reports, and ends the wait instead of `allowance_s`.
        """
        self._watch = watch
        try:
            return self.exchange([(request, payload)], allowance_s, guess_s)[0]
        finally:
            self._watch = None

    def exchange(
        self, requests: Sequence[tuple[Request, bytes]], allowance_s: float, guess_s: float = 0.0
    ) -> list[bytes]:
        """All requests, as many at a time as may be on their way; their replies' payloads in the same order.

        allowance_s: how long the device may be silent before each.
        """
        replies: list[bytes] = [b""] * len(requests)
        jobs = [_Job(index, request, payload) for index, (request, payload) in enumerate(requests)]
        for job, payload in self._work(jobs, allowance_s, guess_s):
            replies[job.index] = payload
        return replies

    def transfer(
        self,
        transfers: Sequence[Transfer],
        allowance_s: float,
        arrived: Callable[[int, int], None] | None = None,
    ) -> list[bytes]:
        """All of the transfers; what came for each, in the order of its bytes.

        arrived: told of each stretch that was answered, its first byte and the one after its last.
        """
        found: list[dict[int, bytes]] = [{} for _ in transfers]
        jobs = [
            _Job(index, None, transfer=transfer, end=transfer.size)
            for index, transfer in enumerate(transfers)
            if transfer.size
        ]
        for job, payload in self._work(jobs, allowance_s, 0.0):
            found[job.index][job.start] = payload
            if arrived is not None:
                arrived(job.start, job.end)
        return [b"".join(pieces[at] for at in sorted(pieces)) for pieces in found]

    def _work(self, jobs: Sequence[_Job], allowance_s: float, guess_s: float) -> Iterator[tuple[_Job, bytes]]:
        """Does all jobs, stretch by stretch; each with what answered it."""
        self._jobs = deque(jobs)
        waiting: dict[int, _Waiting] = {}
        while self._jobs or waiting:
            self._send_new(waiting)
            for frame in self._receive(waiting, allowance_s, guess_s):
                entry = waiting.pop(frame.seq)
                if frame.status:
                    raise Refused.parse(entry.request, frame.status, frame.payload)
                yield entry.job, frame.payload

    def text_command(self, line: str, allowance_s: float) -> list[str]:
        """A line of the text language; the lines of its answer, without the m-ready that ends it.

        Raises NoAnswer where that does not come, Fault, and EOFError.
        """
        began = time.monotonic()
        expired = self._allowance(allowance_s)
        said = b""
        self._channel.write(line.encode("ascii", "replace") + b"\r")
        while True:
            for piece in self._splitter.feed(self._channel.read(_LONGEST_RESEND_S)):
                if isinstance(piece, Text):
                    self._take_text(piece.data)
                    said += piece.data
            lines = said.decode("ascii", "replace").splitlines()
            if "m-ready" in lines:
                return lines[: lines.index("m-ready")]
            if expired():
                raise NoAnswer(Request.INFO, time.monotonic() - began, 1, 0)

    def forget_times(self, request: Request) -> None:
        """What was learnt about this request's time no longer holds: another model was loaded."""
        self._times.pop(request, None)

    def _send_new(self, waiting: dict[int, _Waiting]) -> None:
        most = _MOST_FRAMES if self._room_bytes else self._window
        on_their_way = sum(_weight(entry.job, entry.frame) for entry in waiting.values())
        fresh: list[_Waiting] = []
        while self._jobs and len(waiting) < most:
            job, rest = self._cut(self._jobs[0])
            request, payload = _asked(job)
            seq = (self._seq + 1) & 0xFFFF
            frame = encode_frame(request, seq, self._session, payload)
            on_their_way += _weight(job, frame)
            if self._room_bytes and waiting and on_their_way > self._room_bytes:
                break
            self._jobs.popleft()
            if rest is not None:
                self._jobs.appendleft(rest)
            self._seq = seq
            self._answered_twice.pop(seq, None)
            waiting[seq] = _Waiting(job, request, frame, self._hurt)
            fresh.append(waiting[seq])
        self._write(fresh)

    def _cut(self, job: _Job) -> tuple[_Job, _Job | None]:
        """As much of the job as goes into a frame now, and the rest of it."""
        if job.transfer is None:
            return job, None
        middle = job.start + max(1, self.best_payload - job.transfer.head)
        if middle >= job.end:
            return job, None
        return replace(job, end=middle), replace(job, start=middle)

    def _write(self, entries: Sequence[_Waiting]) -> None:
        if not entries:
            return
        at = max(time.monotonic(), self._line_free_at)
        for entry in entries:
            self._order += 1
            entry.orders.append(self._order)
            at += len(entry.frame) * self._line_s
            entry.left_at = at
            if not entry.times_sent:
                entry.first_left_at = at
            entry.times_sent += 1
            entry.job.times_sent += 1
        self._line_free_at = at
        data = b"".join(entry.frame for entry in entries)
        self._losses.passed(len(data))
        self._channel.write(data)

    def _resend(self, entries: Sequence[_Waiting], waiting: dict[int, _Waiting], *, lost: bool) -> None:
        """Once more; but what is now too long for a frame in shorter ones, as new requests.

        lost: whether that is known, and not only likely.
        """
        self.resent += len(entries)
        again = []
        for entry in entries:
            if lost:
                entry.orders.clear()
            if self._cut(entry.job)[1] is None:
                again.append(entry)
            else:
                self._jobs.appendleft(entry.job)
                waiting.pop(next(seq for seq, other in waiting.items() if other is entry))
        self._write(again)

    def _receive(self, waiting: dict[int, _Waiting], allowance_s: float, guess_s: float) -> list[Frame]:
        """Waits for replies to what is waiting: at least one, or none where something is to be sent anew."""
        began = time.monotonic()
        watch = self._watch
        expired: Expired | None = None
        damaged_before = self.damaged
        missed = 0
        while True:
            oldest = min(waiting.values(), key=lambda entry: entry.order)
            overdue_s = self._time_of(oldest.request).overdue_s(guess_s)
            overdue_s = max(overdue_s, min(overdue_s * _SLOWER**missed, _LONGEST_RESEND_S))
            due = max(oldest.left_at, oldest.heard_at, self._heard_at) + overdue_s
            patience_s = max(0.0, due - time.monotonic())
            if watch is not None:
                patience_s = min(patience_s, watch.left_s)
            data = self._channel.read(patience_s)
            if watch is not None and not data and not watch.left_s:
                raise NoAnswer(oldest.request, watch.waited_s, oldest.job.times_sent, self.damaged - damaged_before)
            before = len(waiting)
            if data and ((found := self._take(data, waiting)) or len(waiting) < before):
                return found
            now = time.monotonic()
            if watch is None and now >= began + overdue_s:
                if expired is None:
                    expired = self._allowance(allowance_s)
                elif expired():
                    if self._opened and self._elsewhere is not None and self._elsewhere():
                        raise self._restarted()
                    raise NoAnswer(oldest.request, now - began, oldest.job.times_sent, self.damaged - damaged_before)
            if now < due:
                continue
            if self._elsewhere is not None and self._opened:
                times = oldest.job.times_sent
                if times > 1 and times & (times - 1) == 0 and self._elsewhere():
                    raise self._restarted()
            missed += 1
            # The others are sent again, where they are lost, once this one is answered.
            self._resend([oldest], waiting, lost=False)
            if len(waiting) < before:
                return []

    def _take(self, data: bytes, waiting: dict[int, _Waiting]) -> list[Frame]:
        found: list[Frame] = []
        answered: set[int] = set()
        newest = -1
        something_lost = False
        now = time.monotonic()
        self._losses.passed(len(data))
        for piece in self._splitter.feed(data):
            if isinstance(piece, Text):
                self._take_text(piece.data)
                continue
            self._heard_at = now
            if isinstance(piece, Damaged):
                self.damaged += 1
                something_lost = True
            elif piece.type == Request.DAMAGED | REPLY:
                something_lost = something_lost or piece.session == self._session
            elif piece.type == Request.PROGRESS | REPLY:
                entry = waiting.get(piece.seq)
                if self._watch is not None and entry is not None and len(piece.payload) == 4:
                    self._watch.began(struct.unpack("<I", piece.payload)[0])
                    entry.heard_at = now  # it has arrived
            elif piece.type == Request.FAULT | REPLY:
                raise Fault.parse(_words(piece.payload))
            else:
                entry = waiting.get(piece.seq)
                if entry is None or piece.type != entry.request | REPLY or piece.seq in answered:
                    # The reply to a request that was sent twice.
                    newest = max(newest, self._answered_twice.pop(piece.seq, -1))
                    continue
                if piece.status == Status.WRONG_SESSION or piece.session != self._session:
                    raise self._restarted()
                if entry.times_sent == 1 or self._hurt == entry.hurt_before:  # else: which one was answered?
                    since = self._answered_at if entry.times_sent == 1 else 0.0
                    self._time_of(entry.request).add(max(0.0, now - max(entry.first_left_at, since)))
                newest = max(newest, entry.orders[0])
                if len(entry.orders) > 1:
                    self._answered_twice[piece.seq] = entry.order
                self._answered_at = now
                answered.add(piece.seq)
                found.append(piece)
        left = [entry for seq, entry in waiting.items() if seq not in answered]
        # Replies come in the order of the requests: what was sent before an answered one is lost.
        lost = [entry for entry in left if entry.order < newest]
        if lost or something_lost:
            self._hurt += 1
            self._losses.lost()
        if lost:
            self._resend(lost, waiting, lost=True)
        elif something_lost and left:
            # Likely the oldest; but its answer may still come, and then tells nothing of what was sent after it. What
            # is not all on the line yet cannot be what was lost.
            oldest = min(left, key=lambda entry: entry.order)
            if oldest.left_at <= now:
                self._resend([oldest], waiting, lost=False)
        return found

    def _take_text(self, data: bytes) -> None:
        self._text = (self._text + data)[-_TEXT_KEPT_BYTES:]
        for match in _FAULT_LINE.finditer(data):
            if int(match[3], 16) == zlib.crc32(match[1]):
                raise Fault.parse(_words(match[2]))
        if self._opened and b"m-init-done" in data:
            raise self._restarted()

    def _time_of(self, request: Request) -> _ReplyTime:
        return self._times.setdefault(request, _ReplyTime())

    def _restarted(self) -> DeviceRestarted:
        self._opened = False
        return DeviceRestarted(
            "the device restarted in the middle of its session",
            next_step="Look for what resets it: a watchdog, a brown-out, a second program on the same port.",
        )


def _words(data: bytes) -> str:
    return data.decode("ascii", "replace")


def _weight(job: _Job, frame: bytes) -> int:
    """Bytes of a request or of what it asks for, whichever is more: either fills the line, and what waits for it."""
    return max(len(frame), job.end - job.start)


def _asked(job: _Job) -> tuple[Request, bytes]:
    if job.transfer is not None:
        return job.transfer.ask(job.start, job.end - job.start)
    assert job.request is not None
    return job.request, job.payload

# SPDX-License-Identifier: Apache-2.0
"""The host's end of the wire: requests that are answered, or an exception that says why not.

A request is sent again, under the same number, when its reply is overdue, and at once when a later reply or a damaged
piece shows that something was lost. How long a reply may take is learnt from those before it. Requests of one exchange
overlap, as many as the window allows.
"""

from __future__ import annotations

import re
import secrets
import struct
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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


@dataclass
class _Waiting:
    index: int
    request: Request
    frame: bytes
    sent_at: float
    order: int
    times_sent: int = 1
    heard_at: float = 0.0


class _ReplyTime:
    """How long replies to one kind of request take: mean and mean deviation, as TCP estimates them (RFC 6298).

    A reply to what was sent twice tells nothing of its time; until one does, the longest wait that was tried holds.
    """

    def __init__(self) -> None:
        self._mean_s: float | None = None
        self._deviation_s = 0.0
        self._tried_s = 0.0

    def tried(self, wait_s: float) -> None:
        self._tried_s = wait_s

    def add(self, sample_s: float) -> None:
        self._tried_s = 0.0
        if self._mean_s is None:
            self._mean_s, self._deviation_s = sample_s, sample_s / 2
        else:
            self._deviation_s += (abs(sample_s - self._mean_s) - self._deviation_s) / 4
            self._mean_s += (sample_s - self._mean_s) / 8

    def overdue_s(self, guess_s: float) -> float:
        if self._mean_s is None:
            return max(guess_s, _FIRST_GUESS_S, self._tried_s)
        return max(self._mean_s + 4 * self._deviation_s, _SHORTEST_RESEND_S, self._tried_s)


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
        """window: requests that may be on their way at once. allowance: what measures the time a device may take.
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
        """All requests, up to a window of them at a time; their replies' payloads in the same order.

        allowance_s: how long the device may be silent before each.
        """
        replies: list[bytes] = [b""] * len(requests)
        waiting: dict[int, _Waiting] = {}
        sent = done = 0
        while done < len(requests):
            fresh = requests[sent : sent + self._window - len(waiting)]
            if fresh:
                self._send_new(fresh, sent, waiting)
                sent += len(fresh)
            for frame in self._receive(waiting, allowance_s, guess_s):
                entry = waiting.pop(frame.seq)
                if frame.status:
                    raise Refused.parse(entry.request, frame.status, frame.payload)
                replies[entry.index] = frame.payload
                done += 1
        return replies

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

    def _send_new(self, fresh: Sequence[tuple[Request, bytes]], first: int, waiting: dict[int, _Waiting]) -> None:
        now = time.monotonic()
        frames = []
        for index, (request, payload) in enumerate(fresh, first):
            self._seq = (self._seq + 1) & 0xFFFF
            self._order += 1
            frame = encode_frame(request, self._seq, self._session, payload)
            waiting[self._seq] = _Waiting(index, request, frame, now, self._order)
            frames.append(frame)
        self._channel.write(b"".join(frames))

    def _resend(self, entries: Sequence[_Waiting]) -> None:
        now = time.monotonic()
        for entry in entries:
            self._order += 1
            entry.order = self._order
            entry.sent_at = now
            entry.times_sent += 1
        self.resent += len(entries)
        self._channel.write(b"".join(entry.frame for entry in entries))

    def _receive(self, waiting: dict[int, _Waiting], allowance_s: float, guess_s: float) -> list[Frame]:
        """Waits for replies to what is waiting; at least one."""
        began = time.monotonic()
        overdue_s = max(self._time_of(entry.request).overdue_s(guess_s) for entry in waiting.values())
        overdue_s += self._line_s * sum(len(entry.frame) for entry in waiting.values())
        watch = self._watch
        expired: Expired | None = None
        damaged_before = self.damaged
        while True:
            silent_since = max(max(entry.sent_at, entry.heard_at) for entry in waiting.values())
            patience_s = max(0.0, silent_since + overdue_s - time.monotonic())
            if watch is not None:
                patience_s = min(patience_s, watch.left_s)
            data = self._channel.read(patience_s)
            if watch is not None and not data and not watch.left_s:
                first = next(iter(waiting.values()))
                raise NoAnswer(first.request, watch.waited_s, first.times_sent, self.damaged - damaged_before)
            if data:
                if found := self._take(data, waiting):
                    return found
                if time.monotonic() < silent_since + overdue_s:
                    continue
            if watch is not None:
                if time.monotonic() < silent_since + overdue_s:
                    continue
            elif expired is None:
                expired = self._allowance(allowance_s)
            elif expired():
                first = next(iter(waiting.values()))
                raise NoAnswer(first.request, time.monotonic() - began, first.times_sent, self.damaged - damaged_before)
            if self._elsewhere is not None and self._opened:
                times = max(entry.times_sent for entry in waiting.values())
                if times > 1 and times & (times - 1) == 0 and self._elsewhere():
                    raise self._restarted()
            self._resend(list(waiting.values()))
            overdue_s = max(overdue_s, min(2 * overdue_s, _LONGEST_RESEND_S))
            for entry in waiting.values():
                self._time_of(entry.request).tried(overdue_s)

    def _take(self, data: bytes, waiting: dict[int, _Waiting]) -> list[Frame]:
        found: list[Frame] = []
        answered: set[int] = set()
        newest = -1
        resend_oldest = False
        for piece in self._splitter.feed(data):
            if isinstance(piece, Text):
                self._take_text(piece.data)
            elif isinstance(piece, Damaged):
                self.damaged += 1
                resend_oldest = True
            elif piece.type == Request.PROGRESS | REPLY:
                entry = waiting.get(piece.seq)
                if self._watch is not None and entry is not None and len(piece.payload) == 4:
                    self._watch.began(struct.unpack("<I", piece.payload)[0])
                    entry.heard_at = time.monotonic()  # it has arrived
            elif piece.type == Request.FAULT | REPLY:
                raise Fault.parse(_words(piece.payload))
            else:
                entry = waiting.get(piece.seq)
                if entry is None or piece.type != entry.request | REPLY or piece.seq in answered:
                    continue  # the reply to a request that was sent twice
                if piece.status == Status.WRONG_SESSION or piece.session != self._session:
                    raise self._restarted()
                if entry.times_sent == 1:
                    self._time_of(entry.request).add(time.monotonic() - entry.sent_at)
                newest = max(newest, entry.order)
                answered.add(piece.seq)
                found.append(piece)
        left = [entry for seq, entry in waiting.items() if seq not in answered]
        # Replies come in the order of the requests: what was sent before an answered one is lost.
        lost = [entry for entry in left if entry.order < newest]
        if not lost and resend_oldest:
            lost = left[:1]
        if lost:
            self._resend(lost)
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

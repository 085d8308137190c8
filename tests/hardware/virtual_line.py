# SPDX-License-Identifier: Apache-2.0
"""A serial line in virtual time between the real host code and the real firmware, which runs as a native process.

Every byte takes its ten bits on the line; the device takes a stated time over each frame and longer over a run, keeps
what arrives meanwhile in a ring as long as it has announced, and receives nothing while it runs. So what the protocol
makes of a line can be told exactly, and the same on every computer, however busy.
"""

from __future__ import annotations

import fcntl
import heapq
import struct
import time
from collections.abc import Callable
from pathlib import Path

from tinyhil.link.channel import SocketChannel
from tinyhil.link.frame import decode_frame
from tinyhil.link.protocol import Request

SIOCOUTQ = 0x5411  # bytes that the other end of a socket has not read yet
BITS_A_BYTE = 10
Damage = Callable[[bytes], bytes]


class Clock:
    """What the link takes for the module `time`."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class VirtualLine:
    """A channel. `passed`: bytes that each direction was busy with."""

    def __init__(
        self,
        channel: SocketChannel,
        pid: int,
        clock: Clock,
        baud: int,
        *,
        latency_s: float = 0.001,
        frame_s: float = 0.0005,
        run_s: float = 0.01,
        ring_bytes: int = 4096,
    ) -> None:
        """latency_s: what an operating system and a USB adapter add, each way. frame_s, run_s: the device's time over a
        frame, and over a RUN."""
        self._channel, self._pid, self._clock = channel, pid, clock
        self._byte_s = BITS_A_BYTE / baud
        self._latency_s, self._frame_s, self._run_s, self._ring_bytes = latency_s, frame_s, run_s, ring_bytes
        self.to_device: Damage = bytes
        self.to_host: Damage = bytes
        self.passed = {"to device": 0, "to host": 0}
        self.fullest = 0
        self.overrun = 0
        self.unheard = 0
        self._pieces: list[tuple[float, int, bytes]] = []  # arriving at the device
        self._replies: list[tuple[float, int, bytes]] = []  # arriving at the host
        self._number = 0
        self._out_free = self._in_free = self._device_free = 0.0
        self._deaf_until = 0.0
        self._partial = b""
        self._ring: list[tuple[float, int]] = []  # when the device takes it up, and its bytes

    def write(self, data: bytes) -> None:
        self.passed["to device"] += len(data)
        at = max(self._clock.now + self._latency_s, self._out_free)
        self._out_free = at + len(data) * self._byte_s
        # A device acts when a frame ends: nothing happens between two zeros.
        start = 0
        for end in [i + 1 for i, byte in enumerate(data) if byte == 0] + [len(data)]:
            if end > start:
                self._push(self._pieces, at + end * self._byte_s, data[start:end])
            start = end

    def read(self, timeout_s: float) -> bytes:
        end = self._clock.now + timeout_s
        while True:
            next_piece = self._pieces[0][0] if self._pieces else float("inf")
            next_reply = self._replies[0][0] if self._replies else float("inf")
            if min(next_piece, next_reply) > end:
                self._clock.now = end
                return b""
            if next_reply <= next_piece:
                at, _, data = heapq.heappop(self._replies)
                self._clock.now = max(self._clock.now, at)
                return data
            at, _, data = heapq.heappop(self._pieces)
            self._clock.now = max(self._clock.now, at)
            self._arrive(at, data)

    def close(self) -> None:
        self._channel.close()

    def _push(self, queue: list[tuple[float, int, bytes]], at: float, data: bytes) -> None:
        self._number += 1
        heapq.heappush(queue, (at, self._number, data))

    def _arrive(self, at: float, data: bytes) -> None:
        data = self.to_device(data)
        if at < self._deaf_until:
            self.unheard += len(data)
            return
        begins = max(at, self._device_free)
        self._ring = [(begun, size) for begun, size in self._ring if begun > at]
        if begins > at:
            self._ring.append((begins, len(data)))
        waits = sum(size for _, size in self._ring)
        self.fullest = max(self.fullest, waits)
        if waits > self._ring_bytes:
            self.overrun += 1
            self._ring.pop()
            return
        self._partial = (self._partial + data)[-2048:]
        self._channel.write(data)
        said = self._answer()
        took_s = 0.0
        if data.endswith(b"\0") and len(data) > 1:
            frame = decode_frame(self._partial.strip(b"\0").rpartition(b"\0")[2])
            runs = frame is not None and frame.type == Request.RUN
            took_s = self._run_s if runs else self._frame_s
            if runs:
                self._deaf_until = begins + took_s
            self._partial = b""
        # The device sends by polling: it is busy until the last byte has left.
        left = max(begins + took_s, self._in_free)
        if said:
            self.passed["to host"] += len(said)
            self._in_free = left + len(said) * self._byte_s
            self._push(self._replies, self._in_free + self._latency_s, self.to_host(said))
            left = self._in_free
        self._device_free = left

    def _answer(self) -> bytes:
        """All that the device says to what it was given: until it has read everything and sleeps."""
        said = b""
        stat = Path(f"/proc/{self._pid}/stat")
        asleep = 0
        while asleep < 2:
            (unread,) = struct.unpack("i", fcntl.ioctl(self._channel._socket, SIOCOUTQ, b"\0\0\0\0"))
            sleeps = stat.read_text().rpartition(")")[2].split()[0] == "S"
            more = self._channel.read(0.0)
            said += more
            asleep = asleep + 1 if not unread and sleeps and not more else 0
            if not asleep:
                time.sleep(0)
        return said

# SPDX-License-Identifier: Apache-2.0
"""A two-way stream of bytes to a device: what a link needs of a socket or a serial port."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from typing import Protocol


class Channel(Protocol):
    """Raises EOFError from both ends once the other end is gone or `close` was called, from any thread."""

    def read(self, timeout_s: float) -> bytes:
        """What has arrived, at least one byte; b"" where nothing did in time."""
        ...

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class SocketChannel:
    """A channel over a connected socket, which it closes.

    A write that the other end does not take in time is given up: to the link that is a lost frame.
    """

    _READ_BYTES = 65536
    _WRITE_TIMEOUT_S = 1.0

    def __init__(self, sock: socket.socket, *, gather_s: float = 0.0) -> None:
        """gather_s: how long to let more arrive where only the start of a frame has.

        For a UART that is emulated byte by byte: to wake for each of them would cost more than all else.
        """
        self._socket = sock
        self._gather_s = gather_s

    def read(self, timeout_s: float) -> bytes:
        try:
            self._socket.settimeout(timeout_s)
            data = self._socket.recv(self._READ_BYTES)
            if self._gather_s and data and (len(data) == 1 or data[-1] != 0):
                time.sleep(self._gather_s)
                self._socket.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    data += self._socket.recv(self._READ_BYTES)
        except (TimeoutError, BlockingIOError):
            return b""
        except OSError as error:
            raise EOFError(str(error)) from error
        if not data:
            raise EOFError("the other end closed")
        return data

    def write(self, data: bytes) -> None:
        try:
            self._socket.settimeout(self._WRITE_TIMEOUT_S)
            self._socket.sendall(data)
        except TimeoutError:
            pass
        except OSError as error:
            raise EOFError(str(error)) from error

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits in read
        self._socket.close()


class TtyChannel:
    """A channel over an open terminal (a pty, a serial port), which it closes. Writing is given up as with sockets."""

    _READ_BYTES = 65536

    def __init__(self, fd: int, *, write_timeout_s: float = 1.0, gather_s: float = 0.0) -> None:
        """gather_s: as of a SocketChannel."""
        os.set_blocking(fd, False)
        self._write_timeout_s = write_timeout_s
        self._gather_s = gather_s
        self._fd = fd
        self._lock = threading.Lock()
        self._closed = False
        self._woken, self._wake = os.pipe()

    def read(self, timeout_s: float) -> bytes:
        try:
            ready, _, _ = select.select([self._fd, self._woken], [], [], timeout_s)
            if self._closed:
                raise EOFError("closed")
            data = os.read(self._fd, self._READ_BYTES) if ready else b""
            if self._gather_s and data and (len(data) == 1 or data[-1] != 0):
                time.sleep(self._gather_s)
                with contextlib.suppress(BlockingIOError):
                    data += os.read(self._fd, self._READ_BYTES)
        except BlockingIOError:
            return b""
        except (OSError, ValueError) as error:
            raise EOFError(str(error)) from error
        if ready and not data:
            raise EOFError("the other end closed")
        return data

    def write(self, data: bytes) -> None:
        end = time.monotonic() + self._write_timeout_s
        left = memoryview(data)
        try:
            while left and (rest_s := end - time.monotonic()) > 0:
                _, ready, _ = select.select([], [self._fd], [], rest_s)
                if ready:
                    with contextlib.suppress(BlockingIOError):
                        left = left[os.write(self._fd, left) :]
        except (OSError, ValueError) as error:
            raise EOFError(str(error)) from error

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.write(self._wake, b"\0")  # wakes a thread that waits in read
            for fd in (self._fd, self._wake, self._woken):
                os.close(fd)


class LossyChannel:
    """A channel that loses every `lose_every`-th byte, in both directions; 0 loses none. For tests of the link."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._passed = 0
        self.lose_every = 0
        self.lost = 0

    def read(self, timeout_s: float) -> bytes:
        return self._thinned(self._channel.read(timeout_s))

    def write(self, data: bytes) -> None:
        self._channel.write(self._thinned(data))

    def close(self) -> None:
        self._channel.close()

    def _thinned(self, data: bytes) -> bytes:
        if not self.lose_every:
            return data
        first = self._passed
        self._passed += len(data)
        kept = bytes(byte for at, byte in enumerate(data, first + 1) if at % self.lose_every)
        self.lost += len(data) - len(kept)
        return kept

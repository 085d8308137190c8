# SPDX-License-Identifier: Apache-2.0
"""A USB host for an image in QEMU whose USB device controller is usb/controller.c: enumeration, CDC-ACM, and bad ends.

What an operating system does: it gives the device its address and configuration, finds the CDC-ACM interfaces among its
descriptors, and makes a serial port of their bulk endpoints, here one of pyserial's socket:// URLs.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tinyhil.target.qemu import _Memory

_ANSWER_S = 5.0
_IDLE_S = 0.0005  # between two questions to an endpoint that had nothing
_PACKET_BYTES = 64
_AT_ONCE_BYTES = 4096

_GET_DESCRIPTOR, _SET_ADDRESS, _SET_CONFIGURATION = 6, 5, 9
_SET_LINE_CODING, _SET_CONTROL_LINE_STATE = 0x20, 0x22
_TO_DEVICE, _FROM_DEVICE, _TO_INTERFACE = 0x00, 0x80, 0x21
_DEVICE, _CONFIGURATION, _STRING = 1, 2, 3
_INTERFACE_DESCRIPTOR, _ENDPOINT_DESCRIPTOR = 4, 5
_CDC_CONTROL, _CDC_DATA = 0x02, 0x0A
_DTR_RTS = 3


class NoAnswer(Exception):
    """The device's controller is silent: its firmware does not handle what happens on the bus."""


class Stalled(Exception):
    """The device refuses a request."""


@dataclass(frozen=True)
class Descriptors:
    """What the device says of itself. bulk_in, bulk_out: numbers of the CDC data interface's endpoints."""

    vid: int
    pid: int
    product: str
    configuration: int
    control_interface: int
    bulk_in: int
    bulk_out: int


class Bus:
    """The bus of one device. One transaction at a time, from whatever thread."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._lock = threading.Lock()
        line.settimeout(_ANSWER_S)

    def tell(self, kind: bytes, endpoint: int = 0, data: bytes = b"") -> tuple[bytes, bytes]:
        """The device's handshake, and what it sent. Raises NoAnswer."""
        with self._lock:
            try:
                self._line.sendall(kind + bytes([endpoint, len(data)]) + data)
                handshake, size = self._exactly(2)
                return bytes([handshake]), self._exactly(size)
            except (TimeoutError, OSError) as error:
                raise NoAnswer(f"{kind!r} to endpoint {endpoint} is not answered: {error}") from error

    def patiently(self, kind: bytes, endpoint: int = 0, data: bytes = b"") -> bytes:
        """Again until it is no NAK. Raises NoAnswer, Stalled."""
        end = time.monotonic() + _ANSWER_S
        while True:
            handshake, answer = self.tell(kind, endpoint, data)
            if handshake in (b"A", b"D"):
                return answer
            if handshake != b"N":
                raise Stalled(f"{kind!r} to endpoint {endpoint}: {handshake!r}")
            if time.monotonic() > end:
                raise NoAnswer(f"{kind!r} to endpoint {endpoint} is never taken")
            time.sleep(_IDLE_S)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._line.recv(size - len(data))
            if not more:
                raise OSError("the emulator is gone")
            data += more
        return data

    # Control transfers ------------------------------------------------------------------------------------------------
    def read(self, request: int, value: int, index: int, most: int) -> bytes:
        self.patiently(b"s", 0, struct.pack("<BBHHH", _FROM_DEVICE, request, value, index, most))
        data = b""
        while len(data) < most:
            packet = self.patiently(b"i", 0)
            data += packet
            if len(packet) < _PACKET_BYTES:
                break
        self.patiently(b"o", 0)
        return data

    def write(self, kind: int, request: int, value: int, index: int = 0, data: bytes = b"") -> None:
        self.patiently(b"s", 0, struct.pack("<BBHHH", kind, request, value, index, len(data)))
        if data:
            self.patiently(b"o", 0, data)
        self.patiently(b"i", 0)


class UsbHost:
    """QEMU with the image, and the host that its USB cable is in."""

    def __init__(self, elf: Path, *, console: Path | None = None) -> None:
        """console: a file for what the image says on its second UART."""
        ours, theirs = socket.socketpair()
        memory, memory_theirs = socket.socketpair()
        command = ["qemu-system-arm", "-M", "mps2-an385", "-display", "none", "-monitor", "none", "-icount", "shift=0"]
        command += ["-kernel", str(elf), "-serial", "null"]
        command += ["-serial", f"file:{console}" if console is not None else "null"]
        command += ["-chardev", f"socket,id=usb,fd={theirs.fileno()}", "-serial", "chardev:usb"]
        command += ["-chardev", f"socket,id=memory,fd={memory_theirs.fileno()}"]
        command += ["-object", "qtest,id=memory-access,chardev=memory,log=/dev/null"]
        with theirs, memory_theirs:
            fds = [theirs.fileno(), memory_theirs.fileno()]
            self._qemu = subprocess.Popen(command, pass_fds=fds, stdin=subprocess.DEVNULL)
        self._line = ours
        self._memory = _Memory(memory)
        self.bus = Bus(ours)
        self._port: _Port | None = None

    def close(self) -> None:
        self.close_port()
        self._qemu.kill()
        self._qemu.wait()
        self._line.close()
        self._memory.close()

    def write_memory(self, address: int, data: bytes) -> None:
        """Straight into the emulated memory, as only a debugger can on a board."""
        assert self._memory.write(address, data)

    def plug(self) -> Descriptors:
        """Enumerates the device, up to its configuration."""
        self.bus.patiently(b"C")
        self.bus.tell(b"R")
        device = self.bus.read(_GET_DESCRIPTOR, _DEVICE << 8, 0, 18)
        self.bus.write(_TO_DEVICE, _SET_ADDRESS, 5)
        head = self.bus.read(_GET_DESCRIPTOR, _CONFIGURATION << 8, 0, 9)
        configuration = self.bus.read(_GET_DESCRIPTOR, _CONFIGURATION << 8, 0, struct.unpack_from("<H", head, 2)[0])
        product = self.bus.read(_GET_DESCRIPTOR, (_STRING << 8) | device[15], 0x409, 255)
        self.device = _parsed(device, configuration, product[2:].decode("utf-16-le"))
        self.bus.write(_TO_DEVICE, _SET_CONFIGURATION, self.device.configuration)
        return self.device

    def unplug(self) -> None:
        """The cable is out: the serial port is gone."""
        self.close_port()
        self.bus.tell(b"D")

    def suspend(self) -> None:
        """The host sleeps. Whoever has the port open notices nothing."""
        if self._port is not None:
            self._port.pause()
        self.bus.tell(b"S")

    def resume(self) -> None:
        self.bus.tell(b"W")
        if self._port is not None:
            self._port.go_on()

    # The serial port --------------------------------------------------------------------------------------------------
    def open_port(self, *, pulled_after_bytes: int | None = None) -> str:
        """A URL that pyserial opens, once. As on a computer the device's port is open while its DTR is on.

        pulled_after_bytes: the port is gone when so much went to the device; `unplug` then tells the device.
        """
        coding = struct.pack("<IBBB", 115200, 0, 0, 8)
        self.bus.write(_TO_INTERFACE, _SET_LINE_CODING, 0, self.device.control_interface, coding)
        self._line_state(_DTR_RTS)
        self._port = _Port(self.bus, self.device, pulled_after_bytes)
        return self._port.url

    def close_port(self) -> None:
        """Nobody reads any more."""
        if self._port is not None:
            self._port.close()
            self._port = None
            with contextlib.suppress(NoAnswer, Stalled):
                self._line_state(0)

    def _line_state(self, state: int) -> None:
        self.bus.write(_TO_INTERFACE, _SET_CONTROL_LINE_STATE, state, self.device.control_interface)


def _parsed(device: bytes, configuration: bytes, product: str) -> Descriptors:
    vid, pid = struct.unpack_from("<HH", device, 8)
    control = bulk_in = bulk_out = -1
    in_data = False
    at = 0
    while at < len(configuration):
        size, kind = configuration[at], configuration[at + 1]
        if kind == _INTERFACE_DESCRIPTOR:
            in_data = configuration[at + 5] == _CDC_DATA
            if configuration[at + 5] == _CDC_CONTROL:
                control = configuration[at + 2]
        elif kind == _ENDPOINT_DESCRIPTOR and in_data:
            address = configuration[at + 2]
            if address & 0x80:
                bulk_in = address & 0x7F
            else:
                bulk_out = address
        at += size
    return Descriptors(vid, pid, product, configuration[5], control, bulk_in, bulk_out)


class _Port:
    """Bytes between one TCP client and the bulk endpoints."""

    def __init__(self, bus: Bus, device: Descriptors, pulled_after_bytes: int | None) -> None:
        self._bus = bus
        self._device = device
        self._pulled_after_bytes = pulled_after_bytes
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self._end = threading.Event()
        self._awake = threading.Event()
        self._awake.set()
        self._idle = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._awake.set()
        self._thread.join()
        self._server.close()

    def pause(self) -> None:
        self._idle.clear()
        self._awake.clear()
        self._idle.wait(_ANSWER_S)

    def go_on(self) -> None:
        self._awake.set()

    def _serve(self) -> None:
        self._server.settimeout(0.05)
        client: socket.socket | None = None
        to_device = b""
        gone_bytes = 0
        with contextlib.suppress(NoAnswer, OSError), contextlib.ExitStack() as at_end:
            while not self._end.is_set():
                if not self._awake.is_set():
                    self._idle.set()
                    self._awake.wait()
                    continue
                if client is None:
                    with contextlib.suppress(TimeoutError):
                        client = at_end.enter_context(self._server.accept()[0])
                    continue
                _, data = self._bus.tell(b"i", self._device.bulk_in)
                if data:
                    client.sendall(data)
                if not to_device and select.select([client], [], [], 0 if data else _IDLE_S)[0]:
                    to_device = client.recv(_AT_ONCE_BYTES)
                    if not to_device:
                        return
                if to_device:
                    taken, _ = self._bus.tell(b"o", self._device.bulk_out, to_device[:_PACKET_BYTES])
                    if taken == b"A":
                        gone_bytes += len(to_device[:_PACKET_BYTES])
                        to_device = to_device[_PACKET_BYTES:]
                    if self._pulled_after_bytes is not None and gone_bytes >= self._pulled_after_bytes:
                        return

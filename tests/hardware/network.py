# SPDX-License-Identifier: Apache-2.0
"""A board's port over the network, as a Raspberry Pi beside it gives it: RFC 2217 (ser2net), or the bytes alone."""

from __future__ import annotations

import contextlib
import socket
import threading

import serial
import serial.rfc2217


class PtyPort(serial.Serial):
    """A pseudo-terminal has no modem lines, and the server asks for them."""

    cts = dsr = rts = dtr = True
    cd = ri = False


class Rfc2217Server(threading.Thread):
    """What ser2net is to an exporter: the board's port, over the network."""

    def __init__(self, port: str) -> None:
        super().__init__(daemon=True)
        self._path = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.number = self._listener.getsockname()[1]
        self.start()

    def run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, PtyPort(self._path, 115200, timeout=0.01) as port:
                self._serve(client, port)

    def _serve(self, client: socket.socket, port: serial.Serial) -> None:
        self._client = client
        manager = serial.rfc2217.PortManager(port, self)
        client.settimeout(0.005)
        try:
            while True:
                if data := port.read(port.in_waiting or 1):
                    client.sendall(b"".join(manager.escape(data)))
                try:
                    data = client.recv(4096)
                except TimeoutError:
                    continue
                if not data:
                    return
                port.write(b"".join(manager.filter(data)))
        except OSError:
            return

    def write(self, data: bytes) -> None:
        self._client.sendall(data)

    def close(self) -> None:
        self._listener.close()


class RawServer(Rfc2217Server):
    """The bytes, and nothing of baud rates or lines."""

    def _serve(self, client: socket.socket, port: serial.Serial) -> None:
        client.settimeout(0.005)
        with contextlib.suppress(OSError):
            while True:
                if data := port.read(port.in_waiting or 1):
                    client.sendall(data)
                try:
                    data = client.recv(4096)
                except TimeoutError:
                    continue
                if not data:
                    return
                port.write(data)

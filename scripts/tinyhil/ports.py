# SPDX-License-Identifier: Apache-2.0
"""Serial ports: finding the one that is meant, opening it, and saying why that did not work."""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import glob
import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyhil.board import SerialSpec
from tinyhil.errors import BoardError, PortBusy, PortDenied, PortNotFound
from tinyhil.link.channel import Channel, TtyChannel

if TYPE_CHECKING:
    import serial

_USB_ID = re.compile(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})")
_WRITE_S = 5.0
_BUSY = (errno.EBUSY, errno.EAGAIN)


@dataclass(frozen=True)
class Port:
    """A serial port as it is opened. url: a path or a URL. usb: "VID:PID", "" where it is none of USB's."""

    url: str
    serial_number: str = ""
    usb: str = ""

    @property
    def remote(self) -> bool:
        return "://" in self.url

    @property
    def board_key(self) -> str:
        """What names the board behind it: the serial number of its probe, else the port itself."""
        return self.serial_number or (self.url if self.remote else os.path.realpath(self.url))


def _present() -> list[Any]:
    """pyserial's list of the ports there are."""
    from serial.tools import list_ports

    return sorted(list_ports.comports(), key=lambda port: str(port.device))


def find_port(wanted: str, spec: SerialSpec, board_name: str) -> Port:
    """The port that is meant: `wanted`, or what board.yaml says where that is empty. Raises PortNotFound."""
    wanted = wanted or spec.port
    if "://" in wanted:
        return Port(wanted)
    present = _present()
    if wanted.startswith("/") or wanted.upper().startswith("COM"):
        return _by_path(wanted, spec, present)
    if not wanted and not spec.usb:
        raise PortNotFound(
            f"board.yaml of {board_name} does not say where its serial port is found",
            next_step="Name it: --port /dev/ttyACM0 (pytest: --hil-port). " + _there_are(present),
        )
    if wanted:
        match = _USB_ID.fullmatch(wanted)
        ids = {(int(match[1], 16), int(match[2], 16))} if match else set()
        fitting = [port for port in present if (port.vid, port.pid) in ids or port.serial_number == wanted]
        what = f"with USB {'id' if match else 'serial number'} {wanted}"
    else:
        fitting = [port for port in present if (port.vid, port.pid) in spec.usb]
        what = "with a USB id of " + ", ".join(f"{vid:04x}:{pid:04x}" for vid, pid in spec.usb)
    return _only(fitting, what, spec, present)


def _by_path(wanted: str, spec: SerialSpec, present: list[Any]) -> Port:
    if glob.has_magic(wanted):
        pattern = Path(wanted)
        paths = sorted(str(path) for path in Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    else:
        paths = [wanted] if _exists(wanted) else []
    known = {os.path.realpath(port.device): port for port in present}
    if len(paths) > 1:
        fitting = [known[os.path.realpath(path)] for path in paths if os.path.realpath(path) in known]
        if fitting:
            return _only(fitting, f"that fits {wanted}", spec, present)
        raise PortNotFound(
            f"{len(paths)} serial ports fit {wanted}: {', '.join(paths)}",
            next_step="Name the one that is meant with --port (pytest: --hil-port).",
        )
    if not paths:
        raise PortNotFound(
            f"there is no serial port {wanted}",
            next_step="Is the board plugged in, and its cable one for data? " + _there_are(present),
        )
    found = known.get(os.path.realpath(paths[0]))
    return _port(found, paths[0]) if found is not None else Port(paths[0])


def _exists(path: str) -> bool:
    return Path(path).exists() or (os.name == "nt" and any(fnmatch.fnmatch(port.device, path) for port in _present()))


def _only(fitting: list[Any], what: str, spec: SerialSpec, present: list[Any]) -> Port:
    boards: dict[str, list[Any]] = {}
    for port in fitting:
        boards.setdefault(port.serial_number or port.device, []).append(port)
    if not boards:
        raise PortNotFound(
            f"there is no serial port {what}", next_step="Is the board plugged in? " + _there_are(present)
        )
    if len(boards) > 1:
        raise PortNotFound(
            f"{len(boards)} boards have a serial port {what}: {', '.join(boards)}",
            next_step="Name the one that is meant with --port (pytest: --hil-port): its serial number does.",
        )
    ports = next(iter(boards.values()))
    if spec.interface >= len(ports):
        raise PortNotFound(
            f"the board {what} has {len(ports)} serial ports, and its board.yaml wants number {spec.interface}",
            next_step="Correct targets.serial.interface, or name the port with --port.",
        )
    return _port(ports[spec.interface])


def _port(found: Any, path: str = "") -> Port:
    usb = f"{found.vid:04x}:{found.pid:04x}" if found.vid is not None else ""
    return Port(path or str(found.device), found.serial_number or "", usb)


def _there_are(present: list[Any]) -> str:
    if not present:
        return "There are none on this computer."
    return "There are: " + "; ".join(f"{port.device} ({_described(port)})" for port in present) + "."


def _described(port: Any) -> str:
    if port.vid is None:
        return str(port.description)
    return f"{port.vid:04x}:{port.pid:04x} {port.serial_number or ''}".strip()


def open_port(port: Port, baud: int, *, rts_cts: bool) -> OpenPort:
    """Opens it for this process alone. Raises PortNotFound, PortDenied, PortBusy, BoardError."""
    import serial

    options: dict[str, Any] = {"baudrate": baud, "rtscts": rts_cts, "timeout": 0}
    if not port.remote:
        if holders := _holders(port.url):
            raise _busy(port, holders)
        options.update(exclusive=True, write_timeout=_WRITE_S)
    try:
        opened = serial.serial_for_url(port.url, **options)
    except (OSError, ValueError) as error:  # serial.SerialException is an OSError
        raise _not_opened(port, error) from error
    return OpenPort(port, opened)


def _not_opened(port: Port, error: OSError | ValueError) -> BoardError:
    number = error.errno if isinstance(error, OSError) else None
    text = str(error)
    if number == errno.EACCES or number == errno.EPERM:
        return _denied(port)
    if number in _BUSY or "exclusively lock" in text:
        return _busy(port, _holders(port.url))
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return PortNotFound(f"there is no serial port {port.url}", next_step="Is the board plugged in?")
    if port.remote:
        return PortNotFound(
            f"{port.url} cannot be reached: {text}",
            next_step="Does the server run there (ser2net, or the other end of socket://), and does a firewall let it?",
        )
    return BoardError(f"{port.url} cannot be opened: {text}", next_step="Is it a serial port?")


def _denied(port: Port) -> PortDenied:
    vid, _, pid = port.usb.partition(":")
    match = f'ATTRS{{idVendor}}=="{vid}", ATTRS{{idProduct}}=="{pid}"' if pid else f'KERNEL=="{Path(port.url).name}"'
    rule = f'SUBSYSTEM=="tty", {match}, MODE="0660", TAG+="uaccess"'
    group = ""
    with contextlib.suppress(OSError, KeyError, ImportError):
        import grp

        group = grp.getgrgid(Path(port.url).stat().st_gid).gr_name
    join = f", or join its group: sudo usermod -aG {group} $USER, and log in again" if group not in ("", "root") else ""
    return PortDenied(
        f"{port.url} may not be opened by this user",
        next_step=f"Add a udev rule{join}.",
        details=f"/etc/udev/rules.d/70-tinyhil.rules:\n{rule}\n"
        "then: sudo udevadm control --reload && sudo udevadm trigger",
    )


def _busy(port: Port, holders: list[str]) -> PortBusy:
    return PortBusy(
        f"{port.url} is in use by {', '.join(holders) or 'another program'}",
        next_step="Close it there: a terminal program, or ModemManager, which may be told to leave the board alone.",
    )


def _holders(path: str) -> list[str]:
    """Processes other than this one that have the port open, as far as this user may see them."""
    device = os.path.realpath(path)
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        pid = link.parts[2]
        if pid == str(os.getpid()):
            continue
        try:
            if str(link.readlink()) == device:
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                entry = f"process {pid} ({command.strip()[:80]})"
                if entry not in found:
                    found.append(entry)
        except OSError:
            continue
    return found


class OpenPort:
    """An open port: its channel, and its baud rate."""

    def __init__(self, port: Port, opened: serial.SerialBase) -> None:
        self.port = port
        self._serial: Any = opened
        self.channel: Channel
        if port.remote:
            self.channel = UrlChannel(opened)
        else:
            self.channel = TtyChannel(os.dup(self._serial.fileno()), write_timeout_s=_WRITE_S)

    @property
    def baud(self) -> int:
        return int(self._serial.baudrate)

    def set_baud(self, baud: int) -> None:
        """What was written must have left. Raises EOFError where the port is gone."""
        try:
            if not self.port.remote:
                self._serial.flush()
            self._serial.baudrate = baud
        except (OSError, ValueError) as error:
            raise EOFError(str(error)) from error

    def drain(self) -> None:
        """Waits until what was written has left."""
        if not self.port.remote:
            self._serial.flush()

    def drop_input(self) -> None:
        """Forgets what has arrived and was not read."""
        with contextlib.suppress(OSError):
            self._serial.reset_input_buffer()

    def present(self) -> bool:
        """Whether the port still is where it was."""
        return self.port.remote or Path(self.port.url).exists()

    def close(self) -> None:
        self.channel.close()
        with contextlib.suppress(OSError):
            self._serial.close()


class UrlChannel:
    """A channel over a port of pyserial's that has no descriptor: rfc2217://, socket://."""

    _GATHER_S = 0.05
    _LOOK_S = 0.5  # so often a reader that waits looks whether it was closed

    def __init__(self, opened: Any) -> None:
        self._serial = opened
        self._closed = False
        self._lock = threading.Lock()

    def read(self, timeout_s: float) -> bytes:
        end = time.monotonic() + timeout_s
        try:
            while True:
                if self._closed:
                    raise EOFError("closed")
                self._serial.timeout = max(0.0, min(self._LOOK_S, end - time.monotonic()))
                data = bytes(self._serial.read(1))
                if data:
                    # RFC 2217 knows how much waits and gives a byte at a time, a socket knows only that something does.
                    waiting = self._serial.in_waiting
                    self._serial.timeout = self._GATHER_S if waiting > 1 else 0
                    return data + bytes(self._serial.read(waiting if waiting > 1 else 65536))
                if time.monotonic() >= end:
                    return b""
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise EOFError(str(error)) from error

    def write(self, data: bytes) -> None:
        import serial

        try:
            self._serial.write(data)
        except serial.SerialTimeoutException:
            pass
        except (OSError, ValueError, AttributeError) as error:
            raise EOFError(str(error)) from error

    def close(self) -> None:
        with self._lock:
            self._closed = True

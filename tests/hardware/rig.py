# SPDX-License-Identifier: Apache-2.0
"""A board on a serial port, without a board: QEMU behind a pseudo-terminal, and a line between the two that can be bad.

The port outlives the board, as that of a debug probe does. The board has a flash that keeps what was programmed; tools
program it through a socket (`tools/`), which is what a probe is to them. Line and board have a baud rate each: the
port's is what the host set (termios), the board's what the firmware put into its UART's divider. Where they differ,
bytes come out as others; where they agree, they take as long as they would.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import os
import random
import select
import shutil
import socket
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TOOLS = Path(__file__).with_name("tools")
_SPEEDS = {
    getattr(termios, name): int(name[1:]) for name in dir(termios) if name.startswith("B") and name[1:].isdigit()
}
_CHUNK_S = 0.002  # the line hands bytes over in pieces of this length
_LATE_S = 0.02  # what was sent before the board changed its rate comes out of the emulator later
_UART_DIVIDER = 0x40004010
_UART_CLOCK_HZ = 25_000_000


@dataclass
class Faults:
    """What a bad line does. Probabilities are of each byte; bursts lose up to 64 bytes, one in `burst_every` frames."""

    drop: float = 0.0
    flip: float = 0.0
    insert: float = 0.0
    burst_every: int = 0
    seed: int = 1
    hurt: int = 0
    _random: random.Random = field(default_factory=random.Random)
    _zeros: int = 0
    _burst: int = 0

    def __post_init__(self) -> None:
        self._random.seed(self.seed)

    def apply(self, data: bytes) -> bytes:
        if not (self.drop or self.flip or self.insert or self.burst_every):
            return data
        out = bytearray()
        for byte in data:
            if byte == 0 and self.burst_every:
                self._zeros += 1  # two a frame
                if self._random.random() < 0.5 / self.burst_every:
                    self._burst = self._random.randint(1, 64)
            if self._burst:
                self._burst -= 1
                self.hurt += 1
                continue
            dice = self._random.random()
            if dice < self.drop:
                self.hurt += 1
                continue
            if dice < self.drop + self.flip:
                byte ^= 1 << self._random.randrange(8)
                self.hurt += 1
            elif dice < self.drop + self.flip + self.insert:
                out.append(self._random.randrange(256))
                self.hurt += 1
            out.append(byte)
        return bytes(out)


class Line:
    """One direction: bytes come out no faster than the baud rate, garbled where the ends disagree about it."""

    ROOM = 8192  # what an operating system and a USB adapter buffer

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.passed = 0
        self.busy_s = 0.0
        self._waiting = bytearray()
        self._free_at = 0.0

    @property
    def room(self) -> int:
        return self.ROOM - len(self._waiting)

    def put(self, data: bytes, now: float) -> None:
        if not self._waiting:
            self._free_at = max(self._free_at, now)
        self._waiting += data

    def take(self, now: float, rate: int, agree: bool, paced: bool) -> bytes:
        """What has arrived at the other end by now."""
        if not self._waiting:
            return b""
        count = len(self._waiting)
        if paced:
            count = min(count, int((now - self._free_at) * rate / 10))
            if count <= 0:
                return b""
            self._free_at += count * 10 / rate
            self.busy_s += count * 10 / rate
        data = bytes(self._waiting[:count])
        del self._waiting[:count]
        self.passed += count
        if not agree:
            data = bytes((byte * 2 + 0x81) & 0xFF | 0x80 for byte in data)
        return self.faults.apply(data)


class EmulatedBoard:
    """The board, its probe and its port. `port` is the path to open."""

    def __init__(
        self,
        folder: Path,
        *,
        machine: str = "mps2-an386",
        paced: bool = False,
        max_baud: int = 1_000_000,
        args: Sequence[str] = ("-icount", "shift=0"),
    ) -> None:
        """folder: a fresh one. max_baud: rates above are garbled, as by a cheap adapter.

        args: of QEMU. Without -icount its UART takes more bytes a second, and its counter is the computer's clock.
        """
        self.folder = folder
        self.flash_file = folder / "flash.bin"
        self.port = str(folder / "ttyACM0")
        self.control = folder / "probe"
        self.paced = paced
        self.max_baud = max_baud
        self.to_board = Line(Faults(seed=1))
        self.to_host = Line(Faults(seed=2))
        self.programmed: list[list[tuple[int, int]]] = []
        self.resets = 0
        self.ignore_programming = False
        self.after: tuple[int, Callable[[], None]] | None = None
        """What happens once so many bytes in all have gone to the board."""
        self._machine, self._args = machine, tuple(args)
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._uart: socket.socket | None = None
        self._memory: socket.socket | None = None
        self._monitor: socket.socket | None = None
        self._divider_read = 0.0
        self._board_baud = self._next_baud = 115200
        self._next_from = 0.0
        self._ending = False
        self._host_deaf = False
        folder.mkdir(parents=True, exist_ok=True)
        self.flash_file.write_bytes(b"")
        self._open_pty()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.control))
        self._listener.listen(8)
        self._threads = [
            threading.Thread(target=self._run_line, daemon=True),
            threading.Thread(target=self._run_probe, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    # The port -----------------------------------------------------------------------------------------------------
    def _open_pty(self) -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        attributes = termios.tcgetattr(slave)
        attributes[4] = attributes[5] = termios.B115200
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        link = Path(self.port)
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(slave))
        os.close(slave)
        os.set_blocking(master, False)
        self._master: int | None = master

    def unplug(self) -> None:
        """The USB cable is pulled: the port vanishes."""
        with self._lock:
            Path(self.port).unlink(missing_ok=True)
            if self._master is not None:
                os.close(self._master)
            self._master = None

    def plug_in(self) -> None:
        with self._lock:
            self._open_pty()

    def host_baud(self) -> int:
        assert self._master is not None
        return _SPEEDS.get(termios.tcgetattr(self._master)[5], 115200)

    # The board ----------------------------------------------------------------------------------------------------
    def program(self, segments: Sequence[tuple[int, bytes]]) -> None:
        """What a probe does: writes into the flash; the board runs it from its reset on."""
        with self._lock:
            self.programmed.append([(address, len(data)) for address, data in segments])
            if self.ignore_programming:
                return
            content = bytearray(self.flash_file.read_bytes())
            for address, data in segments:
                content += b"\xff" * (address + len(data) - len(content))
                content[address : address + len(data)] = data
            self.flash_file.write_bytes(content)

    def power_on(self) -> None:
        """Starts what the flash holds; nothing where it is blank."""
        with self._lock:
            self.power_off()
            if not self.flash_file.stat().st_size:
                return
            uart, uart_theirs = socket.socketpair()
            memory, memory_theirs = socket.socketpair()
            monitor, monitor_theirs = socket.socketpair()
            fds = [end.fileno() for end in (uart_theirs, memory_theirs, monitor_theirs)]
            command = ["qemu-system-arm", "-M", self._machine, "-display", "none", *self._args]
            command += ["-device", f"loader,file={self.flash_file},addr=0,force-raw=on"]
            command += ["-chardev", f"socket,id=uart,fd={fds[0]},mux=on", "-echr", "256", "-serial", "chardev:uart"]
            command += ["-chardev", f"socket,id=memory,fd={fds[1]}"]
            command += ["-object", "qtest,id=memory-access,chardev=memory,log=/dev/null"]
            command += ["-chardev", f"socket,id=monitor,fd={fds[2]}", "-mon", "chardev=monitor,mode=readline"]
            self._process = subprocess.Popen(
                command, pass_fds=fds, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
            )
            for end in (uart_theirs, memory_theirs, monitor_theirs):
                end.close()
            uart.setblocking(False)
            memory.settimeout(2.0)
            self._uart, self._memory, self._monitor = uart, memory, monitor
            self._board_baud = self._next_baud = 115200
            self._divider_read = 0.0

    def power_off(self) -> None:
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                self._process = None
            for end in (self._uart, self._memory, self._monitor):
                if end is not None:
                    end.close()
            self._uart = self._memory = self._monitor = None

    def reset(self) -> None:
        with self._lock:
            self.resets += 1
            self.power_on()

    def press_reset_button(self) -> None:
        """RAM keeps what it holds, as that of a board whose power stays on does."""
        with self._lock:
            self.resets += 1
            self._say(b"system_reset\n")

    def freeze(self) -> None:
        """The core stops, as by a debugger that halted it: the board is silent until its next reset."""
        self._say(b"stop\n")

    def _say(self, line: bytes) -> None:
        with self._lock:
            if self._monitor is not None:
                self._monitor.sendall(line)

    def _ask_memory(self, line: bytes) -> bytes:
        assert self._memory is not None
        self._memory.sendall(line)
        answer = b""
        while not answer.endswith(b"\n"):
            answer += self._memory.recv(4096)
        return answer

    def wait_ready(self, timeout_s: float = 10.0) -> None:
        """Until the firmware has started: it has set its UART's divider, and then said so."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            with self._lock:
                said = self._ask_memory(b"readl %#x\n" % _UART_DIVIDER).split() if self._memory is not None else []
            if len(said) > 1 and int(said[1], 16):
                time.sleep(0.3)
                return
            time.sleep(0.05)
        raise TimeoutError("the board did not start")

    def chatter(self) -> None:
        """The board says something, unasked."""
        threading.Timer(0.2, self._chatter).start()

    def _chatter(self) -> None:
        for _ in range(100):
            with self._lock:
                self.to_host.put(b"m-init-done\r\nm-ready\r\n", time.monotonic())
            time.sleep(0.05)

    def poke(self, address: int, data: bytes) -> None:
        """Changes the board's memory behind its back; the rate of its UART at once."""
        with self._lock:
            self._ask_memory(b"b64write %#x %#x %s\n" % (address, len(data), base64.b64encode(data)))
            if address == _UART_DIVIDER:
                self._board_baud = self._next_baud = _UART_CLOCK_HZ // int.from_bytes(data, "little")

    def board_baud(self, now: float) -> int:
        if self._memory is not None and now - self._divider_read > 0.004:
            with contextlib.suppress(OSError, IndexError, ValueError):
                divider = int(self._ask_memory(b"readl %#x\n" % _UART_DIVIDER).split()[1], 16)
                if divider and _UART_CLOCK_HZ // divider != self._next_baud:
                    self._next_baud, self._next_from = _UART_CLOCK_HZ // divider, now + _LATE_S
            self._divider_read = now
        if now >= self._next_from:
            self._board_baud = self._next_baud
        return self._board_baud

    # The line -----------------------------------------------------------------------------------------------------
    def _run_line(self) -> None:
        while not self._ending:
            with self._lock:
                master, uart = self._master, self._uart
            if master is None:
                time.sleep(_CHUNK_S)
                continue
            waits = [fd for fd, line in ((master, self.to_board), (uart, self.to_host)) if fd and line.room > 0]
            if self._host_deaf:
                waits = [fd for fd in waits if fd is not master]
            idle = not self.to_board._waiting and not self.to_host._waiting
            with contextlib.suppress(OSError, ValueError):
                select.select(waits, [], [], 0.01 if idle else _CHUNK_S / 2)
            with self._lock:
                if master is not self._master or uart is not self._uart:
                    continue
                with contextlib.suppress(OSError, termios.error):
                    self._step(master, uart)

    def _step(self, master: int, uart: socket.socket | None) -> None:
        now = time.monotonic()
        self._host_deaf = False
        try:
            data = os.read(master, max(1, self.to_board.room))
        except BlockingIOError:
            data = b""
        except OSError as error:
            data = b""
            # Nobody has the port open: what the board says is lost.
            self._host_deaf = error.errno == errno.EIO
        if data and uart is not None:
            self.to_board.put(data, now)
        if uart is not None:
            try:
                data = uart.recv(max(1, self.to_host.room))
            except BlockingIOError:
                data = b""
            if data and not self._host_deaf:
                self.to_host.put(data, now)
        if self._host_deaf:
            time.sleep(_CHUNK_S)
            return
        board = self.board_baud(now)
        if not self.to_board._waiting and not self.to_host._waiting:
            return
        host = self.host_baud()
        agree = abs(host - board) * 20 < host and host <= self.max_baud
        to_board = self.to_board.take(now, host, agree, self.paced)
        if to_board and uart is not None:
            self._send(uart, to_board)
        if self.after is not None and self.to_board.passed >= self.after[0]:
            act, self.after = self.after[1], None
            act()
        to_host = self.to_host.take(now, board, agree, self.paced)
        while to_host:
            with contextlib.suppress(BlockingIOError):
                to_host = to_host[os.write(master, to_host) :]
                continue
            time.sleep(_CHUNK_S)

    def _send(self, uart: socket.socket, data: bytes) -> None:
        end = time.monotonic() + 2.0
        while data and time.monotonic() < end:
            try:
                data = data[uart.send(data) :]
            except BlockingIOError:
                time.sleep(_CHUNK_S)

    # The probe ----------------------------------------------------------------------------------------------------
    def _run_probe(self) -> None:
        while not self._ending:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError, ValueError):
                asked = json.loads(client.makefile().readline())
                if "program" in asked:
                    self.program([(at, base64.b64decode(text)) for at, text in asked["program"]])
                if asked.get("reset"):
                    self.reset()
                client.sendall(b"ok\n")

    def environment(self) -> dict[str, str]:
        """What lets the fake tools reach this board."""
        return {"PATH": f"{TOOLS}:{os.environ['PATH']}", "FAKE_PROBE": str(self.control)}

    @property
    def tool_log(self) -> list[list[str]]:
        """The command lines that flashing tools were given."""
        log = self.folder / "tools.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def close(self) -> None:
        self._ending = True
        self.power_off()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=5)
        with contextlib.suppress(OSError):
            if self._master is not None:
                os.close(self._master)


@contextlib.contextmanager
def emulated_board(folder: Path, **options: object) -> Iterator[EmulatedBoard]:
    board = EmulatedBoard(folder, **options)  # type: ignore[arg-type]
    try:
        yield board
    finally:
        board.close()


BOARD_YAML = """\
name: {name}
title: An MPS2 whose flash the firmware cannot write
core: Cortex-M4F
virtual: false
memory:
  flash: {{base: 0x00000000, bytes: 4M}}
  ram: {{base: 0x20000000, bytes: 4M}}
slot: {{memory: flash, offset: 1M, bytes: 3M, writable: {writable}}}
stack_bytes: 8K
clock_hz: 25000000
soc: {{address: 0x4002FFFC, mask: 0xFFFFFFFF, id: 0x41043860}}
flash:
  west: {{runner: nrfjprog}}
  pyocd: {{target: nrf52840}}
  openocd: {{config: [board/some_board.cfg, extra.cfg]}}
  jlink: {{device: nRF52840_xxAA}}
  stflash: {{}}
build:
  compiler: arm-none-eabi
  cpu: [-mcpu=cortex-m4, -mthumb, -mfloat-abi=hard, -mfpu=fpv4-sp-d16]
  ports: [cortex_m, cmsdk]
  linker_script: cortex_m/image.ld
  defines: {{TINYHIL_UART_BASE: 0x40004000, TINYHIL_UART_CLOCK_HZ: 25000000, TINYHIL_UART_BAUD: 115200,
            TINYHIL_UART_IRQ: 0}}
targets:
  serial: {{baud: [{baud}]}}
"""


def write_board(
    folder: Path, name: str = "deskboard", *, writable: bool = False, baud: str = "1000000, 460800"
) -> Path:
    """A board.yaml of the emulated board in `folder`, a folder of boards."""
    path = folder / name / "board.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(BOARD_YAML.format(name=name, writable=str(writable).lower(), baud=baud))
    return path


if __name__ == "__main__":  # by hand: a board on a port until Ctrl-C
    where = Path(sys.argv[1])
    shutil.rmtree(where, ignore_errors=True)
    with emulated_board(where, paced="--paced" in sys.argv) as running:
        print(running.port, running.environment(), flush=True)
        while True:
            time.sleep(1)

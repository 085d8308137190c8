# SPDX-License-Identifier: Apache-2.0
"""A real board on a serial port.

Starting it takes the board's lock, finds and opens its port, asks the board who it is, and flashes what is not there
yet: the image where another build answers or nothing does, the model slot where it holds another model. After each
flashing the board says again who it is, so nothing is tested that is not what was built. Then the baud rate goes up.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tinyhil.attachment import Attachment
from tinyhil.errors import (
    BoardError,
    FlashFailed,
    GarbledLine,
    NoFlasher,
    SilentDevice,
    TargetError,
    Unplugged,
    WrongDevice,
    WrongImage,
)
from tinyhil.flash import Flasher, find_flasher
from tinyhil.flash.hexfile import Segment, elf_segments, intel_hex
from tinyhil.labgrid import SCHEME, Place, acquired
from tinyhil.link.channel import Channel
from tinyhil.link.client import Fault, Link, NoAnswer, ProtocolError, Refused
from tinyhil.link.commands import Commands
from tinyhil.link.protocol import MAX_PAYLOAD, Request
from tinyhil.lock import BoardLock
from tinyhil.ports import OpenPort, Port, find_port, open_port
from tinyhil.slot import slot_header
from tinyhil.target.base import Target
from tinyhil.target.symbols import Symbols

if TYPE_CHECKING:
    from tinyhil.board import Board
    from tinyhil.build import Image

_FIRST_BAUD = 115200
_BITS_A_BYTE = 10
_LOOK_S = 0.4  # one attempt to be answered
_SETTLE_S = 0.1  # the device changes its rate only once its reply has left
_BOOT_S = 1.5  # a board that was reset answers within this
_COMMAND_S = 60.0  # a reset or power command may take so long
_ECHO_BYTES = MAX_PAYLOAD
_ECHOES = 4
_ECHO_S = 1.0
_CYCLES_PER_WORK = 200  # the slowest kernel on the slowest core needs less for a multiplication and addition
_OP_S = 1.0  # whatever the operator
_PATIENCE_S = 3.0


class SerialTarget(Target):
    """One board, from its lock to its reset."""

    name = "serial"
    window = 1  # the ports poll a UART that buffers a byte or two: while one request is answered no other may come
    patience_s = _PATIENCE_S

    def __init__(self, board: Board, image: Image, slot: bytes | None, attachment: Attachment) -> None:
        """slot: what the model slot shall hold; None: it does not matter."""
        self._board = board
        self._image = image
        self._slot = slot
        self._attachment = attachment
        self._spec = board.targets["serial"].serial
        self._symbols = Symbols(image.elf)
        self._guard = threading.Lock()
        self._stopped = False
        self._at_end = contextlib.ExitStack()
        self._place: Place | None = None
        self._port: Port | None = None
        self._open: OpenPort | None = None
        self._flasher: Flasher | None = None
        self._link: Link | None = None
        self._info: dict[str, str] = {}
        self._garbage = b""  # heard since it last answered
        self._flashed: list[str] = []
        self._recovered = ""
        self._baud = _FIRST_BAUD
        self._last_words = ""
        if board.clock_hz is not None:
            self.unit = "cycles"
            self.unit_source = f"counter of the core at {board.clock_hz / 1e6:g} MHz"

    # Start and end ------------------------------------------------------------------------------------------------
    def start(self) -> Channel:
        wanted = self._attachment.port or self._spec.port
        began = time.monotonic()
        if wanted.startswith(SCHEME):
            self._take_lock(wanted)
            left_s = max(0.0, self._attachment.wait_s - (time.monotonic() - began))
            self._place = self._at_end.enter_context(acquired(wanted.removeprefix(SCHEME), left_s))
            self._port = Port(self._place.url)
        else:
            self._port = find_port(wanted, self._spec, self._board.name)
            self._take_lock(self._port.board_key)
        self._reopen()
        try:
            self._identify()
            self._fill()
            self._raise_baud()
        except EOFError as end:
            raise self._gone() from end
        return _Line(self)

    @property
    def channel(self) -> Channel:
        """The port as it is open now: a board whose power was away has another."""
        if self._open is None:
            raise EOFError("the port is closed")
        return self._open.channel

    def _take_lock(self, key: str) -> None:
        lock = BoardLock(key)
        lock.acquire(self._attachment.wait_s)
        self._at_end.callback(lock.release)

    def _reopen(self) -> None:
        assert self._port is not None
        if self._open is not None:
            self._open.close()
        self._open = open_port(self._port, self._baud, rts_cts=self._spec.flow_control == "rts_cts")
        self._set_line(self._baud)

    def _set_line(self, baud: int) -> None:
        self._baud = baud
        self.line_bytes_per_s = baud / _BITS_A_BYTE

    def stop(self) -> None:
        with self._guard:
            if self._stopped:
                return
            self._stopped = True
        if self._open is not None:
            if self._baud != _FIRST_BAUD:
                # For whoever comes next with a terminal.
                with contextlib.suppress(Exception):
                    self._ask_session(0.3)
                    self._commands(0.3).set_baud(0)
                    self._change_baud(_FIRST_BAUD)
                    time.sleep(_SETTLE_S)
                    self._ask(_LOOK_S)  # its frames end whatever the device may have taken for text meanwhile
                    self._open.drain()
            self._open.close()
        self._at_end.close()

    # Who it is ----------------------------------------------------------------------------------------------------
    def _identify(self) -> None:
        """Makes sure that this board runs this image, flashing it where not."""
        info = self._ask_twice()
        if info is None:
            trouble = self._trouble()
            if isinstance(trouble, (GarbledLine, WrongDevice)) or not self._can_flash():
                raise trouble
            self._flash(elf_segments(self._image.elf), "image")
        else:
            self._check_board(info)
            if info.get("build") == self._image.build_id:
                return
            try:
                self._flash(elf_segments(self._image.elf), "image")
            except NoFlasher as error:
                raise WrongImage(
                    f"the board runs build {info.get('build')}, and build {self._image.build_id} is to be tested",
                    next_step=f"{error.message}. {error.next_step}",
                    details=error.details,
                ) from error
        self._after_flashing()

    def _after_flashing(self) -> None:
        info = self._ask_until(_BOOT_S)
        if info is None and self._press_reset():
            info = self._ask_until(_BOOT_S)
        if info is None:
            raise self._trouble(after_reset=True)
        self._check_board(info)
        if info.get("build") != self._image.build_id:
            raise WrongImage(
                f"after flashing the board still runs build {info.get('build')}, not {self._image.build_id}",
                next_step="Is the probe that was flashed this board's? Name its serial number with --port.",
            )

    def _check_board(self, info: dict[str, str]) -> None:
        if info.get("board") != self._board.name:
            raise WrongDevice(
                f"the board on {self._where()} is a {info.get('board')}, not a {self._board.name}",
                next_step="Choose the board that is attached, or name another port. Nothing was flashed.",
            )
        soc = self._board.soc
        said = int(info.get("soc", "0"), 16)
        if soc is not None and said and said & soc.mask != soc.id:
            raise WrongDevice(
                f"the chip on {self._where()} says it is {said:#010x}; a {self._board.name} has {soc.id:#010x} "
                f"in the bits {soc.mask:#010x} of {soc.address:#010x}",
                next_step="Another chip than the board has runs its image. Choose the board that is attached.",
            )

    def _ask_twice(self) -> dict[str, str] | None:
        """INFO, at each rate the board may have been left at; once more after a reset where it is silent."""
        info = self._ask_at_every_rate()
        if info is None and not self._garbled() and self._press_reset():
            info = self._ask_until(_BOOT_S)
            if info is not None:
                self._recovered = f"silent at first; {self._pressed} brought it back"
        return info

    def _ask_at_every_rate(self) -> dict[str, str] | None:
        info = self._ask(_LOOK_S)
        for baud in self._spec.baud:
            if info is not None:
                break
            self._change_baud(baud)
            info = self._ask(_LOOK_S)
        if info is None and self._baud != _FIRST_BAUD:
            self._change_baud(_FIRST_BAUD)
        return info

    def _ask_until(self, allowance_s: float) -> dict[str, str] | None:
        """INFO of a board that starts."""
        end = time.monotonic() + allowance_s
        if self._baud != _FIRST_BAUD:
            self._change_baud(_FIRST_BAUD)
        while True:
            info = self._ask(_LOOK_S)
            if info is not None or time.monotonic() > end:
                return info

    def _ask(self, allowance_s: float) -> dict[str, str] | None:
        try:
            self._ask_session(allowance_s)
            self._info = self._commands(allowance_s).info()
        except (NoAnswer, Refused, ProtocolError, TargetError):
            if self._link is not None and self._link.garbled:
                self._garbage = self._link.unreadable
            return None
        except Fault as fault:
            self._last_words = f"it reports a fault of its own: {fault}"
            return None
        self._garbage = b""
        return self._info

    def _ask_session(self, allowance_s: float) -> None:
        self._link = Link(self.channel, window=self.window, line_bytes_per_s=self.line_bytes_per_s)
        self._link.open(allowance_s)

    def _commands(self, allowance_s: float = _PATIENCE_S) -> Commands:
        assert self._link is not None
        return Commands(self._link, allowance_s=allowance_s)

    def _garbled(self) -> bool:
        return bool(self._garbage)

    def _trouble(self, *, after_reset: bool = False) -> TargetError:
        """Why nobody answers."""
        if self._garbled():
            return self._garbled_line()
        when = " after its reset" if after_reset or self._recovered or self._pressed else ""
        return SilentDevice(
            f"the board on {self._where()} does not answer{when}",
            next_step="Is this the board's port, and TX wired to RX? Does it run this image, and its power stay on? "
            "Give --reset COMMAND, or press its reset button.",
            details=self.last_words(),
        )

    def _garbled_line(self) -> GarbledLine:
        return GarbledLine(
            f"what comes from {self._where()} at {self._baud:,} baud is neither frames nor text: another baud rate?",
            next_step=f"The firmware starts at {_FIRST_BAUD:,} baud. Reset the board; check ground and cable.",
            details=f"received: {self._garbage[:48].hex(' ')}",
        )

    def _where(self) -> str:
        return self._port.url if self._port is not None else "no port"

    # Flashing -----------------------------------------------------------------------------------------------------
    def _tool(self) -> Flasher:
        if self._flasher is None:
            number = self._port.serial_number if self._port is not None and not self._port.remote else ""
            build_dir = self._image.elf.parent.parent if getattr(self._image, "firmware", "") == "zephyr" else None
            self._flasher = find_flasher(self._board, self._attachment.flash, number, build_dir)
        return self._flasher

    def _can_flash(self) -> bool:
        try:
            return self._tool() is not None
        except NoFlasher:
            return False

    def _flash(self, segments: list[Segment], what: str) -> None:
        tool = self._tool()
        with tempfile.TemporaryDirectory(prefix="tinyhil-flash-") as folder:
            file = Path(folder) / f"{what}.hex"
            file.write_text(intel_hex(segments), encoding="ascii")
            tool.flash(file)
        self._flashed.append(what)
        self._pressed = ""
        # The board restarted at its first rate; what it said meanwhile is of no interest.
        self._change_baud(_FIRST_BAUD)
        if self._open is not None:
            self._open.drop_input()

    def _fill(self) -> None:
        """Sees to the model slot, unless the firmware can write it over the link."""
        if self._slot is None:
            return
        if self._image.slot is None or self._info.get("slot_writable") == "1":
            self.slot_in_place = self._image.slot is None
            return
        if not self._slot_holds(self._slot):
            self.fill_slot(self._slot)

    def fill_slot(self, slot: bytes) -> bool:
        assert self._image.slot is not None
        if self._info.get("slot_writable") == "1":
            return False
        self._slot = slot
        if self._ask(_LOOK_S) is None:
            return False
        if self._slot_holds(slot):
            return True
        self._flash([(self._image.slot.base, slot)], "model")
        self._after_flashing()
        if not self._slot_holds(slot):
            raise WrongImage(
                f"after flashing the model slot of {self._board.name} does not hold the model",
                next_step="Is the probe that was flashed this board's? Name its serial number with --port.",
            )
        self._raise_baud()
        return True

    def _slot_holds(self, slot: bytes) -> bool:
        """Whether the slot holds this; the device verifies that what it holds is whole."""
        try:
            held = self._commands().slot_check()
        except (Refused, NoAnswer, ProtocolError, TargetError):
            return False
        wanted = slot_header(slot)
        return held.sha256 == wanted.sha256 and wanted.benchmark in (0, held.benchmark)

    # Baud rate ----------------------------------------------------------------------------------------------------
    def _raise_baud(self) -> None:
        """To the board's fastest rate at which what is sent comes back as it was."""
        for baud in self._spec.baud:
            if baud <= self._baud:
                return
            before = self._baud
            try:
                self._commands().set_baud(baud)
            except Refused:
                continue
            except (NoAnswer, ProtocolError):
                if self._ask_at_every_rate() is None:
                    raise self._trouble() from None
                continue
            self._change_baud(baud)
            time.sleep(_SETTLE_S)
            if self._echoes():
                return
            # It may stand at either rate now: one command for it at the new one, then whoever answers at the old.
            with contextlib.suppress(NoAnswer, Refused, ProtocolError, TargetError):
                self._commands(_LOOK_S).set_baud(0)
            self._change_baud(before)
            if self._ask(_LOOK_S) is None and (not self._press_reset() or self._ask_until(_BOOT_S) is None):
                raise GarbledLine(
                    f"the board did not come back from {baud:,} baud",
                    next_step=f"Take {baud} out of targets.serial.baud, or give --reset COMMAND.",
                )

    def _echoes(self) -> bool:
        assert self._link is not None
        damaged = self._link.damaged
        try:
            device_damaged = self._commands(_ECHO_S).info().get("damaged_frames")
            for number in range(_ECHOES):
                sent = bytes([0x00, 0xFF, 0x55, 0xAA][number] for _ in range(_ECHO_BYTES // 2))
                sent += secrets.token_bytes(_ECHO_BYTES - len(sent))
                if self._link.request(Request.ECHO, sent, allowance_s=_ECHO_S) != sent:
                    return False
            unhurt = self._commands(_ECHO_S).info().get("damaged_frames") == device_damaged
        except (NoAnswer, Refused, ProtocolError, TargetError, Fault):
            return False
        return unhurt and self._link.damaged == damaged

    def _change_baud(self, baud: int) -> None:
        if self._open is not None:
            self._open.set_baud(baud)
        self._set_line(baud)

    # Reset --------------------------------------------------------------------------------------------------------
    _pressed = ""

    def press_reset(self) -> bool:
        try:
            return self._press_reset()
        except EOFError:
            return False

    def _press_reset(self) -> bool:
        """Resets the board from outside: by the user's command, the flashing tool, or the user's power switch."""
        pressed = ""
        power = self._attachment.power
        if power == "labgrid" and self._place is not None:
            power = self._place.power_cycle()
        for option, command in (("--reset", self._attachment.reset), ("--power", power)):
            if command and not pressed:
                self._run(option, command)
                pressed = f"`{command}`"
        if not pressed:
            try:
                tool = self._tool()
                if tool.reset():
                    pressed = f"a reset by {tool.name}"
            except (NoFlasher, FlashFailed):
                return False
        if not pressed:
            return False
        self._pressed = pressed
        self._change_baud(_FIRST_BAUD)
        if self._open is not None and not self._open.present():
            self._await_port()
        return True

    def _run(self, option: str, command: str) -> None:
        try:
            done = subprocess.run(
                command,
                shell=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                env={**os.environ, **(self._place.environment() if self._place is not None else {})},
                timeout=_COMMAND_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise BoardError(f"{option} `{command}` did not end within {_COMMAND_S:g} s") from error
        if done.returncode != 0:
            raise BoardError(
                f"{option} `{command}` ended with status {done.returncode}",
                next_step="Run it by hand and see why.",
                details=(done.stdout + done.stderr)[-2000:],
            )

    def _await_port(self) -> None:
        """A board whose power was away brings its port back a moment later."""
        end = time.monotonic() + _BOOT_S
        while time.monotonic() < end:
            with contextlib.suppress(BoardError):
                self._reopen()
                return
            time.sleep(0.1)

    def restarted(self) -> bool:
        """A board that restarted is back at its first rate."""
        fast = self._baud
        if fast == _FIRST_BAUD:
            return False
        self._change_baud(_FIRST_BAUD)
        if self._ask(_LOOK_S) is not None:
            return True
        self._change_baud(fast)
        return False

    def recover(self) -> str:
        """Resets a board that hangs, once; what was done, "" where it did not help."""
        if self._recovered:
            return ""
        try:
            if self._press_reset() and self._ask_until(_BOOT_S) is not None:
                self._recovered = f"hung; {self._pressed} brought it back"
                return self._recovered
        except (EOFError, TargetError):
            pass
        return ""

    # What is known of it ------------------------------------------------------------------------------------------
    def check(self, *, answered: bool, ended: bool = False) -> None:
        if self._stopped or self._open is None:
            return
        if ended or not self._open.present():
            raise self._gone()

    def _gone(self) -> TargetError:
        if self._stopped:
            return TargetError("the board was closed while it was used")
        return Unplugged(
            f"{self._where()} vanished in the middle",
            next_step="Plug the board in again; if nobody pulled it, look at its power supply and at `dmesg`.",
        )

    def where(self) -> str:
        return ""

    def identity(self) -> dict[str, str]:
        words = {"name": "serial", "port": self._where(), "baud": str(self._baud)}
        if self._port is not None and self._port.serial_number:
            words["serial_number"] = self._port.serial_number
        soc = self._info.get("soc", "")
        if soc.strip("0"):
            words["soc"] = soc
        if self._flashed:
            words["flashed"] = f"{', '.join(self._flashed)} with {self._flasher.name if self._flasher else ''}"
        if self._recovered:
            words["recovered"] = self._recovered
        return words

    def symbolize(self, pc: int) -> str:
        return self._symbols.function_at(pc)

    def to_units(self, milliticks: int) -> int | None:
        return round(milliticks / 1000) if self.unit else None

    def last_words(self) -> str:
        return self._last_words

    def op_allowance_s(self, work: int) -> float | None:
        if self._board.clock_hz is None:
            return None
        return _OP_S + work * _CYCLES_PER_WORK / self._board.clock_hz


class _Line:
    """The board's channel, whatever port it has at the moment."""

    def __init__(self, target: SerialTarget) -> None:
        self._target = target

    def read(self, timeout_s: float) -> bytes:
        return self._target.channel.read(timeout_s)

    def write(self, data: bytes) -> None:
        self._target.channel.write(data)

    def close(self) -> None:
        self._target.channel.close()

# SPDX-License-Identifier: Apache-2.0
"""The Robot Framework library: `Library  tinyhil.robot`. robot/README.md says how suites are run.

It holds no logic of its own: boards, models, golden sets and devices are the package's, and a run leaves the records
that `tinyhil matrix` leaves. Under renode-test the device is reached through Renode's own keywords, in the text
language; everywhere else tinyhil drives the target itself.
"""

from __future__ import annotations

import functools
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from tinyhil import __version__
from tinyhil.attachment import OPTIONS, Attachment
from tinyhil.device import Device, Loaded, Memory
from tinyhil.errors import (
    ArenaOverflow,
    BadInput,
    BuildFailed,
    DeviceRestarted,
    DoesNotFit,
    FlashOverflow,
    OutputMismatch,
    TargetError,
    TargetHung,
    TinyhilError,
    UnknownBoard,
)
from tinyhil.link import text
from tinyhil.link.channel import Channel, LossyChannel
from tinyhil.link.protocol import Status
from tinyhil.record import ENGINES, FIRMWARES, KERNELS, Cell, Diagnosis, ErrorInfo, Figure, Identity, Record
from tinyhil.runner import (
    Evidence,
    Materials,
    Outcome,
    Plan,
    conclude,
    default_firmware,
    default_target,
    device_figures,
    host,
    image_figures,
    image_identity,
    model_identity,
    now,
    operator_results,
    provenance,
    run_command_line,
)
from tinyhil.slot import HEADER_BYTES, slot_image
from tinyhil.target.symbols import Symbols
from tinyhil.text_device import TextDevice

if TYPE_CHECKING:
    from tinyhil.board import Board
    from tinyhil.build import Image
    from tinyhil.golden import GoldenSet
    from tinyhil.model import Model
    from tinyhil.verdict import Tally

RENODE_TEST = "renode-test"
"""The target's name where Renode's keywords are there: nothing else may drive the UART then."""

_RESTARTS = 20  # tries to hit an inference with a reset
_VIRTUAL_S = 20  # a line of an answer may take so long in the emulation, beside what an inference takes
_VIRTUAL_S_PER_MAC = 4e-6

_STEPS = 500  # milliseconds of the emulation's time in which a command must have begun
_WAITING = ("AppMain", "Serve", "ReadByte", "UART_Handler", "Feed")
"""Functions of the device that waits for bytes, or takes them."""

_F = TypeVar("_F", bound=Callable[..., Any])
_materials = Materials()
_records: dict[str, Record] = {}


class Failure(AssertionError):
    """A keyword failed: the error's class and message, its details, and what to do."""

    ROBOT_SUPPRESS_NAME = True


def _keyword(function: _F) -> _F:
    """A keyword: its errors come out with all that tinyhil knows about them; what may be missing skips the test."""

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        try:
            return function(*args, **named)
        except TinyhilError as error:
            if not error.requirement or error.requirement in str(_variable("REQUIRE", "")).split(","):
                raise Failure(_words(error)) from error
            from robot.api import SkipExecution

            raise SkipExecution(f"{error.message} {error.next_step}") from error

    call.robot_name = None  # type: ignore[attr-defined]  # Robot's mark of a keyword, named as the method is
    return call  # type: ignore[return-value]


def _words(error: TinyhilError) -> str:
    head, *rest = ErrorInfo.of(error).lines()
    return "\n".join([f"{type(error).__name__}: {head.removeprefix('error: ')}", *rest])


def _variable(name: str, default: Any) -> Any:
    from robot.libraries.BuiltIn import BuiltIn

    value = BuiltIn().get_variable_value(f"${{{name}}}", default)
    return default if value in ("", None) else value


def _attachment() -> Attachment:
    """The variables PORT, WAIT, RESET, POWER and FLASH."""
    return Attachment.of({name: _variable(option.upper(), None) for name, option in OPTIONS.items()})


class _Rig(Protocol):
    """A started device, and what can be done to it from outside."""

    board: Board
    image: Image
    target: str

    @property
    def device(self) -> Device | TextDevice: ...

    def load(self, model: Model, arena_bytes: int | None) -> Loaded: ...
    def identity(self) -> dict[str, str]: ...
    def press_reset(self) -> bool: ...
    def reconnect(self) -> None: ...
    def write_memory(self, address: int, data: bytes) -> bool: ...
    def lose(self, every: int) -> None: ...
    def last_words(self) -> str: ...
    def post_mortem(self) -> dict[str, bytes]: ...
    def close(self) -> None: ...


class _Driven:
    """tinyhil drives the target."""

    def __init__(self, board: Board, target: str, image: Image) -> None:
        self.board, self.target, self.image = board, target, image
        self._channel: LossyChannel | None = None
        self._lose_every = 0
        self.device = Device.open(board, target, image, wrap=self._wrap, attachment=_attachment())

    def _wrap(self, channel: Channel) -> Channel:
        """A device that is restarted for another model has another channel."""
        self._channel = LossyChannel(channel)
        self._channel.lose_every = self._lose_every
        return self._channel

    def load(self, model: Model, arena_bytes: int | None) -> Loaded:
        return self.device.load(model, arena_bytes)

    def identity(self) -> dict[str, str]:
        return self.device.identity()

    def press_reset(self) -> bool:
        return self.device.press_reset()

    def reconnect(self) -> None:
        self.device.reconnect()

    def write_memory(self, address: int, data: bytes) -> bool:
        return self.device.write_memory(address, data)

    def lose(self, every: int) -> None:
        self._lose_every = every
        if self._channel is not None:
            self._channel.lose_every = every

    def last_words(self) -> str:
        return self.device.last_words()

    def post_mortem(self) -> dict[str, bytes]:
        return self.device.post_mortem()

    def close(self) -> None:
        self.device.close()


@functools.cache
def _warn_of_keyword_server() -> None:
    """Renode's server of keywords takes commands from whoever reaches it; said once, and not where nobody can."""
    from robot.api import logger

    if [name for _, name in socket.if_nameindex()] != ["lo"]:
        logger.warn(
            "Under renode-test, Renode takes keywords, and so commands, on a port of every network interface. "
            "robot/README.md says how to give it a network of its own."
        )


class _RenodeTest:
    """Renode's own keywords drive the machine and its UART."""

    def __init__(self, board: Board, image: Image) -> None:
        from tinyhil.target.renode import machine_commands, renode_spec, unit_source, version_in

        _warn_of_keyword_server()
        self.board, self.image, self.target = board, image, "renode"
        spec = renode_spec(board.running(image.firmware))
        self._lose_every = self._sent = 0
        self._allowance_s = float(_VIRTUAL_S)
        self._provided = ""
        self._files: list[Path] = []
        for command in machine_commands(spec, image.elf, "tinyhil"):
            self._execute(command)
        self._call("Create Terminal Tester", spec.uart, f"timeout={_VIRTUAL_S}", "endLineOption=TreatLineFeedAsEndLine")
        self._call("Start Emulation")
        self._wait_ready()
        self._version = version_in(str(self._execute("version")))
        self.device = TextDevice(
            board,
            image,
            self,
            instructions_per_tick=spec.instructions_per_tick,
            unit_source=unit_source(self._version),
            target_refusal=self._refusal,
        )

    @staticmethod
    def _call(name: str, *arguments: str) -> Any:
        from robot.libraries.BuiltIn import BuiltIn

        return BuiltIn().run_keyword(name, *arguments)

    def _execute(self, command: str) -> Any:
        return self._call("Execute Command", command)

    def _refusal(self, registers: Mapping[str, int]) -> TinyhilError | None:
        from tinyhil.target.renode import mve_refusal

        where = Symbols(self.image.elf).function_at(registers.get("pc", 0))
        return mve_refusal(self._version, self.board.name, self.image.elf, registers, where)

    def _next_line(self) -> str:
        try:
            found = self._call("Wait For Next Line On Uart", f"timeout={self._allowance_s:.1f}")
        except Exception as error:
            raise TargetHung(
                f"no line came from the device in {self._allowance_s:.1f} s of the emulation's time",
                next_step="Look at the UART's report below, and at the snapshot that renode-test saved.",
                details=str(error),
            ) from error
        line = found if isinstance(found, str) else found.get("line", found.get("Line", ""))
        return str(line).rstrip("\r\n")

    def _wait_ready(self) -> list[str]:
        lines: list[str] = []
        while (line := self._next_line()) != "m-ready":
            fault = line.rfind("hil fault ")  # behind a frame, and nothing follows
            lines.append(line[max(0, fault) :])
            if fault >= 0:
                break
        return lines

    def ask(self, line: str) -> list[str]:
        sent = "".join(self._kept(character) for character in line)
        self._call("Write Line To Uart", sent, "waitForEcho=False")
        return self._wait_ready()

    def _kept(self, character: str) -> str:
        self._sent += 1
        return "" if self._lose_every and self._sent % self._lose_every == 0 else character

    def load(self, model: Model, arena_bytes: int | None) -> Loaded:
        if self._provided != model.sha256 and self.image.slot is not None:
            self._provide(model)
        self._allowance_s = _VIRTUAL_S + _VIRTUAL_S_PER_MAC * model.macs
        return self.device.load(model, arena_bytes)

    def _provide(self, model: Model) -> None:
        import tempfile

        assert self.image.slot is not None
        with tempfile.NamedTemporaryFile(suffix=".slot") as file:
            file.write(slot_image(model.data))
            file.flush()
            self._execute(f"sysbus LoadBinary @{file.name} {self.image.slot.base:#x}")
        self._provided = model.sha256

    def identity(self) -> dict[str, str]:
        return {"name": "renode", "version": self._version}

    def press_reset(self) -> bool:
        self._execute("machine Reset")
        return True

    def reset_in_command(self, line: str) -> list[str]:
        """A command, a reset once the device executes it, and what the UART then says.

        The emulation goes on a millisecond at a time, until it was seen twice in a row in something else than the loop
        that waits for bytes.
        """
        symbols = Symbols(self.image.elf)
        self._execute("pause")
        self._call("Write Line To Uart", line, "waitForEcho=False")
        busy = 0
        for _ in range(_STEPS):
            self._execute('emulation RunFor "0.001"')
            function = symbols.function_at(int(str(self._execute("sysbus.cpu PC")).split()[0], 16))
            busy = 0 if any(waiting in function for waiting in _WAITING) else busy + 1
            if busy == 2:
                break
        self.press_reset()
        self._execute("start")
        return self._wait_ready()

    def reconnect(self) -> None:
        """A line is no session: there is nothing to open."""

    def write_memory(self, address: int, data: bytes) -> bool:
        for at, byte in enumerate(data, address):
            self._execute(f"sysbus WriteByte {at:#x} {byte:#x}")
        return True

    def lose(self, every: int) -> None:
        self._lose_every = every

    def last_words(self) -> str:
        return str(self._call("Get Terminal Tester Report"))

    def post_mortem(self) -> dict[str, bytes]:
        """Renode saves its own snapshot of a test that failed."""
        return {}

    def close(self) -> None:
        """The machine is renode-test's, which resets the emulation after each test."""


class DeviceLibrary:
    """Tests of machine-learning models on the microcontroller that will run them.

    A test starts a board, loads a model, runs its golden vectors and asserts what it wants of them:

    | *** Settings ***
    | Library    tinyhil.robot
    |
    | *** Test Cases ***
    | Model Computes The Same Numbers On The Device
    |     Start Device    mps2_an386
    |     Load Model    my_model.tflite
    |     Run Golden Vectors
    |     Outputs Should Match Golden
    |     Operator Checksums Should Match
    |     Instructions Should Not Exceed    2_000_000

    = Variables =

    Arguments that are left out are taken from variables, so that a suite runs on another board without a change:
    ``robot --variable BOARD:mps2_an385 --variable MODEL:my_model.tflite --variable TARGET:qemu suite.robot``.

    | ``${BOARD}``   | a board's name, as ``tinyhil boards`` lists them |
    | ``${MODEL}``   | a .tflite file, or the name of one of tinyhil's own models |
    | ``${TARGET}``  | qemu, renode, native, serial; where it is not given, the board's first |
    | ``${FIRMWARE}`` | bare_metal or zephyr; where it is not given, the board's first |
    | ``${PORT}``    | target serial: path, VID:PID, serial number or URL of the board's port |
    | ``${WAIT}``    | target serial: seconds to wait for a board that is in use |
    | ``${RESET}``, ``${POWER}`` | target serial: shell commands that reset the board, and switch it off and on |
    | ``${FLASH}``   | target serial: the tool to flash with |
    | ``${ENGINE}``, ``${KERNELS}`` | builtin or tflm, reference or cmsis_nn; builtin and reference where not given |
    | ``${VECTORS}`` | run only so many of the golden vectors |
    | ``${REQUIRE}`` | fail, and do not skip, where these are missing: oracle, tflm, cmsis_nn, zephyr, with commas |

    Under renode-test ``${TARGET}`` is not looked at: Renode's own keywords drive the board.

    = Life of a device =

    A device that a test started is stopped when the test ends; one that a suite setup started, when the suite ends.

    = Results =

    Each `Run Golden Vectors` leaves a record in ``tinyhil/matrix.json`` and ``tinyhil/matrix.xml`` (JUnit) in the
    output folder, as ``tinyhil matrix`` does, and a difference leaves its failure bundle in ``tinyhil/failures/``.
    """

    ROBOT_LIBRARY_SCOPE = "SUITE"
    ROBOT_LIBRARY_VERSION = __version__
    ROBOT_LISTENER_API_VERSION = 3
    ROBOT_AUTO_KEYWORDS = False

    def __init__(self) -> None:
        self.ROBOT_LIBRARY_LISTENER = self
        self._rig: _Driven | _RenodeTest | None = None
        self._of_test = False
        self._in_test = False
        self._model: Model | None = None
        self._loaded: Loaded | None = None
        self._golden: GoldenSet | None = None
        self._tally: Tally | None = None
        self._diagnosis: Diagnosis | None = None

    # Robot tells when tests and suites begin and end.
    def start_test(self, data: Any, result: Any) -> None:
        self._in_test = True

    def end_test(self, data: Any, result: Any) -> None:
        self._in_test = False
        if self._of_test:
            self._close()

    def end_suite(self, data: Any, result: Any) -> None:
        self._close()

    def close(self) -> None:
        self._close()

    def _close(self) -> None:
        rig, self._rig = self._rig, None
        self._model = self._loaded = self._golden = self._tally = None
        if rig is not None:
            rig.close()

    @property
    def _started(self) -> _Driven | _RenodeTest:
        if self._rig is None:
            raise TargetError("no device is started", next_step="Call Start Device first.")
        return self._rig

    @property
    def _held(self) -> Model:
        if self._model is None:
            raise TargetError("no model is loaded", next_step="Call Load Model first.")
        return self._model

    @property
    def _run(self) -> Tally:
        if self._tally is None:
            raise TargetError("no golden vectors were run", next_step="Call Run Golden Vectors first.")
        return self._tally

    # Keywords ------------------------------------------------------------------------------------------------------
    @_keyword
    def start_device(
        self,
        board: str = "",
        target: str = "",
        engine: str = "",
        kernels: str = "",
        firmware: str = "",
        extra_sources: str = "",
    ) -> dict[str, str]:
        """Builds the board's firmware, starts the board with it, and makes sure that it is the one that answers.

        Returns what the device says of itself, as `Get Device Info` does. A device that still runs is stopped first.

        ``engine`` (builtin, tflm) and ``kernels`` (reference, cmsis_nn) are ``${ENGINE}`` and ``${KERNELS}`` where they
        are not given. Where the sources of TFLite Micro or CMSIS-NN are not there the test is skipped (unless
        ``${REQUIRE}`` has ``tflm`` or ``cmsis_nn``).

        ``extra_sources`` (``${EXTRA_SOURCES}``) are C++ files with custom operators of your own, with commas.

        Fails where the board is unknown or has no such target, an emulator is missing, or the device does not answer.
        """
        self._close()
        name = board or _variable("BOARD", "")
        if not name:
            raise UnknownBoard(
                "no board is given", next_step="Give Start Device a board, or robot --variable BOARD:NAME."
            )
        spec = _materials.board(name)
        chosen = firmware or _variable("FIRMWARE", "") or default_firmware(spec)
        engine = engine or _variable("ENGINE", "builtin")
        kernels = kernels or _variable("KERNELS", "reference")
        known = {"engine": (engine, ENGINES), "kernels": (kernels, KERNELS), "firmware": (chosen, FIRMWARES)}
        for what, (given, names) in known.items():
            if given not in names:
                raise BuildFailed(f"there is no {what} {given!r}", next_step=f"There is {' and '.join(names)}.")
        sources = (extra_sources or _variable("EXTRA_SOURCES", "")).split(",")
        paths = tuple(Path(source.strip()) for source in sources if source.strip())
        image = _materials.image(name, engine, kernels, chosen, extra_sources=paths)
        if _renode_keywords():
            self._rig = _RenodeTest(spec, image)
        else:
            self._rig = _Driven(spec, target or _variable("TARGET", "") or default_target(spec), image)
        self._of_test = self._in_test
        return dict(self._rig.device.info)

    @_keyword
    def load_model(self, model: str = "", arena_bytes: int | None = None) -> dict[str, Any]:
        """Puts the model into the device's model slot and loads it. ``arena_bytes`` bounds its arena.

        Returns ``arena_used``, ``arena_bytes`` and ``operators`` (their names, in execution order).

        Fails where the file is no model, an operator is not supported, or slot or arena are too small.
        """
        rig = self._started
        self._tally = None
        self._model = found = _materials.model(find_model(model or _variable("MODEL", "")))
        self._loaded = rig.load(found, arena_bytes)
        return {
            "arena_used": self._loaded.arena_used,
            "arena_bytes": self._loaded.arena_bytes,
            "operators": list(self._loaded.op_names),
        }

    @_keyword
    def run_golden_vectors(self, vectors: int | None = None) -> int:
        """Runs the model's golden vectors on the device: the stored set, or one that the oracle makes now.

        ``vectors`` runs only so many of them. Returns how many were run. A difference does not fail this keyword but
        those that assert: `Outputs Should Match Golden` and `Operator Checksums Should Match`.

        Skips the test where there is no stored set and no oracle (unless ``${REQUIRE}`` has ``oracle``).
        """
        from tinyhil.diagnose import attempt
        from tinyhil.verdict import run_golden

        rig, model = self._started, self._held
        limit = vectors if vectors is not None else _variable("VECTORS", None)
        plan = Plan(vectors=int(limit) if limit is not None else None)
        golden = self._golden = _materials.golden(model.path, plan)
        record = self._record(rig, model, golden, plan)
        began = time.monotonic()
        try:
            self._tally = run_golden(rig.device, golden)
            record.figures.update(device_figures(rig.device, self._tally))
            record.operators = operator_results(rig.device, model, self._tally.op_units)
            conclude(record, self._tally, golden)
            if self._tally.difference is not None:
                record.diagnosis = attempt(rig.device, model, golden, self._tally.difference)
            self._diagnosis = record.diagnosis
        except TinyhilError as error:
            record.error = ErrorInfo.of(error)
            raise
        finally:
            record.timings["run"] = time.monotonic() - began
            failed = record.verdict != "pass"
            log, files = (rig.last_words(), rig.post_mortem()) if failed else ("", {})
            _keep(Outcome(record, Evidence(model, golden, self._tally, log, files)))
        return len(golden.kinds)

    def _record(self, rig: _Driven | _RenodeTest, model: Model, golden: GoldenSet, plan: Plan) -> Record:
        image = rig.image
        cell = Cell(rig.board.name, rig.target, model.path, image.engine, image.kernels, firmware=image.firmware)
        return Record(
            cell=cell,
            identity=Identity(
                tinyhil=__version__,
                host=host(),
                model=model_identity(model),
                image=image_identity(rig.image),
                target=rig.identity(),
                golden=provenance(golden),
            ),
            command=run_command_line(cell, plan),
            started_at=now(),
            figures=image_figures(rig.image, model),
        )

    @_keyword
    def outputs_should_match_golden(self) -> None:
        """Every output of every vector was what the oracle computes, bit for bit.

        Fails with the first element that differs, and the first operator that computed something else.
        """
        from tinyhil.verdict import mismatch

        tally = self._run
        assert self._golden is not None
        if tally.difference is not None and tally.difference.output is not None:
            raise mismatch(tally.difference, len(self._golden.kinds), self._diagnosis)

    @_keyword
    def operator_checksums_should_match(self) -> None:
        """Every operator of every vector read and wrote what it read and wrote in the oracle.

        Finds what an output hides: an operator whose wrong numbers later ones happen to round away.
        """
        from tinyhil.verdict import mismatch_details

        difference = self._run.difference
        assert self._golden is not None
        if difference is not None and difference.operator is not None:
            raise OutputMismatch(
                f"operator {difference.operator_line()}",
                details="\n".join(mismatch_details(difference, len(self._golden.kinds), self._diagnosis)),
            )

    @_keyword
    def arena_should_fit(self, max_bytes: int | None = None) -> int:
        """The loaded model uses at most ``max_bytes`` of arena, or what the board has. Returns the bytes it uses."""
        memory = self._memory()
        limit = memory.arena_bytes if max_bytes is None else max_bytes
        _within(ArenaOverflow, "arena", memory.arena_used, limit, self._started.board.name)
        return memory.arena_used

    @_keyword
    def stack_should_fit(self, max_bytes: int | None = None) -> int:
        """The stack's peak so far is at most ``max_bytes``, or what is reserved. Returns the peak in bytes.

        Returns 0 where the target does not measure its stack.
        """
        memory = self._memory()
        limit = memory.stack_bytes if max_bytes is None else max_bytes
        _within(DoesNotFit, "stack", memory.stack_peak, limit, self._started.board.name)
        return memory.stack_peak

    @_keyword
    def flash_should_not_exceed(self, max_bytes: int) -> int:
        """Image and model together take at most ``max_bytes`` of flash. Returns the bytes they take.

        Skips the test on a target whose image is a program of this computer.
        """
        rig = self._started
        if not rig.image.flash_bytes:
            raise _skip(f"target {rig.target} has no flash")
        used = rig.image.flash_bytes + len(self._held.data)
        _within(FlashOverflow, "flash", used, max_bytes, rig.board.name)
        return used

    @_keyword
    def instructions_should_not_exceed(self, limit: int) -> int:
        """An inference takes at most ``limit`` instructions. Returns how many it took.

        Skips the test on a target that does not count instructions.
        """
        rig, tally = self._started, self._run
        if tally.units is None or rig.device.unit != "instructions":
            raise _skip(f"target {rig.target} does not count instructions")
        if tally.units > limit:
            raise Failure(
                f"An inference of {self._held.name} takes {tally.units:,} instructions on {rig.board.name}: "
                f"{tally.units - limit:,} more than the {limit:,} allowed."
            )
        return tally.units

    @_keyword
    def get_device_info(self) -> dict[str, str]:
        """What the device says of itself: board, build, engine, kernels, compiler, arena_bytes, slot_bytes, ..."""
        return dict(self._started.device.info)

    @_keyword
    def get_figures(self) -> dict[str, int | float]:
        """What the last `Run Golden Vectors` measured: inference, arena_used, stack_peak, flash, ... by name."""
        rig, tally, model = self._started, self._run, self._held
        figures: dict[str, Figure] = {**image_figures(rig.image, model), **device_figures(rig.device, tally)}
        return {name: figure.value for name, figure in figures.items()}

    @_keyword
    def stop_device(self) -> None:
        """Stops the device. Not needed at the end of a test: Robot tells the library."""
        self._close()

    # Protocol and bad input ----------------------------------------------------------------------------------------
    @_keyword
    def send_text_command(self, command: str) -> list[str]:
        """Sends a command of the text language with its checksum, and returns the lines of the answer.

        ``hil`` may be left out: ``Send Text Command    mem``. Fails where a line of the answer has a wrong checksum.
        """
        line = text.checked(f"hil {command.removeprefix('hil ')}")
        lines = self._started.device.text_command(line)
        damaged = [each for each in lines if text.parse(each) is None]
        if damaged:
            raise Failure(f"The answer to {line!r} has a line without a right checksum: {damaged[0]!r}")
        return lines

    @_keyword
    def send_line(self, line: str) -> list[str]:
        """Sends a line exactly as it is, right or wrong, and returns the lines that the device answers."""
        return self._started.device.text_command(line)

    @_keyword
    def line_should_be_refused(self, line: str, status: str) -> str:
        """The device refuses a line, sent exactly as it is, with the status named (as in firmware/link/README.md).

        Returns the device's own words.
        """
        lines = self._started.device.text_command(line)
        reply = text.parse(lines[0]) if lines else None
        if reply is None or reply.about != "error":
            raise Failure(f"{line!r} was not refused, but answered: {lines}")
        got = int(reply.values["code"])
        if got != Status[status]:
            named = Status(got).name if got in set(Status) else str(got)
            raise Failure(f"{line!r} was refused with {named}, not with {status}: {reply.text}")
        return reply.values.get("detail", "")

    @_keyword
    def input_should_be_refused(self, shape: str, type: str = "int8") -> str:
        """An input of that shape (``1x8x8x1``) and type is refused before anything is sent. Returns the refusal."""
        array = np.zeros([int(length) for length in shape.split("x")], np.dtype(type))
        try:
            self._started.device.run([array])
        except BadInput as error:
            return error.message
        raise Failure(f"An input of shape {shape} and type {type} was not refused")

    @_keyword
    def loading_should_be_refused(self, reason: str, model: str = "", arena_bytes: int | None = None) -> str:
        """`Load Model` fails, with ``reason`` in the refusal: an error's class, a status, some words. Returns it."""
        try:
            self.load_model.__wrapped__(self, model, arena_bytes)  # type: ignore[attr-defined]
        except TinyhilError as error:
            words = _words(error)
            if reason in words:
                return words
            raise Failure(f"Loading was refused, but not for {reason!r}:\n{words}") from error
        raise Failure(f"Loading was not refused with {reason!r}")

    # Faults on purpose ---------------------------------------------------------------------------------------------
    @_keyword
    def reset_device_during_inference(self) -> None:
        """Starts an inference, resets the board from outside before it is done, and waits until the board is back.

        No model is loaded then. Fails where the restart goes unnoticed; skips the test on a target that cannot reset.
        """
        rig, model = self._started, self._held
        golden = _materials.golden(model.path, Plan(vectors=1))
        inputs = [array[0] for array in golden.inputs]
        self._tally = None
        if isinstance(rig, _RenodeTest):
            rig.device.run(inputs)  # writes the input
            lines = rig.reset_in_command(text.checked("hil run " + " ".join("?" for _ in inputs)))
            if "m-init-done" not in lines:
                raise Failure(f"The board did not restart in the middle of an inference: {lines}")
            return
        began = time.monotonic()
        rig.device.run(inputs, checksums=True, profile=True)
        took_s = time.monotonic() - began
        for attempt in range(_RESTARTS):
            pressed = _Later(took_s * (0.6 - 0.5 * attempt / _RESTARTS), rig.press_reset)
            try:
                rig.device.run(inputs, checksums=True, profile=True)
            except DeviceRestarted:
                pressed.done()
                rig.reconnect()
                return
            if not pressed.done():
                raise _skip(f"target {rig.target} cannot reset its board from outside")
            rig.reconnect()
            rig.load(model, None)
        raise Failure(f"In {_RESTARTS} tries no reset came before the inference was done")

    @_keyword
    def flip_model_bit(self, byte: int = 100, bit: int = 0) -> None:
        """Flips a bit of the model where it lies in the device's flash, unnoticed by the device.

        Skips the test on a target that cannot write memory from outside.
        """
        rig, model = self._started, self._held
        slot = rig.image.slot
        flipped = bytes([model.data[byte] ^ 1 << bit])
        if slot is None or not rig.write_memory(slot.base + HEADER_BYTES + byte, flipped):
            raise _skip(f"target {rig.target} cannot change the device's memory from outside")

    @_keyword
    def lose_uart_bytes(self, every: int) -> None:
        """From now on the UART loses each so many-th byte; 0: none any more.

        Under renode-test only what is sent to the device, for there the other way is Renode's.
        """
        self._started.lose(every)

    def _memory(self) -> Memory:
        return self._started.device.memory()


robot = DeviceLibrary
"""By this name Robot finds the library in `Library  tinyhil.robot`."""


class _Later:
    """Does something after a while, in another thread."""

    def __init__(self, seconds: float, what: Callable[[], bool]) -> None:
        self._what = what
        self._result = False
        self._timer = threading.Timer(seconds, self._act)
        self._timer.start()

    def _act(self) -> None:
        self._result = self._what()

    def done(self) -> bool:
        """Waits for it; what it returned."""
        self._timer.join()
        return self._result


def find_model(name: str) -> Path:
    """The file that a name stands for: a path, or one of tinyhil's own models. Raises BadInput."""
    from tinyhil.matrix import own_models

    if not name:
        raise BadInput("no model is given", next_step="Give Load Model a file, or robot --variable MODEL:FILE.tflite.")
    path = Path(name)
    if path.is_file():
        return path.resolve()
    own = {model.stem: model for model in own_models()}
    if name in own:
        return own[name]
    raise BadInput(
        f"{name} is neither a file nor one of tinyhil's own models ({', '.join(own)})",
        next_step="Give the path of a .tflite file.",
    )


def _renode_keywords() -> bool:
    """Whether Renode's keywords are there: renode-test says so by this variable."""
    return _variable("RENODEKEYWORDS", None) is not None


def _skip(reason: str) -> Exception:
    from robot.api import SkipExecution

    skipped: Exception = SkipExecution(reason)
    return skipped


def _within(kind: type[DoesNotFit], what: str, used: int, limit: int, board: str) -> None:
    if used > limit:
        raise kind(
            f"{what} on {board}: {used:,} bytes are used, {limit:,} are allowed, {used - limit:,} too many",
            needed_bytes=used,
            available_bytes=limit,
            next_step="Make the model smaller, or allow it more.",
        )


def _keep(outcome: Outcome) -> None:
    """Writes the record beside those of this run of Robot, and the bundle of one that did not pass."""
    from tinyhil.matrix import MatrixResult, write_bundle, write_reports

    out = Path(str(_variable("RESULTS_DIRECTORY", "") or _variable("OUTPUT DIR", "."))) / "tinyhil"
    record = outcome.record
    known = _records.get(record.cell.slug)
    if known is not None and _weight(known) > _weight(record):
        return
    record.bundle = write_bundle(out, outcome)
    _records[record.cell.slug] = record
    result = MatrixResult(list(_records.values()), len(_records))
    result.elapsed_s = sum(sum(each.timings.values()) for each in result.records)
    write_reports(out, result)


def _weight(record: Record) -> tuple[int, int]:
    """Of the runs of one cell the worst stays, and of those that passed the one with most vectors."""
    return (("skip", "pass", "fail", "error").index(record.verdict), sum(record.vectors.values()))


__all__ = ["DeviceLibrary", "Failure", "find_model", "robot"]

# SPDX-License-Identifier: Apache-2.0
"""A device under test: a board running an image on some target, with a model to be fed and read.

    with Device.open(board, "qemu", image, model) as device:
        device.load(model)
        result = device.run([vector])

Whatever goes wrong is one of tinyhil.errors: what the device refused, with the number that is missing; or what happened
to the device, the emulator or the link.
"""

from __future__ import annotations

import contextlib
import weakref
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyhil.errors import (
    ArenaOverflow,
    BadInput,
    DeviceFault,
    DeviceRefused,
    DeviceRestarted,
    LinkBroken,
    MalformedModel,
    NotTflite,
    SilentDevice,
    SlotOverflow,
    TargetDied,
    TargetError,
    TargetHung,
    TinyhilError,
    UnsupportedOperator,
    WrongDevice,
)
from tinyhil.fault import likely_cause
from tinyhil.link.client import Fault, Link, NoAnswer, ProtocolError, Refused, Watch
from tinyhil.link.commands import Commands, LoadReply, Memory, Moment, OpPath, RunReply, TensorReply
from tinyhil.link.protocol import PROTOCOL_VERSION, Run, Status
from tinyhil.record import ArenaTensor
from tinyhil.slot import HEADER_BYTES, slot_image
from tinyhil.target import make_target

if TYPE_CHECKING:
    from tinyhil.attachment import Attachment
    from tinyhil.board import Board
    from tinyhil.build import Image
    from tinyhil.link.channel import Channel
    from tinyhil.model import Model
    from tinyhil.model.graph import Tensor
    from tinyhil.target import Target

PATIENCE_S = 10.0
"""How long a device may take over anything but an inference, in the emulator's own processor time."""

_ALLOWANCE_S_PER_MAC = 4e-6  # 40 times what a Cortex-M0 needs in an emulator of 100 million instructions a second
_GUESS_S_PER_MAC = 1e-7
_GUESS_S_PER_MODEL_BYTE = 1e-6
_WORK_PER_ELEMENT = 4
_RESTARTS = 3  # that the transfer of a model outlives
_ANSWERS_AGAIN = "it answers again"

Wrap = Callable[["Channel"], "Channel"]

__all__ = ["PATIENCE_S", "Device", "Loaded", "Memory", "OpPath", "RunResult", "StoppedRun"]


@dataclass(frozen=True)
class Loaded:
    """A model as the device holds it. Sizes in bytes."""

    arena_used: int
    arena_bytes: int
    op_names: list[str]
    inputs: list[TensorReply]
    outputs: list[TensorReply]


@dataclass(frozen=True)
class RunResult:
    """One inference. Lists have an entry an operator, in execution order.

    outputs: an array an output, in the model's shape and type.
    units: what the inference alone cost, in the device's unit; None where it is not counted, or checksums or profile
        would distort it.
    op_reads, op_writes: CRC-32 over what each operator read (constants left out) and wrote; None where not asked for.
    op_units: what each operator cost; None where not asked for or not counted.
    """

    outputs: list[NDArray[Any]]
    units: int | None
    op_reads: list[int] | None = None
    op_writes: list[int] | None = None
    op_units: list[int] | None = None


OPEN_DEVICES: weakref.WeakSet[Device] = weakref.WeakSet()
"""All that was started and not closed in this process."""


class Device:
    """Made by `open`. Used by one thread; `close` alone may be called from any."""

    def __init__(
        self,
        board: Board,
        image: Image,
        make: Callable[[bytes | None], Target],
        *,
        patience_s: float | None = None,
        wrap: Wrap | None = None,
    ) -> None:
        """make: a target, not yet started, with the given bytes in its model slot. patience_s, wrap: see `open`."""
        self.board = board
        self.image = image
        self.info: dict[str, str] = {}
        self._make = make
        self._wrap: Wrap = wrap or (lambda channel: channel)
        self._asked_patience_s = patience_s
        self._patience_s = PATIENCE_S if patience_s is None else patience_s
        self._op_names: list[str] = []
        self._benchmark = ""
        self._closed = False
        self._model: Model | None = None  # loaded
        self._provided: str | None = None  # sha256 of the model in the slot

    @classmethod
    def open(
        cls,
        board: Board,
        target_name: str,
        image: Image,
        model: Model | None = None,
        *,
        patience_s: float | None = None,
        wrap: Wrap | None = None,
        attachment: Attachment | None = None,
        benchmark: str = "",
    ) -> Device:
        """Starts the board with the image, and with the model (if one is given) in its slot.

        patience_s: how long the device may take over anything but an inference; None: what its target allows.
        attachment: how a real board hangs on this computer.
        benchmark: which of MLPerf Tiny's (tinyhil.slot.BENCHMARKS) the models stand for.
        wrap: makes of the channel to the device another one: LossyChannel, a recorder.

        Raises UnknownBoard (no such target), SlotOverflow, MissingTool, and what TargetError stands for.
        """
        device = cls(
            board,
            image,
            lambda slot: make_target(target_name, board, image, slot, attachment),
            patience_s=patience_s,
            wrap=wrap,
        )
        device._benchmark = benchmark
        device.start(model)
        return device

    def start(self, model: Model | None = None) -> None:
        """Starts the target, opens a session, and makes sure that it is the board and image that were meant."""
        OPEN_DEVICES.add(self)
        slot = None
        if model is not None and self.image.slot is not None:
            slot = self._slot_image(model)
        self._target = self._make(slot)
        if self._asked_patience_s is None:
            self._patience_s = self._target.patience_s
        self._provided = None
        self._model = None
        try:
            self._connect(self._wrap(self._target.start()))
            if slot is not None and model is not None and self._target.slot_in_place:
                self._provided = model.sha256
            if self._closed:
                raise TargetError("the device was closed while it started")
        except BaseException:
            self._target.stop()
            raise

    def _connect(self, channel: Channel) -> None:
        self._channel = channel
        self._link = Link(
            channel,
            window=self._target.window,
            allowance=self._target.allowance,
            line_bytes_per_s=self._target.line_bytes_per_s,
            restarted=self._target.restarted,
        )
        self._commands = Commands(self._link, allowance_s=self._patience_s, write_memory=self._target.write_memory)
        with self._errors():
            self._link.open(self._patience_s)
            self.info = self._commands.info()
        got = (self.info.get("protocol"), self.info.get("board"), self.info.get("build"))
        want = (str(PROTOCOL_VERSION), self.board.name, self.image.build_id)
        if got != want:
            raise WrongDevice(
                f"the device says: protocol {got[0]}, board {got[1]}, build {got[2]}; "
                f"meant was protocol {want[0]}, board {want[1]}, build {want[2]}",
                next_step="Flash the image of this build onto the board that is meant, or choose the one attached.",
            )

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the target. A call that waits in another thread raises TargetError."""
        self._closed = True
        OPEN_DEVICES.discard(self)
        self._target.stop()

    # What runs it -------------------------------------------------------------------------------------------------
    @property
    def unit(self) -> str:
        """What counts are in: "instructions", "cycles", or "" where nothing is counted."""
        return self._target.unit

    @property
    def unit_source(self) -> str:
        return self._target.unit_source

    def identity(self) -> dict[str, str]:
        """Name and version of what runs the device."""
        return self._target.identity()

    def last_words(self) -> str:
        """The last that the emulator wrote to its error output and the device to its UART outside frames."""
        return "\n".join(text for text in (self._target.last_words(), self._link.text.rstrip()) if text)

    def post_mortem(self) -> dict[str, bytes]:
        """Files that say in which state the device is (registers, a snapshot), by name; it may not go on afterwards."""
        return self._target.post_mortem()

    # The model ----------------------------------------------------------------------------------------------------
    def load(self, model: Model, arena_bytes: int | None = None) -> Loaded:
        """Loads the model, into an arena of at most `arena_bytes` (None: all the RAM there is).

        A model that the device does not hold yet goes into its slot first: over the link, or by a restart.

        Raises SlotOverflow, ArenaOverflow, UnsupportedOperator, NotTflite, MalformedModel, WrongDevice.
        """
        self._provide(model)
        self._model = None
        with self._errors():
            reply = self._commands.load(arena_bytes or 0, _GUESS_S_PER_MODEL_BYTE * len(model.data))
            self._check_model(model, reply)
            inputs, outputs, names = self._commands.describe(reply)
        self._check_tensors("input", inputs, model.input_tensors)
        self._check_tensors("output", outputs, model.output_tensors)
        self._model = model
        self._op_names = names
        return Loaded(reply.arena_used, reply.arena_bytes, names, inputs, outputs)

    def _provide(self, model: Model) -> None:
        if self.image.slot is None or self._provided == model.sha256:
            return
        image = self._slot_image(model)
        writable = self.info.get("slot_writable") == "1"
        self._provided = None
        if writable and self._target.write_memory is not None:
            provided = self._target.write_memory(self.image.slot.base, image)
        elif writable:
            self._write_slot(image)
            provided = True
        elif self._target.fill_slot(image):
            self.reconnect()
            provided = True
        else:
            provided = False
        if not provided:
            self._target.check(answered=True)
            self._target.stop()
            self.start(model)
        self._provided = model.sha256

    def _write_slot(self, image: bytes) -> None:
        """Over the link. A device that restarts meanwhile gets the rest, where it still has what came before."""
        start = 0
        for attempt in range(_RESTARTS + 1):
            try:
                with self._errors():
                    self._commands.write_slot(image, start)
                return
            except DeviceRestarted:
                if attempt == _RESTARTS:
                    raise
            held = self._commands.slot_written
            self.reconnect()
            with self._errors():
                start = held if self._commands.slot_holds(image[:held]) else 0

    def _slot_image(self, model: Model) -> bytes:
        assert self.image.slot is not None
        available = self.image.slot.bytes - HEADER_BYTES
        if len(model.data) > available:
            raise SlotOverflow(
                f"{model.name} has {len(model.data):,} bytes; the model slot of {self.board.name} holds {available:,}: "
                f"{len(model.data) - available:,} too many",
                needed_bytes=len(model.data),
                available_bytes=available,
                next_step="Choose a board with a larger slot, or a smaller model.",
            )
        return slot_image(model.data, self._benchmark)

    def _check_model(self, model: Model, reply: LoadReply) -> None:
        if (reply.model_bytes, reply.model_crc) != (len(model.data), zlib.crc32(model.data)):
            raise WrongDevice(
                f"the device holds another model than {model.name}: {reply.model_bytes:,} bytes with CRC-32 "
                f"{reply.model_crc:08x}",
                next_step="Build the image anew with this model, or use an image with a model slot.",
            )

    def _check_tensors(self, what: str, got: Sequence[TensorReply], want: Sequence[Any]) -> None:
        theirs = [(tensor.type, tensor.shape, tensor.bytes) for tensor in got]
        ours = [(tensor.type, tensor.shape, tensor.bytes) for tensor in want]
        if theirs != ours:
            raise WrongDevice(f"the device has {what}s {theirs}, the model has {ours}")

    def run(
        self,
        inputs: Sequence[NDArray[Any]],
        *,
        checksums: bool = False,
        profile: bool = False,
        keep_state: bool = False,
    ) -> RunResult:
        """One inference of the loaded model.

        inputs: an array an input, exactly in the model's shape and type. keep_state: variables are as the inference
        before left them, and not as after `load`.

        Raises BadInput before anything is sent; ArenaOverflow where there is no room for checksums or profile.
        """
        model = self._model
        if model is None:
            raise TargetError("no model is loaded", next_step="Call load(model) before run().")
        data = input_bytes(model, inputs)
        asked = Run(0)
        if checksums:
            asked |= Run.CHECKSUMS
        if profile:
            asked |= Run.PROFILE
        if keep_state:
            asked |= Run.KEEP_STATE
        reply = self._run(model, data, asked)
        outputs = [
            np.frombuffer(raw, tensor.dtype).reshape(tensor.shape)
            for raw, tensor in zip(reply.outputs, model.output_tensors, strict=True)
        ]
        return RunResult(
            outputs=outputs,
            units=None if reply.milliticks is None else self._target.to_units(reply.milliticks),
            op_reads=reply.op_reads,
            op_writes=reply.op_writes,
            op_units=self._op_units(reply.op_milliticks),
        )

    def _run(self, model: Model, data: list[bytes], asked: Run) -> RunReply:
        """Where the target says how long an operator may take, the device tells of each as it begins.

        But not in an inference whose cost counts: nothing else runs in that. If it does not end in the time that all
        operators together may take, it runs again, watched, so that the error can say which one hangs.
        """
        allowances_s = [self._target.op_allowance_s(work) for work in operator_work(model)]
        known_s = [allowance_s for allowance_s in allowances_s if allowance_s is not None]
        watched = bool(known_s) and len(known_s) == len(self._op_names)
        if watched and asked & (Run.CHECKSUMS | Run.PROFILE):
            return self._run_watched(data, asked, known_s)
        try:
            with self._errors():
                return self._commands.run(
                    data,
                    asked,
                    allowance_s=self._patience_s + _ALLOWANCE_S_PER_MAC * model.macs,
                    guess_s=_GUESS_S_PER_MAC * model.macs,
                    watch=Watch((), sum(known_s)) if watched else None,
                )
        except TargetHung as hung:
            if watched and _ANSWERS_AGAIN in hung.details:
                self.load(model)
                self._run_watched(data, asked, known_s)
            raise

    def _run_watched(self, data: list[bytes], asked: Run, allowances_s: list[float]) -> RunReply:
        watch = Watch(allowances_s, self._patience_s)
        with self._errors(watch):
            return self._commands.run(
                data, asked | Run.PROGRESS, allowance_s=0, guess_s=self._patience_s / 4, watch=watch
            )

    def _op_units(self, milliticks: list[int] | None) -> list[int] | None:
        if milliticks is None:
            return None
        units = [self._target.to_units(count) for count in milliticks]
        return [unit for unit in units if unit is not None] if None not in units else None

    @property
    def model(self) -> Model | None:
        """The loaded model."""
        return self._model

    @contextlib.contextmanager
    def run_until(self, inputs: Sequence[NDArray[Any]], op: int) -> Iterator[StoppedRun]:
        """One inference that waits before operator `op`, for whoever wants to look at its tensors or change them.

        On leaving the block the inference goes on to its end.
        """
        model = self._model
        if model is None:
            raise TargetError("no model is loaded", next_step="Call load(model) before run_until().")
        allowance_s = self._patience_s + _ALLOWANCE_S_PER_MAC * model.macs
        data = input_bytes(model, inputs)
        with self._errors():
            at = self._commands.run_until(data, Moment(op), allowance_s=allowance_s)
        run = StoppedRun(self._commands, model, allowance_s, at, self._errors)
        yield run
        run.go_on(len(model.operators))

    def arena_map(self) -> list[ArenaTensor]:
        """Where the loaded model's tensors lie in the arena and during which operators, in the order of the model."""
        model = self._model
        if model is None:
            raise TargetError("no model is loaded", next_step="Call load(model) before arena_map().")
        asked: dict[int, tuple[int, bool, int]] = {}
        first = dict.fromkeys(model.inputs, -1)
        last = dict.fromkeys(model.outputs, len(model.operators))
        for op in model.operators:
            for wrote, tensors in ((False, model.reads(op)), (True, model.writes(op))):
                for k, tensor in enumerate(tensors):
                    asked.setdefault(tensor.index, (op.index, wrote, k))
                    first.setdefault(tensor.index, op.index)
                    last[tensor.index] = max(op.index, last.get(tensor.index, op.index))
        with self._errors():
            places = dict(zip(asked, self._commands.op_tensors(list(asked.values())), strict=True))
        base = min((place.address for place in places.values()), default=0)
        return [
            ArenaTensor(index, model.tensors[index].name, place.address - base, place.bytes, first[index], last[index])
            for index, place in sorted(places.items())
        ]

    def memory(self) -> Memory:
        """What is used of arena and stack, in bytes."""
        with self._errors():
            return self._commands.memory()

    def set_up_units(self) -> int | None:
        """What reading, checking and planning the loaded model cost, in `unit`; None where it is not counted."""
        milliticks = self.memory().set_up_milliticks
        return self._target.to_units(milliticks) if milliticks else None

    def op_paths(self) -> list[OpPath]:
        """Whose kernel computes each operator of the loaded model, in execution order."""
        with self._errors():
            return self._commands.op_paths()

    def reset(self) -> None:
        """Restarts the device; it has its slot, and no model is loaded."""
        with self._errors():
            self._model = None
            self._commands.reset()
            self._link.open(self._patience_s)

    def press_reset(self) -> bool:
        """Resets the board from outside, in whatever it does; False where its target cannot.

        May be called from any thread. Whoever uses the device then gets DeviceRestarted, and goes on with `reconnect`.
        """
        return self._target.press_reset()

    def reconnect(self) -> None:
        """Opens a session with a device that restarted; no model is loaded."""
        with self._errors():
            self._model = None
            self._link.leave()
            self._link.open(self._patience_s)

    def write_memory(self, address: int, data: bytes) -> bool:
        """Puts bytes into the device's memory from outside, unnoticed by it; False where its target cannot."""
        write = self._target.write_memory
        return write is not None and write(address, data)

    def hand_over(self) -> Channel:
        """The line itself, for a program that speaks the text language. Nothing else of the device may be used then."""
        self._model = None
        return self._channel

    def text_command(self, line: str) -> list[str]:
        """A line of the text language as it is; the lines that answer it. firmware/link/README.md has the commands."""
        with self._errors():
            return self._link.text_command(line, self._patience_s)

    # What goes wrong ----------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def _errors(self, watch: Watch | None = None) -> Iterator[None]:
        """Turns what the link raises into what it means for whoever uses the device."""
        try:
            yield
        except Refused as refused:
            raise refusal(self.board, refused) from refused
        except Fault as fault:
            raise self._fault(fault) from fault
        except NoAnswer as silence:
            raise self._silence(silence, watch) from silence
        except EOFError as end:
            raise self._end() from end
        except ProtocolError as error:
            raise LinkBroken(f"the device gave an answer that makes no sense: {error}") from error

    def _end(self) -> TinyhilError:
        if self._closed:
            return TargetError("the device was closed while it was used")
        try:
            self._target.check(answered=self._link.heard, ended=True)
        except TargetError as error:
            return error
        return TargetDied("the connection to the device ended", details=self.last_words())

    def _silence(self, silence: NoAnswer, watch: Watch | None = None) -> TinyhilError:
        try:
            self._target.check(answered=self._link.heard)
        except TargetError as error:
            return error
        asked = f"{silence.request.name}, sent {silence.sent} times in {silence.waited_s:.1f} s"
        if silence.damaged:
            return LinkBroken(
                f"no answer came through to {asked}; {silence.damaged} damaged pieces did",
                next_step="Check the cable, the ground and the baud rate.",
                details=self.last_words(),
            )
        where = self._target.where()
        if not self._link.heard:
            return SilentDevice(
                f"the device never answered {asked}" + (f"; {where}" if where else ""),
                next_step="Check that the image is this board's, and that its UART is the one connected.",
                details=self.last_words(),
            )
        details = self.last_words()
        if recovered := self._recover():
            details = "\n".join(line for line in (details, f"{recovered}; {_ANSWERS_AGAIN}") if line)
        if watch is not None and watch.op is not None:
            return TargetHung(
                f"the device hangs in operator {watch.op} {self._op_names[watch.op]}: no progress in "
                f"{watch.waited_s:.1f} s, far more than its multiplications take at the board's clock",
                next_step="Look at that kernel, with a debugger halted there.",
                details=details,
            )
        return TargetHung(
            f"the device stopped answering: {asked}" + (f"; {where}" if where else ""),
            next_step="Look at what it executes there; an inference that needs longer than this has no end.",
            details=details,
        )

    def _recover(self) -> str:
        recovered = self._target.recover()
        if recovered:
            try:
                self._model = None
                self._link.leave()
                self._link.open(self._patience_s)
            except (NoAnswer, Refused, Fault, EOFError, TargetError):
                return ""
        return recovered

    def _fault(self, fault: Fault) -> TinyhilError:
        refusal = self._target.refusal(fault.registers)
        if refusal is not None:
            return refusal
        pc = fault.registers.get("pc", 0)
        function = self._target.symbolize(pc) if pc else ""
        registers = "  ".join(f"{name} {value:#010x}" for name, value in fault.registers.items())
        caller = fault.registers.get("lr", 0)
        called_from = self._target.symbolize(caller) if caller else ""
        cause = likely_cause(fault.kind, fault.registers)
        self._target.settle()
        return DeviceFault(
            f"the firmware took a {fault.kind} at {pc:#010x}" + (f" in {function}" if function else ""),
            next_step="Open the image at that address: addr2line -e with the ELF file of the record's build.",
            details="\n".join(
                text
                for text in (
                    f"likely cause: {cause}" if cause else "",
                    f"called from {caller:#010x} {called_from}" if called_from else "",
                    registers,
                    self._target.last_words(),
                )
                if text
            ),
        )


class StoppedRun:
    """An inference that waits between two operators; made by Device.run_until."""

    def __init__(
        self,
        commands: Commands,
        model: Model,
        allowance_s: float,
        at: Moment,
        errors: Callable[[], contextlib.AbstractContextManager[None]],
    ) -> None:
        self._commands = commands
        self._model = model
        self._allowance_s = allowance_s
        self._errors = errors
        self.at = at

    def go_on(self, op: int, *, after: bool = False) -> Moment:
        """Goes on until operator `op` is about to begin, or has ended; returns where the inference is then."""
        with self._errors():
            self.at = self._commands.step(Moment(op, after), allowance_s=self._allowance_s)
        return self.at

    def reads(self, op: int) -> list[NDArray[Any]]:
        """What lies now in the tensors that operator `op` reads, constants left out."""
        return self._arrays(op, False, self._model.reads(self._model.operators[op]))

    def writes(self, op: int) -> list[NDArray[Any]]:
        """What lies now in the tensors that operator `op` writes."""
        return self._arrays(op, True, self._model.writes(self._model.operators[op]))

    def read(self, op: int, k: int) -> NDArray[Any]:
        """What lies now in the k-th tensor that operator `op` reads, constants left out."""
        return self._array(op, False, k, self._model.reads(self._model.operators[op])[k])

    def shared(self, op: int) -> list[tuple[int, int]]:
        """Which of operator `op`'s tensors overlap in memory: (k-th read, constants left out; k-th written)."""
        operator = self._model.operators[op]
        with self._errors():
            places = [
                [self._commands.op_tensor(op, wrote, k) for k in range(len(tensors))]
                for wrote, tensors in ((False, self._model.reads(operator)), (True, self._model.writes(operator)))
            ]
        return [
            (i, j)
            for i, a in enumerate(places[0])
            for j, b in enumerate(places[1])
            if a.address < b.address + b.bytes and b.address < a.address + a.bytes
        ]

    def replace(self, op: int, arrays: Sequence[NDArray[Any]]) -> None:
        """Puts other values into the tensors that operator `op` reads, constants left out."""
        tensors = self._model.reads(self._model.operators[op])
        with self._errors():
            for k, (array, tensor) in enumerate(zip(arrays, tensors, strict=True)):
                self._commands.write_op_tensor(op, k, array.astype(tensor.dtype, copy=False).tobytes())

    def _arrays(self, op: int, wrote: bool, tensors: Sequence[Tensor]) -> list[NDArray[Any]]:
        return [self._array(op, wrote, k, tensor) for k, tensor in enumerate(tensors)]

    def _array(self, op: int, wrote: bool, k: int, tensor: Tensor) -> NDArray[Any]:
        with self._errors():
            raw = self._commands.read_op_tensor(op, wrote, k)
        if len(raw) != tensor.bytes:
            raise LinkBroken(f"the device has {len(raw)} bytes of tensor {tensor.name}, the model {tensor.bytes}")
        return np.frombuffer(raw, tensor.dtype).reshape(tensor.shape)


def operator_work(model: Model) -> list[int]:
    """What each operator has to do, in multiplications: its own, and what reading and writing its tensors is worth."""
    return [
        operator.macs
        + _WORK_PER_ELEMENT
        * sum(model.tensors[index].elements for index in (*operator.inputs, *operator.outputs) if index >= 0)
        for operator in model.operators
    ]


def refusal(board: Board, refused: Refused) -> TinyhilError:
    """What a refusal of the device means for whoever uses it."""
    status, want, got = refused.status, refused.want, refused.got
    said = f"{refused.path}: {refused.detail}" if refused.path else refused.detail
    if status == Status.ARENA_TOO_SMALL:
        least = "at least " if refused.want_is_minimum else ""
        what = "results of every operator" if refused.path == "results" else "arena"
        return ArenaOverflow(
            f"{what} too small on {board.name}: {least}{want:,} bytes are needed, {got:,} are there, "
            f"{max(0, want - got):,} are missing",
            needed_bytes=want,
            available_bytes=got,
            next_step="Choose a board with more RAM, or a smaller model."
            if what == "arena"
            else "Give the model a smaller arena (arena_bytes), or run without checksums and profile.",
        )
    if status == Status.SLOT_TOO_LONG:
        return SlotOverflow(
            f"the model has {want:,} bytes, the slot of {board.name} holds {got:,}",
            needed_bytes=want,
            available_bytes=got,
            next_step="Choose a board with a larger slot, or a smaller model.",
        )
    numbers = f" (want {want:,}, got {got:,})" if want or got else ""
    if status == Status.NOT_TFLITE:
        return NotTflite(f"the device refused the model: {said}{numbers}", next_step="Give a .tflite file.")
    if status == Status.MODEL_MALFORMED:
        return MalformedModel(f"the device refused the model: {said}{numbers}", next_step="Convert the model anew.")
    if status in (Status.MODEL_UNSUPPORTED, Status.OP_UNSUPPORTED):
        return UnsupportedOperator(
            f"the device cannot run the model: {said}{numbers}",
            next_step="`tinyhil model FILE` says what each engine supports.",
        )
    name = Status(status).name if status in Status.__members__.values() else str(status)
    return DeviceRefused(
        f"the device refused {refused.request.name} ({name}): {said}{numbers}",
        next_step="firmware/link/README.md explains every status.",
    )


def input_bytes(model: Model, inputs: Sequence[NDArray[Any]]) -> list[bytes]:
    """The inputs as the device wants them. Raises BadInput."""
    tensors = model.input_tensors
    if len(inputs) != len(tensors):
        raise BadInput(
            f"{model.name} has {len(tensors)} inputs, {len(inputs)} arrays were given",
            next_step="Give one array an input, in the model's order; `tinyhil model FILE` lists them.",
        )
    data: list[bytes] = []
    for i, (array, tensor) in enumerate(zip(inputs, tensors, strict=True)):
        if not isinstance(array, np.ndarray) or array.dtype != tensor.dtype:
            given = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise BadInput(
                f"input {i} ({tensor.name}) is {tensor.type}, but {given} was given",
                next_step="Quantize the input to the model's type; nothing is converted on the way.",
            )
        if array.shape != tensor.shape:
            raise BadInput(
                f"input {i} ({tensor.name}) has shape {list(tensor.shape)}, but shape {list(array.shape)} was given",
                next_step="Reshape the input to the model's shape, the batch dimension included.",
            )
        data.append(array.astype(tensor.dtype, copy=False).tobytes())
    return data

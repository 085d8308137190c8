# SPDX-License-Identifier: Apache-2.0
"""A device that is spoken to in the text language, over whatever carries lines: Renode's Robot keywords, a terminal.

The same calls as tinyhil.device.Device has, where there is no channel for frames. Slower, and as safe: a line that was
damaged is refused by its checksum and sent again, and the device verifies inputs as a whole before it runs.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinyhil.device import Loaded, Memory, OpPath, RunResult, input_bytes, refusal
from tinyhil.errors import DeviceFault, DeviceRestarted, LinkBroken, TargetError, TinyhilError, WrongDevice
from tinyhil.link import text
from tinyhil.link.client import Fault, Refused
from tinyhil.link.commands import TensorReply
from tinyhil.link.protocol import Request, Status

if TYPE_CHECKING:
    from tinyhil.board import Board
    from tinyhil.build import Image
    from tinyhil.model import Model

_REPEATS = 5
_DAMAGED = "wrong checksum"
_REQUESTS = {
    "info": Request.INFO,
    "slot": Request.SLOT_CHECK,
    "load": Request.LOAD,
    "input": Request.INPUT_WRITE,
    "run": Request.RUN,
    "output": Request.OUTPUT_READ,
    "ops": Request.CHECKSUMS,
    "mem": Request.MEMORY,
    "reset": Request.RESET,
}


class Lines(Protocol):
    """What carries the language."""

    def ask(self, line: str) -> list[str]:
        """Sends a line; what the device answers up to m-ready, which is left out. Raises TargetError."""
        ...


class TextDevice:
    """A device behind `lines`, which runs `image` with its model already in the slot."""

    def __init__(
        self,
        board: Board,
        image: Image,
        lines: Lines,
        *,
        instructions_per_tick: float | None = None,
        unit_source: str = "",
        target_refusal: Callable[[Mapping[str, int]], TinyhilError | None] = lambda registers: None,
    ) -> None:
        """unit_source: where a count of instructions comes from. target_refusal: Target.refusal. Raises WrongDevice."""
        self.unit_source = unit_source
        self._refusal = target_refusal
        self.board = board
        self.image = image
        self._lines = lines
        self._per_tick = instructions_per_tick
        self._model: Model | None = None
        self.info = {name: value for reply in self._ask("info") for name, value in _info(reply.text)}
        got = (self.info.get("board"), self.info.get("build"))
        if got != (board.name, image.build_id):
            raise WrongDevice(
                f"the device says: board {got[0]}, build {got[1]}; "
                f"meant was board {board.name}, build {image.build_id}",
                next_step="Start the image of this build on the board that is meant.",
            )

    @property
    def unit(self) -> str:
        return "" if self._per_tick is None else "instructions"

    def load(self, model: Model, arena_bytes: int | None = None) -> Loaded:
        """As Device.load, but the model must be in the slot already."""
        self._model = None
        head, *tensors = self._ask("load" if arena_bytes is None else f"load {arena_bytes}")
        if int(head.values["model-crc"], 16) != zlib.crc32(model.data):
            raise WrongDevice(f"the device holds another model than {model.name}")
        replies = [(reply.about, _tensor(reply.values)) for reply in tensors]
        loaded = Loaded(
            int(head.values["arena-used"]),
            int(head.values["arena-bytes"]),
            [reply.text.split()[3] for reply in self._ask("ops")],
            [tensor for about, tensor in replies if about == "input"],
            [tensor for about, tensor in replies if about == "output"],
        )
        self._model = model
        return loaded

    def run(
        self,
        inputs: Sequence[NDArray[Any]],
        *,
        checksums: bool = False,
        profile: bool = False,
        keep_state: bool = False,
    ) -> RunResult:
        """As Device.run."""
        model = self._model
        if model is None:
            raise TargetError("no model is loaded", next_step="Load one first.")
        data = input_bytes(model, inputs)
        for index, raw in enumerate(data):
            step = text.INPUT_BYTES_PER_LINE
            for at in range(0, len(raw), step):
                self._ask(f"input {index} {at} {raw[at : at + step].hex()}")
        asked = " ".join(f"{zlib.crc32(raw):08x}" for raw in data)
        options = " checksums" * checksums + " profile" * profile + " keep-state" * keep_state
        head, *ran = self._ask(f"run {asked}{options}")
        outputs = []
        for index, (reply, tensor) in enumerate(zip(ran, model.output_tensors, strict=True)):
            raw = self._output(index, tensor.bytes)
            if zlib.crc32(raw) != int(reply.values["crc"], 16):
                raise LinkBroken(f"output {index} is not what the device said it was")
            outputs.append(np.frombuffer(raw, tensor.dtype).reshape(tensor.shape))
        ops = [reply.values for reply in self._ask("ops")] if checksums or profile else []
        return RunResult(
            outputs=outputs,
            units=self._units(head.values),
            op_reads=[int(op["read"], 16) for op in ops] if checksums else None,
            op_writes=[int(op["wrote"], 16) for op in ops] if checksums else None,
            op_units=_all([self._units(op) for op in ops]) if profile else None,
        )

    def _output(self, index: int, size: int) -> bytes:
        replies = self._ask(f"output {index} 0 {size}")
        return b"".join(bytes.fromhex(reply.values["hex"]) for reply in replies)

    def _units(self, values: dict[str, str]) -> int | None:
        if self._per_tick is None or "milliticks" not in values:
            return None
        return round(int(values["milliticks"]) * self._per_tick / 1000)

    def memory(self) -> Memory:
        values = self._ask("mem")[0].values
        return Memory(*(int(values[name]) for name in ("arena-used", "arena-bytes", "stack-peak", "stack-bytes")))

    def op_paths(self) -> list[OpPath]:
        """As Device.op_paths."""
        replies = [reply.values for reply in self._ask("ops")]
        return [OpPath(values.get("path", ""), int(values.get("runs", "0"))) for values in replies]

    def text_command(self, line: str) -> list[str]:
        """A line as it is; the lines that answer it."""
        return self._lines.ask(line)

    def _ask(self, command: str) -> list[text.Reply]:
        """One of our commands; its replies, once all of them came through. Raises what Device raises."""
        request = _REQUESTS[command.split()[0]]
        for _ in range(_REPEATS):
            lines = self._lines.ask(text.checked(f"hil {command}"))
            if "m-init-done" in lines:
                raise DeviceRestarted("the device restarted in the middle", next_step="Look for what resets it.")
            replies = [text.parse(line) for line in lines]
            if any(reply is None for reply in replies) or not replies:
                continue
            whole = [reply for reply in replies if reply is not None]
            first = whole[0]
            if first.about == "fault":
                why = self._refusal(Fault.parse(first.text).registers)
                if why is not None:
                    raise why
                raise DeviceFault(f"the firmware took a {first.values.get('kind', 'fault')}", details=first.text)
            if first.about != "error":
                return whole
            refused = _refused(request, first.values)
            if not refused.detail.startswith(_DAMAGED):
                raise refusal(self.board, refused)
        raise LinkBroken(f"no answer came through to `hil {command[:40]}`, sent {_REPEATS} times")


def _info(line: str) -> list[tuple[str, str]]:
    name, equals, value = line.removeprefix("hil info ").partition("=")
    return [(name, value)] if equals else []


def _tensor(values: dict[str, str]) -> TensorReply:
    scale = np.uint32(int(values["scale-bits"], 16)).view(np.float32)
    shape = tuple(int(length) for length in values["shape"].split("x") if length)
    return TensorReply(values["type"], shape, float(scale), int(values["zero-point"]), int(values["bytes"]), 0)


def _refused(request: Request, values: dict[str, str]) -> Refused:
    minimum = "want-at-least" in values
    want = int(values.get("want-at-least", values.get("want", "0")))
    status = int(values.get("code", Status.BAD_REQUEST))
    return Refused(
        request, status, want, int(values.get("got", "0")), minimum, values.get("path", ""), values.get("detail", "")
    )


def _all(units: list[int | None]) -> list[int] | None:
    counted = [unit for unit in units if unit is not None]
    return counted if len(counted) == len(units) else None

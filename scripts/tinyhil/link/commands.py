# SPDX-License-Identifier: Apache-2.0
"""What a device can be asked to do: payloads made and read. firmware/link/README.md describes each request."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tinyhil.link.client import Link, ProtocolError, Refused, Transfer, Watch
from tinyhil.link.protocol import MAX_PAYLOAD, TENSOR_TYPES, Request, Run, Status

_INPUT_WRITE = struct.Struct("<II")
_OUTPUT_READ = struct.Struct("<III")
_SLOT_REPLY = struct.Struct("<II")
_RUN_REPLY = struct.Struct("<IQ")
_LOAD_REPLY = struct.Struct("<7I")
_TENSOR_REPLY = struct.Struct("<BBHfiII")
_MOMENT = struct.Struct("<IB")
_OP_TENSOR = struct.Struct("<IBI")
_OP_READ = struct.Struct("<IBIII")
_OP_WRITE = struct.Struct("<III")
_OP_TENSOR_REPLY = struct.Struct("<II")
_RESULT_BYTES = 8  # of one operator: two checksums, or milliticks
_REPEATS = 3  # of a run whose inputs were not what was announced, or whose outputs were not


@dataclass(frozen=True)
class SlotReply:
    """sha256, benchmark (tinyhil.slot.BENCHMARKS): as the slot's header has them; empty for a bundled model."""

    model_bytes: int
    model_crc: int
    sha256: bytes
    benchmark: int


@dataclass(frozen=True)
class LoadReply:
    arena_used: int
    arena_bytes: int
    op_count: int
    input_count: int
    output_count: int
    model_bytes: int
    model_crc: int


@dataclass(frozen=True)
class TensorReply:
    """An input or output of the loaded model.

    type: NumPy's name, or a number where there is none. address: where it lies in the device's memory.
    """

    type: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    bytes: int
    address: int


@dataclass(frozen=True)
class RunReply:
    """Milliticks are thousandths of a tick of the device's counter. Lists have an entry an operator, where asked for.

    milliticks: of the inference alone; None where checksums or profile were taken, or the device does not count.
    """

    milliticks: int | None
    outputs: list[bytes]
    op_reads: list[int] | None
    op_writes: list[int] | None
    op_milliticks: list[int] | None


@dataclass(frozen=True)
class Memory:
    """Bytes. stack_bytes is 0 where the device does not measure its stack.

    set_up_milliticks: of reading, checking and planning the model; 0 where the device does not count.
    """

    arena_used: int
    arena_bytes: int
    stack_peak: int
    stack_bytes: int
    set_up_milliticks: int = 0


@dataclass(frozen=True)
class OpPath:
    """Whose kernel computes an operator, and in how many inferences since the model was loaded it did.

    path: "reference", "cmsis_nn", or "" where the engine cannot say.
    """

    path: str
    runs: int


@dataclass(frozen=True, order=True)
class Moment:
    """A place where a run can stop: before an operator, or after it. The number of operators is the run's end."""

    op: int
    after: bool = False


@dataclass(frozen=True)
class OpTensorReply:
    bytes: int
    address: int


WriteMemory = Callable[[int, bytes], bool]
"""Puts bytes at an address of the device's memory without the device's help; False where that did not work."""


class Commands:
    """The requests over one link. Each may raise what the link raises, and ProtocolError."""

    def __init__(self, link: Link, *, allowance_s: float, write_memory: WriteMemory | None = None) -> None:
        """allowance_s: how long the device may take over anything but a run. write_memory: a shorter way for inputs."""
        self._link = link
        self._allowance_s = allowance_s
        self._write_memory = write_memory
        self._addresses: list[int] = []
        self._max_payload = MAX_PAYLOAD
        self.slot_written = 0
        self._output_bytes: list[int] = []
        self._op_count = 0

    def info(self) -> dict[str, str]:
        lines = self._ask(Request.INFO).decode("ascii", "replace").splitlines()
        info = dict(line.split("=", 1) for line in lines if "=" in line)
        if info.get("max_payload", "").isdigit():
            self._max_payload = min(MAX_PAYLOAD, int(info["max_payload"]))
        room = info.get("receive_bytes", "")
        self._link.allow(int(room) if room.isdigit() else 0, self._max_payload)
        return info

    def set_baud(self, baud: int) -> None:
        """The device's UART has this rate once its reply is here; 0: the one it started with."""
        self._ask(Request.BAUD, struct.pack("<I", baud))

    def slot_check(self) -> SlotReply:
        """What the model slot holds, once the device has verified it."""
        payload = self._ask(Request.SLOT_CHECK)
        if len(payload) < _SLOT_REPLY.size:
            raise ProtocolError(f"{len(payload)} bytes for SLOT_CHECK")
        size, crc = _SLOT_REPLY.unpack_from(payload)
        tail = payload[_SLOT_REPLY.size :]
        return SlotReply(size, crc, tail[:32], int.from_bytes(tail[32:36], "little"))

    def write_slot(self, image: bytes, start: int = 0) -> None:
        """start: so many bytes of it are there already. `slot_written` says how far it came."""
        self.slot_written = start
        ahead: dict[int, int] = {}

        def arrived(first: int, end: int) -> None:
            ahead[start + first] = start + end
            while (end_of_next := ahead.pop(self.slot_written, None)) is not None:
                self.slot_written = end_of_next

        def ask(at: int, size: int) -> tuple[Request, bytes]:
            return Request.SLOT_WRITE, struct.pack("<I", start + at) + image[start + at : start + at + size]

        self._link.transfer([Transfer(len(image) - start, ask, 4)], self._allowance_s, arrived)

    def slot_holds(self, data: bytes) -> bool:
        """Whether the slot begins with this."""
        if not data:
            return True
        reply = self._ask(Request.SLOT_CRC, struct.pack("<II", 0, len(data)))
        return _numbers("I", 1, reply) == [zlib.crc32(data)]

    def load(self, arena_limit: int, guess_s: float) -> LoadReply:
        """arena_limit: bytes, 0 for all there is. guess_s: how long it may take."""
        self._link.forget_times(Request.RUN)
        payload = self._ask(Request.LOAD, struct.pack("<I", arena_limit), guess_s)
        reply = LoadReply(*_unpack(_LOAD_REPLY, payload))
        self._op_count = reply.op_count
        # RUN has a checksum for each input, its reply one for each output.
        for path, count, head in (
            ("inputs", reply.input_count, 4),
            ("outputs", reply.output_count, _RUN_REPLY.size),
        ):
            most = (self._max_payload - head) // 4
            if count > most:
                detail = "more than the link can run"
                raise Refused(Request.LOAD, Status.MODEL_UNSUPPORTED, most, count, False, path, detail)
        return reply

    def describe(self, loaded: LoadReply) -> tuple[list[TensorReply], list[TensorReply], list[str]]:
        """Inputs, outputs and names of the operators of the loaded model."""
        asked = [(Request.TENSOR, struct.pack("<BI", 0, i)) for i in range(loaded.input_count)]
        asked += [(Request.TENSOR, struct.pack("<BI", 1, i)) for i in range(loaded.output_count)]
        *tensors, page = self._link.exchange([*asked, (Request.OPS, struct.pack("<I", 0))], self._allowance_s)
        replies = [_tensor(payload) for payload in tensors]
        outputs = replies[loaded.input_count :]
        self._addresses = [tensor.address for tensor in replies[: loaded.input_count]]
        self._output_bytes = [tensor.bytes for tensor in outputs]
        names: list[str] = []
        while True:
            count = struct.unpack_from("<4xI", page)[0] if len(page) >= 8 else 0
            names += page[8:].decode("ascii", "replace").split("\0")[:count]
            if len(names) >= loaded.op_count or count == 0:
                break
            page = self._ask(Request.OPS, struct.pack("<I", len(names)))
        if len(names) != loaded.op_count:
            raise ProtocolError(f"{len(names)} operator names for {loaded.op_count} operators")
        return replies[: loaded.input_count], outputs, names

    def op_paths(self) -> list[OpPath]:
        """Of each operator of the loaded model, in execution order."""
        paths: list[OpPath] = []
        while len(paths) < self._op_count:
            page = self._ask(Request.PATHS, struct.pack("<I", len(paths)))
            count = struct.unpack_from("<4xI", page)[0] if len(page) >= 8 else 0
            at = 8
            for _ in range(count):
                end = page.find(b"\0", at + 4)
                if end < 0:
                    raise ProtocolError(f"a page of {len(page)} bytes for {Request.PATHS.name}")
                path = page[at + 4 : end].decode("ascii", "replace")
                paths.append(OpPath(path, struct.unpack_from("<I", page, at)[0]))
                at = end + 1
            if count == 0:
                raise ProtocolError(f"{len(paths)} paths for {self._op_count} operators")
        return paths

    def run(
        self,
        inputs: Sequence[bytes],
        asked: Run,
        *,
        allowance_s: float,
        guess_s: float,
        watch: Watch | None = None,
    ) -> RunReply:
        """One inference. The device verifies each input's checksum over the tensor itself, just before it runs.

        An input that is not what was sent, and a reply that got lost for good, are put right by doing it all again;
        but not a reply whose run has moved the state that KEEP_STATE keeps.
        """
        crcs = b"".join(struct.pack("<I", zlib.crc32(data)) for data in inputs)
        for attempt in range(_REPEATS):
            try:
                return self._run(inputs, crcs, asked | Run.OUTPUT, allowance_s, guess_s, watch)
            except Refused as refused:
                repeatable = {Status.INPUT_CRC} if Run.KEEP_STATE in asked else {Status.INPUT_CRC, Status.BUSY}
                if refused.status not in repeatable or attempt == _REPEATS - 1:
                    raise
            except _Spoilt:
                if Run.KEEP_STATE in asked:
                    break
        raise ProtocolError("the outputs are not those whose checksums the device gave")

    def _run(
        self,
        inputs: Sequence[bytes],
        crcs: bytes,
        asked: Run,
        allowance_s: float,
        guess_s: float,
        watch: Watch | None,
    ) -> RunReply:
        tail = b""
        if not self._place_inputs(inputs):
            if 4 + len(crcs) + sum(map(len, inputs)) <= min(self._max_payload, self._link.best_payload):
                asked |= Run.INPUT
                tail = b"".join(inputs)
            else:
                self._write_inputs(inputs)
        reply = self._link.request(
            Request.RUN, struct.pack("<I", asked) + crcs + tail, allowance_s=allowance_s, guess_s=guess_s, watch=watch
        )
        return self._parse_run(reply, asked)

    def _place_inputs(self, inputs: Sequence[bytes]) -> bool:
        """Inputs straight into the device's memory, where the target can do that."""
        if self._write_memory is None:
            return False
        return all(self._write_memory(at, data) for at, data in zip(self._addresses, inputs, strict=True))

    def _write_inputs(self, inputs: Sequence[bytes]) -> None:
        def ask(index: int, at: int, size: int) -> tuple[Request, bytes]:
            return Request.INPUT_WRITE, _INPUT_WRITE.pack(index, at) + inputs[index][at : at + size]

        self._link.transfer(
            [Transfer(len(data), partial(ask, index), _INPUT_WRITE.size) for index, data in enumerate(inputs)],
            self._allowance_s,
        )

    def _parse_run(self, reply: bytes, asked: Run) -> RunReply:
        flags, milliticks = _unpack(_RUN_REPLY, reply[: _RUN_REPLY.size])
        here = Run(flags)
        at = _RUN_REPLY.size + 4 * len(self._output_bytes)
        crcs = _numbers("I", len(self._output_bytes), reply[_RUN_REPLY.size : at])
        outputs: list[bytes] = []
        if Run.OUTPUT in here:
            for size in self._output_bytes:
                outputs.append(reply[at : at + size])
                at += size
        reads = writes = op_milliticks = None
        ops_bytes = _RESULT_BYTES * self._op_count
        if Run.CHECKSUMS in asked:
            if Run.CHECKSUMS in here:
                raw = reply[at : at + ops_bytes]
                at += ops_bytes
            else:
                raw = self._results(Request.CHECKSUMS)
            pairs = _numbers("I", 2 * self._op_count, raw)
            reads, writes = pairs[0::2], pairs[1::2]
        if Run.PROFILE in asked:
            raw = reply[at : at + ops_bytes] if Run.PROFILE in here else self._results(Request.PROFILE)
            op_milliticks = _numbers("Q", self._op_count, raw)
        if Run.OUTPUT not in here:
            outputs = self._read_outputs()
        if [zlib.crc32(data) for data in outputs] != crcs:
            raise _Spoilt
        return RunReply(milliticks if Run.TICKS in here else None, outputs, reads, writes, op_milliticks)

    def _read_outputs(self) -> list[bytes]:
        def ask(index: int, at: int, size: int) -> tuple[Request, bytes]:
            return Request.OUTPUT_READ, _OUTPUT_READ.pack(index, at, size)

        outputs = self._link.transfer(
            [Transfer(size, partial(ask, index)) for index, size in enumerate(self._output_bytes)], self._allowance_s
        )
        for index, (data, size) in enumerate(zip(outputs, self._output_bytes, strict=True)):
            if len(data) != size:
                raise ProtocolError(f"{len(data)} bytes of output {index} instead of {size}")
        return outputs

    def _results(self, request: Request) -> bytes:
        """What the last run noted of each operator, page by page."""
        found = b""
        while len(found) < _RESULT_BYTES * self._op_count:
            page = self._ask(request, struct.pack("<I", len(found) // _RESULT_BYTES))[4:]
            if not page or len(page) % _RESULT_BYTES:
                raise ProtocolError(f"a page of {len(page)} bytes for {request.name}")
            found += page
        return found

    # A run that stops ----------------------------------------------------------------------------------------------
    def run_until(self, inputs: Sequence[bytes], moment: Moment, *, allowance_s: float) -> Moment:
        """Starts an inference and returns where it stopped: at `moment`, or at the end of the run."""
        crcs = b"".join(struct.pack("<I", zlib.crc32(data)) for data in inputs)
        for attempt in range(_REPEATS):
            if not self._place_inputs(inputs):
                self._write_inputs(inputs)
            try:
                return self._moment(Request.BREAK, moment, crcs, allowance_s)
            except Refused as refused:
                if refused.status != Status.INPUT_CRC or attempt == _REPEATS - 1:
                    raise
        raise AssertionError

    def step(self, moment: Moment, *, allowance_s: float) -> Moment:
        """Takes the stopped inference on to `moment`; where it stopped."""
        return self._moment(Request.STEP, moment, b"", allowance_s)

    def _moment(self, request: Request, moment: Moment, tail: bytes, allowance_s: float) -> Moment:
        payload = _MOMENT.pack(moment.op, moment.after) + tail
        op, after = _unpack(_MOMENT, self._link.request(request, payload, allowance_s=allowance_s))
        return Moment(op, bool(after))

    def op_tensor(self, op: int, wrote: bool, k: int) -> OpTensorReply:
        """The k-th tensor, constants left out, that an operator reads or writes."""
        payload = self._ask(Request.OP_TENSOR, _OP_TENSOR.pack(op, wrote, k))
        return OpTensorReply(*_unpack(_OP_TENSOR_REPLY, payload))

    def op_tensors(self, asked: Sequence[tuple[int, bool, int]]) -> list[OpTensorReply]:
        """`op_tensor` of each (operator, wrote, k)."""
        requests = [(Request.OP_TENSOR, _OP_TENSOR.pack(*place)) for place in asked]
        replies = self._link.exchange(requests, self._allowance_s)
        return [OpTensorReply(*_unpack(_OP_TENSOR_REPLY, reply)) for reply in replies]

    def read_op_tensor(self, op: int, wrote: bool, k: int) -> bytes:
        """Its bytes as they are now."""

        def ask(at: int, size: int) -> tuple[Request, bytes]:
            return Request.OP_READ, _OP_READ.pack(op, wrote, k, at, size)

        size = self.op_tensor(op, wrote, k).bytes
        (data,) = self._link.transfer([Transfer(size, ask)], self._allowance_s)
        if len(data) != size:
            raise ProtocolError(f"{len(data)} bytes of tensor {k} of operator {op} instead of {size}")
        return data

    def write_op_tensor(self, op: int, k: int, data: bytes) -> None:
        """Puts bytes into the k-th tensor that an operator reads."""

        def ask(at: int, size: int) -> tuple[Request, bytes]:
            return Request.OP_WRITE, _OP_WRITE.pack(op, k, at) + data[at : at + size]

        self._link.transfer([Transfer(len(data), ask, _OP_WRITE.size)], self._allowance_s)

    def memory(self) -> Memory:
        return Memory(*_unpack(struct.Struct("<4IQ"), self._ask(Request.MEMORY)))

    def reset(self) -> None:
        """Restarts the device; the session is over."""
        self._link.leave()
        self._ask(Request.RESET)

    def _ask(self, request: Request, payload: bytes = b"", guess_s: float = 0.0) -> bytes:
        return self._link.request(request, payload, allowance_s=self._allowance_s, guess_s=guess_s)


class _Spoilt(Exception):
    """The outputs changed between the run and their reading."""


def _unpack(layout: struct.Struct, payload: bytes) -> tuple[int, ...]:
    if len(payload) != layout.size:
        raise ProtocolError(f"{len(payload)} bytes where {layout.size} belong")
    return layout.unpack(payload)


def _numbers(kind: str, count: int, payload: bytes) -> list[int]:
    """So many numbers, as struct names their kind."""
    return list(_unpack(struct.Struct(f"<{count}{kind}"), payload))


def _tensor(payload: bytes) -> TensorReply:
    try:
        type_code, rank, _, scale, zero_point, size, address = _TENSOR_REPLY.unpack_from(payload)
        shape = struct.unpack_from(f"<{rank}i", payload, _TENSOR_REPLY.size)
    except struct.error as error:
        raise ProtocolError(f"a tensor in {len(payload)} bytes") from error
    return TensorReply(TENSOR_TYPES.get(type_code, str(type_code)), shape, scale, zero_point, size, address)

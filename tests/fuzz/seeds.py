# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the corpus: python -m fuzz.seeds (with PYTHONPATH=tests:tests/kernels).

Models: for each operator the smallest of its conformance cases with a few different choices. Link: sessions as a host
would hold them.
"""

from __future__ import annotations

import struct
from pathlib import Path

from conformance.operators import OPERATORS
from conformance.runner import draw_case
from fuzz.build import CORPUS
from tinyhil.link.protocol import Request, Run
from tinyhil.model.writer import ModelWriter

MOST_BYTES = 2048
CASES, KEPT = 40, 2


def models() -> dict[str, bytes]:
    """The smallest models of every operator that differ in length."""
    found = {}
    for name, operator in sorted(OPERATORS.items()):
        cases = {len(case.model): case.model for _, case in (draw_case(operator, n) for n in range(CASES))}
        for number, length in enumerate(sorted(cases)[: KEPT * 4 : 4]):
            if length <= MOST_BYTES:
                found[f"{name.lower()}_{number}"] = cases[length]
    return found


def slot_model() -> bytes:
    """A model of two operators and a variable, for the slot of the link's target."""
    writer = ModelWriter()
    x, old, y, z = (writer.tensor((1, 8), scale=0.1) for _ in range(4))
    handle = writer.tensor((), "resource")
    writer.operator("VAR_HANDLE", [], [handle], shared_name="v")
    writer.operator("READ_VARIABLE", [handle], [old])
    writer.operator("ADD", [x, old], [y])
    writer.operator("ASSIGN_VARIABLE", [handle, y], [])
    writer.operator("SOFTMAX", [y], [z])
    return writer.finish([x], [z, y])


def _frame(request: Request, payload: bytes = b"", seq: int = 1) -> bytes:
    body = bytes([request, seq]) + payload
    return bytes([1, len(body)]) + body


def _line(text: str) -> bytes:
    return bytes([2, len(text)]) + text.encode()


def sessions() -> dict[str, bytes]:
    """What a host sends, as fuzz_link.cc reads it."""
    load = _frame(Request.LOAD, struct.pack("<I", 0), 1)
    crc = struct.pack("<I", 0)
    run = struct.pack("<I", Run.INPUT | Run.OUTPUT | Run.CHECKSUMS) + crc + bytes(8)
    u32 = struct.Struct("<I").pack
    every = b"".join(
        _frame(request, bytes(12), 10 + request)
        for request in Request
        if request not in (Request.OPEN, Request.FAULT, Request.RESET)
    )
    return {
        "info": _frame(Request.INFO) + _frame(Request.MEMORY),
        "run": load + _frame(Request.TENSOR, bytes([0]) + u32(0), 2) + _frame(Request.RUN, run, 3),
        "ops": load + _frame(Request.OPS, u32(0), 2) + _frame(Request.CHECKSUMS, u32(0), 3),
        "slot": _frame(Request.SLOT_WRITE, u32(64) + bytes(64)) + _frame(Request.SLOT_CHECK) + load,
        "every": load + every,
        "text": b"".join(
            map(
                _line,
                [
                    *("hil help", "hil info", "hil slot", "hil load 4096", "hil input 0 0 0102030405060708", "hil ops"),
                    *(
                        "hil run ? checksums profile",
                        "hil run ? keep-state",
                        "hil output 0 0 8",
                        "hil mem",
                        "hil reset",
                    ),
                ],
            )
        ),
        "raw": bytes([0, 40]) + b"\x00\x02\x01\x00\x00hil mem *?\r\nname%\x08\x08profile%\r" + bytes(8) + bytes([3, 0]),
    }


def main() -> None:
    for folder, seeds in ((CORPUS / "model", models()), (CORPUS / "link", sessions())):
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds.items():
            (folder / name).write_bytes(data)
    (CORPUS / "slot_model.tflite").write_bytes(slot_model())
    files = [path for path in Path(CORPUS).rglob("*") if path.is_file()]
    print(f"{len(files)} files, {sum(path.stat().st_size for path in files)} bytes")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Damaged models on a device: bits flipped, lengths wrong, cut short. Each is refused or run, and the device works on.

Small models of the fuzzer's corpus, one in twenty the project's own. TINYHIL_TEST_MUTANTS says how many (40). TFLite
Micro's kernels check less than ours: of 600, one made it read past a tensor, which was told as the fault it was.
"""

from __future__ import annotations

import os
import random
import struct
from collections import Counter

import pytest

from fuzz.build import CORPUS
from tinyhil.board import load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.golden import golden_for
from tinyhil.link.client import Refused
from tinyhil.link.protocol import Run, Status
from tinyhil.matrix import own_model
from tinyhil.model import load_model
from tinyhil.slot import slot_image
from tinyhil.verdict import assert_golden

MUTANTS = int(os.environ.get("TINYHIL_TEST_MUTANTS", "40"))
ARENA_BYTES = 32 << 10  # bounds the work of what runs
PATIENCE_S = 120.0

pytestmark = pytest.mark.needs("arm-gcc", "qemu")


def mutate(data: bytes, rng: random.Random) -> bytes:
    mutant = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(mutant))
        kind = rng.randrange(8)
        if kind == 0:
            del mutant[max(8, at) :]
        elif kind < 3:
            word = rng.choice([0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
            at = min(at & ~3, len(mutant) - 4)
            struct.pack_into("<I", mutant, at, word)
        elif kind < 5:
            at = min(at & ~3, len(mutant) - 4)
            word = struct.unpack_from("<I", mutant, at)[0] + rng.randint(-16, 16)
            struct.pack_into("<I", mutant, at, word & 0xFFFFFFFF)
        else:
            mutant[at] ^= 1 << rng.randrange(8)
    return bytes(mutant)


def attempt(device: Device, data: bytes, rng: random.Random) -> str:
    """Sends the model through the link, loads it and runs it: what came of it."""
    commands = device._commands
    commands.write_slot(slot_image(data))
    try:
        loaded = commands.load(ARENA_BYTES, 5.0)
        inputs, _, _ = commands.describe(loaded)
        vectors = [rng.randbytes(tensor.bytes) for tensor in inputs]
        commands.run(vectors, Run.CHECKSUMS, allowance_s=PATIENCE_S, guess_s=0.1)
    except Refused as refused:
        return f"refused: {Status(refused.status).name}"
    return "ran"


@pytest.mark.parametrize("engine", ["builtin", pytest.param("tflm", marks=pytest.mark.needs("tflm"))])
@pytest.mark.parametrize("board_name", ["mps2_an386"])
def test_damaged_models_are_refused_or_run_and_the_device_works_on(board_name: str, engine: str) -> None:
    board, own = load_board(board_name), own_model("digits")
    model = load_model(own)
    small = [path.read_bytes() for path in sorted((CORPUS / "model").iterdir())]
    rng = random.Random(board_name)
    came = Counter[str]()
    with Device.open(board, "qemu", build_image(board, engine=engine), model) as device:
        for number in range(MUTANTS):
            data = model.data if number % 20 == 19 else rng.choice(small)
            came[attempt(device, mutate(data, rng), rng)] += 1
        device._commands.write_slot(slot_image(model.data))
        device.load(model)
        assert_golden(device, golden_for(model).subset([0]))
    print(dict(came))
    assert came.total() == MUTANTS
    assert came["ran"] > 0
    assert len(came) > 1

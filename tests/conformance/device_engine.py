# SPDX-License-Identifier: Apache-2.0
"""The engine on a device, asked as the one on the host is (host_engine.py): generated models through its link."""

from __future__ import annotations

from collections.abc import Callable

from host_engine import Ran, Refused

from tinyhil import slot
from tinyhil.device import Device
from tinyhil.errors import TinyhilError
from tinyhil.link import client
from tinyhil.link.protocol import Run

GUESS_S = 0.1
ALLOWANCE_S = 60.0


class DeviceEngine:
    """One device for many models. A fault, a hang or a silent link is the assertion's message, and ends it."""

    def __init__(self, start: Callable[[], Device]) -> None:
        self._device = start()

    def run(
        self,
        model: bytes,
        vectors: list[bytes],
        output_bytes: int,
        arena_bytes: int = 1 << 20,
        *,
        keep_state: bool = False,
    ) -> Ran | Refused:
        """Loads the model and runs it on each vector: all its inputs' bytes, one after the other."""
        device = self._device
        try:
            with device._errors():
                return self._run(model, vectors, arena_bytes, keep_state)
        except TinyhilError as error:
            raise AssertionError(f"ERROR {type(error).__name__}: {error}\n{device.last_words()}") from error

    def _run(self, model: bytes, vectors: list[bytes], arena_bytes: int, keep_state: bool) -> Ran | Refused:
        commands, image = self._device._commands, slot.slot_image(model)
        base = self._device.image.slot
        assert base is not None
        if not self._device.write_memory(base.base, image):
            commands.write_slot(image)
        try:
            loaded = commands.load(arena_bytes, GUESS_S)
        except client.Refused as refused:
            return Refused(refused.status, f"{refused.path}: {refused.detail}", refused.want, refused.got)
        inputs, _, _ = commands.describe(loaded)
        outputs = []
        for i, vector in enumerate(vectors):
            data, at = [], 0
            for tensor in inputs:
                data.append(vector[at : at + tensor.bytes])
                at += tensor.bytes
            asked = Run.KEEP_STATE if keep_state and i > 0 else Run(0)
            reply = commands.run(data, asked, allowance_s=ALLOWANCE_S, guess_s=GUESS_S)
            outputs.append(b"".join(reply.outputs))
        return Ran(loaded.arena_used, outputs, [(found.path, found.runs) for found in commands.op_paths()])

    def close(self, check: bool = True) -> None:
        self._device.close()

# SPDX-License-Identifier: Apache-2.0
"""A channel that loses, flips and inserts bytes, either way, at a given rate and from a seed."""

from __future__ import annotations

import math
import random

from tinyhil.link.channel import Channel


class _Noise:
    """Damages a stream of bytes: each byte is hit with the same probability, by one of three faults."""

    def __init__(self, rate: float, seed: str) -> None:
        self._chance = random.Random(seed)
        self._rate = rate
        self._until_next = self._gap()
        self.faults = {"drop": 0, "flip": 0, "insert": 0}

    def _gap(self) -> int:
        return int(math.log(1.0 - self._chance.random()) / math.log(1.0 - self._rate)) if self._rate else 1 << 62

    def damage(self, data: bytes) -> bytes:
        out = bytearray()
        at = 0
        while self._until_next < len(data) - at:
            hit = at + self._until_next
            out += data[at:hit]
            fault = self._chance.choice(list(self.faults))
            self.faults[fault] += 1
            if fault == "flip":
                out.append(data[hit] ^ (1 << self._chance.randrange(8)))
            elif fault == "insert":
                out += bytes([self._chance.randrange(256), data[hit]])
            at = hit + 1
            self._until_next = self._gap()
        self._until_next -= len(data) - at
        return bytes(out + data[at:])


class FaultyChannel:
    """Rates: of bytes on their way to the device, and from it."""

    def __init__(self, channel: Channel, *, rates: tuple[float, float], seed: int) -> None:
        self._channel = channel
        self.to_device = _Noise(rates[0], f"{seed} out")
        self.from_device = _Noise(rates[1], f"{seed} in")

    @property
    def faults(self) -> int:
        return sum(self.to_device.faults.values()) + sum(self.from_device.faults.values())

    def read(self, timeout_s: float) -> bytes:
        return self.from_device.damage(self._channel.read(timeout_s))

    def write(self, data: bytes) -> None:
        self._channel.write(self.to_device.damage(data))

    def close(self) -> None:
        self._channel.close()

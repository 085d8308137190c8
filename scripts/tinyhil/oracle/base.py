# SPDX-License-Identifier: Apache-2.0
"""What an oracle is: it runs a model on input vectors and tells the outputs, and what every operator read and wrote."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyhil.model import Model


@dataclass(frozen=True)
class Trace:
    """What an oracle computed for n vectors.

    outputs: for each of the model's outputs an array (n, *shape).
    op_reads, op_writes: uint32 (n, number of operators): `checksum` of the tensors that the operator read and wrote.
    """

    outputs: list[NDArray[Any]]
    op_reads: NDArray[np.uint32]
    op_writes: NDArray[np.uint32]


def checksum(tensors: Iterable[NDArray[Any]]) -> int:
    """CRC-32 of the tensors' bytes (little-endian, C order) one after the other; 0 for none. The device computes the
    same over Model.reads and Model.writes of each operator."""
    crc = 0
    for tensor in tensors:
        crc = zlib.crc32(np.ascontiguousarray(tensor).data, crc)
    return crc


class Oracle(ABC):
    """A reference interpreter."""

    name: str

    @abstractmethod
    def version(self) -> str:
        """The version of the interpreter behind it. Raises OracleMissing where it is not installed."""

    @abstractmethod
    def tensors(self, model: Model, inputs: Sequence[NDArray[Any]], indices: Sequence[int]) -> dict[int, NDArray[Any]]:
        """What the model's tensors with these indices hold after one vector (`inputs`: an array an input).

        Raises what `trace` raises.
        """

    @abstractmethod
    def trace(self, model: Model, inputs: Sequence[NDArray[Any]], *, keep_state: bool = False) -> Trace:
        """Runs the model on each vector of `inputs` (for each input an array (n, *shape) of its type).

        Each vector finds the model's variables as a fresh interpreter has them; with `keep_state`, as the vector before
        left them.

        Raises:
            OracleMissing: the interpreter is not installed.
            OracleFailed: it refused the model, or died of it.
        """

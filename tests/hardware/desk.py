# SPDX-License-Identifier: Apache-2.0
"""A board on a port, with its image and model, as the tests use it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rig import EmulatedBoard

from tinyhil.attachment import Attachment
from tinyhil.board import Board
from tinyhil.build import Image
from tinyhil.device import Device
from tinyhil.flash.hexfile import elf_segments
from tinyhil.model import Model
from tinyhil.slot import slot_image


@dataclass
class Desk:
    """A board on a port, its image, and what is attached to it."""

    rig: EmulatedBoard
    board: Board
    image: Image
    model: Model
    attachment: Attachment

    def flash_all(self, model: Model | None = None, benchmark: str = "") -> None:
        """As somebody did before: image and model are on the board, and it runs."""
        segments = elf_segments(self.image.elf)
        assert self.image.slot is not None
        segments.append((self.image.slot.base, slot_image((model or self.model).data, benchmark)))
        self.rig.program(segments)
        self.rig.programmed.clear()
        self.rig.power_on()

    def open(self, model: Model | None = None, **options: Any) -> Device:
        return Device.open(
            self.board,
            "serial",
            options.pop("image", self.image),
            model or self.model,
            attachment=replace(
                self.attachment, **{k: options.pop(k) for k in list(options) if hasattr(self.attachment, k)}
            ),
            **options,
        )

    @property
    def vector(self) -> list[np.ndarray]:
        return [np.zeros(tensor.shape, tensor.dtype) for tensor in self.model.input_tensors]

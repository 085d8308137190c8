# SPDX-License-Identifier: Apache-2.0
"""A built image: where it lies, and the identity of all that made it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyhil.board import Region
from tinyhil.upstream import Tree


@dataclass(frozen=True)
class Image:
    """A built image, and the identity of all that made it.

    build_id: 16 hex digits; the image holds it too, so a device can be asked whether it runs this image.
    kind: "slot" (every operator, model from the slot) or "bundled" (model linked in).
    flash_bytes: code, constants, model of a bundled image, initial values. ram_bytes: data and stack, not the arena.
    slot: None in a bundled image.
    firmware_version: of Zephyr and of its modules; empty on bare metal.
    upstream: the trees of others' sources that are in it.
    """

    board_name: str
    elf: Path
    build_id: str
    kind: str
    engine: str
    kernels: str
    compiler: str
    flags: tuple[str, ...]
    flash_bytes: int
    ram_bytes: int
    slot: Region | None
    firmware: str = "bare_metal"
    firmware_version: str = ""
    upstream: tuple[Tree, ...] = ()

    @property
    def map(self) -> Path:
        """The linker map."""
        return self.elf.with_suffix(".map")

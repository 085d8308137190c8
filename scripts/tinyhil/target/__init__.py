# SPDX-License-Identifier: Apache-2.0
"""Targets: the ways of running a board. A target is one file; this one names them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tinyhil.errors import UnknownBoard, WrongDevice
from tinyhil.target.base import Target

if TYPE_CHECKING:
    from tinyhil.attachment import Attachment
    from tinyhil.board import Board
    from tinyhil.build import Image

__all__ = ["Target", "expect", "make_target"]


def expect(name: str, board: Board) -> None:
    """Says that the board will be started on this target soon: what takes long is begun beside what is done until then.

    Nothing goes wrong here: what cannot be had is the start's to report.
    """
    if name == "renode" and (spec := board.targets.get(name)) is not None:
        from tinyhil.target.renode import POOL

        POOL.expect(spec.platform)


def make_target(
    name: str, board: Board, image: Image, slot: bytes | None, attachment: Attachment | None = None
) -> Target:
    """A target, not yet started, that runs the image on the board with `slot` in its model slot.

    attachment: how a real board hangs on this computer; for the target serial.

    Raises UnknownBoard where the board has no target of that name, WrongDevice where the image is another board's.
    """
    if image.board_name != board.name:
        raise WrongDevice(
            f"the image is built for board {image.board_name}, not for {board.name}",
            next_step=f"Build it anew: tinyhil build --board {board.name}.",
        )
    board = board.running(image.firmware)
    spec = board.targets.get(name)
    place = board.slot if image.slot is None else replace(board.slot, base=image.slot.base, bytes=image.slot.bytes)
    if spec is not None and name == "native":
        from tinyhil.target.native import NativeTarget, ZephyrNativeTarget

        return ZephyrNativeTarget(image.elf) if image.firmware == "zephyr" else NativeTarget(image.elf, slot)
    if spec is not None and name == "qemu":
        from tinyhil.target.qemu import QemuTarget

        return QemuTarget(spec, image.elf, place, slot)
    if spec is not None and name == "renode":
        from tinyhil.target.renode import RenodeTarget

        return RenodeTarget(board, image.elf, place, slot)
    if spec is not None and name == "serial":
        from tinyhil.attachment import Attachment
        from tinyhil.target.serial import SerialTarget

        return SerialTarget(board, image, slot, attachment or Attachment())
    raise UnknownBoard(f"board {board.name} has no target {name!r}", next_step=f"It has: {', '.join(board.targets)}.")

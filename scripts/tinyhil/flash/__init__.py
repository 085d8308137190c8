# SPDX-License-Identifier: Apache-2.0
"""Flashing a real board with what the user has. A tool is one file; this one chooses among them.

board.yaml names the tools that can flash the board, by preference; the first that is installed is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyhil.errors import NoFlasher
from tinyhil.flash.base import Flasher

if TYPE_CHECKING:
    from tinyhil.board import Board

__all__ = ["TOOLS", "Flasher", "find_flasher"]


def _west(settings: Mapping[str, Any], serial_number: str, build_dir: Path | None) -> Flasher:
    from tinyhil.flash.west import West

    return West(settings, serial_number, build_dir)


def _pyocd(settings: Mapping[str, Any], serial_number: str, build_dir: Path | None) -> Flasher:
    from tinyhil.flash.pyocd import PyOcd

    return PyOcd(settings, serial_number)


def _openocd(settings: Mapping[str, Any], serial_number: str, build_dir: Path | None) -> Flasher:
    from tinyhil.flash.openocd import OpenOcd

    return OpenOcd(settings, serial_number)


def _jlink(settings: Mapping[str, Any], serial_number: str, build_dir: Path | None) -> Flasher:
    from tinyhil.flash.jlink import JLink

    return JLink(settings, serial_number)


def _stflash(settings: Mapping[str, Any], serial_number: str, build_dir: Path | None) -> Flasher:
    from tinyhil.flash.stflash import StFlash

    return StFlash(settings, serial_number)


TOOLS: dict[str, Callable[[Mapping[str, Any], str, Path | None], Flasher]] = {
    "west": _west,
    "pyocd": _pyocd,
    "openocd": _openocd,
    "jlink": _jlink,
    "stflash": _stflash,
}


def find_flasher(board: Board, wanted: str, serial_number: str, build_dir: Path | None = None) -> Flasher:
    """The tool to flash the board with: `wanted`, or the first of board.yaml's that is there.

    serial_number: of the board's probe; "" where only one is attached. build_dir: of a firmware that west built.

    Raises NoFlasher, which says what was looked for.
    """
    if wanted == "none":
        raise NoFlasher(
            "flashing was switched off (--flash none)", next_step="Flash the board yourself, or leave it out."
        )
    if wanted and wanted not in TOOLS:
        raise NoFlasher(f"there is no flashing tool {wanted!r}", next_step=f"There are: {', '.join(TOOLS)}, none.")
    if wanted and wanted not in board.flash:
        raise NoFlasher(
            f"board.yaml of {board.name} does not say how {wanted} flashes it",
            next_step=f"Add flash.{wanted} to it; platforms/README.md explains the keys.",
        )
    names = [wanted] if wanted else list(board.flash)
    if not names:
        raise NoFlasher(
            f"board.yaml of {board.name} names nothing that flashes it",
            next_step="Add `flash` to it (platforms/README.md), or flash the board yourself.",
        )
    lacking = []
    for name in names:
        flasher = TOOLS[name](board.flash[name], serial_number, build_dir)
        reason = flasher.lacks()
        if not reason:
            return flasher
        lacking.append(f"{name}: {reason}")
    raise NoFlasher(
        f"{board.name} has to be flashed, and nothing is there to do it with",
        next_step="Install one of these, or flash the board yourself.",
        details="\n".join(lacking),
    )

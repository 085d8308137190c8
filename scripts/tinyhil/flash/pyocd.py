# SPDX-License-Identifier: Apache-2.0
"""pyOCD through its Python API; the optional extra tinyhil[pyocd]."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tinyhil.errors import FlashFailed
from tinyhil.flash.base import Flasher, failed


class PyOcd(Flasher):
    name = "pyocd"

    def __init__(self, settings: Mapping[str, Any], serial_number: str) -> None:
        self._target: str = settings["target"]
        self._serial_number = serial_number

    def lacks(self) -> str:
        if importlib.util.find_spec("pyocd") is None:
            return "the Python package pyocd is not installed: pip install 'tinyhil[pyocd]'"
        return ""

    @contextlib.contextmanager
    def _session(self, what: str) -> Iterator[Any]:
        from pyocd.core.helpers import ConnectHelper

        try:
            session = ConnectHelper.session_with_chosen_probe(
                blocking=False,
                return_first=not self._serial_number,
                unique_id=self._serial_number or None,
                options={"target_override": self._target, "hide_programming_progress": True},
            )
            if session is None:
                raise failed(
                    "pyOCD", what, "found no debug probe" + f" {self._serial_number}" * bool(self._serial_number), ""
                )
            with session:
                yield session
        except FlashFailed:
            raise
        except Exception as error:  # whatever its probes, packs and libusb raise
            raise failed("pyOCD", what, "raised an error", f"{type(error).__name__}: {error}") from error

    def flash(self, file: Path) -> None:
        from pyocd.flash.file_programmer import FileProgrammer

        with self._session(f"flash {file.name}") as session:
            FileProgrammer(session, chip_erase="sector").program(str(file), file_format="hex")
            session.target.reset()

    def reset(self) -> bool:
        with self._session("reset the board") as session:
            session.target.reset()
        return True

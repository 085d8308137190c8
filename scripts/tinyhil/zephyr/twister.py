# SPDX-License-Identifier: Apache-2.0
"""Twister's device, its fixture `dut`, as what carries the text language: for tinyhil.text_device.TextDevice."""

from __future__ import annotations

from typing import Any

from tinyhil.errors import TargetHung

_LINE_S = 60.0
"""How long a line may take, an inference before it included."""


class DutLines:
    """Lines over a `dut` of Zephyr 3.4, which iterates over what the device says, or of a newer one, which reads."""

    def __init__(self, dut: Any) -> None:
        """Waits until the device has started."""
        self._dut = dut
        self._wait_ready()

    def ask(self, line: str) -> list[str]:
        self._dut.write(line.encode() + b"\n")
        return self._wait_ready()

    def _wait_ready(self) -> list[str]:
        lines: list[str] = []
        while (line := self._next_line()) != "m-ready":
            if line:
                lines.append(line)
        return lines

    def _next_line(self) -> str:
        try:
            if hasattr(self._dut, "readline"):
                return str(self._dut.readline(timeout=_LINE_S, print_output=False)).strip()
            return str(next(self._dut.iter_stdout)).strip()
        except (StopIteration, TimeoutError) as error:
            raise _hung(error) from error
        except Exception as error:
            # Twister's own exceptions, which cannot be imported where twister is not.
            if type(error).__name__.startswith("TwisterHarness"):
                raise _hung(error) from error
            raise


def _hung(error: Exception) -> TargetHung:
    return TargetHung(
        "no line came from twister's device",
        next_step="Read handler.log in the build folder.",
        details=str(error),
    )

# SPDX-License-Identifier: Apache-2.0
"""Runs a program as `python main.py ARGUMENTS` would, on a computer whose one serial port is the one given.

    python mlperf_launcher.py PORT VID:PID main.py ARGUMENTS...

MLPerf Tiny's runner finds its ports by USB ids alone, which a pseudo-terminal has not. It is a program of its own, so
that nothing of tinyhil is loaded beside the runner.
"""

from __future__ import annotations

import contextlib
import runpy
import sys
from pathlib import Path
from typing import Any


def main(port: str, usb_id: str, program: str, *arguments: str) -> None:
    from serial.tools import list_ports, list_ports_common

    found = list_ports_common.ListPortInfo(port)
    found.vid, found.pid = (int(number, 16) for number in usb_id.split(":"))
    found.description = "tinyhil"

    def comports(include_links: bool = False) -> list[Any]:
        return [found]

    list_ports.comports = comports
    with contextlib.suppress(ImportError):
        import usb.core

        def find(*unused: Any, **wanted: Any) -> Any:
            return iter(()) if wanted.get("find_all") else None

        usb.core.find = find
    sys.argv = [program, *arguments]
    sys.path[0] = str(Path(program).parent)
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])

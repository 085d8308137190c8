#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speaks like Renode's monitor on standard input and output, and runs a native image where Renode would emulate one.

FAKE_RENODE says how it misbehaves: old, no-version, silent, dies-at-start, complains, dies-at-include,
hangs-at-include.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

MODE = os.environ.get("FAKE_RENODE", "")
ECHO_END = "\n\r"


class Machine:
    def __init__(self) -> None:
        self.elf = ""
        self.link: Path | None = None
        self.slot = Path(os.environ["TMPDIR"]) / "fake-slot"
        self.process: subprocess.Popen[bytes] | None = None
        self.master = self.slave = -1

    def pty(self, link: str) -> None:
        self.master, self.slave = os.openpty()
        self.link = Path(link)
        self.link.symlink_to(os.ttyname(self.slave))

    def start(self) -> None:
        ours_in, theirs_in = os.pipe()
        theirs_out, ours_out = os.pipe()
        command = [self.elf, *(["--slot", str(self.slot)] if self.slot.exists() else [])]
        self.process = subprocess.Popen(command, stdin=ours_in, stdout=ours_out)
        os.close(ours_in)
        os.close(ours_out)
        for source, sink in ((self.master, theirs_in), (theirs_out, self.master)):
            threading.Thread(target=self.copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def copy(source: int, sink: int) -> None:
        try:
            while data := os.read(source, 4096):
                os.write(sink, data)
        except OSError:
            pass

    def clear(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)
        if self.link is not None:
            self.link.unlink()
        self.slot.unlink(missing_ok=True)


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def main() -> None:
    if MODE == "dies-at-start":
        print("Unhandled exception. System.DllNotFoundException: libgtk", file=sys.stderr)
        sys.exit(134)
    if MODE == "silent":
        time.sleep(3600)
    version = {"old": "version 1.14.0 (abc)", "no-version": "a program of another name"}.get(
        MODE, "version 1.16.1 (abc)"
    )
    say(f"Renode, {version}\n\r\n\r(monitor) ")
    machine, prompt = Machine(), "monitor"
    for raw in sys.stdin:
        line = raw.rstrip("\n")
        answer = ""
        if line.startswith("$bin=@"):
            machine.elf = line[6:]
        elif line.startswith("include"):
            if MODE == "complains":
                answer = "There was an error executing command 'machine LoadPlatformDescription'\r\n"
                answer += "Error E39: no such type\r\n"
            elif MODE == "dies-at-include":
                print("Fatal error. Segmentation fault in tlib", file=sys.stderr)
                os.abort()
            elif MODE == "hangs-at-include":
                time.sleep(3600)
            prompt = "tinyhil"
        elif found := re.fullmatch(r'emulation CreateUartPtyTerminal "terminal" "(.*)"', line):
            machine.pty(found[1])
        elif line == "start":
            machine.start()
            answer = "Starting emulation...\r\n"
        elif found := re.fullmatch(r"sysbus LoadBinary @(.*) (0x[0-9a-f]+)", line):
            if machine.process is None:
                machine.slot.write_bytes(Path(found[1]).read_bytes())
            else:
                answer = "The host's memory is not to be written\r\n"
        elif line.startswith("logFile"):
            Path(line[9:].split()[0]).write_text("12:00:00.0 [WARNING] cpu: a word of the log\n")
        elif line == "Clear":
            machine.clear()
            machine, prompt = Machine(), "monitor"
        elif line == "sysbus.cpu PC":
            answer = "0x1234\r\n"
        say(f"{line}{ECHO_END}{answer}\r({prompt}) ")


main()

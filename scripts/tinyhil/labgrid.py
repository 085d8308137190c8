# SPDX-License-Identifier: Apache-2.0
"""A board as a place of a labgrid lab: acquired before it is used, released afterwards; the optional extra
tinyhil[labgrid].

    LG_COORDINATOR=lab:20408 tinyhil run model.tflite --board nrf52840dk --target serial --port labgrid:desk-3

Places are acquired under the user's name with `+tinyhil` behind it. So a place that the user acquired by hand is seen
for what it is (and used, and left acquired), and one that a killed run left behind is taken up by the next run on this
computer and released. Between the runs of one computer the board's lock decides.

labgrid's client is a program of its own, with an event loop and gRPC: it runs in a process of its own (`main`).
"""

from __future__ import annotations

import contextlib
import getpass
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tinyhil.errors import BoardInUse, LabError, MissingTool

SCHEME = "labgrid:"

_POLL_S = 0.5
_TIMEOUT_S = 30
_MARK = "+tinyhil"


@dataclass(frozen=True)
class Place:
    """An acquired place. url: of its serial port, as pyserial takes it."""

    name: str
    url: str

    def environment(self) -> dict[str, str]:
        """What lets labgrid-client act on the place as its holder."""
        return {"LG_USERNAME": _name(), "LG_PLACE": self.name}

    def power_cycle(self) -> str:
        """The shell command that switches the place off and on by labgrid's driver."""
        return f"{sys.executable} -m labgrid.remote.client power cycle"


def _name() -> str:
    return f"{os.environ.get('LG_USERNAME') or getpass.getuser()}".removesuffix(_MARK) + _MARK


@contextlib.contextmanager
def acquired(name: str, wait_s: float) -> Iterator[Place]:
    """The place, acquired; it is released at the end. Raises BoardInUse, LabError, MissingTool."""
    if importlib.util.find_spec("labgrid") is None:
        raise MissingTool(
            "the Python package labgrid is not installed", next_step="Run: pip install 'tinyhil[labgrid]'."
        )
    end = time.monotonic() + wait_s
    while True:
        answer = _call("acquire", name)
        if "holder" not in answer:
            break
        if time.monotonic() >= end:
            raise BoardInUse(
                f"place {name} is acquired by {answer['holder']}"
                + (f", and was so for {wait_s:g} s" if wait_s else ""),
                next_step="Wait for it (--wait SECONDS, pytest: --hil-wait), or ask them.",
            )
        time.sleep(_POLL_S)
    try:
        if "url" not in answer:
            raise LabError(
                f"place {name} has no serial port: {answer.get('resources', 'no resources')}",
                next_step="Add a match for a NetworkSerialPort, a RawSerialPort or a USBSerialPort to the place.",
            )
        yield Place(name, answer["url"])
    finally:
        if answer.get("acquired"):
            with contextlib.suppress(LabError):
                _call("release", name)


def _call(what: str, name: str) -> dict[str, Any]:
    environment = {**os.environ, "LG_USERNAME": _name()}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tinyhil.labgrid", what, name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            timeout=_TIMEOUT_S,
            check=False,
        )
        said, words = done.stdout, done.stderr
    except subprocess.TimeoutExpired as error:
        said, words = "", str(error)
    try:
        answer: dict[str, Any] = json.loads(said.splitlines()[-1])
    except (ValueError, IndexError):
        answer = {"error": "its client gave no answer"}
    if "error" in answer:
        raise LabError(
            f"labgrid could not {what} place {name}: {answer['error']}",
            next_step="Is LG_COORDINATOR right, and the place one of `labgrid-client places`?",
            details=words[-2000:],
        )
    return answer


def main(what: str, name: str) -> dict[str, Any]:
    """Talks to the coordinator. Returns what `_call` gives on."""
    import argparse
    import asyncio

    from labgrid.remote import client

    address = os.environ.get("LG_COORDINATOR", "127.0.0.1:20408")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    args = argparse.Namespace(place=name, allow_unmatched=False, kick=False)
    try:
        session = client.start_session(address, extra={"args": args}, loop=loop)
    except client.ServerError as error:
        return {"error": f"no coordinator at {address}: {error}"}
    try:
        place = session.get_place(name)
        if what == "release":
            if place.acquired == _us(session):
                loop.run_until_complete(session.release())
            return {}
        fresh = not place.acquired
        if fresh:
            loop.run_until_complete(session.acquire())
        elif place.acquired not in (_us(session), _us(session).removesuffix(_MARK)):
            return {"holder": place.acquired}
        place = session.places[place.name]
        found = [session.resources[path[0]][path[1]][path[3]] for path in place.acquired_resources]
        answer: dict[str, Any] = {
            "acquired": place.acquired == _us(session),
            "resources": ", ".join(entry.cls for entry in found),
        }
        for entry in found:
            if entry.cls == "NetworkSerialPort":
                raw = entry.args.get("protocol") == "raw"
                scheme = "socket" if raw else "rfc2217"
                answer["url"] = f"{scheme}://{entry.args['host']}:{entry.args['port']}"
        return answer
    except (client.Error, KeyError) as error:
        return {"error": str(error).removeprefix("Error: ")}
    finally:
        loop.run_until_complete(session.stop())
        loop.run_until_complete(session.close())


def _us(session: Any) -> str:
    return f"{session.gethostname()}/{session.getuser()}"


if __name__ == "__main__":
    import io

    with contextlib.redirect_stdout(io.StringIO()):  # labgrid's client talks to people there
        result = main(*sys.argv[1:3])
    print(json.dumps(result))

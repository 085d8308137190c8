# SPDX-License-Identifier: Apache-2.0
"""A place of a lab instead of a port: labgrid's own coordinator and exporter, on this computer."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from desk import Desk
from network import Rfc2217Server
from rig import EmulatedBoard

from tinyhil.errors import BoardInUse, LabError

pytestmark = pytest.mark.needs("labgrid")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def switch(rig: EmulatedBoard) -> Iterator[int]:
    """A power switch with a web interface: a request for .../1 switches the board on."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.endswith("/1"):
                rig.reset()
            elif self.path.endswith("/0"):
                rig.power_off()
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def labgrid_client(*words: str, user: str = "somebody") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "labgrid.remote.client", *words],
        env={**os.environ, "LG_USERNAME": user},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def place(rig: EmulatedBoard, switch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The place `desk-3` with the board's serial port and power switch."""
    server = Rfc2217Server(rig.port)
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("LG_COORDINATOR", address)
    monkeypatch.delenv("LG_USERNAME", raising=False)
    lab = tmp_path / "lab"
    lab.mkdir()
    (lab / "exporter.yaml").write_text(
        "bench:\n"
        f"  NetworkSerialPort: {{host: 127.0.0.1, port: {server.number}, protocol: rfc2217}}\n"
        f"  NetworkPowerPort: {{model: simplerest, host: 'http://127.0.0.1:{switch}/{{index}}/{{value}}', index: 0}}\n"
    )
    programs = Path(sys.executable).parent
    with (lab / "log").open("w") as log:
        commands = (
            [programs / "labgrid-coordinator", "-l", address],
            [programs / "labgrid-exporter", "-c", address, "-n", "here", "exporter.yaml"],
        )
        processes = []
        for command in commands:
            processes.append(subprocess.Popen(command, cwd=lab, stdout=log, stderr=log))
            end = time.monotonic() + 30
            while time.monotonic() < end:
                try:
                    socket.create_connection(("127.0.0.1", int(address.split(":")[1]))).close()
                    break
                except OSError:
                    time.sleep(0.1)
    labgrid_client("-p", "desk-3", "create")
    for resource in ("NetworkSerialPort", "NetworkPowerPort"):
        labgrid_client("-p", "desk-3", "add-match", f"here/bench/{resource}")
    end = time.monotonic() + 30
    while "here/bench" not in labgrid_client("resources") and time.monotonic() < end:
        time.sleep(0.2)
    yield "labgrid:desk-3"
    server.close()
    for process in processes:
        process.kill()
        process.wait()


def holder() -> str:
    lines = labgrid_client("-p", "desk-3", "show").splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.strip().startswith("acquired:"))


def test_a_place_is_acquired_used_and_released(desk_of: Callable[..., Desk], place: str) -> None:
    desk = desk_of(port=place)
    desk.flash_all()
    with desk.open() as device:
        device.load(desk.model)
        assert device.run(desk.vector).outputs
        assert holder().endswith("+tinyhil")
        assert device.identity()["port"].startswith("rfc2217://")
    assert holder() == "None"


def test_a_place_of_somebody_else_is_refused_by_name_and_waited_for(desk_of: Callable[..., Desk], place: str) -> None:
    desk = desk_of(port=place)
    desk.flash_all()
    labgrid_client("-p", "desk-3", "acquire", user="carol")
    with pytest.raises(BoardInUse, match=r"place desk-3 is acquired by .*/carol"):
        desk.open()
    threading.Timer(2, labgrid_client, ("-p", "desk-3", "release"), {"user": "carol"}).start()
    with desk.open(wait_s=60.0) as device:
        assert device.info["board"] == "deskboard"


def test_a_place_that_a_killed_run_left_is_taken_up_and_released(desk_of: Callable[..., Desk], place: str) -> None:
    desk = desk_of(port=place)
    desk.flash_all()
    import getpass

    labgrid_client("-p", "desk-3", "acquire", user=f"{getpass.getuser()}+tinyhil")
    with desk.open():
        pass
    assert holder() == "None"


def test_a_hung_board_is_recovered_by_the_places_power_driver(desk_of: Callable[..., Desk], place: str) -> None:
    desk = desk_of(port=place, power="labgrid")
    desk.flash_all()
    desk.rig.freeze()
    with desk.open() as device:
        assert "power cycle` brought it back" in device.identity()["recovered"]
    assert desk.rig.resets == 1


def test_a_place_that_is_not_there_is_an_error_of_the_lab(desk_of: Callable[..., Desk], place: str) -> None:
    with pytest.raises(LabError, match=r"could not acquire place desk-4: .*matches nothing"):
        desk_of(port="labgrid:desk-4").open()


def test_no_coordinator_is_an_error_of_the_lab(desk_of: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LG_COORDINATOR", f"127.0.0.1:{free_port()}")
    with pytest.raises(LabError, match="no coordinator at"):
        desk_of(port="labgrid:desk-3").open()

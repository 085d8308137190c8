# SPDX-License-Identifier: Apache-2.0
"""A board on another computer, and what its port is set to."""

from __future__ import annotations

import os
import termios
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from desk import Desk
from network import RawServer, Rfc2217Server
from rig import EmulatedBoard

from tinyhil.golden import golden_for
from tinyhil.verdict import assert_golden

SERVERS = {"socket": RawServer, "rfc2217": Rfc2217Server}


@pytest.fixture
def server(rig: EmulatedBoard, request: pytest.FixtureRequest) -> Iterator[str]:
    running = SERVERS[request.param](rig.port)
    yield f"{request.param}://127.0.0.1:{running.number}"
    running.close()


@pytest.mark.parametrize("server", SERVERS, indirect=True)
def test_a_board_on_another_computer_computes_what_the_oracle_does(desk_of: Callable[..., Desk], server: str) -> None:
    desk = desk_of("oneboard", port=server, flash="none")
    desk.flash_all()
    desk.rig.wait_ready()
    with desk.open() as device:
        device.load(desk.model)
        assert_golden(device, golden_for(desk.model).subset(range(4)))
        assert device.identity()["port"] == server


def test_rfc_2217_sets_the_baud_rate_there(desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("deskboard", flash="none")
    desk.flash_all()
    desk.rig.wait_ready()
    server = Rfc2217Server(desk.rig.port)
    with desk.open(port=f"rfc2217://127.0.0.1:{server.number}") as device:
        assert device.identity()["baud"] == "1000000"
        device.load(desk.model)
        golden = golden_for(desk.model)
        assert np.array_equal(device.run([array[0] for array in golden.inputs]).outputs[0], golden.outputs[0][0])
    server.close()


@pytest.mark.parametrize("flow_control", ["none", "rts_cts"])
def test_the_port_has_hardware_flow_control_where_the_board_file_says_so(
    desk_of: Callable[..., Desk], flow_control: str
) -> None:
    desk = desk_of("oneboard", flash="none")
    spec = desk.board.targets["serial"]
    port = replace(spec.serial, flow_control=flow_control)
    desk.board = replace(desk.board, targets={"serial": replace(spec, serial=port)})
    desk.flash_all()
    desk.rig.wait_ready()
    with desk.open() as device:
        device.load(desk.model)
        assert device.run(desk.vector).outputs
        fd = os.open(desk.rig.port, os.O_RDWR | os.O_NOCTTY)
        assert bool(termios.tcgetattr(fd)[2] & termios.CRTSCTS) == (flow_control == "rts_cts")
        os.close(fd)

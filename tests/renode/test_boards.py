# SPDX-License-Identifier: Apache-2.0
"""The boards in a real Renode: the oracle's numbers, and QEMU's instruction counts where QEMU has the board too."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tinyhil.board import board_names, load_board
from tinyhil.build import build_image
from tinyhil.device import Device
from tinyhil.errors import MissingTool
from tinyhil.golden import golden_for
from tinyhil.matrix import own_model
from tinyhil.model import load_model
from tinyhil.record import Cell
from tinyhil.runner import Plan, run_cell
from tinyhil.target import renode
from tinyhil.verdict import assert_golden

pytestmark = pytest.mark.needs("renode", "arm-gcc")

BOARDS = [name for name in board_names() if "renode" in load_board(name).targets]
BOTH = [name for name in BOARDS if "qemu" in load_board(name).targets]


def instructions(board: str, target: str) -> float:
    outcome = run_cell(Cell(board, target, own_model("digits")), Plan(vectors=2))
    assert outcome.record.verdict == "pass", outcome.record.headline()
    assert outcome.record.figures["inference"].unit == "instructions"
    return outcome.record.figures["inference"].value


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_computes_the_oracles_numbers_and_counts_the_same_twice(name):
    assert instructions(name, "renode") == instructions(name, "renode")


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.needs("qemu")
def test_two_emulators_of_one_board_count_alike(name):
    assert instructions(name, "renode") == pytest.approx(instructions(name, "qemu"), rel=0.005)


def test_the_boards_counter_counts_what_renode_says_it_executed():
    board, model = load_board("nrf52840dk"), load_model(own_model("digits"))
    image, golden = build_image(board), golden_for(model)
    with image.elf.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        places = {entry.name: entry["st_value"] & ~1 for entry in table.iter_symbols()}
    with Device.open(board, "renode", image, model) as device:
        device.load(model)
        running = device._target._running
        for name, place in places.items():
            if re.search("CounterRestart|CounterMilliticks", name):
                mark = "self.InfoLog('mark ' + str(self.ExecutedInstructions))"
                running.silent_command(f'sysbus.cpu AddHook {place:#x} "{mark}"')
        more = set()
        for vector in range(3):
            said = running.log_bytes()
            counted = device.run([array[vector] for array in golden.inputs]).units
            marks: list[str] = []
            end = time.monotonic() + 30
            while len(marks) < 2:  # Renode writes its log in its own time
                assert time.monotonic() < end
                marks = re.findall(r"mark (\d+)", running.last_words(said))
            more.add(int(marks[1]) - int(marks[0]) - counted)
    assert len(more) == 1
    assert 0 <= more.pop() < 100  # from the first mark until the counter starts, and until it is read


def test_a_post_mortem_says_where_the_device_is_and_holds_a_snapshot():
    board = load_board("mps2_an386")
    with Device.open(board, "renode", build_image(board)) as device:
        files = device.post_mortem()
    assert b"tinyhil::AppMain" in files["registers.txt"]
    assert re.search(rb"^PC( / R15)? +0x[0-9A-F]+$", files["registers.txt"], re.MULTILINE)
    assert len(files["state.save"]) > 1000


def test_the_snapshot_opens_where_the_device_stopped_when_all_else_of_it_is_gone(tmp_path):
    board = load_board("nrf52840dk")
    with Device.open(board, "renode", build_image(board)) as device:
        files = device.post_mortem()
        stopped_at = device._target._register("PC")
    renode.POOL.close()
    snapshot = tmp_path / "state.save"
    snapshot.write_bytes(files["state.save"])
    other = renode.Renode()
    try:
        other.silent_command(f"Load @{snapshot}")
        other.silent_command("mach set 0")
        assert int(other.command("sysbus.cpu PC"), 16) == stopped_at
    finally:
        other.kill()


def test_inputs_take_no_command_of_the_monitor(monkeypatch):
    board, model = load_board("nrf52840dk"), load_model(own_model("digits"))
    golden = golden_for(model).subset(range(3))
    with Device.open(board, "renode", build_image(board), model) as device:
        running = device._target._running
        if not renode.shares_memory(running.version):
            pytest.skip(f"Renode {running.version} cannot keep a memory in a file")
        device.load(model)
        device.run([array[0] for array in golden.inputs])
        monkeypatch.setattr(running, "command", None)
        try:
            assert_golden(device, golden)
        finally:
            monkeypatch.undo()


def test_a_running_board_has_no_network_socket_open_even_where_it_could():
    board = load_board("nrf52840dk")
    running = renode.Renode(isolated=False)
    target = renode.RenodeTarget(board, build_image(board).elf, board.slot, None)
    try:
        target.prepare(running)
        target.run()
        process = Path(f"/proc/{running.process.pid}")
        opened = {str(entry.readlink()) for entry in (process / "fd").iterdir()}
        sockets = [(process / "net" / kind).read_text().splitlines() for kind in ("tcp", "tcp6", "udp", "udp6")]
        inodes = {f"socket:[{line.split()[9]}]" for kind in sockets for line in kind[1:]}
        assert not inodes & opened
    finally:
        target.stop()


def test_a_device_that_spins_is_found_where_it_spins():
    board = load_board("mps2_an386")
    with Device.open(board, "renode", build_image(board)) as device:
        assert "tinyhil::" in device._target.where()


@pytest.mark.needs("cmsis_nn")
def test_an_mve_image_runs_or_renode_is_named_as_too_old_for_it():
    outcome = run_cell(Cell("mps3_an547", "renode", own_model("digits"), kernels="cmsis_nn"), Plan(vectors=2))
    if outcome.record.verdict != "pass":
        assert outcome.record.error is not None
        assert "runs an image with MVE instructions" in outcome.record.error.message
        assert outcome.record.exit_status == MissingTool.exit_status


def remote(link: socket.socket, request: str) -> str:
    """What a GDB server answers."""
    link.sendall(f"${request}#{sum(request.encode()) % 256:02x}".encode())
    received = b""
    while (found := re.search(rb"\$([^#]*)#[0-9a-f]{2}", received)) is None:
        data = link.recv(4096)
        assert data, received
        received += data
    link.sendall(b"+")
    return found[1].decode()


def test_debug_leaves_the_board_before_its_first_instruction_for_gdb():
    image = build_image(load_board("nrf52840dk"))
    with image.elf.open("rb") as stream:
        entry = ELFFile(stream)["e_entry"] & ~1
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tinyhil", "debug", str(own_model("digits")), "--board", "nrf52840dk"]
    with subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        try:
            said = b""
            while b"Ctrl-C ends it" not in said:
                line = running.stdout.readline()
                assert line, said
                said += line
            with socket.create_connection(("127.0.0.1", port)) as link:
                registers = remote(link, "g")
        finally:
            running.send_signal(signal.SIGINT)
            errors = running.communicate()[1]
    assert int.from_bytes(bytes.fromhex(registers[15 * 8 : 16 * 8]), "little") & ~1 == entry
    assert f"{image.elf} -ex 'target remote 127.0.0.1:{port}'".encode() in said
    assert b"on every network interface" in errors
    assert running.returncode == 0

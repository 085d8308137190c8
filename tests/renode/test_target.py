# SPDX-License-Identifier: Apache-2.0
"""The renode target, held against a program that speaks as Renode's monitor does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tinyhil.cli import cli
from tinyhil.device import Device
from tinyhil.errors import (
    MissingTool,
    TargetDied,
    TargetError,
    TargetHung,
    TargetStartFailed,
    TinyhilError,
    UnknownBoard,
    WrongDevice,
)
from tinyhil.golden import golden_for
from tinyhil.matrix import own_model
from tinyhil.model import load_model
from tinyhil.target import expect, make_target, renode
from tinyhil.verdict import assert_golden

pytestmark = pytest.mark.needs("native")


def left_behind() -> list[Path]:
    return list(Path(tempfile.gettempdir()).iterdir())


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_cell_runs_and_the_next_one_runs_in_the_same_renode(fake_renode, host_board, host_image):
    model = load_model(own_model("digits"))
    golden = golden_for(model).subset(range(3))
    pids = set()
    for _ in range(3):
        with Device.open(host_board, "renode", host_image, model) as device:
            device.load(model)
            assert_golden(device, golden)
            assert device.identity() == {"name": "renode", "version": "1.16.1"}
            pids.add(device._target._running.process.pid)
    assert len(pids) == 1


def test_cells_side_by_side_have_a_renode_each(fake_renode, host_board, host_image):
    with (
        Device.open(host_board, "renode", host_image) as one,
        Device.open(host_board, "renode", host_image) as other,
    ):
        pids = {device._target._running.process.pid for device in (one, other)}
    assert len(pids) == 2


def test_a_renode_that_is_expected_is_started_once_and_taken_by_the_next_device(fake_renode, host_board, host_image):
    expect("renode", host_board)
    expect("renode", host_board)
    with Device.open(host_board, "renode", host_image) as device:
        first = device._target._running.process.pid
    assert len(left_behind()) == 1
    expect("renode", host_board)
    with Device.open(host_board, "renode", host_image) as device:
        assert device._target._running.process.pid == first
    renode.POOL.close()
    assert left_behind() == []


@pytest.mark.parametrize("how", ["old", "dies-at-start", "complains", "dies-at-include"])
def test_what_goes_wrong_with_an_expected_renode_is_told_by_the_device_that_needs_it(
    fake_renode, host_board, host_image, how
):
    fake_renode(how)
    expect("renode", host_board)
    with pytest.raises(TinyhilError):
        Device.open(host_board, "renode", host_image)
    renode.POOL.close()
    assert left_behind() == []


def test_an_expected_renode_that_nobody_takes_is_ended(fake_renode, host_board):
    expect("renode", host_board)
    renode.POOL.close()
    assert left_behind() == []


def test_fifty_devices_in_a_row_leave_no_process_no_port_and_no_file(fake_renode, host_board, host_image):
    files = open_files()
    pids = set()
    for _ in range(50):
        with Device.open(host_board, "renode", host_image) as device:
            pids.add(device._target._running.process.pid)
    renode.POOL.close()
    assert left_behind() == []
    assert open_files() <= files
    assert not any(alive(pid) for pid in pids)


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("old", MissingTool, "Renode 1.14.0 is too old: tinyhil needs 1.15.3 or newer"),
        ("no-version", TargetStartFailed, "does not say which version"),
        ("dies-at-start", TargetStartFailed, "System.DllNotFoundException"),
        ("complains", TargetStartFailed, "Error E39: no such type"),
        ("dies-at-include", TargetError, "Segmentation fault in tlib"),
    ],
)
def test_a_renode_that_does_not_do_is_an_error_with_its_own_words(
    fake_renode, host_board, host_image, how, error, words
):
    fake_renode(how)
    with pytest.raises(error) as raised:
        Device.open(host_board, "renode", host_image)
    assert words in f"{raised.value.message}\n{raised.value.details}"
    assert raised.value.next_step
    renode.POOL.close()
    assert left_behind() == []


def test_a_renode_that_is_too_old_ends_a_run_with_the_status_of_a_missing_tool(fake_renode, host_board):
    fake_renode("old")
    model = str(own_model("digits"))
    done = CliRunner().invoke(cli, ["run", model, "--board", "host_in_renode", "--target", "renode", "--vectors", "1"])
    assert done.exit_code == MissingTool.exit_status
    assert "Renode 1.14.0 is too old: tinyhil needs 1.15.3 or newer" in done.output


@pytest.mark.parametrize("how", ["silent", "hangs-at-include"])
def test_a_renode_that_hangs_is_given_up(fake_renode, host_board, host_image, how, monkeypatch):
    monkeypatch.setattr(renode, "_START_S", 1.0)
    monkeypatch.setattr(renode.Renode.command, "__defaults__", (1.0,))
    monkeypatch.setattr(renode.Renode.silent_command, "__defaults__", (1.0,))
    fake_renode(how)
    with pytest.raises(TargetHung, match="Renode itself does not answer"):
        Device.open(host_board, "renode", host_image)
    assert left_behind() == []


def test_a_renode_that_is_killed_in_the_middle_is_named_and_not_used_again(fake_renode, host_board, host_image):
    model = load_model(own_model("digits"))
    with Device.open(host_board, "renode", host_image, model) as device:
        device.load(model)
        pid = device._target._running.process.pid
        os.kill(pid, signal.SIGKILL)
        while alive(pid):
            time.sleep(0.01)
        with pytest.raises(TargetDied, match="SIGKILL"):
            device.memory()
    with Device.open(host_board, "renode", host_image) as device:
        assert device._target._running.process.pid != pid


def test_a_board_that_needs_a_newer_renode_says_so(fake_renode, host_board, host_image):
    spec = replace(host_board.targets["renode"], since="1.17")
    with pytest.raises(MissingTool, match=r"board host_in_renode needs 1\.17 or newer"):
        Device.open(replace(host_board, targets={"renode": spec}), "renode", host_image)


def test_a_board_without_a_renode_platform_is_refused(host_image, host_board):
    bare = replace(host_board, targets={})
    with pytest.raises(UnknownBoard, match="has no target 'renode'"):
        make_target("renode", bare, host_image, None)


def test_an_image_of_another_board_is_refused(host_board, host_image):
    with pytest.raises(WrongDevice, match="built for board host_in_renode, not for elsewhere"):
        make_target("renode", replace(host_board, name="elsewhere"), host_image, None)


def test_a_renode_that_is_nowhere_is_named_with_the_ways_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setenv("RENODE", str(tmp_path / "nowhere"))
    with pytest.raises(MissingTool, match=r"\$RENODE is .*nowhere"):
        renode.find_renode()
    monkeypatch.delenv("RENODE")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TINYHIL_CACHE", str(tmp_path))
    with pytest.raises(MissingTool) as raised:
        renode.find_renode()
    assert "scripts/install_renode.sh" in raised.value.next_step


def test_renode_is_found_in_its_folder_and_where_the_installer_puts_it(monkeypatch, tmp_path):
    installed = tmp_path / "renode" / "renode"
    installed.parent.mkdir()
    installed.write_text("#!/bin/sh\n")
    installed.chmod(0o755)
    monkeypatch.setenv("RENODE", str(installed.parent))
    assert renode.find_renode() == installed
    monkeypatch.delenv("RENODE")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TINYHIL_CACHE", str(tmp_path))
    assert renode.find_renode() == installed


def test_debug_refuses_a_port_in_use(fake_renode, host_board):
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(
            cli, ["debug", str(own_model("digits")), "--board", "host_in_renode", "--port", str(port)]
        )
    assert done.exit_code == TargetStartFailed.exit_status
    assert f"port {port} cannot be used" in done.output


@pytest.mark.needs("arm-gcc")
def test_an_mve_instruction_that_renode_does_not_know_is_renodes_fault(tmp_path):
    source = tmp_path / "vector.c"
    source.write_text("int main(void) { return 0; }\n")
    undefined = {"pc": 0x1234, "cfsr": 1 << 16}

    def compiled(cpu: str) -> Path:
        elf = tmp_path / f"{cpu}.elf"
        command = ["arm-none-eabi-gcc", f"-mcpu={cpu}", "-mthumb", "-mfloat-abi=hard", "-nostdlib", "-Wl,-emain"]
        subprocess.run([*command, str(source), "-o", str(elf)], check=True)
        return elf

    vectors, scalars = compiled("cortex-m55"), compiled("cortex-m55+nomve")
    refusal = renode.mve_refusal("1.16.1", "mps3_an547", vectors, undefined, "kernel+0x4")
    assert refusal is not None
    assert "Renode 1.16.1 is too old: board mps3_an547 runs an image with MVE" in refusal.message
    assert "0x00001234 in kernel+0x4" in refusal.message
    assert renode.mve_refusal("1.16.1", "mps3_an547", scalars, undefined, "") is None
    assert renode.mve_refusal("1.16.1", "mps3_an547", vectors, {"pc": 0x1234, "cfsr": 1 << 25}, "") is None

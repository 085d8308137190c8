# SPDX-License-Identifier: Apache-2.0
"""Whatever happens to a target has a name of its own, and says where and why."""

from __future__ import annotations

import os
import signal
import struct
import time
from dataclasses import replace

import pytest

from tinyhil.device import Device
from tinyhil.errors import (
    DeviceFault,
    DeviceRefused,
    MissingTool,
    SilentDevice,
    TargetDied,
    TargetError,
    TargetHung,
    TargetStartFailed,
    UnknownBoard,
    WrongDevice,
)
from tinyhil.link.frame import encode_frame
from tinyhil.link.protocol import Request
from tinyhil.target.symbols import Symbols

BRANCH_TO_SELF = b"\xfe\xe7"  # Thumb: b .
UNDEFINED = b"\x00\xde"  # Thumb: udf #0


def pid_of(device: Device) -> int:
    return device._target.process.pid


def run_for_ever(device, rig):
    while True:
        device.run(rig.vector)


def address_of(rig, function: str) -> int:
    return next(start for start, _, name in Symbols(rig.image.elf)._functions if function in name)


def test_one_that_is_killed_in_the_middle_died(rig, shortly):
    with rig.open() as device:
        shortly(os.kill, pid_of(device), signal.SIGKILL)
        with pytest.raises(TargetDied, match="SIGKILL"):
            run_for_ever(device, rig)


def test_one_that_is_stopped_in_the_middle_hung(rig, shortly, gone):
    with rig.open(patience_s=1.0) as device:
        shortly(os.kill, pid_of(device), signal.SIGSTOP)
        with pytest.raises(TargetHung, match=f"process {pid_of(device)} is stopped"):
            run_for_ever(device, rig)
        pid = pid_of(device)
    assert gone(pid)


def test_firmware_that_never_ends_hung_where_it_is(qemu_rig):
    with qemu_rig.open(patience_s=1.0) as device:
        device._target.write_memory(address_of(qemu_rig, "StackPeakBytes"), BRANCH_TO_SELF)
        with pytest.raises(TargetHung, match=r"MEMORY.*it is in tinyhil::port::StackPeakBytes"):
            device.memory()


def test_a_fault_of_the_firmware_comes_with_its_registers_and_function(qemu_rig):
    with qemu_rig.open() as device:
        at = address_of(qemu_rig, "StackPeakBytes")
        device._target.write_memory(at, UNDEFINED)
        with pytest.raises(DeviceFault, match=f"{at:#010x} in tinyhil::port::StackPeakBytes") as fault:
            device.memory()
    assert f"pc {at:#010x}" in fault.value.details
    assert "cfsr 0x00010000" in fault.value.details  # UNDEFINSTR


@pytest.mark.needs("native")
def test_a_fault_of_the_host_process_names_the_signal(native_rig, shortly):
    with native_rig.open() as device:
        shortly(os.kill, pid_of(device), signal.SIGSEGV)
        with pytest.raises(DeviceFault, match="SIGSEGV"):
            run_for_ever(device, native_rig)


def test_one_that_never_answers_is_silent(native_rig, tmp_path):
    mute = tmp_path / "mute"
    mute.write_text("#!/bin/sh\nexec sleep 60\n")
    mute.chmod(0o755)
    with pytest.raises(SilentDevice, match="never answered OPEN"):
        Device.open(native_rig.board, "native", replace(native_rig.image, elf=mute), patience_s=0.5)


def test_one_that_cannot_start_says_why_in_its_own_words(native_rig, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no such luck >&2\nexit 7\n")
    broken.chmod(0o755)
    with pytest.raises(TargetStartFailed, match="status 7") as failed:
        Device.open(native_rig.board, "native", replace(native_rig.image, elf=broken))
    assert "no such luck" in failed.value.details


def test_a_wrapper_around_the_program_ends_with_all_that_it_started(native_rig, tmp_path, gone):
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\n"{native_rig.image.elf}" "$@" &\necho $! > {tmp_path}/pid\nwait\n')
    wrapper.chmod(0o755)
    with Device.open(native_rig.board, "native", replace(native_rig.image, elf=wrapper), native_rig.model) as device:
        device.load(native_rig.model)
        inner = int((tmp_path / "pid").read_text())
    assert gone(inner)


def test_a_program_that_is_not_there_cannot_start(native_rig, tmp_path):
    with pytest.raises(TargetStartFailed):
        Device.open(native_rig.board, "native", replace(native_rig.image, elf=tmp_path / "nothing"))


def test_a_machine_that_qemu_does_not_have_cannot_start(qemu_rig):
    spec = replace(qemu_rig.board.targets["qemu"], machine="mps9-an999")
    board = replace(qemu_rig.board, targets={"qemu": spec})
    with pytest.raises(TargetStartFailed, match="mps9-an999") as failed:
        Device.open(board, "qemu", qemu_rig.image)
    assert "unsupported machine" in failed.value.details


def test_without_qemu_the_tool_is_missing(qemu_rig, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool, match="qemu-system-arm"):
        qemu_rig.open()


def test_another_image_than_the_one_that_was_built_is_the_wrong_device(rig):
    other = replace(rig.image, build_id="0123456789abcdef")
    with pytest.raises(WrongDevice, match="0123456789abcdef"):
        Device.open(rig.board, rig.target, other, rig.model)


def test_a_target_that_the_board_does_not_have_is_unknown(native_rig):
    with pytest.raises(UnknownBoard, match="serial"):
        Device.open(native_rig.board, "serial", native_rig.image)


def test_a_device_that_is_closed_from_another_thread_ends_what_waits_for_it(rig, shortly):
    with rig.open() as device:
        shortly(device.close)
        with pytest.raises(TargetError, match="closed"):
            run_for_ever(device, rig)


def test_a_device_that_failed_leaves_the_next_one_alone(rig):
    with rig.open() as device:
        os.kill(pid_of(device), signal.SIGKILL)
        with pytest.raises(TargetDied):
            run_for_ever(device, rig)
    with rig.open() as device:
        assert device.run(rig.vector).outputs


def test_a_slow_host_does_not_use_up_the_time_allowed(qemu_rig):
    """A process that gets a fifth of the processor is slow, not hung, even when that takes it past the allowance."""
    with qemu_rig.open(patience_s=1.0) as device:
        device._target.write_memory(address_of(qemu_rig, "StackPeakBytes"), BRANCH_TO_SELF)
        device._link._channel.write(encode_frame(Request.MEMORY, 1, device._link.session))  # it is busy from now on
        time.sleep(0.2)
        process = device._target.process
        expired = device._target.allowance(0.5)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(0.08)
            assert not expired()
            os.kill(process.pid, signal.SIGCONT)
            time.sleep(0.02)


def test_what_the_device_refuses_carries_its_words(native_rig):
    with native_rig.open() as device:
        device._link.request(Request.SLOT_WRITE, struct.pack("<I", 200) + b"zz", allowance_s=5)
        with pytest.raises(DeviceRefused, match=r"SLOT_CRC.*slot\.model"):
            device.load(native_rig.model)

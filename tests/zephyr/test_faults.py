# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in an image on Zephyr is reported as on bare metal: kind, registers, function."""

from __future__ import annotations

import pytest

from tinyhil.board import load_board
from tinyhil.device import Device
from tinyhil.errors import DeviceFault, TargetHung
from tinyhil.matrix import own_model
from tinyhil.model import load_model
from tinyhil.target.symbols import Symbols
from tinyhil.zephyr import build_zephyr

pytestmark = pytest.mark.needs("zephyr", "qemu")

# Thumb code, written over a function that a request calls.
UNDEFINED = b"\x00\xde"  # udf #0
BRANCH_TO_SELF = b"\xfe\xe7"  # b .
PANIC = b"\x04\x20\x02\xdf"  # movs r0, #K_ERR_KERNEL_PANIC; svc #2, which is what abort() comes to
PUSH_FOR_EVER = b"\xf0\xb5\xfd\xe7"  # push {r4-r7, lr}; b .-2


@pytest.fixture
def device():
    """A device on Zephyr, and the address of the function that MEMORY calls."""
    board = load_board("mps2_an385")
    image = build_zephyr(board)
    path = own_model("digits")
    model = load_model(path)
    at = next(start for start, _, name in Symbols(image.elf)._functions if "StackPeakBytes" in name)
    with Device.open(board, "qemu", image, model, patience_s=2.0) as opened:
        opened.load(model)
        yield opened, at


def test_a_fault_comes_with_its_registers_and_function(device):
    device, at = device
    assert device._target.write_memory(at, UNDEFINED)
    with pytest.raises(DeviceFault, match=f"UsageFault at {at:#010x} in tinyhil::port::StackPeakBytes") as fault:
        device.memory()
    assert f"pc {at:#010x}" in fault.value.details
    assert "cfsr 0x00010000" in fault.value.details  # UNDEFINSTR


def test_a_panic_is_at_the_instruction_that_raised_it_not_behind_it(device):
    device, at = device
    assert device._target.write_memory(at, PANIC)
    with pytest.raises(DeviceFault, match=f"KernelPanic at {at + 2:#010x} in tinyhil::port::StackPeakBytes"):
        device.memory()


def test_a_stack_overflow_has_a_name_of_its_own(device):
    device, at = device
    assert device._target.write_memory(at, PUSH_FOR_EVER)
    with pytest.raises(DeviceFault, match="StackOverflow"):
        device.memory()


def test_firmware_that_never_ends_hung_where_it_is(device):
    device, at = device
    assert device._target.write_memory(at, BRANCH_TO_SELF)
    with pytest.raises(TargetHung, match="it is in tinyhil::port::StackPeakBytes"):
        device.memory()

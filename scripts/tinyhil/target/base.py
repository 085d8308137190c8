# SPDX-License-Identifier: Apache-2.0
"""A target: one way of running a board now."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from tinyhil.errors import TargetError, TinyhilError
from tinyhil.link.channel import Channel
from tinyhil.link.client import Expired, wall_clock
from tinyhil.link.commands import WriteMemory


class Target(ABC):
    """Started once, stopped once. `stop` may be called from any thread, and more than once."""

    name: str
    unit: str = ""
    """What `to_units` counts: "instructions", "cycles", or "" where nothing is counted."""
    unit_source: str = ""
    """Where such a count comes from, as reports show it."""
    patience_s: float = 10.0
    """How long a device may take over anything but an inference."""
    line_bytes_per_s: float | None = None
    """What the line carries, where that is slow enough to wait for."""
    slot_in_place: bool = True
    """Whether `start` put into the model slot what it was given for it."""
    window: int = 4
    """Requests that the device's UART can have waiting without losing one."""

    @abstractmethod
    def start(self) -> Channel:
        """Starts the device. Raises MissingTool, TargetStartFailed."""

    @abstractmethod
    def stop(self) -> None:
        """Ends all that `start` began."""

    @abstractmethod
    def check(self, *, answered: bool, ended: bool = False) -> None:
        """Raises TargetDied, with its own last words, where the emulator or process is gone.

        answered: whether the device ever did; TargetStartFailed is raised where not.
        ended: its channel closed, so its end may be a moment away.
        """

    @abstractmethod
    def where(self) -> str:
        """A clause that says where a device that does not answer is; "" where that cannot be told.

        Finding out may end the device.
        """

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """Name and version of what runs the device."""

    def settle(self) -> None:  # noqa: B027
        """After a fault: waits until the target has said its own part about it, where it has one."""

    def refusal(self, registers: Mapping[str, int]) -> TinyhilError | None:
        """Why a processor fault with these registers is the target's fault and not the firmware's; None where not."""
        return None

    def symbolize(self, pc: int) -> str:
        """The function an address lies in, with the offset; "" where unknown."""
        return ""

    def to_units(self, milliticks: int) -> int | None:
        """Thousandths of a tick of the device's counter in `unit`; None where nothing is counted."""
        return None

    @property
    def write_memory(self) -> WriteMemory | None:
        """What reaches into the device's memory from outside; None where the target cannot.

        For where each byte of a UART is emulated, at a cost. The device verifies what it is given this way just as it
        verifies what comes over the link.
        """
        return None

    def fill_slot(self, slot: bytes) -> bool:
        """Puts this into the model slot of a running device, which restarts; False where that takes a new `start`."""
        return False

    def op_allowance_s(self, work: int) -> float | None:
        """The longest that an operator may take over `work`, as model.work counts it; None: there is no such limit."""
        return None

    def restarted(self) -> bool:
        """Whether a silent device has restarted and waits where it is not heard: at another baud rate."""
        return False

    def recover(self) -> str:
        """Resets a device that hangs, once. What was done, as a clause; "" where nothing was, or it did not help."""
        return ""

    def debug(self, port: int) -> None:
        """Instead of `start`: leaves the device halted, with a GDB server on that TCP port.

        Raises TargetError where the target has none.
        """
        raise TargetError(f"target {self.name} has no GDB server", next_step="Debug on qemu or renode.")

    def post_mortem(self) -> dict[str, bytes]:
        """Files for a failure bundle that say in which state the device is; it may not go on afterwards."""
        return {}

    def press_reset(self) -> bool:
        """Resets the board from outside, as its reset pin does. False where the target cannot."""
        return False

    def last_words(self) -> str:
        """What the emulator wrote to its error output."""
        return ""

    def allowance(self, seconds: float) -> Expired:
        """A clock for how long the device may take over something."""
        return wall_clock(seconds)

# SPDX-License-Identifier: Apache-2.0
"""Every way tinyhil can fail, by name.

An error says what happened and where (its message) and what to do next (`next_step`). Each class has its own process
exit status, so a CI job can tell a wrong output (1) from a broken set-up without reading text. Statuses are part of
the public interface: never renumber one. 2 is a usage error, as click has it.
"""

from __future__ import annotations


class TinyhilError(Exception):
    """Base of every error that tinyhil raises on purpose.

    Attributes:
        exit_status: process exit status of the CLI, and the `error.exit_status` of a record.
        next_step: one sentence: what the user does now. Empty only where nothing can be done.
        details: extra lines (an emulator's last words, registers), shown indented under the message.
        requirement: of something that may be absent, the name that `--require` takes for it; else empty.
    """

    exit_status = 3
    requirement = ""

    def __init__(self, message: str, *, next_step: str = "", details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.details = details


class OutputMismatch(TinyhilError):
    """The device computed other numbers than the golden set holds: the one failing verdict."""

    exit_status = 1


# The model -----------------------------------------------------------------------------------------------------------
class ModelError(TinyhilError):
    """Base of what is wrong with a model file."""


class NotTflite(ModelError):
    """The file is not a .tflite model at all (identifier TFL3 missing)."""

    exit_status = 10


class MalformedModel(ModelError):
    """A .tflite file whose offsets, lengths or values contradict it: truncated or damaged. Names the field."""

    exit_status = 11


class UnsupportedOperator(ModelError):
    """An operator, or a type or parameter of one, that the engine does not implement."""

    exit_status = 12


class FloatModel(ModelError):
    """A model that computes in float: it was never quantized to int8."""

    exit_status = 13


class ConversionFailed(ModelError):
    """A model that its framework cannot load, or that its converter cannot turn into a .tflite."""

    exit_status = 18


class BadInput(TinyhilError):
    """An input vector with the wrong shape, type or count, or a vector file that cannot be read."""

    exit_status = 14


# What does not fit ---------------------------------------------------------------------------------------------------
class DoesNotFit(TinyhilError):
    """Base: a memory is too small. `needed_bytes` and `available_bytes` say by how much."""

    def __init__(
        self, message: str, *, needed_bytes: int, available_bytes: int, next_step: str = "", details: str = ""
    ) -> None:
        super().__init__(message, next_step=next_step, details=details)
        self.needed_bytes = needed_bytes
        self.available_bytes = available_bytes

    @property
    def missing_bytes(self) -> int:
        return self.needed_bytes - self.available_bytes


class FlashOverflow(DoesNotFit):
    """The image does not fit the board's flash (or its static data the RAM)."""

    exit_status = 15


class SlotOverflow(DoesNotFit):
    """The model does not fit the board's model slot."""

    exit_status = 16


class ArenaOverflow(DoesNotFit):
    """The model's tensors do not fit the arena."""

    exit_status = 17


# The set-up ----------------------------------------------------------------------------------------------------------
class UnknownBoard(TinyhilError):
    """No folder of that name under platforms/, or the board has no such target."""

    exit_status = 20


class BoardFileError(TinyhilError):
    """A board.yaml with a missing, misspelt or ill-typed key. Names file and key."""

    exit_status = 21


class MissingTool(TinyhilError):
    """A compiler, emulator, Python package or tree of sources that is not there."""

    exit_status = 22

    def __init__(self, message: str, *, requirement: str = "", next_step: str = "", details: str = "") -> None:
        super().__init__(message, next_step=next_step, details=details)
        self.requirement = requirement


class BuildFailed(TinyhilError):
    """The compiler or linker refused the firmware."""

    exit_status = 23


class OracleMissing(TinyhilError):
    """Golden vectors are to be made, but the oracle's package is not there for this Python or machine."""

    exit_status = 24
    requirement = "oracle"


class GoldenError(TinyhilError):
    """Base of what is wrong with a golden set: unreadable, wrong version."""

    exit_status = 25


class StaleGolden(GoldenError):
    """A golden set made from another model: its model hash does not match."""

    exit_status = 26


class OracleFailed(GoldenError):
    """The oracle refused a model, or its process died of it."""

    exit_status = 27


class GoldenDiffers(GoldenError):
    """A golden set whose inputs or numbers its own oracle and seed do not reproduce."""

    exit_status = 28


# The target ----------------------------------------------------------------------------------------------------------
class TargetError(TinyhilError):
    """Base of what is wrong with a target while it runs."""

    exit_status = 30


class TargetStartFailed(TargetError):
    """The emulator or host process could not be started."""

    exit_status = 31


class TargetDied(TargetError):
    """The emulator or host process ended in the middle."""

    exit_status = 32


class TargetHung(TargetError):
    """The device stopped answering although its emulator runs. Says where it was."""

    exit_status = 33


class SilentDevice(TargetError):
    """The device never answered after its start."""

    exit_status = 34


class DeviceFault(TargetError):
    """The firmware took a processor fault. Registers are in the details."""

    exit_status = 35


class DeviceRestarted(TargetError):
    """The device restarted in the middle: its session is gone."""

    exit_status = 36


class WrongDevice(TargetError):
    """Another board, or another image than the one that was built, answered."""

    exit_status = 37


class LinkBroken(TargetError):
    """So many frames were lost or damaged that no request came through."""

    exit_status = 38


class DeviceRefused(TargetError):
    """The device refused a request for a reason that has no class of its own. Carries the device's words."""

    exit_status = 39


class CellTimeout(TargetError):
    """A matrix cell used up its whole time allowance."""

    exit_status = 40


# A real board --------------------------------------------------------------------------------------------------------
class BoardError(TargetError):
    """Base of what is wrong with a real board, its port or its probe."""

    exit_status = 70


class PortNotFound(BoardError):
    """No such serial port, or none that fits what was asked for, or several."""

    exit_status = 71


class PortDenied(BoardError):
    """The serial port may not be opened by this user. Has the udev rule to add."""

    exit_status = 72


class PortBusy(BoardError):
    """Another program has the serial port open. Says which."""

    exit_status = 73


class BoardInUse(BoardError):
    """Another tinyhil holds the board's lock, or another user its place in the lab. Says who."""

    exit_status = 74


class FlashFailed(BoardError):
    """The flashing tool failed. Has its own last lines."""

    exit_status = 75


class NoFlasher(BoardError):
    """The board has to be flashed, and nothing is there to do it with."""

    exit_status = 76


class WrongImage(WrongDevice):
    """The right board, but not the image or model that was flashed: stale, or of another build."""

    exit_status = 77


class GarbledLine(BoardError):
    """Bytes arrive, and they are neither frames nor text: the wrong baud rate, most likely."""

    exit_status = 78


class Unplugged(BoardError):
    """The serial port vanished in the middle."""

    exit_status = 79


class LabError(BoardError):
    """The labgrid coordinator, or the place that was asked for, is not there."""

    exit_status = 80


# The host ------------------------------------------------------------------------------------------------------------
class OutputUnwritable(TinyhilError):
    """A result, a cache entry or a log cannot be written: the disk is full, or the folder may not be written to."""

    exit_status = 50


class RecordError(TinyhilError):
    """A record that does not follow its schema, or follows one that this tinyhil does not know."""

    exit_status = 51


class HistoryError(TinyhilError):
    """A history file that is missing, damaged, of a newer version, or held by another process; bad lines to import."""

    exit_status = 60


class GateFailed(TinyhilError):
    """A cell costs more than on the baseline, by more than the gate allows, or does not pass any more."""

    exit_status = 61


class GateEmpty(TinyhilError):
    """The gate could compare no cell: it has no say."""

    exit_status = 62


class BudgetError(TinyhilError):
    """A budget file with a missing, misspelt or wrong key, or for a model that is none of this matrix."""

    exit_status = 63


class BudgetExceeded(TinyhilError):
    """A cell costs more than its budget allows; the number and the limit are named."""

    exit_status = 64


class ProjectFileError(TinyhilError):
    """A tinyhil.yaml with a missing, misspelt or wrong key. Names file and key."""

    exit_status = 65

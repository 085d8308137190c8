# SPDX-License-Identifier: Apache-2.0
"""Numbers of the wire protocol, explained in firmware/link/README.md. firmware/link/protocol.h has the same."""

from __future__ import annotations

from enum import IntEnum, IntFlag

PROTOCOL_VERSION = 1
MAX_PAYLOAD = 1024
REPLY = 0x80


class Request(IntEnum):
    """A request's type; its reply has REPLY added."""

    OPEN = 1
    INFO = 2
    SLOT_WRITE = 3
    SLOT_CHECK = 4
    LOAD = 5
    TENSOR = 6
    OPS = 7
    INPUT_WRITE = 8
    RUN = 9
    OUTPUT_READ = 10
    CHECKSUMS = 11
    PROFILE = 12
    MEMORY = 13
    RESET = 14
    PATHS = 15
    BREAK = 16
    STEP = 17
    OP_TENSOR = 18
    OP_READ = 19
    OP_WRITE = 20
    SLOT_CRC = 21
    BAUD = 24
    ECHO = 25
    PROGRESS = 26
    DAMAGED = 27
    FAULT = 0x7F


class Run(IntFlag):
    """What RUN asks for, and in its reply what is there."""

    CHECKSUMS = 1
    PROFILE = 2
    INPUT = 4
    OUTPUT = 8
    TICKS = 16
    KEEP_STATE = 32
    PROGRESS = 64


class Status(IntEnum):
    """A reply's status: firmware/interpreter/error.h."""

    OK = 0
    NOT_TFLITE = 1
    MODEL_MALFORMED = 2
    MODEL_UNSUPPORTED = 3
    OP_UNSUPPORTED = 4
    ARENA_TOO_SMALL = 5
    SLOT_EMPTY = 6
    SLOT_MISALIGNED = 7
    SLOT_TOO_LONG = 8
    SLOT_CRC = 9
    SLOT_READ_ONLY = 10
    NO_MODEL = 11
    BAD_INDEX = 12
    BAD_RANGE = 13
    INPUT_CRC = 14
    BUSY = 15
    UNKNOWN_REQUEST = 32
    BAD_REQUEST = 33
    WRONG_SESSION = 34


TENSOR_TYPES = {0: "float32", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8"}
"""NumPy's names of the tensor types."""

# SPDX-License-Identifier: Apache-2.0
"""What every source of an image is compiled with, on bare metal and on the host."""

from __future__ import annotations

COMPILERS = {"arm-none-eabi": "arm-none-eabi-g++", "host": "g++"}

COMMON_FLAGS = (
    "-O2",
    "-g",
    "-pipe",
    "-ffp-contract=off",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-math-errno",
    "-fno-common",
)
# The last three depend on what the optimizer sees, and so on the compiler's version.
WARNING_FLAGS = (
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Werror",
    "-Wno-error=array-bounds",
    "-Wno-error=maybe-uninitialized",
    "-Wno-error=stringop-overflow",
)
CXX_FLAGS = ("-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics")
C_FLAGS = ("-std=c11",)
BARE_METAL_FLAGS = ("-fno-unwind-tables", "-fno-asynchronous-unwind-tables")
HOST_FLAGS = ("-fno-pie",)
SANITIZE_FLAGS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")

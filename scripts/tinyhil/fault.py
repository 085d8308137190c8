# SPDX-License-Identifier: Apache-2.0
"""What a processor fault most likely was, from the registers that a Cortex-M leaves (Armv7-M ARM, B3.2.15)."""

from __future__ import annotations

from collections.abc import Mapping

_MMFAR_VALID = 1 << 7
_BFAR_VALID = 1 << 15

# Bits of CFSR, the most telling first; {mmfar} and {bfar} are addresses.
_CAUSES = (
    (1 << 20, "stack overflow: the stack pointer went below its limit"),
    (1 << 4 | 1 << 12, "stack overflow: the exception's own frame did not fit the stack"),
    (1 << 24, "an unaligned access by an instruction that does not allow one"),
    (1 << 25, "a division by zero"),
    (1 << 19, "a floating-point instruction where there is no FPU, or it is off"),
    (1 << 17, "a jump to an address that is not Thumb code: a function pointer that was overwritten?"),
    (1 << 18, "a return to no valid place: the stack was overwritten?"),
    (1 << 16, "an undefined instruction: built for another core, or a jump into data?"),
    (1 << 9, "no memory at {bfar}: a pointer that was never set or was overwritten?"),
    (1 << 10, "no memory where something was written a few instructions earlier"),
    (1 << 8, "no memory where the next instruction was to come from: a jump to nowhere"),
    (1 << 1, "an access that is not allowed at {mmfar}"),
    (1 << 0, "code executed where none may be: a jump into data?"),
)


def likely_cause(kind: str, registers: Mapping[str, int]) -> str:
    """One line; empty where the registers do not tell."""
    if kind == "StackOverflow":
        return "stack overflow: give the board a larger stack_bytes, or the operator fewer locals"
    cfsr = registers.get("cfsr", 0)
    for bits, words in _CAUSES:
        if cfsr & bits:
            bfar = f"{registers.get('bfar', 0):#010x}" if cfsr & _BFAR_VALID else "an address that was not kept"
            mmfar = f"{registers.get('mmfar', 0):#010x}" if cfsr & _MMFAR_VALID else "an address that was not kept"
            return words.format(bfar=bfar, mmfar=mmfar)
    if kind == "HardFault" and not cfsr:
        return "this core does not say: an unaligned access, no memory there, or an undefined instruction"
    return ""

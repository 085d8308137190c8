# SPDX-License-Identifier: Apache-2.0
"""A workspace and programs that only look like Zephyr's: what tinyhil makes of them needs neither."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

MODULES = {
    "cmsis": "modules/hal/cmsis",
    "cmsis_6": "modules/hal/cmsis_6",
    "hal_nordic": "modules/hal/nordic",
    "tflite-micro": "modules/lib/tflite-micro",
    "cmsis-nn": "modules/lib/cmsis-nn",
}
NO_SECTIONS = struct.pack("<4s12xHHIIIIIHHHHHH", b"\x7fELF", 2, 40, 1, 0, 0, 0, 0, 52, 0, 0, 0, 0, 0)
ELF = NO_SECTIONS[:4] + b"\x01\x01\x01" + NO_SECTIONS[7:]

# What Zephyr generates of a devicetree with a partition of flash that is labelled as the slot.
SLOT = """
#define DT_N_NODELABEL_tinyhil_slot  DT_N_S_flash_S_parts_S_slot
#define DT_N_S_flash_S_parts_S_slot_PARENT DT_N_S_flash_S_parts
#define DT_N_S_flash_S_parts_COMPAT_MATCHES_fixed_partitions 1
#define DT_N_S_flash_S_parts_PARENT DT_N_S_flash
#define DT_N_S_flash_REG_IDX_0_VAL_ADDRESS 134217728 /* 0x8000000 */
#define DT_N_S_flash_S_parts_S_slot_REG_IDX_0_VAL_ADDRESS 262144 /* 0x40000 */
#define DT_N_S_flash_S_parts_S_slot_REG_IDX_0_VAL_SIZE 786432 /* 0xc0000 */
"""


def make_workspace(folder: Path, version: str = "3.4.0", modules: tuple[str, ...] = ("cmsis",)) -> Path:
    """A folder that has what tells a workspace: Zephyr's Kconfig.zephyr and VERSION, and folders of modules."""
    zephyr = folder / "zephyr"
    zephyr.mkdir(parents=True)
    (zephyr / "Kconfig.zephyr").write_text("")
    numbers, _, extra = version.partition("-")
    major, minor, patch = numbers.split(".")
    (zephyr / "VERSION").write_text(
        f"VERSION_MAJOR = {major}\nVERSION_MINOR = {minor}\nPATCHLEVEL = {patch}\nVERSION_TWEAK = 0\n"
        f"EXTRAVERSION = {extra}\n"
    )
    for name in modules:
        (folder / MODULES[name]).mkdir(parents=True)
    return folder


@dataclass
class Programs:
    """Fakes of what a build calls, first on PATH. Each writes its arguments to a log and does what it was told to."""

    folder: Path
    log: Path
    environment: dict[str, str] = field(default_factory=dict)

    def make(self, name: str, body: str = "") -> None:
        script = self.folder / name
        script.write_text(
            f'#!/bin/bash\nif [ "$1" = --version ]; then echo "{name} 1.0"; exit; fi\n'
            f'printf "%s" "{name}" >>"{self.log}"; printf "\\t%s" "$@" >>"{self.log}"; echo >>"{self.log}"\n{body}\n'
        )
        script.chmod(0o755)

    def calls(self, name: str) -> list[list[str]]:
        """The arguments of every call so far."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.split("\t")[1:] for line in lines if line.split("\t")[0] == name]


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=tests", "-c", "user.email=tests@example.invalid"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


def commit(folder: Path) -> None:
    """Makes the folder a repository of its own, as `west update` leaves it."""
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "all")
    git(folder, "update-ref", "refs/heads/manifest-rev", "HEAD")

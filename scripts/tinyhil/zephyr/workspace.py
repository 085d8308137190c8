# SPDX-License-Identifier: Apache-2.0
"""West workspaces: where one is, which Zephyr it has, what it lacks.

A workspace is a folder that holds Zephyr and the modules that its manifest names, as `west update` makes it. It is used
as it is: nothing is written into it, and west itself is needed only where a module does not lie at its usual place.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from tinyhil.errors import MissingTool

WORKSPACE_VARIABLE = "TINYHIL_WEST_WORKSPACE"

OLDEST = (3, 3)
TRIED = ((3, 3), (3, 4))
"""Versions that images were built with and run. The others from OLDEST on are written for, from their documentation."""

_PLACES = {
    "cmsis": ("modules/hal/cmsis",),
    "cmsis_6": ("modules/hal/cmsis_6",),
    "cmsis-nn": ("modules/lib/cmsis-nn",),
    "hal_nordic": ("modules/hal/nordic",),
    "hal_stm32": ("modules/hal/stm32",),
    "tflite-micro": ("modules/lib/tflite-micro", "optional/modules/lib/tflite-micro"),
}
_FIRST_WITH_CMSIS_6 = (4, 1)
_OPTIONAL = ("tflite-micro",)  # in a group that newer manifests do not fetch by themselves
_COMMAND_TIMEOUT_S = 60

HOW_TO_GET_ONE = (
    "Make one: in a folder around tinyhil's clone, `west init -l --mf zephyr_app/west.yml tinyhil && west update`; "
    f"or set {WORKSPACE_VARIABLE} to the one there is."
)


@dataclass(frozen=True)
class Workspace:
    """A workspace with a Zephyr that is supported.

    version: (major, minor, patch). version_text: the same as Zephyr writes it, 3.3.0-rc3. source: what led here.
    """

    topdir: Path
    zephyr_base: Path
    version: tuple[int, int, int]
    version_text: str
    source: str

    @property
    def tried(self) -> bool:
        """Whether images were built with this version and run; the others are written for alone."""
        return self.version[:2] in TRIED

    def module(self, name: str) -> Path:
        """The folder of a module, by the name it has in Zephyr's manifest. Raises MissingTool."""
        for place in _PLACES.get(name, (f"modules/hal/{name.removeprefix('hal_')}", f"modules/lib/{name}")):
            if (self.topdir / place).is_dir():
                return self.topdir / place
        listed = self._listed.get(name)
        if listed is not None and listed.is_dir():
            return listed
        hint = f"Run `west update {name}` in {self.topdir}."
        if name in _OPTIONAL:
            hint = (
                f"Run `west config manifest.group-filter -- +optional && west update {name}` in {self.topdir}; "
                "zephyr_app/west.yml names it too."
            )
        raise MissingTool(f"The workspace {self.topdir} has no module '{name}'.", next_step=hint)

    def modules(self, names: Sequence[str]) -> list[Path]:
        """The folders of several modules. Raises MissingTool, with every one that is missing."""
        found, missing = [], []
        for name in names:
            try:
                found.append(self.module(name))
            except MissingTool as error:
                missing.append((name, error))
        if len(missing) > 1:
            lacking = [name for name, _ in missing]
            raise MissingTool(
                f"The workspace {self.topdir} has no modules {', '.join(repr(name) for name in lacking)}.",
                next_step=f"Run `west update {' '.join(lacking)}` in {self.topdir}.",
            )
        if missing:
            raise missing[0][1]
        return found

    def cmsis_modules(self) -> list[str]:
        """The modules that hold CMSIS-Core for Cortex-M in this version."""
        return ["cmsis"] if self.version < _FIRST_WITH_CMSIS_6 else ["cmsis_6"]

    @cached_property
    def _listed(self) -> dict[str, Path]:
        """Where the workspace's own manifest puts each project, as west says; empty where it cannot be asked."""
        west = shutil.which("west")
        if west is None or not (self.topdir / ".west").is_dir():
            return {}
        try:
            done = subprocess.run(
                [west, "list", "-f", "{name}\t{abspath}"],
                cwd=self.topdir,
                capture_output=True,
                text=True,
                timeout=_COMMAND_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return {}
        pairs = (line.split("\t") for line in done.stdout.splitlines() if line.count("\t") == 1)
        return {name: Path(place) for name, place in pairs}

    def revision(self, modules: Sequence[str] = ()) -> str:
        """Zephyr's version and commit, and the commits of these modules: what an image is made of.

        A folder with changes of its own is marked with a hash of them.
        """
        parts = [f"Zephyr {self.version_text} {_revision(self.zephyr_base)}".rstrip()]
        parts += [f"{name} {_revision(self.module(name))}".rstrip() for name in modules]
        return ", ".join(parts)


def find_workspace() -> Workspace:
    """The workspace to use.

    Looked for in this order: $TINYHIL_WEST_WORKSPACE, $ZEPHYR_BASE, the folder around the current one that `west init`
    marked with .west. The first that is named is the one: what is wrong with it is said, and no other is taken.

    Raises MissingTool where there is none, or it cannot be used.
    """
    named = os.environ.get(WORKSPACE_VARIABLE)
    if named:
        return _at(Path(named).expanduser().absolute(), f"${WORKSPACE_VARIABLE}")
    base = os.environ.get("ZEPHYR_BASE")
    if base:
        path = Path(base).expanduser().absolute()
        return _checked(_marked(path) or path.parent, path, "$ZEPHYR_BASE")
    here = Path.cwd()
    around = _marked(here)
    if around is not None:
        return _at(around, f"the west workspace around {here}")
    raise MissingTool(
        f"There is no Zephyr workspace: {WORKSPACE_VARIABLE} and ZEPHYR_BASE are not set, and {here} lies in none.",
        next_step=HOW_TO_GET_ONE,
    )


def _marked(folder: Path) -> Path | None:
    """The folder with .west that holds this one."""
    return next((place for place in (folder, *folder.parents) if (place / ".west").is_dir()), None)


def _at(topdir: Path, source: str) -> Workspace:
    if not topdir.is_dir():
        raise MissingTool(f"{source} is {topdir}, and there is no such folder.", next_step=HOW_TO_GET_ONE)
    if (topdir / "Kconfig.zephyr").is_file():
        raise MissingTool(
            f"{source} is {topdir}, which is Zephyr itself and not the workspace around it.",
            next_step=f"Name the folder that holds it and the modules: {topdir.parent}.",
        )
    config = configparser.ConfigParser()
    config.read(topdir / ".west" / "config")
    base = topdir / config.get("zephyr", "base", fallback="zephyr")
    return _checked(topdir, base, source)


def _checked(topdir: Path, base: Path, source: str) -> Workspace:
    if not (base / "Kconfig.zephyr").is_file():
        update = f"Run `west update` in {topdir}" if (topdir / ".west").is_dir() else HOW_TO_GET_ONE.rstrip(".")
        raise MissingTool(
            f"{base} is not Zephyr (no Kconfig.zephyr there); it was found by {source}.", next_step=f"{update}."
        )
    try:
        text = (base / "VERSION").read_text(encoding="utf-8")
    except OSError as error:
        raise MissingTool(
            f"Zephyr's version cannot be told: {base / 'VERSION'}: {error.strerror}",
            next_step=f"Run `west update` in {topdir}.",
        ) from error
    values = {key: value.strip() for key, value in re.findall(r"^(\w+)\s*=[ \t]*(.*)$", text, re.MULTILINE)}
    try:
        version = (int(values["VERSION_MAJOR"]), int(values["VERSION_MINOR"]), int(values["PATCHLEVEL"]))
    except (KeyError, ValueError) as error:
        raise MissingTool(
            f"Zephyr's version cannot be told from {base / 'VERSION'}.", next_step=f"Run `west update` in {topdir}."
        ) from error
    extra = values.get("EXTRAVERSION", "")
    version_text = ".".join(map(str, version)) + (f"-{extra}" if extra else "")
    if version[:2] < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise MissingTool(
            f"Zephyr {version_text} in {base} is not supported: {oldest} is the oldest that is "
            f"({', '.join('.'.join(map(str, each)) for each in TRIED)} are tried).",
            next_step="Use the revision that zephyr_app/west.yml pins, or name another workspace in "
            f"{WORKSPACE_VARIABLE}.",
        )
    return Workspace(topdir, base, version, version_text, source)


@cache
def _revision(folder: Path) -> str:
    """The commit of a folder under git, with a hash of the changes to it; "" where it is not under git."""

    def git(*words: str) -> bytes | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *words], capture_output=True, timeout=_COMMAND_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None

    top, commit = git("rev-parse", "--show-toplevel"), git("rev-parse", "--short=12", "HEAD")
    # A folder in somebody else's repository has no commit of its own.
    if top is None or commit is None or Path(os.fsdecode(top).strip()).resolve() != folder.resolve():
        return ""
    changes = git("diff", "HEAD")
    mark = f"+{hashlib.sha256(changes).hexdigest()[:8]}" if changes else ""
    return commit.decode().strip() + mark

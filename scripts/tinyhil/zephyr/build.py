# SPDX-License-Identifier: Apache-2.0
"""The application on Zephyr, built with CMake and ninja alone.

Under cache_dir()/zephyr:
    build/<board>-<key>/    a build folder for each board, workspace and set of options; ninja rebuilds what changed
    images/<key>/           image.elf, image.map, image.json, by a key over all that the image is made of
    locks/

The key covers the application's and the firmware's sources, the options, the compiler, and the commits of Zephyr and
of the modules (with what was changed in them since). What exists under its key is used as it is, without a call of
CMake; its first 16 digits are the build id that the image holds and a device is asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tinyhil import __version__
from tinyhil.assets import cache_dir, firmware_dir, zephyr_app_dir
from tinyhil.board import Board, Region
from tinyhil.build import Image
from tinyhil.build_cache import build_lock, unwritable
from tinyhil.errors import (
    ArenaOverflow,
    BadInput,
    BuildFailed,
    FlashOverflow,
    OutputUnwritable,
    TinyhilError,
    UnknownBoard,
)
from tinyhil.library import cmsis_nn_library, tflm_identity, trees_of
from tinyhil.upstream import find_cmsis_nn, find_tflm, variables_of
from tinyhil.zephyr.built import elf_in, sizes_of, slot_in
from tinyhil.zephyr.tools import Tools, find_tools
from tinyhil.zephyr.workspace import WORKSPACE_VARIABLE, Workspace, find_workspace

Progress = Callable[[str], None]

# Part of every key: raise it when what is made of the same input changes.
_FORMAT = 1

ENGINE_OPTIONS = {"builtin": (), "tflm": ("-DCONFIG_TINYHIL_ENGINE_TFLM=y",)}
KERNEL_OPTIONS = {"reference": (), "cmsis_nn": ("-DCONFIG_TINYHIL_KERNELS_CMSIS_NN=y",)}

_SHOWN_LINES = 40
_LONGEST_LINE = 300


def build_zephyr(
    board: Board,
    *,
    engine: str = "builtin",
    kernels: str = "reference",
    model: Path | None = None,
    ops: Sequence[str] | None = None,
    arena_bytes: int | None = None,
    workspace: Workspace | None = None,
    progress: Progress | None = None,
) -> Image:
    """Builds the board's application on Zephyr, or finds it built.

    Args:
        model: None: an image that takes its model from the slot. A .tflite file: linked in.
        ops: operators to register, by the schema's names. None: those of the model that is linked in, or every one.
        arena_bytes: the arena's size; None: what the application chooses for the board.
        workspace: None: the one that `find_workspace` finds.
        progress: receives a line whenever something is configured, compiled or linked; nothing where all is there.

    Raises:
        UnknownBoard: the board has no Zephyr application, or this version of Zephyr does not know it.
        MissingTool: no workspace or none that can be used, a module or a program that is missing; TFLite Micro or
            CMSIS-NN is not there (tinyhil.upstream: TFLM_DIR and CMSIS_NN_DIR go before the workspace's).
        BuildFailed: CMake, compiler or linker refused; their words are in the details.
        FlashOverflow, ArenaOverflow: the image, or the arena in it, does not fit; with the bytes that are missing.
        BadInput: the model cannot be read.
        OutputUnwritable: the cache folder cannot be written, or is full.
    """
    return _Build(board, engine, kernels, model, ops, arena_bytes, workspace or find_workspace(), progress).image()


class _Build:
    """One call of build_zephyr."""

    def __init__(
        self,
        board: Board,
        engine: str,
        kernels: str,
        model: Path | None,
        ops: Sequence[str] | None,
        arena_bytes: int | None,
        workspace: Workspace,
        progress: Progress | None,
    ) -> None:
        self._board = board.running("zephyr")
        assert board.zephyr is not None
        self._spec = board.zephyr
        self._engine = engine
        self._kernels = kernels
        self._kind = "slot" if model is None else "bundled"
        self._arena_bytes = arena_bytes
        self._workspace = workspace
        self._progress = progress
        name = self._spec.name_in(workspace.version)
        if name is None:
            raise UnknownBoard(
                f"Zephyr {workspace.version_text} has no board {board.name}.",
                next_step=f"{board.folder / 'board.yaml'} names it for Zephyr "
                f"{' or '.join(condition for condition, _ in self._spec.names)}.",
            )
        host = board.runs_on_host
        for option, known in ((engine, ENGINE_OPTIONS), (kernels, KERNEL_OPTIONS)):
            if option not in known:
                raise BuildFailed(f"The Zephyr application has no '{option}'.", next_step=f"It has {', '.join(known)}.")
        self._modules = [*([] if host else workspace.cmsis_modules()), *self._spec.modules]
        folders = workspace.modules(self._modules)
        self._revision = workspace.revision(self._modules)
        tflm = find_tflm() if engine == "tflm" else None
        cmsis_nn = find_cmsis_nn() if kernels == "cmsis_nn" else None
        self._upstream = tuple(trees_of(tflm, cmsis_nn))
        self._upstream_identity = [
            None if tflm is None else tflm_identity(tflm),
            None if cmsis_nn is None else cmsis_nn_library(cmsis_nn).identity,
        ]
        self._tools: Tools = find_tools(host=host)
        self._model = None if model is None else model.absolute()
        self._options = [
            f"-DBOARD={name}",
            f"-DTINYHIL_BOARD={board.name}",
            f"-DTINYHIL_MODEL={self._model or ''}",
            f"-DTINYHIL_OPS={';'.join(sorted(set(ops or (() if model else ('all',)))))}",
            f"-DZEPHYR_MODULES={';'.join(map(str, folders))}",
            *ENGINE_OPTIONS[engine],
            *KERNEL_OPTIONS[kernels],
        ]
        if arena_bytes is not None:
            self._options.append(f"-DCONFIG_TINYHIL_ARENA_BYTES={arena_bytes}")
        for variable, files in (("TINYHIL_CONF", self._spec.conf), ("TINYHIL_OVERLAY", self._spec.overlay)):
            if files:
                self._options.append(f"-D{variable}={';'.join(map(str, files))}")
        self._root = cache_dir() / "zephyr"

    def image(self) -> Image:
        key = _digest(
            _FORMAT,
            __version__,
            self._board.name,
            self._options,
            self._revision,
            self._upstream_identity,
            self._tools.variant,
            self._tools.compiler,
            sorted(self._sources()),
            None if self._model is None else _hash(self._model),
        )
        done = self._load(key)
        if done is not None:
            return done
        settled = _digest(self._options, str(self._workspace.zephyr_base), self._tools.variant, str(zephyr_app_dir()))
        folder = self._root / "build" / f"{self._board.name}-{settled[:12]}"
        try:
            with self._lock(folder.name):
                done = self._load(key)
                return done if done is not None else self._make(key, folder)
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error

    def _sources(self) -> Iterator[tuple[str, str]]:
        """Name and hash of every file of ours that the build may read."""
        roots = [firmware_dir(), zephyr_app_dir(), zephyr_app_dir().parent / "zephyr"]
        for root in roots:
            for path in sorted(root.rglob("*")):
                if path.is_file() and "models" not in path.relative_to(root).parts[:1]:
                    yield f"{root.name}/{path.relative_to(root).as_posix()}", _hash(path)
        for path in (*self._spec.conf, *self._spec.overlay):
            yield path.name, _hash(path)

    # The cache -------------------------------------------------------------------------------------------------------
    def _load(self, key: str) -> Image | None:
        """The image under its key, if it is there and whole."""
        folder = self._root / "images" / key
        try:
            record = json.loads((folder / "image.json").read_text(encoding="utf-8"))
            elf = folder / "image.elf"
            if hashlib.sha256(elf.read_bytes()).hexdigest() != record["elf_sha256"]:
                return None
            slot = record["slot"]
            return Image(
                board_name=self._board.name,
                elf=elf,
                build_id=key[:16],
                kind=self._kind,
                engine=self._engine,
                kernels=self._kernels,
                compiler=self._tools.compiler,
                flags=tuple(option for option in self._options if not option.startswith("-DZEPHYR_MODULES")),
                flash_bytes=int(record["flash_bytes"]),
                ram_bytes=int(record["ram_bytes"]),
                slot=None if slot is None else Region(int(slot[0]), int(slot[1])),
                firmware="zephyr",
                firmware_version=self._revision,
                upstream=self._upstream,
            )
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None

    @contextlib.contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """A build folder is one process's: a second one waits."""
        with build_lock(self._root, name, self._say):
            yield

    def _unwritable(self, why: str) -> OutputUnwritable:
        return unwritable(self._root, why)

    def _say(self, text: str) -> None:
        if self._progress is not None:
            self._progress(f"{self._board.name}: {text}")

    # Making ----------------------------------------------------------------------------------------------------------
    def _make(self, key: str, folder: Path) -> Image:
        self._configure(key, folder)
        self._build(folder)
        self._store(key, folder)
        made = self._load(key)
        if made is None:
            raise self._unwritable("what was just written there is not there")
        return made

    def _configure(self, key: str, folder: Path) -> None:
        tried = "" if self._workspace.tried else " (untried)"
        self._say(f"configuring for Zephyr {self._workspace.version_text}{tried}")
        folder.mkdir(parents=True, exist_ok=True)
        command = [str(self._tools.cmake), "-GNinja", f"-DCMAKE_MAKE_PROGRAM={self._tools.ninja}"]
        command += ["-S", str(zephyr_app_dir()), "-B", str(folder), f"-DTINYHIL_BUILD_ID={key[:16]}", *self._options]
        command += [f"-DPYTHON_PREFER={self._tools.python}", f"-DPython3_EXECUTABLE={self._tools.python}"]
        status, said = self._run(command, folder)
        if status == 0:
            self._check_config(folder)
            return
        # What is half configured would be taken for configured the next time.
        with contextlib.suppress(OSError):
            (folder / "CMakeCache.txt").unlink()
        self._explain(said)
        words = _cmake_error(said)
        raise BuildFailed(
            f"{self._board.name} on Zephyr cannot be configured" + (f": {words}" if words else "."),
            next_step="Correct what CMake names below.",
            details=_shortened(said, "CMake Error", "error:", "warning:"),
        )

    def _check_config(self, folder: Path) -> None:
        """Kconfig leaves out without a word what a choice cannot be set to."""
        config = folder / "zephyr" / ".config"
        if not config.is_file():
            return
        made = config.read_text(encoding="utf-8").splitlines()
        for option in (*ENGINE_OPTIONS[self._engine], *KERNEL_OPTIONS[self._kernels]):
            if option.removeprefix("-D") not in made:
                config.unlink()  # Zephyr would go on from it
                raise BuildFailed(
                    f"{self._board.name} on Zephyr cannot have {self._engine}/{self._kernels}: Kconfig did not take "
                    f"{option.removeprefix('-D')}.",
                    next_step="Choose another engine or other kernels; zephyr_app/module/Kconfig says what each needs.",
                )

    def _build(self, folder: Path) -> None:
        jobs = len(os.sched_getaffinity(0))
        status, said = self._run([str(self._tools.ninja), "-C", str(folder), f"-j{jobs}"], folder, self._ninja_line)
        if status == 0:
            return
        over = {name: int(count) for name, count in re.findall(r"region `(\w+)' overflowed by (\d+) bytes", said)}
        if over:
            raise self._overflow(over, folder)
        self._explain(said)
        first = next(
            (
                line
                for text in ("undefined reference", "multiple definition", " error: ", "rror: ")
                for line in said.splitlines()
                if text in line
            ),
            "",
        )
        raise BuildFailed(
            f"{self._board.name} on Zephyr does not build" + (f": {first.strip()}" if first else "."),
            details=_shortened(said, "FAILED: ", " error: ", "undefined reference"),
        )

    def _ninja_line(self, line: str) -> None:
        found = re.match(r"(\d+)/(\d+) (Building|Linking) \w+ (?:object|executable|static library) (\S+)", line)
        if found:
            done, total, what, path = found.groups()
            verb = "compiled" if what == "Building" else "linked"
            self._say(f"{verb} {done}/{total}: {Path(path).name.removesuffix('.obj')}")

    def _overflow(self, over: Mapping[str, int], folder: Path) -> TinyhilError:
        name = "FLASH" if "FLASH" in over else next(iter(over))
        missing, available = over[name], _region_bytes(folder, name)
        if self._arena_bytes is not None and name != "FLASH":
            return ArenaOverflow(
                f"An arena of {self._arena_bytes:,} bytes does not fit the RAM of {self._board.name} on Zephyr: "
                f"{missing:,} bytes are missing.",
                needed_bytes=self._arena_bytes,
                available_bytes=self._arena_bytes - missing,
                next_step=f"At most {self._arena_bytes - missing:,} bytes are left beside the application.",
            )
        what = "flash" if name == "FLASH" else name
        return FlashOverflow(
            f"The {self._kind} image on Zephyr does not fit the {what} of {self._board.name}: it needs "
            f"{available + missing:,} bytes, {available:,} are there, {missing:,} are missing.",
            needed_bytes=available + missing,
            available_bytes=available,
            next_step="Choose a board with more memory, or a smaller model."
            if self._kind == "bundled"
            else "Link one model in, with its operators alone (`tinyhil build --model`), give the image more room in "
            "the board's overlay (zephyr_app/boards), or choose another board.",
        )

    def _explain(self, said: str) -> None:
        """Raises what the words really mean, where that is not an error in a source."""
        told = " ".join(said.split())
        small = re.search(
            r"tinyhil: (\S+ needs an arena of at least ([\d,]+) bytes, and (-?[\d,]+) are there .*?missing\.)", told
        )
        if small:
            needed, available = (int(text.replace(",", "")) for text in small.group(2, 3))
            raise ArenaOverflow(
                small[1],
                needed_bytes=needed,
                available_bytes=available,
                next_step="Choose a board with more RAM, a larger arena, or a smaller model.",
            )
        if re.search(r"No space left on device|[Dd]isk quota exceeded|Read-only file system", said):
            raise self._unwritable("No space left on device" if "No space" in said else said.strip().splitlines()[-1])

    def _run(
        self, command: Sequence[str], folder: Path, line_said: Callable[[str], None] | None = None
    ) -> tuple[int, str]:
        """Runs a program; its status and what it said. Nothing of it goes on where this is interrupted."""
        environment = {
            # What another build folder has compiled of Zephyr serves this one too.
            "CCACHE_BASEDIR": str(folder),
            "CCACHE_NOHASHDIR": "1",
            **os.environ,
            **self._tools.environment,
            **variables_of(self._upstream),  # the build folder may lie in no workspace, or in another
            WORKSPACE_VARIABLE: str(self._workspace.topdir),
            "ZEPHYR_BASE": str(self._workspace.zephyr_base),
            "NINJA_STATUS": "%f/%t ",
            "LC_ALL": "C.UTF-8",
        }
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        assert process.stdout is not None
        said: list[str] = []
        try:
            with process.stdout:
                for line in process.stdout:
                    said.append(line)
                    if line_said is not None:
                        line_said(line)
            return process.wait(), "".join(said)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise

    def _store(self, key: str, build: Path) -> None:
        elf = elf_in(build)
        content = elf.read_bytes()
        if key[:16].encode() not in content:
            raise BuildFailed(
                f"The image of {self._board.name} on Zephyr does not hold its build id, {key[:16]}.",
                next_step="Remove the build folder and build again.",
                details=str(build),
            )
        flash_bytes, ram_bytes = sizes_of(elf)
        slot = slot_in(build, elf) if self._kind == "slot" else None
        if self._kind == "slot" and slot is None:
            raise BuildFailed(
                f"The image of {self._board.name} on Zephyr has no model slot.",
                next_step="Label a flash partition tinyhil_slot in an overlay (zephyr.overlay in board.yaml), or link "
                "a model in with --model.",
                details=str(build),
            )
        record = {
            "board": self._board.name,
            "zephyr": self._revision,
            "compiler": self._tools.compiler,
            "options": self._options,
            "elf_sha256": hashlib.sha256(content).hexdigest(),
            "flash_bytes": flash_bytes,
            "ram_bytes": ram_bytes,
            "slot": None if slot is None else [slot.base, slot.bytes],
        }
        images = self._root / "images"
        images.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=images, prefix=".") as name:
            fresh = Path(name) / "image"
            fresh.mkdir()
            (fresh / "image.elf").write_bytes(content)
            (fresh / "image.elf").chmod(0o755)  # the host's own is a program
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(build / "zephyr" / "zephyr.map", fresh / "image.map")
            (fresh / "image.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
            final = images / key
            shutil.rmtree(final, ignore_errors=True)  # there only if damaged
            fresh.replace(final)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error


def _region_bytes(folder: Path, name: str) -> int:
    """The size of a memory region, from the map of the link that failed; 0 where it cannot be told."""
    maps = sorted((folder / "zephyr").glob("*.map"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in maps:
        found = re.search(rf"^{name} +0x[0-9a-f]+ +0x([0-9a-f]+)", path.read_text(errors="replace"), re.MULTILINE)
        if found:
            return int(found[1], 16)
    return 0


def _cmake_error(said: str) -> str:
    """What CMake's first error says, in a line."""
    found = re.search(r"^CMake Error[^\n]*:\n((?:[ \t]+[^\n]*\n|\n(?=  ))+)", said, re.MULTILINE)
    return " ".join(found[1].split()) if found else ""


def _shortened(said: str, *wanted: str) -> str:
    """The lines from the first that holds what is wanted on; at most _SHOWN_LINES."""
    # Command lines go on for pages.
    lines = [line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..." for line in said.strip().splitlines()]
    first = min((at for at, line in enumerate(lines) if any(text in line for text in wanted)), default=0)
    lines = lines[first:]
    if len(lines) <= _SHOWN_LINES:
        return "\n".join(lines)
    return "\n".join([*lines[:_SHOWN_LINES], f"... {len(lines) - _SHOWN_LINES} more lines"])

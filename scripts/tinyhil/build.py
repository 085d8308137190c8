# SPDX-License-Identifier: Apache-2.0
"""The builder: firmware sources to an image, with nothing unchanged built twice.

Everything is addressed by what it is made of. An object's key is the hash of its source, of every file the source
includes, of the flags and of the compiler; an image's key is the hash of its objects' keys, linker script, memory and
model. What exists under its key is used as it is; what does not is made in a folder of its own and renamed into place,
so a reader never sees half a file, and a killed build leaves nothing behind that a later one would use.

Under cache_dir()/build:
    objects/<key>/<source path>.o
    images/<key>/image.elf, image.map, image.json
    locks/, work/
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from tinyhil import __version__
from tinyhil.assets import cache_dir
from tinyhil.board import Board, Region
from tinyhil.build_cache import build_lock, unwritable
from tinyhil.compile_flags import (
    BARE_METAL_FLAGS,
    C_FLAGS,
    COMMON_FLAGS,
    COMPILERS,
    CXX_FLAGS,
    HOST_FLAGS,
    SANITIZE_FLAGS,
    WARNING_FLAGS,
)
from tinyhil.errors import (
    BuildFailed,
    FlashOverflow,
    MissingTool,
    ModelError,
    OutputUnwritable,
)
from tinyhil.image import Image
from tinyhil.image_sources import (
    MODEL_PATH,
    TABLES,
    ImageSources,
    Parts,
    custom_operators,
    escaped,
    operator_table,
    parts,
    read_model,
    registered_operators,
    sees_libraries,
)
from tinyhil.library import core_flags, trees_of
from tinyhil.toolchain import Tool, find_tool, install_command

__all__ = [
    "COMPILERS",
    "Image",
    "Parts",
    "Progress",
    "build_image",
    "custom_operators",
    "operator_table",
    "parts",
    "registered_operators",
]

# Part of every key: raise it when what the builder makes of the same input changes.
_FORMAT = 1

_WORTH_A_PREFIX = 8  # sources: precompiling their headers takes as long as compiling about three
_STALE_WORK_S = 24 * 3600
_SHOWN_LINES = 40

Progress = Callable[[str], None]


@dataclass(frozen=True)
class _Source:
    """A file to compile. `logical` names it in messages, maps and keys, wherever the project lies on the disk.

    `text` is for a generated source, which has no path; `salt` for what the file depends on beyond its includes.
    `includes` are folders of upstream headers: what they hold is part of the salt, and where they lie of nothing.
    `foreign`: upstream's own source. All that it depends on is in its salt, and its warnings are its authors'.
    `prefix`: headers that it includes anyway, worth precompiling where many sources have the same.
    """

    logical: str
    path: Path | None
    flags: tuple[str, ...]
    text: str = ""
    salt: str = ""
    includes: tuple[Path, ...] = ()
    foreign: bool = False
    prefix: tuple[str, ...] = ()


def build_image(
    board: Board,
    *,
    engine: str = "builtin",
    kernels: str = "reference",
    model: Path | None = None,
    ops: Sequence[str] | None = None,
    sanitize: bool = False,
    extra_sources: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
    firmware: str = "bare_metal",
    arena_bytes: int | None = None,
    progress: Progress | None = None,
) -> Image:
    """Builds a board's firmware, or finds it built.

    Args:
        model: None: an image with every operator that takes its model from the slot. A .tflite file: a bundled image.
        ops: operators to register in a bundled image, by the schema's names; None: every one.
            Custom operators are named as in their registration, kOp_NAME.
        sanitize: AddressSanitizer and UndefinedBehaviorSanitizer; boards built for the host alone.
        extra_sources: more C++ sources of the caller's own. Custom operators that they define at file scope of the
            namespace tinyhil (`extern const OpRegistration kOp_NAME = {...};`) are registered.
        defines: macros for every source.
        firmware: "bare_metal", or "zephyr" for the same application on Zephyr (tinyhil.zephyr), which takes none of
            sanitize, extra_sources and defines.
        arena_bytes: on Zephyr: RAM set aside for the arena. None, and on bare metal always: all that is left.
        progress: receives a line whenever something is compiled or linked; nothing where all is there.

    Raises:
        MissingTool: no compiler, with the command that installs it.
        BuildFailed: compiler or linker refused; their words are in the details.
        FlashOverflow: the image does not fit the board, with the bytes that are missing.
        ArenaOverflow: no arena that the image leaves room for can hold the model that is linked in; likewise.
        UnsupportedOperator: `ops` names one that the kernel set does not have.
        BadInput: the model cannot be read.
        OutputUnwritable: the cache folder cannot be written, or is full.
    """
    if firmware == "zephyr":
        if extra_sources:
            raise BuildFailed(
                f"{extra_sources[0]}: sources of your own are not compiled into the application on Zephyr",
                next_step="Run it on bare metal, or take tinyhil into an application of your own as a module.",
            )
        from tinyhil.zephyr import build_zephyr

        image = build_zephyr(
            board, engine=engine, kernels=kernels, model=model, ops=ops, arena_bytes=arena_bytes, progress=progress
        )
    else:
        if ops is None and model is None and board.build is not None:
            ops = board.build.ops
        image = _Build(
            board, engine, kernels, model, ops, sanitize, tuple(extra_sources), dict(defines or {}), progress
        ).image()
    if model is not None and not board.runs_on_host:
        _check_arena(board, image, model, arena_bytes)
    return image


def _check_arena(board: Board, image: Image, model: Path, arena_bytes: int | None) -> None:
    from tinyhil.model import load_model
    from tinyhil.model.arena import check_arena

    with contextlib.suppress(ModelError):  # what is no model is linked in as it is, and refused by the device
        left = arena_bytes or board.memory["ram"].bytes - image.ram_bytes
        check_arena(load_model(model), image.engine, left, f"on {board.name} beside the firmware")


class _Build(ImageSources):
    """One call of build_image."""

    def __init__(
        self,
        board: Board,
        engine: str,
        kernels: str,
        model: Path | None,
        ops: Sequence[str] | None,
        sanitize: bool,
        extra_sources: tuple[Path, ...],
        defines: Mapping[str, str],
        progress: Progress | None,
    ) -> None:
        if sanitize and board.build.compiler != "host":
            raise BuildFailed(
                f"{board.name} cannot be built with sanitizers: they need an operating system under them.",
                next_step="Use the board 'native'.",
            )
        super().__init__(engine, kernels, model, ops)
        self._board = board
        self._sanitize = sanitize
        self._extra_sources = extra_sources
        self._progress = progress
        self._host = board.build.compiler == "host"
        self._tool: Tool = find_tool(COMPILERS[board.build.compiler])
        self._model_sha256 = "" if model is None else read_model(model)
        self._define_flags = tuple(f"-D{key}={value}" for key, value in sorted(defines.items()))
        kind_flags = (
            *(HOST_FLAGS if self._host else BARE_METAL_FLAGS),
            *(SANITIZE_FLAGS if sanitize else ()),
        )
        self._flags = (*COMMON_FLAGS, *board.build.cpu, *kind_flags, *self._define_flags)
        without_debug = (flag for flag in COMMON_FLAGS if flag != "-g")
        self._upstream_flags = (*without_debug, *board.build.upstream_cpu, *kind_flags)
        self._root = cache_dir() / "build"
        self._hashed: dict[Path, tuple[str, tuple[str, ...]]] = {}

    def image(self) -> Image:
        sources = {source: self._object_key(source) for source in self._sources()}
        key = _digest(
            _FORMAT,
            self._board.name,
            self._kind,
            self._engine,
            self._kernels,
            __version__,
            self._tool.identity,
            self._flags,
            self._link_flags(),
            "" if self._board.build.linker_script is None else self._file(self._board.build.linker_script)[0],
            sorted((source.logical, object_key) for source, object_key in sources.items()),
        )
        done = self._load(key)
        if done is not None:
            return done
        try:
            with self._lock(key):
                done = self._load(key)
                return done if done is not None else self._make(key, sources)
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error

    # Sources ---------------------------------------------------------------------------------------------------------
    def _sources(self) -> list[_Source]:
        sources: list[_Source] = []
        custom = self._custom_ops()
        own_table = self._kind == "bundled" or bool(custom) or self._ops is not None
        salt = " ".join(library.identity for library in self._libraries)
        includes = tuple(dict.fromkeys(folder for library in self._libraries for folder in library.includes))
        seeing = (*self._flags, *self._library_defines())
        for path in self._engine_files():
            if own_table and path.name in TABLES:
                continue
            source = _Source(f"firmware/{path.relative_to(self._firmware).as_posix()}", path, self._flags)
            if sees_libraries(path):
                source = replace(source, flags=seeing, salt=salt, includes=includes)
            sources.append(source)
        port_flags = (*self._flags, *(f"-D{name}={value}" for name, value in sorted(self._port_defines().items())))
        for folder in self._board.build.ports:
            for path in sorted(folder.iterdir()):
                if path.suffix in (".cc", ".c", ".S"):
                    sources.append(_Source(f"firmware/ports/{folder.name}/{path.name}", path, port_flags))
        for path in self._extra_sources:
            sources.append(_Source(f"extra/{path.name}", path.absolute(), self._flags))
        model_text = self._model_text()
        sources.append(_Source("generated/model.S", None, self._flags, text=model_text, salt=self._model_sha256))
        if own_table:
            table = self._tflm_ops_text() if self._engine == "tflm" else self._ops_text(custom)
            sources.append(_Source("generated/ops.cc", None, seeing, text=table, salt=salt, includes=includes))
        return sources + self._foreign_sources()

    def _foreign_sources(self) -> list[_Source]:
        return [
            _Source(
                f"upstream/{library.name}/{name}",
                library.root / name,
                (*self._upstream_flags, *library.defines, *core_flags(library, self._board.build.upstream_cpu)),
                salt=library.identity,
                includes=library.includes,
                foreign=True,
                prefix=library.prefix,
            )
            for library in self._libraries
            for name in library.sources
        ]

    def _custom_ops(self) -> list[str]:
        """What the extra sources register."""
        return list(registered_operators(self._extra_sources))

    def _port_defines(self) -> dict[str, str]:
        board = self._board
        defines = {**board.build.defines, "TINYHIL_SLOT_WRITABLE": str(int(board.slot.writable))}
        if board.clock_hz is not None:
            defines["TINYHIL_CLOCK_HZ"] = str(board.clock_hz)
        if board.soc is not None:
            defines["TINYHIL_SOC_ID_ADDRESS"] = f"{board.soc.address:#x}"
        if self._host:
            defines["TINYHIL_ARENA_BYTES"] = str(board.memory["ram"].bytes)
            defines["TINYHIL_SLOT_BYTES"] = str(board.slot.bytes if self._kind == "slot" else 0)
        return defines

    # Keys ------------------------------------------------------------------------------------------------------------
    def _file(self, path: Path) -> tuple[str, tuple[str, ...]]:
        """Hash of a file, and what it includes in quotes."""
        known = self._hashed.get(path)
        if known is None:
            try:
                content = path.read_bytes()
            except OSError as error:
                raise BuildFailed(f"{path} cannot be read: {error.strerror}") from error
            known = self._hashed[path] = _scan(content)
        return known

    def _object_key(self, source: _Source) -> str:
        if source.foreign:
            return _digest(_FORMAT, self._tool.identity, source.flags, source.logical, source.salt)
        if source.path is None:
            own, includes = _scan(source.text.encode())
            beside = self._firmware
        else:
            own, includes = self._file(source.path)
            beside = source.path.parent
        closure: dict[str, str] = {}
        waiting = [(beside, name) for name in includes]
        seen: set[Path] = set()
        while waiting:
            folder, name = waiting.pop()
            found = next((path for path in (folder / name, self._firmware / name) if path.is_file()), None)
            if found is None:
                closure[name] = "absent"
                continue
            found = Path(os.path.normpath(found))
            if found in seen:
                continue
            seen.add(found)
            sha256, inner = self._file(found)
            inside = found.is_relative_to(self._firmware)
            closure[found.relative_to(self._firmware).as_posix() if inside else name] = sha256
            waiting += [(found.parent, entry) for entry in inner]
        return _digest(
            _FORMAT, self._tool.identity, source.flags, source.logical, own, source.salt, sorted(closure.items())
        )

    def _link_flags(self) -> tuple[str, ...]:
        if self._host:
            return ("-no-pie", "-Wl,--gc-sections")
        flash, ram, slot = self._memory()
        board = self._board
        symbols = {
            "flash_base": flash.base,
            "flash_bytes": flash.bytes,
            "ram_base": ram.base,
            "ram_bytes": ram.bytes,
            "slot_base": 0 if slot is None else slot.base,
            "slot_bytes": 0 if slot is None else slot.bytes,
            "stack_bytes": board.stack_bytes,
        }
        return (
            "-nostdlib",
            "-Wl,--gc-sections",
            *(f"-Wl,--defsym={name}={value:#x}" for name, value in symbols.items()),
        )

    def _toolchain_libraries(self) -> tuple[str, ...]:
        """Bare metal has libgcc alone, but for TFLite Micro, which uses the mathematics of a C library."""
        if self._host:
            return ()
        return ("-lgcc",) if self._tflm is None else ("-Wl,--start-group", "-lm", "-lc", "-lgcc", "-Wl,--end-group")

    def _memory(self) -> tuple[Region, Region, Region | None]:
        """Flash and RAM as the linker may fill them, and the slot. A bundled image needs no slot and has its room."""
        slot = self._board.slot
        flash, ram = self._board.memory["flash"], self._board.memory["ram"]
        if self._kind == "bundled":
            return flash, ram, None
        if slot.memory == "flash":
            flash = Region(flash.base, slot.base - flash.base)
        if slot.memory == "ram":
            ram = Region(ram.base, slot.base - ram.base)
        return flash, ram, Region(slot.base, slot.bytes)

    # The cache -------------------------------------------------------------------------------------------------------
    def _load(self, key: str) -> Image | None:
        """The image under its key, if it is there and whole."""
        folder = self._root / "images" / key
        try:
            record = json.loads((folder / "image.json").read_text(encoding="utf-8"))
            elf = folder / "image.elf"
            if hashlib.sha256(elf.read_bytes()).hexdigest() != record["elf_sha256"]:
                return None
            return self._described(key, elf, int(record["flash_bytes"]), int(record["ram_bytes"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _described(self, key: str, elf: Path, flash_bytes: int, ram_bytes: int) -> Image:
        slot = self._board.slot
        return Image(
            board_name=self._board.name,
            elf=elf,
            build_id=key[:16],
            kind=self._kind,
            engine=self._engine,
            kernels=self._kernels,
            compiler=self._tool.version,
            flags=(*self._flags, *CXX_FLAGS),
            flash_bytes=flash_bytes,
            ram_bytes=ram_bytes,
            slot=Region(slot.base, slot.bytes) if self._kind == "slot" else None,
            upstream=tuple(trees_of(self._tflm, self._cmsis_nn)),
        )

    @contextlib.contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        """Keeps a second build of the same objects waiting instead of repeating the work.

        Correctness does not hang on it: where the file system has no locks, both build, and one's result stays.
        """
        name = _digest(self._tool.identity, self._flags, self._engine)
        with contextlib.ExitStack() as held:
            # Not every file system has locks.
            with contextlib.suppress(NotImplementedError):
                held.enter_context(build_lock(self._root, name, self._say))
            yield

    def _unwritable(self, why: str) -> OutputUnwritable:
        return unwritable(self._root, why)

    def _say(self, text: str) -> None:
        if self._progress is not None:
            self._progress(f"{self._board.name}: {text}")

    # Making ----------------------------------------------------------------------------------------------------------
    def _make(self, key: str, sources: Mapping[_Source, str]) -> Image:
        work_root = self._root / "work"
        work_root.mkdir(parents=True, exist_ok=True)
        _remove_stale(work_root)
        with tempfile.TemporaryDirectory(dir=work_root, ignore_cleanup_errors=True) as name:
            work = Path(name)
            info_text = self._build_info_text(self._board.name, key[:16], self._tool.version)
            info = _Source("generated/build_info.cc", None, self._flags, text=info_text)
            objects = {source: self._object_path(source, object_key) for source, object_key in sources.items()}
            missing = [source for source, path in objects.items() if not _is_there(path)]
            objects[info] = work / "generated" / "build_info.o"
            self._compile([*missing, info], objects, work)
            try:
                self._link(list(objects.values()), work)
            except _DamagedObject:
                reused = [source for source in sources if source not in missing]
                self._compile(reused, objects, work)
                try:
                    self._link(list(objects.values()), work)
                except _DamagedObject as error:
                    raise BuildFailed(f"{self._board.name} does not link.", details=str(error)) from error
            return self._store(key, work)

    def _object_path(self, source: _Source, object_key: str) -> Path:
        return self._root / "objects" / object_key / PurePosixPath(source.logical).with_suffix(".o")

    def _compile(self, todo: Sequence[_Source], objects: Mapping[_Source, Path], work: Path) -> None:
        from concurrent.futures import ThreadPoolExecutor, as_completed

        prefix = self._precompile(todo, work)
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            futures = {
                pool.submit(self._compile_one, source, objects[source], work, number, prefix): source
                for number, source in enumerate(todo)
            }
            try:
                for count, future in enumerate(as_completed(futures), start=1):
                    future.result()
                    self._say(f"compiled {count}/{len(todo)}: {futures[future].logical}")
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _precompile(self, todo: Sequence[_Source], work: Path) -> tuple[_Source, Path] | None:
        """Precompiles the prefix of upstream's sources where enough are to be compiled; the objects are the same.

        Returns one of those sources, and the header to include. None: it is not worth it, or the compiler cannot.
        """
        sharing = [source for source in todo if source.prefix]
        if len(sharing) < _WORTH_A_PREFIX:
            return None
        first = sharing[0]
        self._say(f"preparing {len(sharing)} sources of {first.logical.split('/')[1]}")
        header = work / "prefix.h"
        header.write_text("".join(f'#include "{name}"\n' for name in first.prefix), encoding="utf-8")
        include = [word for folder in first.includes for word in ("-isystem", str(folder))]
        output = ["-x", "c++-header", str(header), "-o", f"{header}.gch"]
        status, _ = self._run([str(self._tool.path), *first.flags, *CXX_FLAGS, "-w", *include, *output])
        return (first, header) if status == 0 else None

    def _compile_one(
        self, source: _Source, target: Path, work: Path, number: int, prefix: tuple[_Source, Path] | None = None
    ) -> None:
        path = source.path
        if path is None:
            path = work / "generated" / PurePosixPath(source.logical).name
            path.parent.mkdir(exist_ok=True)
            text = source.text if self._model is None else source.text.replace(MODEL_PATH, escaped(self._model))
            path.write_text(text, encoding="utf-8")
        fresh = work / f"{number}.o"
        is_cxx = path.suffix == ".cc"
        warnings = ("-w",) if source.foreign else WARNING_FLAGS if is_cxx else ()
        language = ("-x", "c", *C_FLAGS) if path.suffix == ".c" else CXX_FLAGS if is_cxx else ()
        command = [
            str(self._tool.path),
            *source.flags,
            *language,
            *warnings,
            *(word for folder in source.includes for word in ("-isystem", str(folder))),
            *(("-include", str(prefix[1])) if prefix is not None and _shares(source, prefix[0]) else ()),
            f"-ffile-prefix-map={self._firmware}=firmware",
            *(f"-ffile-prefix-map={folder}=upstream" for folder in source.includes),
            f"-ffile-prefix-map={work}=work",
            f"-I{self._firmware}",
            "-c",
            str(path),
            "-o",
            str(fresh),
        ]
        status, said = self._run(command)
        if status != 0:
            self._explain(said)
            first = _first_line(said, "error: ")
            raise BuildFailed(
                f"{source.logical} does not compile for {self._board.name}" + (f": {first}" if first else "."),
                next_step=f"Correct {path}." if source.path is not None else "",
                details=_shortened(said),
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.replace(target)

    def _link(self, objects: Sequence[Path], work: Path) -> None:
        self._say("linking")
        script = self._board.build.linker_script
        listing = work / "objects.txt"
        listing.write_text("".join(f'"{escaped(path)}"\n' for path in objects), encoding="utf-8")
        command = [
            str(self._tool.path),
            *self._flags,
            *self._link_flags(),
            *(() if script is None else ("-T", str(script))),
            f"-Wl,-Map={work / 'image.map'}",
            f"@{listing}",
            *self._toolchain_libraries(),
            "-o",
            str(work / "image.elf"),
        ]
        status, said = self._run(command)
        if status == 0:
            return
        overflow = re.search(r"region `(\w+)' overflowed by (\d+) bytes", said)
        if overflow:
            raise self._overflow(said)
        self._explain(said)
        if re.search(r"file format not recognized|file truncated|file in wrong format|\.o: .*Permission denied", said):
            raise _DamagedObject(_shortened(said))
        first = _first_line(said, "undefined reference", "multiple definition", "error: ")
        raise BuildFailed(
            f"{self._board.name} does not link" + (f": {first}" if first else "."), details=_shortened(said)
        )

    def _overflow(self, said: str) -> FlashOverflow:
        over = {name: int(count) for name, count in re.findall(r"region `(\w+)' overflowed by (\d+) bytes", said)}
        name = "flash" if "flash" in over else next(iter(over))
        flash, ram, _ = self._memory()
        available = (flash if name == "flash" else ram).bytes
        needed = available + over[name]
        advice = (
            "Run the model from the slot, or choose a board with more memory."
            if self._kind == "bundled"
            else f"Give the image more room in {self._board.folder / 'board.yaml'} (slot.offset, memory.{name})."
        )
        return FlashOverflow(
            f"The {self._kind} image does not fit the {name} of {self._board.name}: it needs {needed:,} bytes, "
            f"{available:,} are there, {over[name]:,} are missing.",
            needed_bytes=needed,
            available_bytes=available,
            next_step=advice,
        )

    def _explain(self, said: str) -> None:
        """Raises what the compiler's words really mean, where that is not an error in a source."""
        if re.search(r"No space left on device|[Dd]isk quota exceeded|Read-only file system", said):
            raise self._unwritable("No space left on device" if "No space" in said else said.strip().splitlines()[-1])
        if not self._host and re.search(r"(string|stddef|stdint)\.h: No such file|cannot find -lgcc", said):
            raise MissingTool(
                f"{self._tool.name} is incomplete: its C headers or its own library are not installed.",
                next_step=f"Run: {install_command(self._tool.name)}",
                details=_shortened(said),
            )

    def _run(self, command: Sequence[str]) -> tuple[int, str]:
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            done = subprocess.run(
                command,
                cwd=self._firmware,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                env=environment,
            )
        except OSError as error:
            raise MissingTool(
                f"{command[0]} does not run: {error}", next_step=f"Install it anew: {install_command(self._tool.name)}"
            ) from error
        return done.returncode, done.stdout + done.stderr

    def _store(self, key: str, work: Path) -> Image:
        from tinyhil.elf import figures

        elf = work / "image.elf"
        sizes = figures(elf)
        record: dict[str, Any] = {
            "board": self._board.name,
            "kind": self._kind,
            "engine": self._engine,
            "kernels": self._kernels,
            "compiler": self._tool.version,
            "flags": [*self._flags, *CXX_FLAGS],
            "elf_sha256": hashlib.sha256(elf.read_bytes()).hexdigest(),
            "flash_bytes": sizes.flash_bytes,
            "ram_bytes": sizes.ram_bytes,
        }
        folder = Path(tempfile.mkdtemp(dir=self._root / "work"))
        elf.replace(folder / "image.elf")
        (work / "image.map").replace(folder / "image.map")
        (folder / "image.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
        final = self._root / "images" / key
        final.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(final, ignore_errors=True)  # there only if damaged
        try:
            folder.replace(final)
        except OSError:  # another process, on a file system without locks, was faster
            shutil.rmtree(folder, ignore_errors=True)
            if self._load(key) is None:
                raise
        return self._described(key, final / "image.elf", sizes.flash_bytes, sizes.ram_bytes)


def _shares(source: _Source, other: _Source) -> bool:
    """Whether a prefix that was precompiled for the other source serves this one."""
    return bool(source.prefix) and (source.prefix, source.flags) == (other.prefix, other.flags)


class _DamagedObject(Exception):
    """The linker cannot read an object: the cache was damaged from outside, or the disk was full once."""


_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.MULTILINE)


def _scan(content: bytes) -> tuple[str, tuple[str, ...]]:
    names = tuple(name.decode("utf-8", "replace") for name in _INCLUDE.findall(content))
    return hashlib.sha256(content).hexdigest(), names


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]


def _remove_stale(work_root: Path) -> None:
    """What builds that were killed left behind."""
    oldest = time.time() - _STALE_WORK_S
    for entry in work_root.iterdir():
        with contextlib.suppress(OSError):
            if entry.stat().st_mtime < oldest:
                shutil.rmtree(entry, ignore_errors=True)


def _is_there(path: Path) -> bool:
    """Whether there is an object; an empty file is none, and the linker would take it for a script."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _first_line(said: str, *wanted: str) -> str:
    return next((line for text in wanted for line in said.splitlines() if text in line), "")


def _shortened(said: str) -> str:
    lines = said.strip().splitlines()
    if len(lines) <= _SHOWN_LINES:
        return "\n".join(lines)
    return "\n".join([*lines[:_SHOWN_LINES], f"... {len(lines) - _SHOWN_LINES} more lines"])

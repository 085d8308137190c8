#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tinyhil's Zephyr library is made of: the same portable and generated sources that the bare-metal builder takes.

Called by zephyr_app/module/CMakeLists.txt with Zephyr's own Python, which has all that this needs. Writes into --out
the generated sources and sources.cmake, with the variables
    tinyhil_sources, tinyhil_generated       the firmware's files and what was generated
    tinyhil_upstream_<n>_sources, _includes, _flags   for n from 0 below tinyhil_upstream_count
    tinyhil_upstream_users, _includes        those of our files that include others' headers, and where these lie
    tinyhil_depends                          files that a change of makes CMake run again
    tinyhil_least_arena                      bytes that the model which is linked in needs at least
An error goes to stderr as a sentence and its next step, with the status that `tinyhil build` would have.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("engine", "kernels", "board", "compiler", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--cpu", default="", help="the compiler flag that selects the core")
    parser.add_argument("--build-id", default="", help="16 hex digits [zeros]")
    parser.add_argument("--model", type=Path, help="a .tflite file to link in")
    parser.add_argument("--ops", default="", help="operators, with commas, or all [the model's]")
    parser.add_argument("--arena", type=int, default=0, help="its bytes, where Kconfig has a number for them")
    parser.add_argument("--ram-kib", default="", help="all RAM, of which the arena is what is left [not known]")
    parser.add_argument("--link", action="store_true", help="with link and command loop")
    args = parser.parse_args()
    out = Path(args.out)
    os.environ.setdefault("TINYHIL_CACHE", str(out / "cache"))
    from tinyhil.build import parts
    from tinyhil.errors import TinyhilError
    from tinyhil.library import core_flags

    least = 0
    try:
        ops = args.ops.split(",") if args.ops else None
        if args.model is not None and ops is None:
            ops = _operators(args.model, args.engine)
        if ops == ["all"]:
            ops = None
        if args.model is not None and args.link:
            ram = int(args.ram_kib or 0) << 10
            least = _least_arena(args.model, args.engine, args.board, args.arena, ram)
        made = parts(
            engine=args.engine,
            kernels=args.kernels,
            board_name=args.board,
            build_id=args.build_id or "0" * 16,
            compiler=_version(args.compiler),
            model=args.model,
            ops=ops,
            link=args.link,
        )
    except TinyhilError as error:
        print(f"{error.message.rstrip('.')}. {error.next_step}".strip(), file=sys.stderr)
        sys.exit(error.exit_status)
    out.mkdir(parents=True, exist_ok=True)
    generated = [out / name for name in made.generated]
    for path, text in zip(generated, made.generated.values(), strict=True):
        # Zephyr's linker scripts know no section .model.
        _write(path, text.replace(".section .model,", ".section .rodata.tinyhil_bundled_model,"))
    lines = [_set("tinyhil_sources", made.files), _set("tinyhil_generated", generated)]
    includes: dict[Path, None] = {}
    for number, library in enumerate(made.libraries):
        prefix = f"tinyhil_upstream_{number}"
        lines.append(_set(f"{prefix}_sources", (library.root / name for name in library.sources)))
        lines.append(_set(f"{prefix}_includes", library.includes))
        cpu = [] if args.cpu.endswith("=") else [args.cpu]  # a host has none
        lines.append(_set(f"{prefix}_flags", (*library.defines, *core_flags(library, cpu))))
        includes.update(dict.fromkeys(library.includes))
    lines.append(f"set(tinyhil_upstream_count {len(made.libraries)})\n")
    users = [*made.upstream_files, *(path for path in generated if made.libraries and path.name == "ops.cc")]
    lines += [_set("tinyhil_upstream_users", users), _set("tinyhil_upstream_includes", includes)]
    # Layouts hang on them, so who sees the headers has them too.
    definitions = dict.fromkeys(define for library in made.libraries for define in library.defines)
    lines.append(_set("tinyhil_upstream_definitions", definitions))
    folders = sorted({path.parent for path in made.files})
    lines.append(_set("tinyhil_depends", [*folders, *([args.model] if args.model else [])]))
    lines.append(f"set(tinyhil_least_arena {least})\n")
    _write(out / "sources.cmake", "".join(lines))


def _operators(model: Path, engine: str) -> list[str]:
    """The model's operators, each of which the engine has."""
    from tinyhil.model import check_runnable, load_model

    loaded = load_model(model)
    check_runnable(loaded, engine)
    return sorted({operator.name for operator in loaded.operators})


def _least_arena(path: Path, engine: str, board: str, arena: int, ram: int) -> int:
    """What the model needs at least, in bytes.

    Raises ArenaOverflow where `arena` is less, or, if that is 0 (what the image leaves of it), all of `ram`.
    """
    from tinyhil.model import load_model
    from tinyhil.model.arena import check_arena, least_arena_bytes

    model = load_model(path)
    if arena:
        check_arena(model, engine, arena, f"on {board} (CONFIG_TINYHIL_ARENA_BYTES)")
    elif ram:
        check_arena(model, engine, ram, f"on {board}, in all of its RAM")
    return least_arena_bytes(model, engine)


def _version(compiler: str) -> str:
    """As `tinyhil build` writes it: the first line of --version."""
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def _set(name: str, values: Iterable[object]) -> str:
    return f"set({name}\n" + "".join(f"  [==[{value}]==]\n" for value in values) + ")\n"


def _write(path: Path, text: str) -> None:
    """Leaves an unchanged file alone, so that nothing that comes of it is made again."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether the RAM that an image leaves free can be its model's arena: called when the image is linked.

Ends with a sentence on stderr and the status of `tinyhil build` where it cannot; the image is removed then, so that
the next build comes here again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("engine", "board"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--ram", nargs=2, required=True, metavar=("ADDRESS", "KIB"))
    parser.add_argument("image", type=Path)
    args = parser.parse_args()
    from elftools.elf.elffile import ELFFile

    from tinyhil.errors import ArenaOverflow
    from tinyhil.model import load_model
    from tinyhil.model.arena import check_arena

    with args.image.open("rb") as file:
        (end,) = ELFFile(file).get_section_by_name(".symtab").get_symbol_by_name("_image_ram_end")
        left = int(args.ram[0], 0) + int(args.ram[1]) * 1024 - end["st_value"]
    try:
        check_arena(load_model(args.model), args.engine, left, f"on {args.board} beside the application")
    except ArenaOverflow as error:
        args.image.unlink()
        print(f"tinyhil: {error.message} {error.next_step}", file=sys.stderr)
        sys.exit(error.exit_status)


main()

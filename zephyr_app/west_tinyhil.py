# SPDX-License-Identifier: Apache-2.0
"""`west tinyhil build|run|matrix`: the commands of the same name of tinyhil, on Zephyr, in west's workspace."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from west.commands import CommandError, WestCommand

ROOT = Path(__file__).resolve().parents[1]


class Tinyhil(WestCommand):
    """Hands everything on to `tinyhil`, with this workspace and Zephyr as the firmware."""

    def __init__(self):
        super().__init__(
            "tinyhil",
            "models on the boards of this workspace, bit for bit",
            "Builds tinyhil's Zephyr application in this workspace, and runs models on it: `tinyhil build`, `run` and "
            "`matrix` with --firmware zephyr. `west tinyhil run --help` shows what each takes.",
        )

    def do_add_parser(self, parser_adder):
        parser = parser_adder.add_parser(self.name, help=self.help, description=self.description)
        parser.add_argument("command", choices=("build", "run", "matrix"))
        parser.add_argument("arguments", nargs=argparse.REMAINDER, help="as tinyhil takes them")
        return parser

    def do_run(self, args, unknown):
        environment = {**os.environ, "TINYHIL_WEST_WORKSPACE": self.topdir}
        if importlib.util.find_spec("tinyhil") is None:
            environment["PYTHONPATH"] = os.pathsep.join(
                [str(ROOT / "scripts"), *filter(None, [os.environ.get("PYTHONPATH")])]
            )
            if importlib.util.find_spec("click") is None:
                self.die(f"tinyhil is not installed in west's Python. Run: {sys.executable} -m pip install -e {ROOT}")
        chosen = [word for word in args.arguments if word.split("=")[0] in ("--firmware", "--zephyr")]
        words = [args.command, *args.arguments, *([] if chosen else ["--firmware", "zephyr"])]
        done = subprocess.run([sys.executable, "-m", "tinyhil", *words], env=environment, check=False)
        if done.returncode:
            raise CommandError(returncode=done.returncode)

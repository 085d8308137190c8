# SPDX-License-Identifier: Apache-2.0
"""make fuzz: libFuzzer on a target, for as long or as many inputs as wanted.

What it finds on its way is kept in out/fuzz/<target>, what kills the firmware in out/fuzz. The last line tells how many
inputs were run.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from fuzz.build import CORPUS, TARGETS, build
from tinyhil import assets


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", choices=TARGETS, default="model")
    parser.add_argument("--seconds", type=int, default=300, help="0: until Ctrl-C (300)")
    parser.add_argument("--runs", type=int, default=-1, help="inputs; -1: no limit")
    parser.add_argument("--seeds", type=Path, action="append", default=[], help="a folder of more seeds: real models")
    parser.add_argument("--longest", type=int, default=3000, help="bytes of an input (3000)")
    parser.add_argument("--merge", action="store_true", help="put what out/fuzz found, made smallest, into the corpus")
    options = parser.parse_args()
    program = build(options.target, assets.cache_dir() / "tests", fuzzer=True)
    found = Path("out") / "fuzz" / options.target
    found.mkdir(parents=True, exist_ok=True)
    corpus = CORPUS / options.target
    if options.merge:
        return subprocess.run([program, "-merge=1", str(corpus), str(found)], check=False).returncode
    command = [
        *(str(program), f"-max_len={options.longest}", f"-max_total_time={options.seconds}", f"-runs={options.runs}"),
        *("-timeout=20", "-rss_limit_mb=3000", "-print_final_stats=1", f"-artifact_prefix={found.parent}/"),
        *map(str, [found, corpus, *options.seeds]),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace")
    assert process.stderr is not None
    ran = 0
    for line in process.stderr:
        sys.stderr.write(line)
        counted = re.search(r"number_of_executed_units: (\d+)", line)
        ran = int(counted[1]) if counted else ran
    status = process.wait()
    print(f"{options.target}: {ran} inputs, {'no crash' if status == 0 else f'ended with status {status}'}")
    return status


if __name__ == "__main__":
    sys.exit(main())

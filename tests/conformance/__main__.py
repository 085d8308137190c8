# SPDX-License-Identifier: Apache-2.0
"""make conformance: any number of cases, of all operators or some, and the replay of a stored one."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from host_engine import HostEngine, build_host_engine

from conformance.operators import OPERATORS
from conformance.runner import Conformance, Tally, store
from tinyhil import assets

FAILURES = Path("out") / "conformance"


def run_operator(program: Path, name: str, numbers: range) -> tuple[str, Tally, list[str]]:
    suite = Conformance(partial(HostEngine, program))
    tally = suite.run(name, numbers)
    stored = [f"{small}\n    {store(small, FAILURES)}" for small in map(suite.shrink, tally.failures[:3])]
    suite.close()
    return name, tally, stored


def main() -> int:
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("operators", nargs="*", metavar="OPERATOR", help="all without one")
    parser.add_argument("--count", "-n", type=int, default=500, help="cases of each operator (500)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case (0)")
    parser.add_argument("--jobs", "-j", type=int, default=os.cpu_count())
    parser.add_argument("--replay", type=Path, metavar="FILE", help="a stored case")
    options = parser.parse_args()
    program = build_host_engine(assets.cache_dir() / "tests")
    if options.replay:
        record = json.loads(options.replay.read_text(encoding="utf-8"))
        failure = Conformance(partial(HostEngine, program)).check(record["operator"], record["choices"])
        print(failure or "equal")
        return 1 if failure else 0
    unknown = sorted(set(options.operators) - set(OPERATORS))
    if unknown:
        parser.error(f"no generator for {', '.join(unknown)}; there are: {', '.join(sorted(OPERATORS))}")
    names = sorted(options.operators or OPERATORS)
    numbers = range(options.first, options.first + options.count)
    failed, started = 0, time.monotonic()
    with ProcessPoolExecutor(options.jobs) as pool:
        jobs = [pool.submit(run_operator, program, name, numbers) for name in names]
        for job in jobs:
            name, tally, stored = job.result()
            notes = [f"{tally.refused} refused by both"] if tally.refused else []
            notes += [f"{count} declared: {reason}" for reason, count in tally.declared.items() if count]
            print(f"{name:26} {tally.equal:7} equal  {' '.join(sorted(tally.types)):30} {'; '.join(notes)}", flush=True)
            for text in stored:
                print(f"  {text}", flush=True)
            failed += bool(tally.failures)
    print(f"{len(names)} operators in {time.monotonic() - started:.0f} s, {failed} with failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

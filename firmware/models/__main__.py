# SPDX-License-Identifier: Apache-2.0
"""Makes the project's own models again, all or those named: python firmware/models [--check] [NAME ...]

Each by its own train.py, one after the other; the exit status is the first that was not 0.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(arguments: list[str]) -> int:
    options = [word for word in arguments if word.startswith("-")]
    known = sorted(path.parent.name for path in HERE.glob("*/train.py"))
    names = [word for word in arguments if not word.startswith("-")] or known
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"there is no model {', '.join(unknown)} here: {', '.join(known)}", file=sys.stderr)
        return 2
    status = 0
    for name in names:
        print(f"{name}:", flush=True)
        # The matrices are small: more threads only wait for each other.
        environment = {"OPENBLAS_NUM_THREADS": "1", **os.environ}
        done = subprocess.run([sys.executable, str(HERE / name / "train.py"), *options], env=environment, check=False)
        status = status or done.returncode
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

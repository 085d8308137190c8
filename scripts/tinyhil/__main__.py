# SPDX-License-Identifier: Apache-2.0
"""python -m tinyhil: the command line, where its script is not on PATH."""

from tinyhil.cli import main

main()

# SPDX-License-Identifier: Apache-2.0
"""`tinyhil install-renode`: the pinned portable build of Renode, verified, where tinyhil finds it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import click


@click.command("install-renode")
@click.argument("archive", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def install_renode_command(ctx: click.Context, archive: Path | None) -> None:
    """Fetch, verify and install Renode; nothing is done where it is there already.

    ARCHIVE: the downloaded file, where this machine has no network.
    """
    from tinyhil.assets import renode_installer

    command = ["bash", str(renode_installer()), *([str(archive)] if archive else [])]
    ctx.exit(subprocess.run(command, check=False).returncode)

# SPDX-License-Identifier: Apache-2.0
"""`tinyhil doctor`: what is installed, what is missing, and the command that installs it."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from tinyhil.cli.options import json_option


@click.command("doctor")
@json_option
@click.pass_context
def doctor_command(ctx: click.Context, as_json: bool) -> None:
    """Show what is installed, what is missing, and the command that installs it.

    Exit status 22 if something that tinyhil cannot do without is missing.
    """
    from tinyhil.doctor import EXIT_STATUS, checks, missing

    found = checks()
    lacking = missing(found)
    if as_json:
        rows = [{**asdict(check), "status": check.status} for check in found]
        click.echo(json.dumps({"ok": not lacking, "checks": rows}, indent=2))
        ctx.exit(EXIT_STATUS if lacking else 0)
    width = max(len(check.name) for check in found)
    for check in found:
        colour = {"ok": "green", "missing": "red", "absent": "yellow"}[check.status]
        what = ", ".join(text for text in (check.version, check.where) if text) if check.found else check.purpose
        click.echo(f"{click.style(f'{check.status:<8}', fg=colour)}{check.name:<{width}}  {what}".rstrip())
        if check.next_step:
            click.echo(f"{'':{width + 10}}next step: {check.next_step}")
    if lacking:
        click.echo(f"\n{len(lacking)} missing: {', '.join(check.name for check in lacking)}")
    ctx.exit(EXIT_STATUS if lacking else 0)

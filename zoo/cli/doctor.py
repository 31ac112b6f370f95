"""``zoo doctor``: the environment that zoo runs in."""

from __future__ import annotations

import typer

from zoo.cli.context import Context
from zoo.errors import CheckFailed


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor_command)


def doctor_command(ctx: typer.Context) -> None:
    """Versions, database, libraries and fonts for the PDF, and whether the Hub answers; changes nothing."""
    from rich.text import Text

    from zoo.doctor import examine
    from zoo.text import clean_text

    out: Context = ctx.obj
    findings = []
    for finding in examine(out.db_url):
        findings.append(finding)
        if not out.json:
            style = {"ok": "green", "note": "yellow", "problem": "bold red"}[finding.state]
            line = Text.assemble((f"{finding.state:8}", style), f"{finding.what}: ", clean_text(finding.text))
            out.out.print(line)
    problems = [finding for finding in findings if finding.state == "problem"]
    if out.json:
        out.print_json({"ok": not problems, "findings": [finding._asdict() for finding in findings]})
    if problems:
        raise CheckFailed(f"{len(problems)} of {len(findings)} things are not as zoo needs them: see above")

"""`cotpd doctor`: what would stop a run on this machine, with its remedy."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cotpd.cli.output import format_json, show
from cotpd.doctor.examination import examine
from cotpd.doctor.finding import Finding, Status

_MARKS = {Status.OK: ("ok     ", "green"), Status.NOTE: ("note   ", "yellow"), Status.PROBLEM: ("PROBLEM", "red")}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Check what a run needs here, and name what would stop it.

    The exit status is 1 if something would. Keys are never shown, and no file of the project is changed. Each
    configured server is asked once, with a limit of three seconds.

    \b
    Example:
      cotpd doctor
      cotpd doctor --json
    """
    findings = []
    for finding in examine(Path()):
        findings.append(finding)
        if not as_json:
            _print_finding(finding)
    problems = sum(finding.status is Status.PROBLEM for finding in findings)
    if as_json:
        show(format_json({"problems": problems, "findings": [asdict(finding) for finding in findings]}))
    else:
        show(f"{problems} of {len(findings)} would stop a run" if problems else "nothing would stop a run")
    raise typer.Exit(1 if problems else 0)


def _print_finding(finding: Finding) -> None:
    mark, colour = _MARKS[finding.status]
    show(f"{mark}  ", fg=colour, end="")
    show(f"{finding.area}: {finding.message}")
    if finding.remedy:
        show(f"           {finding.remedy}")
